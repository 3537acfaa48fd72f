"""What a recipe's file may hold, and what is told of one that holds something else."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from layerforge.resolve import lock, recipe_file, recipe_values
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import (
    EVERY_FILE,
    Budget,
    Check,
    CheckScript,
    CodeRules,
    Columns,
    Docstrings,
    Library,
    Need,
    Prune,
    Recipe,
    Settings,
    Source,
    SourcePackage,
    TargetLayer,
)

SHA256 = "a" * 64
PACKAGE = 'schema = 2\n[package]\nname = "demo"\nversions = ">=1,<2"\n'
SOURCE = f'source = {{ url = "https://nowhere.invalid/demo.tar.gz", sha256 = "{SHA256}" }}\n'
LIBRARY = f'schema = 2\n[library]\nname = "demo"\nversion = "1.0"\nscript = "make"\n{SOURCE}'

WHOLE = f"""
schema = 2
[package]
name = "My_Demo"
versions = ">=1,<2"
build = "source"
needs = ["openblas", "NumPy>=2,<3"]
minutes = 2.5
system = ["libgomp.so.1"]
env = {{ LEVEL = "8" }}
flags = {{ CFLAGS = "-fdemo" }}
config = {{ setup-args = ["-Da=b"], editable = "no" }}
arch.x86_64.system = ["libquadmath.so.0"]
arch.arm64.config = {{ setup-args = ["-Dc=d", "-De=f"] }}
[build]
requires = ["meson-python"]
packages = ["libtool", "autoconf", "libtool"]
[prune]
remove = ["demo/data/**"]
keep = ["demo/testing/**"]
[bytecode]
docstrings = "drop"
keep_docstrings = ["demo/cli/**"]
columns = "drop"
optimize = 1
lazy = ["demo/__init__.py"]
[defer]
"demo/b.py" = ["sys"]
"demo/a.py" = ["os", "csv.x", "os"]
[env]
DEMO_DATA = "/opt/share/demo"
[[data]]
url = "https://nowhere.invalid/words.zip"
sha256 = "{SHA256}"
into = "share/demo"
unpack = true
[[data]]
url = "https://nowhere.invalid/more.txt"
sha256 = "{SHA256}"
into = "etc/demo"
[check]
imports = ["demo.a"]
script = "check.py"
single = ["libgomp*"]
excused = {{ "demo/test_x.py::test_y" = "it reads a docstring" }}
[layer]
requires = ["my-demo>=1,<2"]
budget = {{ unzipped = "1.5 MiB", zipped = 500 }}
"""


PROVED = '[check]\nscript = "check.py"\n'


def write(folder: Path, text: str) -> Path:
    (folder / "recipe.toml").write_text(text)
    (folder / "check.py").write_text("assert True\n")
    return folder


def mistakes(folder: Path, text: str) -> tuple[str, ...]:
    """What is told to be wrong with a recipe of this text."""
    with pytest.raises(RecipeError, match="mistake") as caught:
        recipe_file.load(write(folder, text))
    return caught.value.details


def test_every_key_of_a_package_is_read(tmp_path: Path) -> None:
    (tmp_path / "build.lock").write_text("")
    made = recipe_file.load(write(tmp_path, WHOLE))
    needs = (Need(name="openblas"), Need(name="numpy", versions="<3,>=2"))
    assert (made.name, made.folder, made.versions, made.needs) == ("my-demo", tmp_path, ">=1,<2", needs)
    assert made.compiles
    assert made.part == SourcePackage(
        name="my-demo",
        needs=("openblas", "numpy"),
        settings=Settings(
            env={"LEVEL": "8"}, flags={"CFLAGS": "-fdemo"}, config={"setup-args": ("-Da=b",), "editable": ("no",)}
        ),
        arch_settings={"x86_64": Settings(), "arm64": Settings(config={"setup-args": ("-Dc=d", "-De=f")})},
        build_requires=("meson-python",),
        build_lock=tmp_path / "build.lock",
        minutes=2.5,
    )
    assert made.build_packages == ("autoconf", "libtool")
    assert made.system == ("libgomp.so.1",)
    assert made.arch_system == {"x86_64": ("libquadmath.so.0",), "arm64": ()}
    assert made.prune == Prune(remove=("demo/data/**",), keep=("demo/testing/**",))
    assert made.bytecode == CodeRules(
        docstrings=Docstrings.DROP,
        keep_docstrings=("demo/cli/**",),
        columns=Columns.DROP,
        optimize=1,
        lazy=("demo/__init__.py",),
        defer={"demo/a.py": ("csv.x", "os"), "demo/b.py": ("sys",)},
    )
    assert made.env == {"DEMO_DATA": "/opt/share/demo"}
    assert [(one.package, one.source.url.rpartition("/")[2], one.into, one.unpack) for one in made.data] == [
        ("my-demo", "words.zip", "share/demo", True),
        ("my-demo", "more.txt", "etc/demo", False),
    ]
    assert made.check == Check(
        imports=("demo.a",),
        covered=("my-demo",),
        scripts=(CheckScript(package="my-demo", text="assert True\n"),),
        single=("libgomp*",),
        excused={"demo/test_x.py::test_y": "it reads a docstring"},
    )
    assert made.layer == TargetLayer(requires=("my-demo>=1,<2",), budget=Budget(unzipped=1_572_864, zipped=500))


def test_every_key_of_a_library_is_read(tmp_path: Path) -> None:
    text = (
        f'{LIBRARY}needs = ["zlib>=1.3"]\nship = ["lib/*.so"]\nminutes = 8\nsystem = ["libgfortran.so.5"]\n'
        'env = { NUM_THREADS = "8" }\nflags = { CFLAGS = "-fdemo" }\n'
        'arch.x86_64 = { env = { TARGET = "HASWELL" }, system = ["libquadmath.so.0"] }\n'
        '[build]\npackages = ["perl"]\n[check]\nsingle = ["libdemo*"]\n'
    )
    made = recipe_file.load(write(tmp_path, text))
    assert made.part == Library(
        name="demo",
        version="1.0",
        source=Source(url="https://nowhere.invalid/demo.tar.gz", sha256=SHA256),
        script="make",
        needs=("zlib",),
        settings=Settings(env={"NUM_THREADS": "8"}, flags={"CFLAGS": "-fdemo"}),
        arch_settings={"x86_64": Settings(env={"TARGET": "HASWELL"})},
        ship=("lib/*.so",),
        minutes=8,
    )
    assert not made.compiles
    assert made.needs == (Need(name="zlib", versions=">=1.3"),)
    assert (made.versions, made.layer, made.build_packages) == ("", None, ("perl",))
    assert (made.system, made.arch_system) == (("libgfortran.so.5",), {"x86_64": ("libquadmath.so.0",)})
    assert made.check == Check(single=("libdemo*",))


def test_a_recipe_of_a_name_and_its_versions_is_whole(tmp_path: Path) -> None:
    made = recipe_file.load(write(tmp_path, PACKAGE))
    assert made == Recipe(name="demo", folder=tmp_path, versions=">=1,<2")
    assert not made.compiles


def test_a_package_that_is_compiled_needs_nothing_else(tmp_path: Path) -> None:
    made = recipe_file.load(write(tmp_path, f'{PACKAGE}build = "source"\n'))
    assert made.part == SourcePackage(name="demo")


@pytest.mark.parametrize("name", ["", "a b", "$(id)", "-y", "a;b", "a\nb", "../x", "a" * 101])
def test_a_package_of_the_system_is_a_plain_name(tmp_path: Path, name: str) -> None:
    [told] = mistakes(tmp_path, f"{PACKAGE}[build]\npackages = [{json.dumps(name)}]\n")
    assert "which no package is called" in told


def test_all_mistakes_of_a_recipe_are_told_at_once(tmp_path: Path) -> None:
    text = """
        schema = 3
        [package]
        name = "has space"
        version = ">=1"
        need = ["openblas"]
        [layer]
        requires = ["not a requirement!"]
        budjet = { zipped = "1 MB" }
        [bytecode]
        docstrings = "dropped"
        optimize = 3
        [check]
        script = "absent.py"
        [[data]]
        uri = "x"
        [prun]
        remove = []
    """
    assert len(mistakes(tmp_path, text)) == 15
    told = "\n".join(mistakes(tmp_path, text))
    for part in (
        "schema must be 2, not 3",
        "package.name must be",
        "package.version is unknown; perhaps you meant package.versions",
        "package.versions is missing",
        "package.need is unknown; perhaps you meant package.needs",
        "'not a requirement!' is no requirement",
        "layer.budjet is unknown; perhaps you meant layer.budget",
        "bytecode.docstrings must be 'keep' or 'drop', not 'dropped'",
        "bytecode.optimize must be 0, 1 or 2",
        "check.script names absent.py",
        "data[0].uri is unknown; perhaps you meant data[0].url",
        "data[0].url is missing",
        "data[0].sha256 is missing",
        "data[0].into is missing",
        "prun is unknown; perhaps you meant prune",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "schema is missing"),
        ("schema = 2", "a recipe has one of the tables [package], [library] and [variant]"),
        (
            PACKAGE + LIBRARY.partition("\n")[2],
            "[package], [library] and [variant], not both",
        ),
        ("schema = true", "schema must be 2, not True"),
        ("schema = 2.0", "schema must be 2, not 2.0"),
        ("schema = 2\npackage = 3", "package must be a table"),
        ("schema = 2\n[[package]]\nname = 'x'", "package must be a table"),
        ("schema = 2\n[library]\nname = 'x'", "library.source.sha256 is missing"),
        (f"{PACKAGE}layer = 3", "package.layer is unknown"),
        (f"{PACKAGE}[layer]\n", "layer.requires is missing"),
        (f"{PACKAGE}[layer]\nbudget = {{ zipped = 'big' }}", "layer.budget.zipped must be a size"),
        (f"{PACKAGE}[layer]\nrequires = []", "layer.requires must not be empty"),
        (f"{PACKAGE}[layer]\nrequires = 'x'", "layer.requires must be a list of texts"),
        (f"{PACKAGE}[prune]\nremove = 'x'", "prune.remove must be a list of texts"),
        (f"{PACKAGE}[build]\npackages = [3]", "build.packages must be a list of texts"),
        (f"{PACKAGE}build = 'wheel'", "package.build must be 'source', not 'wheel'"),
        (f"{PACKAGE}system = ['a b']", "package.system holds 'a b'"),
        (f"{PACKAGE}[data]\nurl = 'x'", "data must be an array of tables, [[data]]"),
        (f"{PACKAGE}[prime]\n", "prime.script is missing"),
        (f"{PACKAGE}[[linked]]\n", "linked[0].licence is missing"),
        (f"{PACKAGE}[[linked]]\ninto = '/a'", "linked[0].into"),
        (f"{PACKAGE}[[linked]]\nname = 'a'", 'linked means something only with build = "source"'),
        (f"{PACKAGE}[prime]\nscript = '../x.py'", "prime.script"),
        (f"{PACKAGE}[prime]\nscript = 'x.py'", "prime.script names x.py, which is not there"),
        (f"{PACKAGE}[prime]\nscripts = 'x.py'", "prime.scripts is unknown"),
        (f"{PACKAGE}[defre]\n", "defre is unknown; perhaps you meant defer"),
        (f"{PACKAGE}[defer]\n'demo/a.py' = []", "defer has for 'demo/a.py' what must not be empty"),
        (f"{PACKAGE}[defer]\n'demo/a.py' = 'os'", "defer has for 'demo/a.py' what must be a list of texts"),
        (f"{PACKAGE}[defer]\n'demo/a.py' = ['a b']", "holds 'a b', which must be a module's name"),
        (f"{PACKAGE}[defer]\n'demo/*.py' = ['os']", "must have files below python/ as its keys, a/b.py"),
        (f"{PACKAGE}[defer]\n'../demo/a.py' = ['os']", "and '../demo/a.py' is none"),
        (f"{PACKAGE}[defer]\n'demo/a.so' = ['os']", "and 'demo/a.so' is none"),
        (f"{PACKAGE}[check.imports]\n", "check.imports must be a list of texts"),
        (f"{PACKAGE}[check]\nimports = ['a-b']", "check.imports holds 'a-b', which must be a module's name"),
        (f"{PACKAGE}[check]\nexcused = {{ x = 3 }}", "check.excused must be a table of texts"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, text: str, problem: str) -> None:
    assert any(problem in line for line in mistakes(tmp_path, text))


@pytest.mark.parametrize(
    "table",
    [
        "[prune]",
        "[bytecode]",
        "[env]",
        f'[[data]]\nurl = "https://x/y"\nsha256 = "{SHA256}"\ninto = "share/x"',
        '[layer]\nrequires = ["x"]',
        '[check]\nimports = ["x"]',
        '[check]\nscript = "check.py"',
        '[check]\nexcused = { x = "y" }',
        '[build]\nrequires = ["x"]',
        '[[linked]]\nname = "x"\nlicence = "MIT"\ninto = "x/*.so"',
    ],
)
def test_what_goes_with_packages_alone_is_refused_for_a_library(tmp_path: Path, table: str) -> None:
    recipe_file.load(write(tmp_path, f"{PACKAGE}build = 'source'\n{table}\n"))
    [told] = mistakes(tmp_path, f"{LIBRARY}{table}\n")
    assert told.endswith(" goes with [package] alone")
    assert told.split()[0].replace(".", "]\n").startswith(re.sub(r"[\[\]]", "", table).split("\n")[0])


@pytest.mark.parametrize(
    "line",
    [
        'needs = ["x"]',
        "minutes = 3",
        'config = { a = "b" }',
        'flags = { CFLAGS = "-g" }',
        'env = { A = "b" }',
        'arch.arm64.env = { A = "b" }',
        '[build]\nrequires = ["ninja"]',
    ],
)
def test_what_is_about_compiling_is_refused_where_nothing_is_compiled(tmp_path: Path, line: str) -> None:
    recipe_file.load(write(tmp_path, f'{PACKAGE}build = "source"\n{line}\n'))
    [told] = mistakes(tmp_path, f"{PACKAGE}{line}\n")
    assert told.endswith(' means something only with build = "source"')


@pytest.mark.parametrize("line", ['system = ["libgomp.so.1"]', 'arch.arm64.system = ["libgomp.so.1"]'])
def test_a_package_that_comes_from_its_wheel_may_ship_the_images_libraries(tmp_path: Path, line: str) -> None:
    made = recipe_file.load(write(tmp_path, f'{PACKAGE}{line}\n[build]\npackages = ["libgomp"]\n'))
    assert (*made.system, *made.arch_system.get("arm64", ())) == ("libgomp.so.1",)


@pytest.mark.parametrize("versions", [3, "", " ", "1", "2.5", ">=a", ">=1;", f">={'9' * 6_000}"])
def test_versions_are_written_as_in_a_requirement(tmp_path: Path, versions: object) -> None:
    [told] = mistakes(tmp_path, f'schema = 2\n[package]\nname = "x"\nversions = {json.dumps(versions)}\n')
    assert told.startswith("package.versions must be")
    assert ">=2.5,<3" in told
    assert len(told) < 300


@pytest.mark.parametrize(
    "need", [3, "", "a b", "../x", "-x", "x @ https://there/x.whl", "x[fast]", "x; python_version > '3'", "x>=a"]
)
def test_a_need_is_a_recipes_name_with_or_without_versions(tmp_path: Path, need: object) -> None:
    for text in (f'{PACKAGE}build = "source"\n', LIBRARY):
        [told] = mistakes(tmp_path, f"{text}needs = [{json.dumps(need)}]\n")
        assert re.match(r"(package|library)\.needs (holds|must be a list)", told)


@pytest.mark.parametrize("minutes", ["0", "-1", "'3'", "true", "inf", "nan"])
def test_minutes_are_a_number_above_nothing(tmp_path: Path, minutes: str) -> None:
    for text in (f'{PACKAGE}build = "source"\n', LIBRARY):
        [told] = mistakes(tmp_path, f"{text}minutes = {minutes}\n")
        assert "minutes must be minutes, a number above 0" in told


@pytest.mark.parametrize(
    "name",
    [
        "AWS_REGION",
        "LAMBDA_TASK_ROOT",
        "_HANDLER",
        "PATH",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "PYTHONHOME",
        "TZ",
        "HOME",
    ],
)
def test_a_variable_that_decides_for_the_whole_function_is_not_a_packages(tmp_path: Path, name: str) -> None:
    [told] = mistakes(tmp_path, f'{PACKAGE}[env]\n{name} = "x"\n')
    assert told.startswith(f"env must not set {name}, which is Lambda's own")


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "Ä"])
@pytest.mark.parametrize("table", ["[env]", "[package.env]", "[package.flags]", "[package.arch.arm64.env]"])
def test_a_variable_has_a_variables_name(tmp_path: Path, table: str, name: str) -> None:
    [told] = mistakes(tmp_path, f'{PACKAGE}build = "source"\n{table}\n{json.dumps(name)} = "x"\n')
    assert f"must not have the key {name!r}" in told


@pytest.mark.parametrize(
    "line",
    [
        'env = { A = "x\\u0000" }',
        'flags = { A = "x\\u0000" }',
        'config = { a = "x\\u0000" }',
        'config = { a = ["x\\u0000"] }',
        '[check]\nexcused = { x = "\\u0000" }',
    ],
)
def test_a_text_that_no_program_could_be_told_is_none(tmp_path: Path, line: str) -> None:
    [told] = mistakes(tmp_path, f'{PACKAGE}build = "source"\n{line}\n')
    assert re.match(r"(package\.(env|flags|config)|check\.excused) must be a", told)


@pytest.mark.parametrize("into", ["", "/opt/share", "python/demo", "share", "lib/x", "../share/x", "share/../lib", 3])
def test_data_lies_where_nothing_else_is_looked_for(tmp_path: Path, into: object) -> None:
    row = f'[[data]]\nurl = "https://x/y"\nsha256 = "{SHA256}"\ninto = {json.dumps(into)}\n'
    [told] = mistakes(tmp_path, f"{PACKAGE}{row}")
    assert told.startswith("data[0].into must")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('sha256 = "abc"', "data[1].sha256 must be 64 hexadecimal digits"),
        ('url = ""', "data[1].url must be"),
        ('unpack = "yes"', "data[1].unpack must be true or false"),
        ('name = "x"', "data[1].name is unknown"),
    ],
)
def test_a_row_of_data_is_named_by_its_number(tmp_path: Path, line: str, problem: str) -> None:
    row = {"url": 'url = "https://x/y"', "sha256": f'sha256 = "{SHA256}"', "into": 'into = "share/x"'}
    wrong = {**row, line.partition(" ")[0]: line}
    text = "\n".join([PACKAGE, "[[data]]", *row.values(), "[[data]]", *wrong.values()])
    [told] = mistakes(tmp_path, text)
    assert told.startswith(problem)


@pytest.mark.parametrize(
    "glob",
    ["../../../etc/hostname", "/etc/hostname", "", "a**b", "lib/../../x", "a\\\\b", "a//b", "./a", "lib/\\u0000"],
)
@pytest.mark.parametrize("key", ["ship", "remove", "keep", "keep_docstrings", "lazy", "single"])
def test_a_glob_that_climbs_or_makes_no_sense_is_told_when_the_recipe_is_read(
    key: str, glob: str, tmp_path: Path
) -> None:
    first = LIBRARY if key == "ship" else PACKAGE
    code = dict.fromkeys(("keep_docstrings", "lazy"), "[bytecode]")
    table = {"ship": "", "single": "[check]", **code}.get(key, "[prune]")
    first += PROVED if key == "lazy" else ""
    [told] = mistakes(tmp_path, f'{first}{table}\n{key} = ["lib/*", "{glob}"]\n')
    assert f"{key} holds" in told


@pytest.mark.parametrize("glob", ["**/tests/**", "**", "*/data/**", "*.so", "?umpy/**"])
@pytest.mark.parametrize("key", ["remove", "keep", "keep_docstrings", "lazy"])
def test_a_glob_that_any_package_would_match_leaves_its_own(key: str, glob: str, tmp_path: Path) -> None:
    table = "[bytecode]" if key in {"keep_docstrings", "lazy"} else "[prune]"
    [told] = mistakes(tmp_path, f'{PACKAGE}{PROVED}{table}\n{key} = ["demo/**", "{glob}"]\n')
    assert f"{key} holds {glob!r}, which must begin with a folder or file of the package itself" in told


def test_all_files_of_a_package_may_import_lazily(tmp_path: Path) -> None:
    made = recipe_file.load(write(tmp_path, f'{PACKAGE}{PROVED}[bytecode]\nlazy = "all"\n'))
    assert made.bytecode == CodeRules(lazy=(EVERY_FILE,))


@pytest.mark.parametrize("value", ['"all"', '["demo/**"]'])
def test_what_imports_lazily_has_to_be_proved_by_more_than_imports(value: str, tmp_path: Path) -> None:
    [told] = mistakes(tmp_path, f"{PACKAGE}[bytecode]\nlazy = {value}\n")
    assert told.startswith("bytecode.lazy takes a check.script: ")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ('"some"', 'must be "all" or a list of globs'),
        ('"demo/**"', 'must be "all" or a list of globs'),
        ("true", "must be a list of texts"),
        ("[1]", "must be a list of texts"),
    ],
)
def test_what_imports_lazily_is_all_files_or_globs(value: str, told: str, tmp_path: Path) -> None:
    [wrong] = mistakes(tmp_path, f"{PACKAGE}{PROVED}[bytecode]\nlazy = {value}\n")
    assert f"lazy {told}" in wrong


@pytest.mark.parametrize(
    "text", ['[[library]]\nname = "x"\n', '[[package]]\nname = "x"\n', "[package]\nname = 3\n", "library = 3\n", ""]
)
def test_a_recipe_of_the_first_schema_is_refused_with_what_becomes_of_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(RecipeError, match="is of schema 1") as caught:
        recipe_file.load(write(tmp_path, f"schema = 1\n{text}"))
    assert "docs/recipes.md, From schema 1" in caught.value.hint
    told = "\n".join(caught.value.details)
    assert "go to the package whose files they are about" in told
    for kind in ("library", "package"):
        assert (f"[[{kind}]] x becomes x/recipe.toml with [{kind}]" in told) == (f"[[{kind}]]" in text)


@pytest.mark.parametrize("name", ["..", "a/b", "/", ".", "", "a b", "-x", "a" * 200, "libx++"])
def test_a_name_that_would_be_another_folder_or_no_need_could_name_is_told_when_the_recipe_is_read(
    name: str, tmp_path: Path
) -> None:
    for text in (PACKAGE, LIBRARY):
        [told] = mistakes(tmp_path, text.replace('"demo"', f'"{name}"'))
        assert "name must be a name of letters" in told


@pytest.mark.parametrize("name", ["..", "a/b", "", "a b", "-x"])
def test_a_soname_is_no_path(name: str, tmp_path: Path) -> None:
    for text in (PACKAGE, LIBRARY):
        [told] = mistakes(tmp_path, f'{text}system = ["{name}"]\n')
        assert "a name of letters" in told


def test_every_wrong_glob_of_a_list_is_told(tmp_path: Path) -> None:
    [told] = mistakes(tmp_path, f'{PACKAGE}[prune]\nremove = ["../a", "ok/**", "a**b"]\n')
    assert "'../a', which must stay below its folder; holds 'a**b', which must have **" in told


@pytest.mark.parametrize("script", ["../check.py", "/etc/hostname"])
def test_a_check_lies_in_the_recipes_folder(script: str, tmp_path: Path) -> None:
    told = mistakes(tmp_path, f'{PACKAGE}[check]\nscript = "{script}"\n')
    assert any("must stay below its folder" in line for line in told)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "9" * 5_000,
        ".".join(["a"] * 5_000) + " = 1",
        f"{PACKAGE}[layer]\nbudget = {{ zipped = '" + "9" * 5_000 + "' }",
        f"{PACKAGE}[layer]\nrequires = ['x; python_version ~= \"3\"']",
        f"{PACKAGE}[check]\nscript = '" + "s" * 5_000 + "'",
        "schema = 2\n" + "k" * 15_000 + " = 1",
        "schema = 1\n" + f"[[package]]\nname = '{'n' * 15_000}'\n",
        "schema = 1\n" + "[[package]]\n" * 5_000,
    ],
)
def test_a_recipe_of_any_contents_ends_in_a_short_error(text: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_file.load(write(tmp_path, text))
    assert all(len(line) < 300 for line in caught.value.details)
    assert len(caught.value.details) < 50


def test_a_recipe_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "recipe.toml")
    with pytest.raises(RecipeError, match="no regular file"):
        recipe_file.load(tmp_path)


def test_a_file_that_is_no_toml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="is not TOML") as caught:
        recipe_file.load(write(tmp_path, "schema = 2\n[layer\n"))
    assert "line 2" in caught.value.details[0]


def test_a_folder_without_a_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"holds no recipe\.toml"):
        recipe_file.load(tmp_path)


@pytest.mark.parametrize(("text", "size"), [("110 MiB", 115_343_360), ("1.5kB", 1500), ("7", 7), (9, 9)])
def test_sizes_are_read_in_both_kinds_of_unit(text: str | int, size: int) -> None:
    assert recipe_values.bytes_of(text) == size


@pytest.mark.parametrize("name", sorted(catalogue().places))
def test_every_bundled_recipe_is_sound(name: str) -> None:
    made = catalogue().find(name)
    assert made is not None
    assert made.folder.name == made.name == name
    if made.layer:
        assert made.check.imports or made.variant, "those of its packages count"
        assert ["assert" in script.text for script in made.check.scripts] == [True]
        lock.parse((made.folder / "requirements.lock").read_text(), name)
    if made.compiles:
        assert isinstance(made.part, SourcePackage)
        assert made.part.build_lock, "what it is compiled with is locked beside it"


def test_the_recipes_are_there() -> None:
    names = {"scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "pillow", "matplotlib", "lxml"}
    assert names <= {recipe.name for recipe in catalogue().all() if recipe.layer}
    libraries = {recipe.name for recipe in catalogue().all() if isinstance(recipe.part, Library)}
    assert {"openblas", "libxml2", "libxslt"} <= libraries


@pytest.mark.parametrize(("text", "expected"), [(3, 3), ("1.5 MiB", 1_572_864), ("30 MB", 30_000_000), ("7", 7)])
def test_a_size_is_so_many_bytes(text: int | str, expected: int) -> None:
    assert recipe_values.bytes_of(text) == expected


@pytest.mark.parametrize("text", ["", "big", "-1 MB", "1 XB", "1e3"])
def test_what_is_no_size_is_told_as_it_stands(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is no size"):
        recipe_values.bytes_of(text)


@pytest.mark.parametrize("place", ["check.py", "patches/a.patch"])
def test_a_link_out_of_the_folder_of_recipes_is_a_mistake_and_one_inside_is_none(place: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("--- a/demo.py\n+++ b/demo.py\n@@ -1 +1 @@\n-a\n+b\n")
    folder = tmp_path / "recipes" / "demo"
    (folder / place).parent.mkdir(parents=True)
    check = '[check]\nscript = "check.py"\n' if place == "check.py" else ""
    (folder / "recipe.toml").write_text(f'schema = 2\n[package]\nname = "demo"\nversions = ">=1"\n{check}')
    (folder / place).symlink_to(secret)
    with pytest.raises(RecipeError) as caught:
        recipe_file.load(folder)
    assert "a link that leads out of the folder of recipes" in caught.value.details[0]
    (folder / place).unlink()
    (tmp_path / "recipes" / "shared").write_text(secret.read_text())
    (folder / place).symlink_to(tmp_path / "recipes" / "shared")
    recipe_file.load(folder)
