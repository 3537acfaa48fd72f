from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import a_file, a_setting, a_tree
from layerforge.core import guarded
from layerforge.layer.passes import prune, prune_rules
from layerforge.layer.passes.setting import LeftAlone
from layerforge.layer.tree import Edit, Link, Package
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Prune

TEST = b"def test_it():\n    pass\n"
SO = "python/pkg/_core.cpython-313-x86_64-linux-gnu.so"


def run(files: Mapping[str, bytes], patterns: Prune | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """Reason by path of what goes, and of what is spared."""
    spec = LayerSpec(name="pkg", requires=("pkg",), prune={"pkg": patterns or Prune()})
    said = list(prune.prune(a_tree(*(a_file(path, data) for path, data in files.items())), a_setting(spec=spec)))
    gone = {item.path: item.reason for item in said if isinstance(item, Edit)}
    return gone, {item.path: item.reason for item in said if isinstance(item, LeftAlone)}


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("python/pkg/tests/test_a.py", "tests"),
        ("python/tests/test_a.py", "tests"),
        ("python/pkg/conftest.py", "tests"),
        ("python/pkg/__init__.pyi", "type stubs"),
        ("python/pkg/_a.pyx", "C, Cython and Fortran sources"),
        ("python/pkg/include/a.h", "C, Cython and Fortran sources"),
        ("python/pkg/lib/libnpymath.a", "static libraries"),
        ("python/pkg/liba.dylib", "other systems' libraries"),
        ("python/share/man/man1/f2py.1", "manual pages"),
        ("python/pkg-1.dist-info/direct_url.json", "traces of the build machine"),
        ("python/pkg-1.dist-info/uv_cache.json", "traces of the build machine"),
        ("python/distutils-precedence.pth", "what Lambda cannot start"),
        ("python/numba/np/ufunc/tbbpool.cpython-313-x86_64-linux-gnu.so", "what Lambda cannot start"),
    ],
)
def test_the_default_rules_drop(path: str, rule: str) -> None:
    gone, _ = run({path: TEST, "python/pkg/__init__.py": b"", SO: b""})
    assert gone == {path: rule}


@pytest.mark.parametrize(
    "path",
    [
        "python/pkg/__init__.py",
        "python/pkg/testing/utils.py",
        "python/pkg/test/api.py",
        "python/pkg/tests/data/big.bin",
        "python/pkg/tests/generic/builtin.sql",
        "python/pkg/tests/helper.py",
        "python/pkg/template/tests/test_a.py",
        "python/pkg/{{ name }}/tests/test_a.py",
        "python/share/pkg/tests/test_a.py",
        "python/pkg/py.typed",
        "python/pkg/typeshed/os.pyi",
        "python/pkg/model.obj",
        "python/pkg/1abc.pdb",
        "python/pkg/Python.Runtime.dll",
        "python/pkg/meson.build",
        "python/pkg/a.cpython-313-x86_64-linux-gnu.so",
        "python/pkg-1.dist-info/METADATA",
        "python/pkg-1.dist-info/licenses/tests/LICENSE.c",
        "python/pkg.libs/liba.so.1",
        "lib/liba.so",
        "python/contests/a.py",
    ],
)
def test_the_default_rules_leave_alone(path: str) -> None:
    assert run({"python/pkg/__init__.py": b"", SO: b"", path: TEST})[0] == {}


@pytest.mark.parametrize(
    "code",
    [
        b"open(HERE / 'templates' / 'x.h')",
        b"open('templates/x.h')",
        b"HERE.glob('*.h')",
        b"open(f'{name}.h')",
        b"open('%s.h' % name)",
        b"[f for f in names if f.endswith('.h')]",
        b"re.compile(r'.*[.]h$'), '.h'",
        b"sorted((HERE / 'templates').iterdir())",
        b"jinja2.PackageLoader('pkg', 'templates')",
        b"# templates: a.h x.h",
    ],
)
def test_a_source_that_the_code_names_stays(code: bytes) -> None:
    gone, spared = run(
        {"python/pkg/__init__.py": code, "python/pkg/templates/x.h": b"1", "python/pkg/y.c": b"2", SO: b""}
    )
    assert gone == {"python/pkg/y.c": "C, Cython and Fortran sources"}
    assert spared == {"python/pkg/templates/x.h": "named by python/pkg/__init__.py"}


