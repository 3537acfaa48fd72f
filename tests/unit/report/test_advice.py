"""Advice: measured of the layer's own files, never promised twice, and silent where there is little to win."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import elves
import zips
from fakes import a_file, a_manifest, a_setting, a_tree, target
from layerforge.examine.examination import Kind
from layerforge.examine.examine import examine
from layerforge.layer.passes import prune, strip
from layerforge.layer.passes.setting import UNCOMPILABLE, LeftAlone
from layerforge.layer.pyc import PycFacts, PycState
from layerforge.layer.tree import Edit
from layerforge.report.advice.advise import SMALLEST, Advice, advise, apart, limited, notes
from layerforge.report.advice.evidence import LayerEvidence, Proposal, Saving
from layerforge.report.advice.sources import judged
from layerforge.resolve.left_out import LeftOut, Why
from wheels import record_row

BIG = 300_000
MIB = b"#" * BIG


@dataclass(frozen=True, kw_only=True)
class Node:
    """A module of a cold start."""

    name: str
    total_us: int
    children: Sequence[Node] = ()


def a_package(name: str, files: Mapping[str, bytes], *, version: str = "1.0", needs: Sequence[str] = ()) -> Any:
    """Files below python/, with metadata that lists them."""
    info = f"python/{name.replace('-', '_')}-{version}.dist-info"
    wanted = "".join(f"Requires-Dist: {need}\n" for need in needs)
    own = {f"python/{path}": data for path, data in files.items()}
    own[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wanted}\n".encode()
    rows = [record_row(path.removeprefix("python/"), data) for path, data in own.items()]
    return own | {f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,".removeprefix("python/")]).encode()}


def evidence(folder: Path, files: Mapping[str, bytes], **facts: Any) -> LayerEvidence:
    """The evidence of a real zip with these files."""
    seen = examine(zips.of(folder / "layer.zip", files), target())
    return LayerEvidence(target=target(), examination=seen, read=lambda path: files[path], **facts)


def kinds(evidence: LayerEvidence) -> dict[str, Advice]:
    found = advise(evidence)
    assert len({one.kind for one in found}) == len(found), "each once"
    return {one.kind: one for one in found}


# --- bytecode


def with_pyc(evidence: LayerEvidence, state: PycState) -> LayerEvidence:
    """The same layer with every .pyc in one state."""
    facts = PycFacts(state=state, magic=3571)
    members = [replace(one, pyc=facts, kind=Kind.BYTECODE) if one.pyc else one for one in evidence.examination.members]
    return replace(evidence, examination=replace(evidence.examination, members=tuple(members)))


TEST = b"def test_it():\n    pass\n"
SO = {"python/demo/_core.abi3.so": b""}
"""Compiled code, of which headers beside it may be the sources."""

COMPILED = {"python/demo/a.py": MIB, "python/demo/__pycache__/a.cpython-313.pyc": b"c" * 1000}


def test_sources_whose_bytecode_is_valid_could_go(tmp_path: Path) -> None:
    found = kinds(with_pyc(evidence(tmp_path, COMPILED), PycState.VALID))
    [member] = [one for one in examine(tmp_path / "layer.zip", target()).members if one.path == "python/demo/a.py"]
    assert found.keys() == {"bytecode-only"}
    assert (found["bytecode-only"].bytes, found["bytecode-only"].zipped) == (BIG, member.zipped)
    assert "--bytecode only" in found["bytecode-only"].how


def test_bytecode_that_is_stale_could_go_and_its_sources_could_not(tmp_path: Path) -> None:
    files = {"python/demo/a.py": b"a = 1", "python/demo/__pycache__/a.cpython-313.pyc": MIB}
    found = kinds(with_pyc(evidence(tmp_path, files), PycState.STALE))
    assert {kind: one.bytes for kind, one in found.items()} == {"unused-bytecode": BIG}


def test_what_costs_time_comes_first(tmp_path: Path) -> None:
    stale = {"python/demo/a.py": b"a = 1", "python/demo/__pycache__/a.cpython-313.pyc": MIB}
    known = with_pyc(evidence(tmp_path, {**stale, **SO, "python/demo/data.h": MIB * 2}), PycState.STALE)
    assert [one.kind for one in advise(known)] == ["unused-bytecode", "dead-weight"]


def test_missing_bytecode_comes_first_and_is_told_in_modules_and_source(tmp_path: Path) -> None:
    files = {"python/demo/a.py": MIB, "python/demo/data.h": MIB * 2, **SO}
    first, second = advise(evidence(tmp_path, files))
    assert (first.kind, first.bytes, first.files, first.ms) == ("missing-bytecode", 0, 0, None)
    assert "1 module (300.0 kB of source)" in first.message
    assert second.kind == "dead-weight"


def test_what_the_build_could_not_compile_is_not_asked_for(tmp_path: Path) -> None:
    left = LeftAlone(path="python/demo/template.py", reason=f"{UNCOMPILABLE}: SyntaxError")
    made = a_manifest(left=(left,))
    assert kinds(evidence(tmp_path, {left.path: MIB}, manifest=made)) == {}


# --- what could be left out


def test_tests_and_headers_could_go_but_not_what_is_imported_or_named(tmp_path: Path) -> None:
    files = {
        "python/demo/__init__.py": b"from .testing.tests import helper\nopen('named.h')\n",
        "python/demo/testing/__init__.py": b"",
        "python/demo/testing/tests/__init__.py": b"",
        "python/demo/testing/tests/helper.py": MIB,
        "python/demo/tests/__init__.py": b"",
        "python/demo/tests/test_a.py": (TEST + MIB * 2)[: 2 * BIG],
        "python/demo/tests/data.bin": MIB,
        "python/demo/a.h": MIB,
        "python/demo/named.h": MIB,
        **SO,
    }
    found = kinds(evidence(tmp_path, files))["dead-weight"]
    assert (found.bytes, found.files) == (3 * BIG, 3)
    assert "tests (600.0 kB), C, Cython and Fortran sources (300.0 kB)" in found.message


@pytest.mark.parametrize(
    "statement",
    [
        "import demo.core.tests",
        "from demo.core.tests.helper import x",
        "from demo.core import tests",
        "def late():\n    from .core.tests import helper",
        "from .core import (\n    tests,\n)",
        "from .core import a, tests",
        "import os, demo.core.tests as t",
    ],
)
def test_every_kind_of_import_keeps_tests(statement: str, tmp_path: Path) -> None:
    files = {
        "python/demo/__init__.py": statement.encode(),
        "python/demo/core/__init__.py": b"",
        "python/demo/core/tests/__init__.py": MIB,
    }
    assert "dead-weight" not in kinds(evidence(tmp_path, files))


def test_advice_on_dead_weight_promises_what_a_build_drops(tmp_path: Path) -> None:
    files = {
        "python/demo/__init__.py": b"import demo.core.tests.helper\nopen('named.h')\n",
        "python/demo/core/__init__.py": b"",
        "python/demo/core/tests/__init__.py": b"",
        "python/demo/core/tests/helper.py": b"from . import deep\n",
        "python/demo/core/tests/deep.py": b"",
        "python/demo/core/tests/test_a.py": b"import demo.core.tests.test_b\n",
        "python/demo/core/tests/test_b.py": TEST,
        **SO,
        "python/demo/named.h": b"",
        "python/demo/other.h": b"",
    }
    tree = a_tree(*(a_file(path, data, package="") for path, data in files.items()))
    dropped = {edit.path: edit.reason for edit in prune.prune(tree, a_setting()) if isinstance(edit, Edit)}
    assert judged(evidence(tmp_path, files)).droppable == dropped
    assert set(dropped) == {
        "python/demo/core/tests/test_a.py",
        "python/demo/core/tests/test_b.py",
        "python/demo/other.h",
    }


def test_what_a_program_imports_could_not_go(tmp_path: Path) -> None:
    tests = {f"python/a/tests/{name}.py": TEST + MIB for name in ("__init__", "test_a", "test_b")}
    program = {"bin/a": b"#!/var/lang/bin/python3.13\nfrom a.tests import test_a\n"}
    seen = evidence(tmp_path, {"python/a/__init__.py": b"", **tests, **program})
    assert list(judged(seen).droppable) == ["python/a/tests/test_b.py"]


def test_a_stub_that_its_module_reads_at_run_time_could_not_go(tmp_path: Path) -> None:
    lazy = b"import lazy_loader\n__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)\n"
    files = {
        "python/a/__init__.py": lazy,
        "python/a/__init__.pyi": MIB,
        "python/a/other.pyi": MIB,
        "python/a/other.py": b"",
    }
    assert kinds(evidence(tmp_path, files))["dead-weight"].bytes == BIG


def test_an_import_of_other_tests_keeps_none(tmp_path: Path) -> None:
    files = {
        "python/demo/__init__.py": b"from elsewhere.tests import x\n",
        "python/demo/tests/__init__.py": b"",
        "python/demo/tests/helper.py": MIB,
        "python/demo/tests/test_a.py": TEST,
    }
    assert kinds(evidence(tmp_path, files))["dead-weight"].bytes == BIG + len(TEST)


def test_a_layer_of_our_own_keeps_what_its_recipe_kept(tmp_path: Path) -> None:
    assert "dead-weight" not in kinds(evidence(tmp_path, {"python/a/x.h": MIB}, manifest=a_manifest(requires=("a",))))


def test_what_the_runtime_has_is_named_with_its_metadata(tmp_path: Path) -> None:
    files = a_package("boto3", {"boto3/data.json": MIB * 4, "boto3/__init__.py": b""}) | a_package(
        "demo", {"demo/data.json": MIB, "demo/__init__.py": b""}, needs=["boto3"]
    )
    found = kinds(evidence(tmp_path, files))
    members = examine(tmp_path / "layer.zip", target()).members
    assert found.keys() == {"runtime-has-it"}
    assert found["runtime-has-it"].bytes == sum(one.size for one in members if one.package == "boto3") > 4 * BIG
    assert "boto3" in found["runtime-has-it"].message


@pytest.mark.parametrize(
    ("needs", "left"),
    [
        (["botocore>=1.40"], {"botocore", "jmespath"}),
        (["botocore>=1.40,<1.43"], set()),
        (["botocore==1.42.*"], set()),
        (["jmespath~=1.0"], {"botocore"}),
        (["botocore @ https://example.org/botocore.zip"], set()),
    ],
)
def test_the_version_that_a_package_which_stays_asks_for_is_no_choice(
    needs: list[str], left: set[str], tmp_path: Path
) -> None:
    files = a_package("demo", {"demo/__init__.py": b"import botocore, jmespath"}, needs=needs)
    files |= a_package("botocore", {"botocore/__init__.py": b"import jmespath\n" + MIB * 4}, needs=["jmespath<2"])
    files |= a_package("jmespath", {"jmespath/__init__.py": MIB * 4})
    found = kinds(evidence(tmp_path, files)).get("runtime-has-it")
    told = found.message.partition(":")[0].removeprefix("the runtime has its own ") if found else ""
    assert set(filter(None, told.split(", "))) == left


@pytest.mark.parametrize(
    ("cap", "way"),
    [
        ("urllib3<3,>=1.26", "`--leave-out runtime` leaves them out if the runtime's versions will do;"),
        ("urllib3<2", "`--leave-out boto3` leaves them out if the runtime's versions will do, beside the layer's own "),
        ("urllib3>=2,<3", "`--leave-out boto3` leaves them out if the runtime's versions will do, beside the layer's "),
    ],
)
def test_a_limit_that_the_runtimes_own_version_keeps_holds_nothing_and_another_holds_that_package_alone(
    cap: str, way: str, tmp_path: Path
) -> None:
    files = a_package("requests", {"requests/__init__.py": b"import urllib3"}, needs=[cap])
    files |= a_package("boto3", {"boto3/__init__.py": b"import botocore\n"}, needs=["botocore<1.44"])
    files |= a_package("botocore", {"botocore/__init__.py": b"import urllib3\n" + MIB * 4}, needs=["urllib3!=2.2.0,<3"])
    files |= a_package("urllib3", {"urllib3/__init__.py": b""})
    found = kinds(evidence(tmp_path, files))["runtime-has-it"]
    assert found.how.startswith(way)
    gone = "boto3, botocore, urllib3" if "runtime`" in way else "boto3, botocore"
    assert found.message.startswith(f"the runtime has its own {gone}: ")


def test_what_is_needed_by_what_stays_has_to_be_left_out_by_its_own_name(tmp_path: Path) -> None:
    files = a_package("pandas", {"pandas/__init__.py": b"import dateutil"}, needs=["python-dateutil", "urllib3<2"])
    files |= a_package("boto3", {"boto3/__init__.py": MIB * 4}, needs=["botocore", "python-dateutil"])
    files |= a_package("botocore", {"botocore/__init__.py": b""}, needs=["urllib3"])
    files |= a_package("python-dateutil", {"dateutil/__init__.py": b""}) | a_package("urllib3", {"urllib3/x.py": b""})
    found = kinds(evidence(tmp_path, files))["runtime-has-it"]
    assert found.how.startswith("`--leave-out boto3 --leave-out python-dateutil` leaves them out")


def test_libraries_for_graphics_processors_are_told_with_who_asks_for_them(tmp_path: Path) -> None:
    files = a_package("xgboost", {"xgboost/__init__.py": b"import nvidia"}, needs=["nvidia-nccl-cu12"])
    files |= a_package("nvidia-nccl-cu12", {"nvidia/nccl/lib/libnccl.so.2": MIB * 4})
    files |= a_package("nvidia-alone", {"nvidia/alone/lib/liba.so": MIB * 3})
    known = evidence(tmp_path, files)
    found = [one for one in advise(known) if one.kind == "no-graphics"]
    assert [one.message.partition(":")[0] for one in found] == [
        "Lambda has no graphics processor for nvidia-nccl-cu12, which xgboost asks for",
        "Lambda has no graphics processor for nvidia-alone",
    ]
    assert found[0].how.startswith("`--leave-out nvidia-nccl-cu12` leaves it out")
    assert found[0].bytes > 4 * BIG
    assert any("nvidia-nccl-cu12" in line for line in notes(known, ours=True))


def test_versions_that_a_package_asks_for_of_what_the_runtime_is_to_bring_are_told(tmp_path: Path) -> None:
    files = a_package("aio", {"aio/__init__.py": b""}, needs=["botocore>=1.40,<1.43", "urllib3<3"])
    files |= a_package("pandas", {"pandas/__init__.py": b""}, needs=["python-dateutil>=2.8"])
    seen = evidence(tmp_path, files).examination
    names = ("botocore", "python-dateutil", "urllib3")
    out = [LeftOut(name=name, why=Why.RUNTIME) for name in names]
    line = "aio asks for certain versions of botocore, and the runtime may have others"
    assert limited(seen, target(), out) == (line,)
    assert limited(seen, target(), [LeftOut(name="botocore", why=Why.ASKED)]) == ()


def test_notes_of_a_verification_are_the_advice_of_inspect(tmp_path: Path) -> None:
    files = a_package("boto3", {"boto3/data.json": MIB * 4, "boto3/__init__.py": b""}) | {"python/demo/x.h": MIB, **SO}
    known = evidence(tmp_path, files)
    said = {kind: f"{one.message}; {one.how}" for kind, one in kinds(known).items()}
    assert notes(known, ours=False) == (said["runtime-has-it"], said["dead-weight"])
    assert notes(known, ours=True) == (said["runtime-has-it"],)


def test_a_small_package_that_the_runtime_has_is_no_advice(tmp_path: Path) -> None:
    assert kinds(evidence(tmp_path, a_package("six", {"six.py": b"", "six.json": MIB}))) == {}


OTHER = {"other/data.json": MIB, "other/__init__.py": b"a = 1\n"}


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"demo/__init__.py": b"import os\n"}, False),
        ({"demo/__init__.py": b"import os, other\n"}, True),
        ({"demo/__init__.py": b"try: import other.sub as o\nexcept ImportError: pass\n"}, True),
        ({"demo/__init__.py": b"from other import a\n"}, True),
        ({"demo/__init__.py": b"load('other')\n"}, True),
        ({"demo/__init__.py": b"import \\\n  other\n"}, True),
        ({"demo/__init__.py": b"another = 1\n"}, False),
        ({"demo/__init__.py": b"", "demo/x.pyc": b"..\x05other.."}, True),
    ],
)
def test_a_package_that_no_other_one_names_is_told_with_who_asks_for_it(
    files: dict[str, bytes], named: bool, tmp_path: Path
) -> None:
    found = kinds(evidence(tmp_path, a_package("demo", files, needs=["other"]) | a_package("other", OTHER)))
    assert ("unused-package" in found) is not named
    if not named:
        assert found["unused-package"].bytes > BIG
        assert "though demo asks for it" in found["unused-package"].message
        assert found["unused-package"].how.startswith("`--leave-out other` leaves it out, if ")


def test_native_code_that_names_a_package_or_needs_its_library_uses_it(tmp_path: Path) -> None:
    needs = elves.image(needed=("libother.so.1",))
    library = elves.image(soname="libother.so.1")
    demo = a_package("demo", {"demo/__init__.py": b"", "demo/a.so": needs}, needs=["blas-other"])
    files = demo | a_package("blas-other", {"blas_other/__init__.py": MIB, "blas_other/libother.so.1": library})
    assert "unused-package" not in kinds(evidence(tmp_path, files))
    named = a_package("demo", {"demo/__init__.py": b"", "demo/a.so": elves.image(tail=b"\0other\0")}, needs=["other"])
    assert "unused-package" not in kinds(evidence(tmp_path, named | a_package("other", OTHER)))


def test_what_the_layer_is_for_is_never_called_unused(tmp_path: Path) -> None:
    files = a_package("demo", {"demo/__init__.py": b"", "demo/data.json": MIB}) | a_package("other", OTHER)
    assert "unused-package" not in kinds(evidence(tmp_path, files))
    found = kinds(evidence(tmp_path, files, manifest=a_manifest(requires=("demo>=1",))))
    assert "no code of another package names other:" in found["unused-package"].message


def test_a_requirement_for_another_system_does_not_count(tmp_path: Path) -> None:
    needs = ['other; sys_platform == "win32"', 'other; extra == "all"']
    files = a_package("demo", {"demo/__init__.py": b""}, needs=needs) | a_package("other", OTHER)
    assert "unused-package" not in kinds(evidence(tmp_path, files)), "nothing asks for it, so it was asked for"


def test_a_plug_in_is_not_called_unused(tmp_path: Path) -> None:
    files = a_package("demo", {"demo/__init__.py": b""}, needs=["other"])
    plugin = OTHER | {"other-1.0.dist-info/entry_points.txt": b"[demo.plugins]\nother = other:a\n"}
    assert "unused-package" not in kinds(evidence(tmp_path, files | a_package("other", plugin)))
    script = OTHER | {"other-1.0.dist-info/entry_points.txt": b"[console_scripts]\nother = other:a\n"}
    assert "unused-package" in kinds(evidence(tmp_path, files | a_package("other", script)))


# --- what is there twice


def test_a_package_in_two_versions_costs_what_only_the_older_lists(tmp_path: Path) -> None:
    files = a_package("demo", {"demo/__init__.py": b"", "demo/old.json": MIB}) | a_package(
        "demo", {"demo/__init__.py": b"", "demo/new.json": MIB * 2, "demo/more.json": b""}, version="2.0"
    )
    found = kinds(evidence(tmp_path, files))["package-twice"]
    assert BIG < found.bytes < BIG + 1000
    assert "demo-1.0.dist-info, python/demo-2.0.dist-info" in found.message


def test_a_package_in_two_versions_is_told_however_small_it_is(tmp_path: Path) -> None:
    files = a_package("demo", {"demo/__init__.py": b""}) | a_package("demo", {"demo/__init__.py": b""}, version="2.0")
    assert 0 < kinds(evidence(tmp_path, files))["package-twice"].bytes < 1000


def test_of_two_versions_the_one_stays_whose_record_is_true(tmp_path: Path) -> None:
    """As a second installation over the first one leaves them: the older one listed more files."""
    older = {"demo/__init__.py": b"1", "demo/a.json": b"{}", "demo/b.json": b"{}", "demo/old.json": MIB}
    newer = {"demo/__init__.py": b"2", "demo/new.json": MIB * 2}
    files = a_package("demo", older, version="9.0") | a_package("demo", newer, version="10.0")
    found = kinds(evidence(tmp_path, files))["package-twice"]
    assert BIG < found.bytes < BIG + 1000


def test_a_package_in_two_folders_of_the_path_costs_the_one_that_is_never_found(tmp_path: Path) -> None:
    files = a_package("demo", {"demo/__init__.py": b"", "demo/a.json": MIB})
    deeper = {path.replace("python/", "python/lib/python3.13/site-packages/", 1): data for path, data in files.items()}
    found = kinds(evidence(tmp_path, files | deeper))["package-twice"]
    assert BIG < found.bytes < BIG + 1000


def test_a_library_of_the_same_bytes_could_be_a_link(tmp_path: Path) -> None:
    library = elves.image(soname="libx.so.1", parts=(elves.Part(content=b"x" * BIG),), sections=False)
    files = {"python/a.libs/libx-1.so.1": library, "python/b.libs/libx-1.so.1": library}
    found = kinds(evidence(tmp_path, files))
    assert {kind: one.bytes for kind, one in found.items()} == {"library-copies": len(library)}


def blas(size: int, soname: str = "") -> bytes:
    return elves.image(soname=soname, parts=(elves.Part(content=bytes([size % 251]) * size),), sections=False)


def test_two_builds_of_one_library_name_the_recipe_that_compiles_them_to_one(tmp_path: Path) -> None:
    one, other = blas(BIG), blas(2 * BIG)
    files = a_package("numpy", {"numpy.libs/libscipy_openblas64_-4b78795a.so": one}) | a_package(
        "scipy", {"scipy.libs/libscipy_openblas-5f890258.so": other}
    )
    found = kinds(evidence(tmp_path, files))["several-libraries"]
    assert (found.bytes, found.files) == (len(one), 1)
    assert found.message.startswith("OpenBLAS is there 2 times")
    assert "`layerforge build` compiles them on one copy" in found.how


def test_two_builds_that_no_recipe_compiles_name_none(tmp_path: Path) -> None:
    files = a_package("a", {"a.libs/libgomp-1.so.1.0.0": blas(BIG)}) | a_package(
        "b", {"b.libs/libgomp-2.so.1.0.0": blas(BIG + 1)}
    )
    assert "by recipes of your own" in kinds(evidence(tmp_path, files))["several-libraries"].how


def test_two_major_versions_are_two_libraries(tmp_path: Path) -> None:
    files = {"lib/libgfortran-1.so.3.0.0": blas(BIG), "lib/libgfortran-2.so.5.0.0": blas(BIG + 1)}
    assert kinds(evidence(tmp_path, files)) == {}


# --- native code


def test_symbols_cost_what_the_strip_pass_would_take(tmp_path: Path) -> None:
    whole = elves.image(loose=((".symtab", b"s" * 2 * BIG), (".strtab", b"\0"), (".debug_info", b"d" * BIG)))
    found = kinds(evidence(tmp_path, {"python/a.so": whole}))["symbols"]
    assert (found.bytes, found.zipped) == (len(whole) - len(strip.cut(whole)), None)
    assert found.bytes > 2 * BIG


def test_symbols_that_cannot_be_cut_safely_are_not_promised(tmp_path: Path) -> None:
    whole = elves.image(loose=((".symtab", b"s" * BIG), (".strtab", b"\0"), ("unknown", b"u" * 9)))
    with pytest.raises(strip.Unsafe):
        strip.cut(whole)
    assert kinds(evidence(tmp_path, {"python/a.so": whole})) == {}


# --- times


def imports_of(
    tmp_path: Path, *nodes: Node, needs: Sequence[str] = (), requires: Sequence[str] = ("demo", "other")
) -> list[Advice]:
    """Advice on the time of a layer with demo, that needs ``needs``, and other, that needs base."""
    files = a_package("demo", {"demo/__init__.py": b"import other, base\n"}, needs=needs)
    files |= a_package("other", {"other/__init__.py": b"import base\n"}, needs=["base"])
    files |= a_package("base", {"base/__init__.py": b""})
    found = advise(evidence(tmp_path, files, imports=nodes, manifest=a_manifest(requires=tuple(requires))))
    return [one for one in found if one.kind == "slow-import"]


def demo_and_other() -> Node:
    inner = Node(name="base", total_us=300_000, children=[Node(name="json", total_us=5_000)])
    other = Node(name="other", total_us=400_000, children=[Node(name="other.sub", total_us=350_000, children=[inner])])
    return Node(name="demo", total_us=900_000, children=[Node(name="importlib", total_us=401_000, children=[other])])


def test_a_package_that_another_imports_without_need_could_be_left_out(tmp_path: Path) -> None:
    found = imports_of(tmp_path, demo_and_other(), Node(name="os", total_us=100_000), requires=["demo"])
    assert [one.ms for one in found] == [400.0]
    assert "other, which demo imports, takes 400 of the 1,000 ms" in found[0].message
    assert "leave it out if your function can do without it: demo imports it" in found[0].how


def test_a_package_that_the_function_imports_itself_could_be_imported_later(tmp_path: Path) -> None:
    demo, other = Node(name="demo", total_us=500_000), Node(name="other.a", total_us=300_000)
    found = imports_of(tmp_path, demo, other, Node(name="other.b", total_us=100_000))
    assert [(one.message.partition(" ")[0], one.ms) for one in found] == [("demo", 500.0), ("other", 400.0)]
    assert {one.how for one in found} == {"import it inside the function that needs it"}


@pytest.mark.parametrize("requires", [["demo"], ["demo", "other"]])
def test_what_another_package_needs_cannot_be_put_off(requires: list[str], tmp_path: Path) -> None:
    found = imports_of(tmp_path, demo_and_other(), needs=["other"], requires=requires)
    assert "other" not in {one.message.partition(",")[0] for one in found}


def test_what_is_imported_in_any_case_does_not_count_as_the_time_of_what_imported_it_first(tmp_path: Path) -> None:
    found = imports_of(tmp_path, demo_and_other(), needs=["base"])
    times = {one.message.partition(" ")[0].rstrip(","): one.ms for one in found}
    assert times == {"demo": 500.0, "other": 100.0}


def test_no_millisecond_counts_as_the_time_of_two_packages(tmp_path: Path) -> None:
    back = Node(name="demo.late", total_us=50_000, children=[Node(name="other.b", total_us=40_000)])
    other = Node(name="other", total_us=100_000, children=[back])
    again = Node(name="other.c", total_us=30_000)
    found = imports_of(tmp_path, Node(name="demo", total_us=500_000, children=[other, again]))
    assert [one.ms for one in found] == [380.0, 120.0]


@pytest.mark.parametrize(("total", "ms"), [(10_000_000, 400_000), (100_000, 15_000)])
def test_an_import_that_takes_a_small_part_is_no_advice(total: int, ms: int, tmp_path: Path) -> None:
    nodes = Node(name="demo", total_us=total, children=[Node(name="other", total_us=ms)])
    assert imports_of(tmp_path, nodes, requires=["demo"]) == []


def test_the_one_package_that_the_layer_is_for_is_not_called_slow(tmp_path: Path) -> None:
    assert imports_of(tmp_path, Node(name="demo", total_us=900_000), requires=["demo"]) == []


def test_packages_that_share_a_name_are_not_told_apart_by_their_imports(tmp_path: Path) -> None:
    files = a_package("g-one", {"g/one.py": b""}) | a_package("g-two", {"g/two.py": b""})
    assert kinds(evidence(tmp_path, files, imports=[Node(name="g.one", total_us=900_000)])) == {}


# --- the whole


def test_nothing_is_said_of_what_would_save_little(tmp_path: Path) -> None:
    assert advise(evidence(tmp_path, {"python/demo/x.h": b"1" * 99_999})) == ()
    large = {"python/demo/x.h": b"1" * 100_000, "python/data.bin": b"2" * 30_000_000}
    assert advise(evidence(tmp_path, large)) == (), "less than half a percent"


def test_bytes_are_promised_once(tmp_path: Path) -> None:
    boto = a_package("boto3", {"boto3/x.h": MIB * 4, "boto3/__init__.py": b""})
    found = kinds(evidence(tmp_path, boto | {"python/demo/x.h": MIB, **SO}))
    assert found["dead-weight"].bytes == BIG
    assert found["runtime-has-it"].bytes > 4 * BIG


PLACES = ("tests/x.py", "__init__.py", "x.h", "__pycache__/x.cpython-313.pyc", "x.py")
INFOS = ("a-1.dist-info/METADATA", "a-1.dist-info/RECORD", "boto3-1.dist-info/RECORD")
PATHS = st.sampled_from(
    [f"python/{top}/{place}" for top in ("a", "boto3") for place in PLACES]
    + [f"python/{info}" for info in INFOS]
    + ["lib/libgomp.so.1", "lib/libgomp-0a0a0a0a.so.1", "bin/x", "python/b.py"]
)
CONTENTS = st.sampled_from([b"", b"import b", MIB, elves.image(), blas(BIG), b"boto3/x.py,,\n", b"\0" * 9])


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(PATHS, CONTENTS), ours=st.booleans())
def test_no_advice_promises_more_than_there_is(files: dict[str, bytes], ours: bool, tmp_path: Path) -> None:
    known = evidence(tmp_path, files, manifest=a_manifest(requires=("a",)) if ours else None)
    found = advise(known)
    assert sum(one.bytes for one in found) <= known.examination.unzipped
    assert sum(one.zipped or 0 for one in found) <= known.examination.zipped
    assert all(one.bytes >= SMALLEST or not one.files for one in found)


def test_of_two_that_save_the_same_file_the_first_gets_it() -> None:
    saving = Saving(unzipped=5, zipped=2)
    first = Proposal(kind="a", what="", how="", savings={"x": saving})
    second = Proposal(kind="b", what="", how="", savings={"x": saving, "y": saving})
    assert [dict(one.savings) for one in apart([first, second, first])] == [{"x": saving}, {"y": saving}]


def test_what_a_manifest_asks_for_and_makes_no_sense_names_no_package(tmp_path: Path) -> None:
    made = a_manifest(requires=("Demo_Pkg[x]>=1", "no requirement!", "other @ https://nowhere.invalid/o.whl"))
    assert evidence(tmp_path, {}, manifest=made).requested == {"demo-pkg", "other"}
