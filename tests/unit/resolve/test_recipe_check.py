"""What is said of recipes without building anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerforge.core.errors import UsageError
from layerforge.core.findings import Severity
from layerforge.resolve import lock, recipe_check
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.recipe_check import Checked
from program import Command, inside

HASH = f"--hash=sha256:{'a' * 64}"
SOURCE = f'source = {{ url = "https://nowhere.invalid/x.tar.gz", sha256 = "{"b" * 64}" }}'


def recipe(folder: Path, text: str, name: str = "demo", **files: str) -> Path:
    """The recipe of a package ``name``; ``text`` goes on behind its name and versions, and ``files`` lie beside it."""
    place = folder / name
    place.mkdir(parents=True)
    (place / "recipe.toml").write_text(f'schema = 2\n[package]\nname = "{name}"\nversions = ">=1,<2"\n{text}')
    for file, content in files.items():
        (place / file.replace("_", ".")).write_text(content)
    return place


def library(folder: Path, name: str, version: str = "1.0", more: str = "") -> Path:
    place = folder / name
    place.mkdir(parents=True)
    head = f'schema = 2\n[library]\nname = "{name}"\nversion = "{version}"\nscript = "make"\n{more}\n'
    (place / "recipe.toml").write_text(f"{head}{SOURCE}\n")
    return place


def locked(*pins: str) -> str:
    return "".join(f"{one} {HASH}\n" for one in pins)


def checked(*places: Path) -> Checked:
    folders = recipe_check.recipe_folders(places)
    return recipe_check.check(folders, catalogue().with_those_beside(*folders))


def told(*places: Path) -> list[tuple[str, str, str]]:
    """Severity, recipe and file of each finding, and its message."""
    return [(f"{one.severity} {one.recipe}", one.file, one.message) for one in checked(*places).findings]


SCRIPT = '[check]\nscript = "check.py"\n'
LAYER = '[layer]\nrequires = ["demo>=1,<2"]\n'
GOOD = {"check_py": "import demo\n", "requirements_lock": locked("demo==1.5", "numpy==2.5.5")}


def test_nothing_is_said_of_a_sound_recipe(tmp_path: Path) -> None:
    assert told(recipe(tmp_path, SCRIPT + LAYER, **GOOD)) == []


def test_all_mistakes_of_all_recipes_are_told_at_once(tmp_path: Path) -> None:
    recipe(tmp_path, "[prun]\nx = 1\n[bytecode]\noptimize = 3\n", "one")
    recipe(tmp_path, "[", "two")
    (tmp_path / "three").mkdir()
    (tmp_path / "three/recipe.toml").write_text('schema = 1\n[[package]]\nname = "three"\n')
    found = told(tmp_path)
    assert {one for one, _, _ in found} == {"error one", "error two", "error three"}
    text = "\n".join(message for _, _, message in found)
    for words in ("prun is unknown; perhaps you meant prune", "optimize must be 0, 1 or 2", "two/recipe.toml is not"):
        assert words in text
    assert "is of schema 1" in text
    assert len(checked(tmp_path).errors) == len(found)


def test_a_folder_of_another_name_than_its_recipe_is_an_error(tmp_path: Path) -> None:
    recipe(tmp_path, SCRIPT, "demo", check_py="").rename(tmp_path / "other")
    [(who, file, message)] = told(tmp_path / "other")
    assert (who, file) == ("error other", "recipe.toml")
    assert "holds the recipe demo" in message


# --- locks


@pytest.mark.parametrize(
    ("lines", "who", "file", "words"),
    [
        (locked("demo==2.1"), "error demo", "recipe.toml", "versions, >=1,<2, are not those that its lock has: 2.1"),
        (locked("other==1.0"), "error demo", "requirements.lock", "does not hold demo, which [layer] requires"),
        ("demo>=1\n", "error demo", "requirements.lock", "requirements.lock:1: demo is not pinned with =="),
    ],
)
def test_a_lock_that_does_not_fit_its_recipe_is_an_error(
    tmp_path: Path, lines: str, who: str, file: str, words: str
) -> None:
    found = told(recipe(tmp_path, SCRIPT + LAYER, **{**GOOD, "requirements_lock": lines}))
    assert any((one, path) == (who, file) and words in message for one, path, message in found)


def test_a_lock_with_a_version_that_the_layer_does_not_require_is_an_error(tmp_path: Path) -> None:
    text = SCRIPT + '[layer]\nrequires = ["demo>=1.6,<2"]\n'
    [(_, file, message)] = told(recipe(tmp_path, text, **GOOD))
    assert (file, message) == ("requirements.lock", "it has demo 1.5, and [layer] requires demo>=1.6,<2")


def test_a_target_without_a_lock_is_told_how_to_get_one(tmp_path: Path) -> None:
    place = recipe(tmp_path, SCRIPT + LAYER, check_py="")
    [one] = checked(place).findings
    assert (one.severity, one.message) == (
        Severity.WARNING,
        "there is no requirements.lock: every build resolves anew",
    )
    assert one.hint == f"`layerforge lock {place}` writes it"


def test_versions_that_no_lock_of_the_checked_recipes_meets_are_an_error(tmp_path: Path) -> None:
    recipe(tmp_path, SCRIPT, "part", check_py="")
    recipe(tmp_path, SCRIPT + LAYER, check_py="", requirements_lock=locked("demo==1.5", "part==3.0"))
    assert told(tmp_path) == [
        ("error part", "recipe.toml", "its versions, >=1,<2, are met by no lock: 3.0 in that of demo")
    ]
    other = '[layer]\nrequires = ["more"]\n'
    recipe(tmp_path, SCRIPT + other, "more", check_py="", requirements_lock=locked("more==1.5", "part==1.0"))
    assert told(tmp_path) == [
        ("warning part", "recipe.toml", "its versions, >=1,<2, are not met by every lock: 3.0 in that of demo")
    ]


COMPILED = 'build = "source"\n'


def test_what_is_locked_for_compiling_is_for_the_version_that_is_locked(tmp_path: Path) -> None:
    old, new = (lock.purpose(lock.parse(locked(f"demo=={version}"), "x").pins) for version in ("1.4", "1.5"))
    place = recipe(tmp_path, COMPILED + SCRIPT + LAYER, **GOOD, build_lock=old + locked("ninja==1.0"))
    message = "it is for compiling demo 1.4, and requirements.lock has demo 1.5"
    assert told(place) == [("error demo", "build.lock", message)]
    (place / "build.lock").write_text(new + locked("ninja==1.0"))
    assert told(place) == []
    (place / "build.lock").unlink()
    message = "there is no build.lock: what it is compiled with is resolved anew"
    assert told(place) == [("warning demo", "recipe.toml", message)]


# --- needs


def compiled(folder: Path, needs: str, name: str = "demo", more: str = "") -> Path:
    return recipe(folder, f"{COMPILED}needs = {needs}\n{SCRIPT}{more}", name, check_py="", build_lock="")


def test_a_need_without_a_recipe_is_an_error_with_the_nearest_one(tmp_path: Path) -> None:
    [one] = checked(compiled(tmp_path, '["numpi"]')).errors
    assert (one.message, one.hint) == ("it needs numpi, and there is no such recipe", "perhaps numpy is meant")


def test_a_need_of_another_version_than_the_librarys_is_an_error(tmp_path: Path) -> None:
    library(tmp_path, "tiny", "1.0")
    place = compiled(tmp_path, '["tiny>=2"]')
    assert told(place) == [("error demo", "recipe.toml", "it needs tiny >=2, and its recipe is for 1.0")]
    (place / "recipe.toml").write_text((place / "recipe.toml").read_text().replace("tiny>=2", "tiny>=1"))
    assert told(place) == []


def test_a_need_of_a_package_is_one_that_is_compiled_and_locked_in_a_version_of_its_recipe(tmp_path: Path) -> None:
    place = compiled(tmp_path, '["other>=1.2"]', more=LAYER)
    (place / "build.lock").unlink()
    recipe(tmp_path, SCRIPT, "other", check_py="")
    for pins, file, words in (
        (("demo==1.5",), "requirements.lock", "does not hold other, which the recipe needs"),
        (("demo==1.5", "other==1.1"), "requirements.lock", "it has other 1.1, and the recipe needs >=1.2"),
        (("demo==1.5", "other==2.0"), "requirements.lock", "other 2.0, which is not among the versions"),
    ):
        (place / "requirements.lock").write_text(locked(*pins))
        found = [(one.file, one.message) for one in checked(place).errors]
        assert ("recipe.toml", "it needs other, which its recipe does not compile") in found
        assert any(one == file and words in message for one, message in found)


def test_recipes_that_need_each_other_are_told_once(tmp_path: Path) -> None:
    compiled(tmp_path, '["b"]', "a")
    compiled(tmp_path, '["c"]', "b")
    compiled(tmp_path, '["a"]', "c")
    found = [message for _, _, message in told(tmp_path) if "each other" in message]
    assert len(found) == 1
    assert set(found[0].removeprefix("recipes need each other: ").split(" → ")) == {"a", "b", "c"}


def test_a_need_whose_recipe_has_mistakes_is_told(tmp_path: Path) -> None:
    place = compiled(tmp_path, '["bad"]')
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/recipe.toml").write_text("schema = 2\n")
    [(_, _, message)] = told(place)
    assert message.startswith("it needs bad, whose recipe has mistakes: ")


# --- files of others, and what stands twice


def test_a_file_of_another_known_recipes_package_whose_imports_are_to_wait_is_an_error(tmp_path: Path) -> None:
    text = '[defer]\n"demo/x.py" = ["os"]\n"sklearn/utils/fixes.py" = ["scipy.stats"]\n'
    found = [one.message for one in checked(recipe(tmp_path, text + SCRIPT, check_py="")).errors]
    assert found == ["sklearn/utils/fixes.py is about the files of scikit-learn"]


def test_a_glob_of_another_known_recipes_package_is_an_error(tmp_path: Path) -> None:
    text = '[prune]\nremove = ["demo/x/**", "numpy/tests/**", "sklearn/tests/**", "unknown/**"]\n'
    place = recipe(tmp_path, text + SCRIPT, check_py="")
    found = [(one.message, one.hint) for one in checked(place).errors]
    assert found == [
        (
            "numpy/tests/** is about the files of numpy",
            "a recipe speaks of its own files: it belongs to the recipe numpy",
        ),
        (
            "sklearn/tests/** is about the files of scikit-learn",
            "a recipe speaks of its own files: it belongs to the recipe scikit-learn",
        ),
    ]


def test_what_a_recipe_imports_is_its_own(tmp_path: Path) -> None:
    text = '[prune]\nremove = ["numpy/x/**"]\n[check]\nimports = ["numpy.x"]\nscript = "check.py"\n'
    assert told(recipe(tmp_path, text, check_py="")) == []


def test_three_lines_in_a_row_that_two_recipes_have_are_told(tmp_path: Path) -> None:
    one, two, three = 'A = "1"', 'B = "2"', 'C = "3"'
    text = f"[env]\n{one}\n\n{two} # why\n{three}\n{SCRIPT}"
    recipe(tmp_path, text, "a", check_py="")
    recipe(tmp_path, text, "b", check_py="")
    recipe(tmp_path, text.replace(two, 'B = "5"'), "c", check_py="")
    message = 'from line 6 on, 3 lines or more stand in a too: A = "1"'
    assert told(tmp_path) == [("warning b", "recipe.toml", message)]


def test_lines_that_say_nothing_of_a_package_may_stand_in_every_recipe(tmp_path: Path) -> None:
    for name in ("a", "b"):
        text = f'{COMPILED}minutes = 2\n[bytecode]\ndocstrings = "drop"\n[prune]\nremove = [\n"{name}/x/**",\n]\n'
        recipe(tmp_path, text + SCRIPT, name, check_py="", build_lock="")
    assert told(tmp_path) == []


# --- files


def test_files_that_nothing_uses_are_told(tmp_path: Path) -> None:
    files = {"notes_txt": "", "README_md": "", "build_lock": "", "requirements_lock": "", "check_py": ""}
    place = recipe(tmp_path, "[check]\nimports = ['demo']\n", **files)
    (place / "__pycache__").mkdir()
    found = [(one.file, one.hint.partition(":")[0]) for one in checked(place).findings if one.file != "recipe.toml"]
    assert found == [
        ("build.lock", 'it goes with build = "source"'),
        ("notes.txt", "patches are called patches/*.patch; take away what is none"),
        ("requirements.lock", "a lock goes with [layer], which makes the recipe a target of its own"),
    ]


def test_a_patch_that_is_no_unified_diff_is_an_error(tmp_path: Path) -> None:
    place = recipe(tmp_path, SCRIPT, check_py="")
    (place / "patches").mkdir()
    (place / "patches/a.patch").write_text("not a diff\n")
    [(_, _, message)] = told(place)
    assert message.startswith("patches/a.patch: ")


def test_a_check_that_is_no_python_is_an_error(tmp_path: Path) -> None:
    [(who, file, message)] = told(recipe(tmp_path, SCRIPT, check_py="import (\n"))
    assert (who, file) == ("error demo", "check.py")
    assert message.startswith("it is no Python: ")


def test_a_warm_up_is_used_and_one_that_is_no_python_is_an_error(tmp_path: Path) -> None:
    more = f'{SCRIPT}\n[prime]\nscript = "prime.py"\n'
    place = recipe(tmp_path, more, check_py="", prime_py="")
    assert told(place) == []
    (place / "prime.py").write_text("import (\n")
    [(who, file, message)] = told(place)
    assert (who, file) == ("error demo", "prime.py")
    assert message.startswith("it is no Python: ")


def test_a_package_that_only_its_imports_prove_is_told_of_and_a_library_is_not(tmp_path: Path) -> None:
    library(tmp_path, "tiny")
    recipe(tmp_path, "")
    message = "[check] has no script: nothing but imports proves the package"
    assert told(tmp_path) == [("warning demo", "recipe.toml", message)]


def test_a_recipe_that_comes_before_one_that_came_along_is_told_of(tmp_path: Path) -> None:
    place = recipe(tmp_path, SCRIPT, "numpy", check_py="")
    message = "it counts instead of layerforge's own recipe of that name"
    assert told(place) == [("warning numpy", "recipe.toml", message)]


def test_a_place_that_holds_no_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no recipe, and holds none"):
        recipe_check.recipe_folders([tmp_path])


def test_a_recipe_that_is_named_twice_is_looked_at_once(tmp_path: Path) -> None:
    place = recipe(tmp_path, SCRIPT, check_py="")
    assert recipe_check.recipe_folders([tmp_path, place]) == (place,)


# --- the command


@pytest.fixture
def layerforge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return inside(tmp_path, monkeypatch, capsys)


def test_errors_end_the_command_with_3_and_warnings_do_not(layerforge: Command, tmp_path: Path) -> None:
    recipe(tmp_path / "recipes", "")
    ran = layerforge("recipes", "check", "recipes")
    assert ran.code == 0
    assert "warning" in ran.out
    assert "nothing but imports proves the package" in ran.out
    assert ran.out.endswith("1 recipe: 0 errors, 1 warning\n")
    recipe(tmp_path / "recipes", "[prun]\n", "other")
    ran = layerforge("recipes", "check", "recipes", "--json")
    assert ran.code == 3
    assert ran.json["recipes"] == ["demo", "other"]
    assert ran.json["findings"][1] == {
        "severity": "error",
        "recipe": "other",
        "file": "recipe.toml",
        "message": "prun is unknown; perhaps you meant prune",
        "hint": "docs/recipes.md explains every key",
    }
    assert "1 error in 1 recipe: other" in ran.err


def test_needs_may_lie_in_another_folder(layerforge: Command, tmp_path: Path) -> None:
    compiled(tmp_path / "mine", '["tiny"]')
    library(tmp_path / "others", "tiny")
    assert layerforge("recipes", "check", "mine").code == 3
    assert layerforge("recipes", "check", "mine", "--recipes", "others").code == 0


def test_the_bare_command_lists_recipes_and_one_before_its_lock_is_written_too(
    layerforge: Command, tmp_path: Path
) -> None:
    recipe(tmp_path / "recipes", SCRIPT + LAYER, check_py="")
    rows = {row["name"]: row for row in layerforge("recipes", "--recipes", "recipes", "--json").json["recipes"]}
    assert rows["demo"]["version"] == ""
    assert rows["numpy"]["version"]


@pytest.mark.parametrize("option", [["--json"], ["--recipes", "recipes"]])
def test_an_option_before_the_command_that_it_is_for_is_refused(
    layerforge: Command, tmp_path: Path, option: list[str]
) -> None:
    recipe(tmp_path / "recipes", SCRIPT, check_py="")
    ran = layerforge("recipes", *option, "check", "recipes")
    assert ran.code == 2
    assert "stand behind the command that they are for" in ran.err
    assert ran.out == ""