@pytest.mark.parametrize("code", [b"self.h = 1", b"open('other_x.h')", b"open('x.h5')", b"sorted(here.glob('*.json'))"])
def test_words_that_only_resemble_a_source_spare_none(code: bytes) -> None:
    assert list(run({"python/pkg/__init__.py": code, "python/pkg/sub/x.h": b"", SO: b""})[0]) == ["python/pkg/sub/x.h"]


def test_a_pattern_speaks_of_its_own_package_and_a_name_of_every_one() -> None:
    files = [
        a_file("python/tool/__init__.py", b"glob('*.c'); open('kernels.cu')", package="tool"),
        a_file(SO),
        a_file("python/pkg/a.c"),
        a_file("python/pkg/kernels.cu"),
    ]
    said = list(prune.prune(a_tree(*files), a_setting()))
    assert [(item.path, type(item)) for item in said] == [
        ("python/pkg/a.c", Edit),
        ("python/pkg/kernels.cu", LeftAlone),
    ]


def test_a_module_that_lists_its_own_folder_keeps_the_sources_beside_it() -> None:
    code = b"import os\nNAMES = os.listdir(os.path.dirname(__file__))\n"
    gone, _ = run(
        {"python/pkg/kernels/__init__.py": code, "python/pkg/kernels/a.cu": b"", "python/pkg/b.cu": b"", SO: b""}
    )
    assert list(gone) == ["python/pkg/b.cu"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("python/pkg/plugins.py", b"load('pkg.tests.plugin')"),
        ("python/pkg/plugins.py", b"import_module('.tests.plugin', __package__)"),
        ("python/pkg/plugins.py", b"import_module(f'pkg.tests.{name}'), 'pkg.tests'"),
        ("python/pkg/plugins.py", b"runpy.run_path(HERE / 'tests' / 'plugin.py')"),
        ("python/pkg-1.dist-info/entry_points.txt", b"[pytest11]\npkg = pkg.tests.plugin:hook\n"),
    ],
)
def test_a_test_module_that_a_string_or_an_entry_point_names_stays(path: str, code: bytes) -> None:
    files = {"python/pkg/__init__.py": b"", "python/pkg/tests/__init__.py": b"", "python/pkg/tests/plugin.py": b""}
    assert "python/pkg/tests/plugin.py" in run({**files, path: code})[1]


def test_naming_a_package_spares_no_tests_below_it() -> None:
    files = {
        "python/pkg/__init__.py": b"load('pkg.core')",
        "python/pkg/core/__init__.py": b"",
        "python/pkg/core/tests/test_a.py": TEST,
    }
    assert list(run(files)[0]) == ["python/pkg/core/tests/test_a.py"]


def test_a_stub_that_the_code_reads_stays() -> None:
    files = {
        "python/pkg/__init__.py": b"stub = path.with_suffix('.pyi')",
        "python/pkg/a.py": b"",
        "python/pkg/a.pyi": b"",
    }
    assert run(files) == ({}, {"python/pkg/a.pyi": "named by python/pkg/__init__.py"})


def test_a_stub_of_a_compiled_module_goes() -> None:
    files = {"python/pkg/a.cpython-313-x86_64-linux-gnu.so": b"", "python/pkg/a.pyi": b""}
    assert list(run(files)[0]) == ["python/pkg/a.pyi"]


