import json
import os
from pathlib import Path

import pytest

from layerforge.resolve import recipe_file, recipe_schema
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import BytecodeMode, Docstrings, Settings

WHOLE = """
schema = 1
[layer]
name = "demo"
requires = ["demo>=1,<2"]
budget = { unzipped = "1.5 MiB", zipped = 500 }
[[library]]
name = "openblas"
version = "0.3.30"
source = { url = "somewhere", sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
env = { NUM_THREADS = "8" }
flags = { CFLAGS = "-fdemo" }
script = "make"
ship = ["lib/*.so"]
[library.arch.x86_64.env]
TARGET = "HASWELL"
[[package]]
name = "numpy"
build = "source"
needs = ["openblas"]
config = { setup-args = ["-Da=b"] }
arch.arm64.config = { setup-args = ["-Dc=d", "-De=f"] }
[build]
requires = ["meson-python"]
packages = ["libtool", "autoconf", "libtool"]
system = ["libgomp.so.1"]
arch.x86_64.system = ["libquadmath.so.0"]
[bytecode]
mode = "only"
docstrings = "drop"
keep_docstrings = ["demo/cli/**"]
optimize = 1
[prune]
remove = ["demo/data/**"]
keep = ["demo/testing/**"]
[check]
imports = ["demo.a"]
script = "check.py"
single = ["libgomp*"]
"""


def write(folder: Path, text: str) -> Path:
    (folder / "recipe.toml").write_text(text)
    (folder / "check.py").write_text("assert True\n")
    return folder


def test_every_key_of_the_contract_is_read(tmp_path: Path) -> None:
    made = recipe_file.load(write(tmp_path, WHOLE))
    assert (made.name, made.requires) == ("demo", ("demo>=1,<2",))
    assert (made.budget.unzipped, made.budget.zipped) == (1_572_864, 500)
    assert (made.bytecode.mode, made.bytecode.docstrings) == (BytecodeMode.ONLY, Docstrings.DROP)
    assert (made.bytecode.keep_docstrings, made.bytecode.optimize) == (("demo/cli/**",), 1)
    assert (made.prune.remove, made.prune.keep) == (("demo/data/**",), ("demo/testing/**",))
    [openblas], [numpy] = made.libraries, made.packages
    assert (openblas.name, openblas.source.sha256, openblas.ship) == ("openblas", "a" * 64, ("lib/*.so",))
    assert openblas.settings == Settings(env={"NUM_THREADS": "8"}, flags={"CFLAGS": "-fdemo"})
    assert openblas.arch_settings == {"x86_64": Settings(env={"TARGET": "HASWELL"})}
    assert (numpy.name, numpy.needs) == ("numpy", ("openblas",))
    assert numpy.settings.config == {"setup-args": ("-Da=b",)}
    assert numpy.arch_settings == {"arm64": Settings(config={"setup-args": ("-Dc=d", "-De=f")})}
    assert made.arch_system == {"x86_64": ("libquadmath.so.0",)}
    assert made.build_packages == ("autoconf", "libtool")
    assert (made.build_requires, made.system) == (("meson-python",), ("libgomp.so.1",))
    assert (made.check.imports, made.check.script, made.check.single) == (("demo.a",), "assert True\n", ("libgomp*",))


@pytest.mark.parametrize("name", ["", "a b", "$(id)", "-y", "a;b", "a\nb", "../x", "a" * 101])
def test_a_package_of_the_system_is_a_plain_name(tmp_path: Path, name: str) -> None:
    text = f'schema = 1\n[layer]\nname = "x"\nrequires = ["x"]\n[build]\npackages = [{json.dumps(name)}]\n'
    with pytest.raises(RecipeError, match="a mistake") as caught:
        recipe_file.load(write(tmp_path, text))
    assert "which no package is called" in caught.value.details[0]


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    made = recipe_file.load(write(tmp_path, 'schema = 1\n[layer]\nname = "demo"\nrequires = ["demo"]\n'))
    assert (made.bytecode.mode, made.bytecode.docstrings) == (BytecodeMode.BESIDE, Docstrings.KEEP)
    assert made.bytecode.optimize == 0
    assert made.budget.unzipped is None