def test_data_of_tests_that_is_read_at_run_time_stays() -> None:
    files = {
        "python/pkg/__init__.py": b"GOLDEN = files('pkg') / 'data' / 'tests' / 'golden.json'",
        "python/pkg/data/tests/golden.json": b"{}",
        "python/pkg/data/tests/test_case.py": TEST,
    }
    gone, left = run(files)
    assert not gone
    assert left == {
        "python/pkg/data/tests/golden.json": "in a folder of tests; named by python/pkg/__init__.py",
        "python/pkg/data/tests/test_case.py": "tests: in no package",
    }


def test_every_rule_says_why_and_is_named_once() -> None:
    ids = [rule.id for rule in prune_rules.rules()]
    assert len(ids) == len(set(ids))
    assert all(rule.why and rule.globs for rule in prune_rules.rules())


def test_programs_that_lambda_can_start_stay_and_others_go() -> None:
    files = {
        "bin/tool": b"#!/var/lang/bin/python3.13\n",
        "bin/plain": b"#!/bin/sh\n",
        "bin/named": b"#!/usr/bin/env tool\n",
        "bin/ruff": b"\x7fELF",
        "bin/tool.cmd": b"@echo off\r\n",
        "bin/gem": b"#!/usr/bin/ruby\n",
        "bin/server": b"#!/usr/bin/env node\n",
        "python/pkg/run": b"#!/usr/bin/ruby\n",
    }
    assert run(files) == (dict.fromkeys(["bin/gem", "bin/server"], prune.UNSTARTABLE), {})


def test_a_program_goes_with_its_module_where_a_recipe_removes_that() -> None:
    points = b"[console_scripts]\nadmin = pkg.admin:main\ntool = pkg.tests.test_tool:main\n"
    tree = a_tree(
        *(a_file(f"bin/{name}", b"#!/var/lang/bin/python3.13\n") for name in ("admin", "tool", "gem")),
        a_file("bin/native", b"\x7fELF"),
        *(a_file(f"python/pkg/{name}") for name in ("__init__.py", "admin/__init__.py", "tests/test_tool.py")),
        a_file("python/pkg-1.dist-info/entry_points.txt", points),
        packages=[Package(name="pkg", version="1", info="python/pkg-1.dist-info")],
    )
    spec = LayerSpec(name="pkg", requires=("pkg",), prune={"pkg": Prune(remove=("pkg/admin/**",))})
    gone = {item.path: item.reason for item in prune.prune(tree, a_setting(spec=spec)) if isinstance(item, Edit)}
    assert gone == {"bin/admin": prune.CALLS_NOTHING, "python/pkg/admin/__init__.py": prune_rules.RECIPE}


def test_what_a_program_imports_is_spared_as_if_a_module_did() -> None:
    files = {
        "bin/tool": b"#!/var/lang/bin/python3.13\nfrom pkg.tests.helper_test import run\n",
        "bin/gem": b"#!/usr/bin/ruby\nimport pkg.tests.other_test\n",
        "python/pkg/__init__.py": b"",
        "python/pkg/tests/__init__.py": b"",
        "python/pkg/tests/helper_test.py": b"from . import deeper_test\n",
        "python/pkg/tests/deeper_test.py": TEST,
        "python/pkg/tests/other_test.py": TEST,
    }
    gone, spared = run(files)
    assert gone == {"bin/gem": prune.UNSTARTABLE, "python/pkg/tests/other_test.py": "tests"}
    assert spared["python/pkg/tests/helper_test.py"] == "imported by bin/tool"
    assert "python/pkg/tests/deeper_test.py" in spared


def test_a_recipe_removes_more_and_keeps_some() -> None:
    files = {
        "python/pkg/__init__.py": b"",
        "python/pkg/data/a.csv": b"1",
        "python/pkg/tests/test_keep.py": TEST,
        "python/pkg/tests/test_go.py": TEST,
    }
    gone, _ = run(files, Prune(remove=("pkg/data/**",), keep=("pkg/tests/test_keep.py",)))
    assert gone == {"python/pkg/data/a.csv": prune_rules.RECIPE, "python/pkg/tests/test_go.py": "tests"}


@pytest.mark.parametrize(
    "statement",
    [
        b"from pkg.tests._natype import NA",
        b"import pkg.tests._natype",
        b"from .tests._natype import NA",
        b"from .tests import _natype",
        b"from pkg.tests import (\n    other,\n    _natype,\n)",
        b"def late():\n    from pkg.tests import \\\n        _natype",
        b"try:\n    import pkg.tests._natype as n\nexcept ImportError:\n    n = None",
    ],
)
def test_a_test_module_that_a_kept_module_imports_stays(statement: bytes) -> None:
    files = {
        "python/pkg/__init__.py": statement,
        "python/pkg/tests/__init__.py": b"",
        "python/pkg/tests/_natype.py": b"NA = 1",
        "python/pkg/tests/test_a.py": TEST,
    }
    gone, spared = run(files)
    assert list(gone) == ["python/pkg/tests/test_a.py"]
    assert set(spared) == {"python/pkg/tests/__init__.py", "python/pkg/tests/_natype.py"}
    assert spared["python/pkg/tests/_natype.py"] == "imported by python/pkg/__init__.py"


def test_what_a_spared_module_imports_is_spared_too() -> None:
    files = {
        "python/pkg/__init__.py": b"import pkg.tests.one\n",
        "python/pkg/tests/__init__.py": b"",
        "python/pkg/tests/one.py": b"from . import two\n",
        "python/pkg/tests/two.py": b"",
        "python/pkg/tests/test_three.py": b"import pkg.tests.two\n" + TEST,
    }
    gone, spared = run(files)
    assert list(gone) == ["python/pkg/tests/test_three.py"]
    assert set(spared) == {f"python/pkg/tests/{name}.py" for name in ("__init__", "one", "two")}


def test_a_module_that_only_mentions_tests_spares_nothing() -> None:
    files = {
        "python/pkg/__init__.py": b'"""Run the tests with import pkg.tests."""\nx = "tests"\n',
        "python/pkg/tests/test_b.py": TEST,
    }
    gone, spared = run(files)
    assert list(gone) == ["python/pkg/tests/test_b.py"]
    assert not spared


def test_what_a_recipe_removes_goes_though_it_is_imported() -> None:
    files = {"python/pkg/__init__.py": b"from pkg import plugin\n", "python/pkg/plugin.py": b""}
    gone, spared = run(files, Prune(remove=("pkg/plugin.py",)))
    assert list(gone) == ["python/pkg/plugin.py"]
    assert not spared


def test_a_stub_that_its_module_reads_to_load_names_lazily_stays() -> None:
    lazy = b"import lazy_loader\n__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)\n"
    files = {
        "python/pkg/__init__.py": lazy,
        "python/pkg/__init__.pyi": b"",
        "python/pkg/other.pyi": b"",
        "python/pkg/other.py": b"",
    }
    gone, left = run(files)
    assert gone == {"python/pkg/other.pyi": "type stubs"}
    assert left == {"python/pkg/__init__.pyi": "read by python/pkg/__init__.py"}
    assert "python/pkg/__init__.pyi" in run(files, Prune(remove=("**/*.pyi",)))[0]


def test_what_lambda_has_no_library_for_goes_though_it_is_imported() -> None:
    pool = "python/numba/np/ufunc/omppool.cpython-313-x86_64-linux-gnu.so"
    files = {"python/numba/np/ufunc/parallel.py": b"from numba.np.ufunc import omppool\n", pool: b"\x7fELF"}
    assert list(run(files)[0]) == [pool]