def test_all_mistakes_of_a_recipe_are_told_at_once(tmp_path: Path) -> None:
    text = """
        schema = 2
        [layer]
        name = "has space"
        requires = ["not a requirement!"]
        budjet = { zipped = "1 MB" }
        [bytecode]
        mode = "besides"
        optimize = 3
        [check]
        script = "absent.py"
        [prun]
        remove = []
    """
    with pytest.raises(RecipeError, match="has 8 mistakes") as caught:
        recipe_file.load(write(tmp_path, text))
    told = "\n".join(caught.value.details)
    for part in (
        "schema must be 1, not 2",
        "layer.name must be",
        "'not a requirement!' is no requirement",
        "layer.budjet is unknown; perhaps you meant layer.budget",
        "bytecode.mode must be 'beside' or 'only' or 'none', not 'besides'",
        "bytecode.optimize must be 0, 1 or 2",
        "check.script names absent.py",
        "prun is unknown; perhaps you meant prune",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "schema is missing"),
        ("schema = 1\nlayer = 3", "layer must be a table"),
        ("schema = 1\n[library]\nname = 'x'", r"library must be an array of tables"),
        ("schema = true", "schema must be 1"),
        ("schema = 1\n[[library]]\nname = 'x'", "library[0].source.sha256 is missing"),
        ("schema = 1\n[[package]]\nname = 'x'\nneed = []", r"package[0].need is unknown; perhaps you meant"),
        ("schema = 1\n[layer]\nbudget = { zipped = 'big' }", "layer.budget.zipped must be a size"),
        ("schema = 1\n[prune]\nremove = 'x'", "prune.remove must be a list of texts"),
        ("schema = 1\n[layer]\nname = 'x'\nrequires = []", "layer.requires must not be empty"),
        ("schema = 1\n[layer]\nname = 'x'\nrequires = 'x'", "layer.requires must be a list of texts"),
        ("schema = 1\n[build]\npackages = [3]", "build.packages must be a list of texts"),
    ],
)
def test_a_mistake_is_named_by_its_key(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_file.load(write(tmp_path, text))
    assert any(problem in line for line in caught.value.details)


@pytest.mark.parametrize(
    "glob",
    ["../../../etc/hostname", "/etc/hostname", "", "a**b", "lib/../../x", "a\\\\b", "a//b", "./a", "lib/\\u0000"],
)
@pytest.mark.parametrize("key", ["ship", "remove", "keep", "keep_docstrings", "single"])
def test_a_glob_that_climbs_or_makes_no_sense_is_told_when_the_recipe_is_read(
    key: str, glob: str, tmp_path: Path
) -> None:
    table = {"ship": "[[library]]", "keep_docstrings": "[bytecode]", "single": "[check]"}.get(key, "[prune]")
    with pytest.raises(RecipeError) as caught:
        recipe_file.load(write(tmp_path, f'schema = 1\n{table}\n{key} = ["lib/*", "{glob}"]\n'))
    assert any(f"{key} holds" in line for line in caught.value.details)


@pytest.mark.parametrize("name", ["..", "a/b", "/", ".", "", "a b", "-x", "a" * 200])
def test_a_name_that_would_be_another_folder_is_told_when_the_recipe_is_read(name: str, tmp_path: Path) -> None:
    for text in (
        f'[[library]]\nname = "{name}"',
        f'[[package]]\nname = "{name}"',
        f'[[package]]\nneeds = ["{name}"]',
        f'[build]\nsystem = ["{name}"]',
    ):
        with pytest.raises(RecipeError) as caught:
            recipe_file.load(write(tmp_path, f"schema = 1\n{text}\n"))
        assert any("a name of letters" in line for line in caught.value.details)


def test_every_wrong_glob_of_a_list_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_file.load(write(tmp_path, 'schema = 1\n[prune]\nremove = ["../a", "ok/**", "a**b"]\n'))
    [told] = [line for line in caught.value.details if "prune.remove" in line]
    assert "'../a', which must stay below its folder; holds 'a**b', which must have **" in told


@pytest.mark.parametrize("script", ["../check.py", "/etc/hostname"])
def test_a_check_lies_in_the_recipes_folder(script: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_file.load(write(tmp_path, f'schema = 1\n[check]\nscript = "{script}"\n'))
    assert any("must stay below its folder" in line for line in caught.value.details)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "9" * 5_000,
        ".".join(["a"] * 5_000) + " = 1",
        "schema = 1\n[layer]\nbudget = { zipped = '" + "9" * 5_000 + "' }",
        "schema = 1\n[layer]\nrequires = ['x; python_version ~= \"3\"']",
        "schema = 1\n" + "k" * 15_000 + " = 1",
    ],
)
def test_a_recipe_of_any_contents_ends_in_a_short_error(text: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_file.load(write(tmp_path, text))
    assert all(len(line) < 300 for line in caught.value.details)


def test_a_recipe_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "recipe.toml")
    with pytest.raises(RecipeError, match="no regular file"):
        recipe_file.load(tmp_path)


def test_a_file_that_is_no_toml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="is not TOML") as caught:
        recipe_file.load(write(tmp_path, "schema = 1\n[layer\n"))
    assert "line 2" in caught.value.details[0]


def test_a_folder_without_a_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"holds no recipe\.toml"):
        recipe_file.load(tmp_path)


@pytest.mark.parametrize(("text", "size"), [("110 MiB", 115_343_360), ("1.5kB", 1500), ("7", 7), (9, 9)])
def test_sizes_are_read_in_both_kinds_of_unit(text: str | int, size: int) -> None:
    assert recipe_schema.size(text) == size


@pytest.mark.parametrize("name", sorted(recipe_file.bundled()))
def test_every_bundled_recipe_is_sound(name: str) -> None:
    made = recipe_file.load(recipe_file.bundled()[name])
    assert made.name == name
    assert made.budget.unzipped
    assert made.budget.zipped
    assert made.check.imports
    assert "assert" in made.check.script


def test_the_recipes_are_there() -> None:
    names = {"scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "pillow", "matplotlib", "lxml"}
    assert names <= set(recipe_file.bundled())


def test_what_several_recipes_compile_they_compile_alike_so_that_the_store_serves_all() -> None:
    parts: dict[str, set[str]] = {}
    for made in map(recipe_file.load, recipe_file.bundled().values()):
        for name, text in [(part.name, repr(part)) for part in made.libraries] + [
            (part.name, repr(part)) for part in made.packages
        ]:
            parts.setdefault(name, set()).add(text)
    assert {"openblas", "numpy", "scipy"} <= set(parts)
    assert [name for name, texts in parts.items() if len(texts) > 1] == []


def test_a_typo_finds_the_nearest_recipe() -> None:
    assert recipe_file.nearest("scikit-lern") == "scikit-learn"
    assert recipe_file.nearest("httpx") == ""


@pytest.mark.parametrize(("text", "expected"), [(3, 3), ("1.5 MiB", 1_572_864), ("30 MB", 30_000_000), ("7", 7)])
def test_a_size_is_so_many_bytes(text: int | str, expected: int) -> None:
    assert recipe_schema.size(text) == expected


@pytest.mark.parametrize("text", ["", "big", "-1 MB", "1 XB", "1e3"])
def test_what_is_no_size_is_told_as_it_stands(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is no size"):
        recipe_schema.size(text)