@pytest.mark.parametrize(
    "statement", [b"print 'old'", b"type new[T]: x = f'{'}", b"("], ids=["old", "newer", "cut off"]
)
def test_a_source_that_this_python_cannot_parse_spares_what_it_imports(statement: bytes) -> None:
    files = {
        "python/pkg/a.py": b"import tests.b\n" + statement,
        "python/tests/__init__.py": b"\xff\xfe(",
        "python/tests/test_c.py": TEST,
    }
    gone, spared = run(files)
    assert list(gone) == ["python/tests/test_c.py"]
    assert spared == {"python/tests/__init__.py": "imported by python/pkg/a.py"}


def test_a_program_beside_the_packages_spares_what_it_imports() -> None:
    files = {
        "bin/tool.py": b"import pkg.tests.test_a\n",
        "python/pkg/__init__.py": b"",
        "python/pkg/tests/test_a.py": TEST,
    }
    assert run(files) == ({}, {"python/pkg/tests/test_a.py": "imported by bin/tool.py"})


def test_a_source_too_long_to_be_parsed_spares_what_it_imports() -> None:
    long = b"from pkg.tests import (\n    _natype,\n)\n" + b"x = 1\n" * (guarded.MOST_PYTHON // 6)
    tests = {f"python/pkg/tests/{name}.py": b"" for name in ("__init__", "_natype", "test_a")}
    gone, spared = run({"python/pkg/__init__.py": long, **tests})
    assert list(gone) == ["python/pkg/tests/test_a.py"]
    assert set(spared) == {"python/pkg/tests/__init__.py", "python/pkg/tests/_natype.py"}


def test_links_are_pruned_like_files() -> None:
    said = list(prune.prune(a_tree(Link(path="python/share/man/a", target="b")), a_setting()))
    assert [type(item) for item in said] == [Edit]


paths = st.lists(
    st.sampled_from(["python", "pkg", "tests", "__init__.py", "a.py", "b.pyi", "bin", "x-1.dist-info"]), min_size=1
).map("/".join)


@given(st.dictionaries(paths, st.sampled_from([b"", b"import pkg.tests.a", b"#!x", b"from . import a"]), max_size=12))
def test_no_path_is_both_dropped_and_spared(files: dict[str, bytes]) -> None:
    gone, spared = run(files)
    assert not set(gone) & set(spared)
    assert set(gone) | set(spared) <= set(files)


# --- recipes of packages that share folders


def shared(prune_of: Mapping[str, Prune]) -> tuple[list[str], list[str]]:
    """Paths below ``python/space/`` that go, and that stay, of two packages in one namespace."""
    files = {
        "left": ["space/left/__init__.py", "space/left/data/a.bin", "space/data.bin"],
        "right": ["space/right/__init__.py", "space/right/data/a.bin", "space/data2.bin"],
    }
    entries = [a_file(f"python/{path}", b"x", package=name) for name, paths in files.items() for path in paths]
    links = [Link(path=f"python/space/{name}.so", target="x", package=name) for name in files]
    spec = LayerSpec(name="pkg", requires=("pkg",), prune=prune_of)
    layer = a_tree(*entries, *links, a_file("python/space/nobodys.bin", b"x", package=""))
    said = prune.prune(layer, a_setting(spec=spec))
    gone = {item.path for item in said if isinstance(item, Edit)}
    prefix = "python/space/"
    paths = [entry.path for entry in layer.entries]
    return (
        [path.removeprefix(prefix) for path in paths if path in gone],
        [path.removeprefix(prefix) for path in paths if path not in gone],
    )


@pytest.mark.parametrize("glob", ["space/**", "space/*/data/**", "space/*.bin", "space/*.so"])
def test_what_a_recipe_removes_are_files_of_its_own_package_alone(glob: str) -> None:
    gone, stays = shared({"left": Prune(remove=(glob,))})
    assert gone
    assert not [path for path in gone if path.startswith("right") or path in {"data2.bin", "nobodys.bin"}]
    assert {"right/__init__.py", "right/data/a.bin", "right.so", "data2.bin", "nobodys.bin"} <= set(stays)


def test_recipes_of_two_packages_in_one_folder_each_count_for_their_own_files() -> None:
    gone, _ = shared({"left": Prune(remove=("space/*/data/**",)), "right": Prune(remove=("space/*.bin",))})
    assert gone == ["data2.bin", "left/data/a.bin"]


def test_what_a_recipe_keeps_keeps_nothing_of_another_package() -> None:
    gone, stays = shared({"left": Prune(keep=("space/**",)), "right": Prune(remove=("space/**",))})
    assert gone == ["data2.bin", "right.so", "right/__init__.py", "right/data/a.bin"]
    assert {"left/__init__.py", "left/data/a.bin", "left.so"} <= set(stays)


def test_a_default_rule_that_one_package_is_kept_from_counts_for_the_other() -> None:
    files = {"left": "python/space/left/_a.pyx", "right": "python/space/right/_b.pyx"}
    compiled = a_file("python/space/right/_b.abi3.so", package="right")
    layer = a_tree(compiled, *(a_file(path, b"x", package=name) for name, path in files.items()))
    spec = LayerSpec(name="pkg", requires=("pkg",), prune={"left": Prune(keep=("space/**",))})
    gone = [item.path for item in prune.prune(layer, a_setting(spec=spec)) if isinstance(item, Edit)]
    assert gone == [files["right"]]


# --- rules that packages of the index have taught, each in the shape of the package


def test_a_public_package_that_is_called_tests_stays() -> None:
    # evidently.tests is what people import of evidently; nothing in it is a test.
    files = {
        "python/evidently/__init__.py": b"",
        "python/evidently/tests/__init__.py": b"from .base_test import BaseTest, gte\n",
        "python/evidently/tests/base_test.py": b"class BaseTest:\n    def check(self): ...\n",
        "python/evidently/tests/custom_test.py": b"from .base_test import BaseTest\n",
    }
    gone, left = run(files)
    assert not gone
    assert left["python/evidently/tests/custom_test.py"] == f"tests: {prune_rules.NO_TESTS}"


def test_hooks_of_pytest_go_though_no_test_is_beside_them() -> None:
    # scikit-learn has such a conftest.py beside the code that it took over from others.
    files = {"python/pkg/__init__.py": b"", "python/pkg/externals/__init__.py": b""}
    hook = {"python/pkg/externals/conftest.py": b"def pytest_ignore_collect(path): return True\n"}
    assert run({**files, **hook})[0].keys() == hook.keys()


@pytest.mark.parametrize("content", [b"import pytest\n", b"class A(TestCase): ...", b"from unittest import main", TEST])
def test_helpers_go_with_the_tests_that_are_beside_them(content: bytes) -> None:
    files = {
        "python/pkg/__init__.py": b"",
        "python/pkg/tests/__init__.py": b"",
        "python/pkg/tests/helper.py": b"x = 1\n",
        "python/pkg/tests/deep/__init__.py": b"",
        "python/pkg/tests/deep/test_a.py": content,
    }
    assert run(files)[0].keys() == files.keys() - {"python/pkg/__init__.py"}


def test_headers_of_a_package_without_compiled_code_are_its_data() -> None:
    # pybind11 holds nothing but headers for others.
    files = {"python/pybind11/__init__.py": b"", "python/pybind11/include/pybind11/attr.h": b""}
    reason = "C, Cython and Fortran sources: of a package without compiled code"
    assert run(files) == ({}, {"python/pybind11/include/pybind11/attr.h": reason})


@pytest.mark.parametrize(
    "code",
    [
        b"def get_include():\n    return os.path.join(DIR, 'include')\n",
        b"HEADERS = Path(__file__).parent / 'include'\n",
        b"HEADERS = 'include' / Path(name)\n",
        b"os.path.join(\n    HERE,\n    'include',\n    name,\n)\n",
        b"files('pkg').joinpath('include', name).read_text()",
        b"files('pkg.include').joinpath(name)",
        b"pkgutil.get_data('pkg', 'include/' + name)",
        b"pkgutil.get_data('pkg.include', name)",
        b"resources.read_text('pkg.include', name)",
    ],
)
def test_a_folder_that_code_puts_into_a_path_keeps_its_sources(code: bytes) -> None:
    files = {"python/pkg/__init__.py": code, "python/pkg/include/x.h": b"", "python/pkg/src/y.h": b"", SO: b""}
    gone, left = run(files)
    assert list(gone) == ["python/pkg/src/y.h"]
    assert left == {"python/pkg/include/x.h": "named by python/pkg/__init__.py"}


@pytest.mark.parametrize(
    "code",
    [b"files(__package__).joinpath(name)", b"pkgutil.get_data(__name__, name)", b"read_text(\n    __package__, n)"],
)
def test_a_module_that_reads_whatever_is_asked_of_its_own_package_keeps_the_sources_beside_it(code: bytes) -> None:
    files = {"python/pkg/k/__init__.py": code, "python/pkg/k/a.cu": b"", "python/pkg/b.cu": b"", SO: b""}
    assert list(run(files)[0]) == ["python/pkg/b.cu"]


@pytest.mark.parametrize(
    "code", [b"open(f'{stem}.{ext}') if ext in ('cu', 'cl') else 0", b"'%s.%s' % (stem, 'cu')", b"stem + '.' + 'cu'"]
)
def test_a_suffix_without_its_dot_counts_where_names_are_put_together(code: bytes) -> None:
    files = {"python/pkg/__init__.py": code, "python/pkg/k/a.cu": b"", "python/pkg/k/a.h": b"", SO: b""}
    assert list(run(files)[0]) == ["python/pkg/k/a.h"]


def test_what_a_source_that_stays_includes_stays_too() -> None:
    # numba reads cuda_fp16.h, which includes cuda_fp16.hpp; PyOpenCL's .cl files include headers.
    files = {
        "python/numba/cuda/__init__.py": b"open('cuda_fp16.h')",
        "python/numba/cuda/cuda_fp16.h": b'#include "cuda_fp16.hpp"\n',
        "python/numba/cuda/cuda_fp16.hpp": b"#  include <deep/types.h>\n",
        "python/numba/cuda/deep/types.h": b"",
        "python/numba/cuda/random.cl": b"#include <philox.h>\n",
        "python/numba/cuda/philox.h": b"",
        "python/numba/cuda/other.h": b'#include "others.h"\n',
        "python/numba/cuda/others.h": b"",
        "python/numba/_core.abi3.so": b"",
    }
    assert list(run(files)[0]) == ["python/numba/cuda/other.h", "python/numba/cuda/others.h"]


@pytest.mark.parametrize(
    "code", [b"import_module(f'{app}.tests')", b"'%s.tests' % app", b"load(app + '.tests.' + name)"]
)
def test_tests_of_a_name_that_is_put_together_stay(code: bytes) -> None:
    tests = {"python/pkg/app/__init__.py": b"", "python/pkg/app/tests/test_a.py": TEST}
    assert not run({"python/pkg/__init__.py": code, **tests})[0]


@pytest.mark.parametrize(
    ("reader", "kept"), [("mypy", "python/pkg/a.pyi"), ("jedi", "python/pkg/a.pyi"), ("Cython", "python/pkg/a.pxd")]
)
def test_what_a_program_of_the_layer_reads_of_any_package_stays(reader: str, kept: str) -> None:
    files = {"python/pkg/__init__.py": b"", "python/pkg/a.py": b"", "python/pkg/a.pyi": b"", "python/pkg/a.pxd": b""}
    gone, left = run({**files, SO: b"", f"python/{reader}/__init__.py": b""})
    assert sorted(gone) == sorted({"python/pkg/a.pyi", "python/pkg/a.pxd"} - {kept})
    assert left[kept].endswith(f": {reader} reads them")


def test_no_recipe_is_told_to_remove_what_a_program_of_the_layer_reads() -> None:
    # Most of jedi is the stubs of the standard library.
    files = [a_file("python/jedi/__init__.py"), a_file("python/jedi/third_party/typeshed/os.pyi")]
    [left] = prune.prune(a_tree(*files), a_setting())
    assert isinstance(left, LeftAlone)
    assert (left.reason, left.removable) == ("type stubs: jedi reads them", False)


def test_a_spared_test_that_names_others_spares_none_of_them() -> None:
    # SciPy says test_codata.py in a comment, and its tests name each other.
    files = {
        "python/scipy/__init__.py": b"# see test_codata.py\n",
        "python/scipy/tests/__init__.py": b"",
        "python/scipy/tests/test_codata.py": b"'scipy.tests.test_io'\n" + TEST,
        "python/scipy/tests/test_io.py": TEST,
    }
    assert "python/scipy/tests/test_io.py" in run(files)[0]


def test_what_looks_like_dead_weight_is_told_and_stays() -> None:
    files = {
        "python/joblib/__init__.py": b"from joblib.benchmarks import timer\n",
        "python/joblib/test/__init__.py": b"",
        "python/joblib/test/test_a.py": b"from joblib.test import common\n" + TEST,
        "python/joblib/test/data/a.gz": b"1",
        "python/joblib/examples/plot.py": b"1",
        "python/joblib/docs/index.html": b"1",
        "python/joblib/benchmarks/__init__.py": b"",
        "python/joblib/benchmarks/timer.py": b"",
        "python/joblib/benchmarks/bench.py": b"",
    }
    assert run(files) == (
        {},
        {
            **dict.fromkeys([path for path in files if "/test/" in path], "in a folder of tests"),
            "python/joblib/examples/plot.py": "in a folder of examples",
            "python/joblib/docs/index.html": "in a folder of documents",
            "python/joblib/benchmarks/bench.py": "in a folder of benchmarks",
        },
    )


@pytest.mark.parametrize("path", ["pkg/tests/a.npz", "pkg/tests/helper.py", "pkg/examples/a.h", "pkg/a.h", "pkg/a.pyi"])
def test_what_a_recipe_removes_goes_though_it_is_named(path: str) -> None:
    code = b"open('a.npz'); open('a.h'); open('a.pyi'); import pkg.tests.helper, pkg.tests.test_a"
    tests = {"python/pkg/tests/__init__.py": b"", "python/pkg/tests/test_a.py": TEST}
    gone, left = run({"python/pkg/__init__.py": code, **tests, SO: b"", f"python/{path}": b"1"}, Prune(remove=(path,)))
    assert gone[f"python/{path}"] == prune_rules.RECIPE
    assert f"python/{path}" not in left


def test_what_a_recipe_keeps_is_not_told() -> None:
    files = {"python/pkg/__init__.py": b"", "python/pkg/examples/a.py": b"1", "python/pkg/examples/b.py": b"2"}
    assert list(run(files, Prune(keep=("pkg/examples/a.py",)))[1]) == ["python/pkg/examples/b.py"]


def test_a_recipe_may_remove_data_and_headers_but_no_module_that_is_imported() -> None:
    files = {
        "python/pkg/__init__.py": b"open('x.h')\nimport pkg.tests.helper\n",
        "python/pkg/x.h": b"",
        "python/pkg/tests/__init__.py": b"",
        "python/pkg/tests/helper.py": b"",
        "python/pkg/tests/test_a.py": TEST,
        "python/pkg/tests/a.bin": b"",
        SO: b"",
    }
    said = prune.prune(a_tree(*(a_file(path, data) for path, data in files.items())), a_setting())
    may = {item.path: item.removable for item in said if isinstance(item, LeftAlone)}
    assert may == {
        "python/pkg/x.h": True,
        "python/pkg/tests/a.bin": True,
        "python/pkg/tests/__init__.py": False,
        "python/pkg/tests/helper.py": False,
    }
