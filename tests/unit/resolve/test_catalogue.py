"""Where recipes are found, and which of several counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerforge.resolve.catalogue import Catalogue, bundled_folder, catalogue, recipe_in, refuse_misnamed
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import Library

LAYER = '[layer]\nrequires = ["x"]\n'


def a_recipe(folder: Path, *, name: str = "", more: str = "", versions: str = ">=1") -> Path:
    """Writes a package's recipe into ``folder``, whose name it has unless told otherwise."""
    folder.mkdir(parents=True)
    head = f'schema = 2\n[package]\nname = "{name or folder.name}"\nversions = "{versions}"\n'
    (folder / "recipe.toml").write_text(head + more)
    return folder


def a_library(folder: Path) -> Path:
    folder.mkdir(parents=True)
    source = f'source = {{ url = "https://nowhere.invalid/x", sha256 = "{"a" * 64}" }}\n'
    head = f'schema = 2\n[library]\nname = "{folder.name}"\nversion = "1"\nscript = "make"\n'
    (folder / "recipe.toml").write_text(head + source)
    return folder


def test_layerforges_own_recipes_are_found_by_their_names() -> None:
    known = catalogue()
    assert known.folders == (bundled_folder(),)
    assert known.places["numpy"] == bundled_folder() / "numpy"
    openblas = known.find("openblas")
    assert openblas is not None
    assert isinstance(openblas.part, Library)
    assert known.find("no-such-recipe") is None


def test_what_is_no_recipes_folder_is_passed_over(tmp_path: Path) -> None:
    a_recipe(tmp_path / "one")
    (tmp_path / "notes").mkdir()
    (tmp_path / "two").write_text("")
    a_recipe(tmp_path / "deeper" / "three")
    assert Catalogue(folders=(tmp_path, tmp_path / "absent")).places == {"one": tmp_path / "one"}


def test_a_projects_folder_comes_before_layerforges_own(tmp_path: Path) -> None:
    a_recipe(tmp_path / "mine" / "numpy", versions=">=7")
    a_recipe(tmp_path / "mine" / "other")
    known = catalogue(tmp_path / "mine")
    found = known.find("numpy")
    assert found is not None
    assert (found.versions, found.folder) == (">=7", tmp_path / "mine/numpy")
    assert known.find("other") is not None
    scipy = known.find("scipy")
    assert scipy is not None
    assert scipy.folder == bundled_folder() / "scipy"


def test_the_first_of_a_projects_folders_comes_first(tmp_path: Path) -> None:
    for number in (1, 2):
        a_recipe(tmp_path / str(number) / "one", versions=f"=={number}")
    for order, versions in (((1, 2), "==1"), ((2, 1), "==2")):
        found = Catalogue(folders=tuple(tmp_path / str(number) for number in order)).find("one")
        assert found is not None
        assert found.versions == versions


def test_a_single_folder_comes_before_all_others(tmp_path: Path) -> None:
    a_recipe(tmp_path / "mine" / "one", versions="==1")
    single = a_recipe(tmp_path / "single" / "one", versions="==2")
    known = Catalogue(folders=(tmp_path / "mine",), first=(single,))
    found = known.find("one")
    assert found is not None
    assert found.versions == "==2"
    assert known.shadowed("one")


def test_what_another_of_the_name_hides_is_shadowed(tmp_path: Path) -> None:
    a_recipe(tmp_path / "mine" / "one")
    a_recipe(tmp_path / "mine" / "two")
    a_recipe(tmp_path / "theirs" / "One")
    known = Catalogue(folders=(tmp_path / "mine", tmp_path / "theirs"))
    assert {name: known.shadowed(name) for name in ("one", "two", "three")} == {
        "one": True,
        "two": False,
        "three": False,
    }


def test_a_folder_that_is_named_twice_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_recipe(tmp_path / "mine" / "one")
    monkeypatch.chdir(tmp_path / "mine")
    for single in (Path("one"), Path("./one"), Path("../mine/one"), tmp_path / "mine/one"):
        assert not Catalogue(folders=(tmp_path / "mine",), first=(single,)).shadowed("one")


@pytest.mark.parametrize("word", [".", "../demo", "./", "../../mine/demo"])
def test_a_folder_has_its_name_however_it_is_written(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(a_recipe(tmp_path / "mine" / "demo"))
    assert recipe_in(Path(word)).name == "demo"
    assert set(Catalogue(folders=(), first=(Path(word),)).places) == {"demo"}


@pytest.mark.parametrize(("folder", "name"), [("my-demo", "My.Demo"), ("My_Demo", "my-demo"), ("MY.DEMO", "my_demo")])
def test_names_are_those_of_packages_however_they_are_written(folder: str, name: str, tmp_path: Path) -> None:
    a_recipe(tmp_path / folder, name=name)
    found = Catalogue(folders=(tmp_path,)).find("my-demo")
    assert found is not None
    assert found.name == "my-demo"


def test_a_folder_that_is_not_called_as_its_recipe_is_told_with_the_name_that_it_needs(tmp_path: Path) -> None:
    folder = a_recipe(tmp_path / "one", name="two")
    with pytest.raises(RecipeError, match="one holds the recipe two") as caught:
        Catalogue(folders=(tmp_path,)).find("one")
    assert caught.value.hint.startswith("name the folder two: ")
    with pytest.raises(RecipeError, match="one holds the recipe two"):
        recipe_in(folder)
    assert Catalogue(folders=(tmp_path,)).find("two") is None


def test_a_recipe_with_mistakes_disturbs_only_who_asks_for_it(tmp_path: Path) -> None:
    a_recipe(tmp_path / "good", more=LAYER)
    a_recipe(tmp_path / "bad", more="[prun]\n")
    known = Catalogue(folders=(tmp_path,))
    assert known.target("good") is not None
    with pytest.raises(RecipeError, match="a mistake"):
        known.find("bad")
    with pytest.raises(RecipeError, match="a mistake"):
        list(known.all())


def test_a_target_is_a_recipe_with_a_layer(tmp_path: Path) -> None:
    a_recipe(tmp_path / "package")
    a_recipe(tmp_path / "layer", more=LAYER)
    a_library(tmp_path / "library")
    known = Catalogue(folders=(tmp_path,))
    assert [recipe.name for recipe in known.all()] == ["layer", "library", "package"]
    found = {name: known.target(name) is not None for name in ("layer", "library", "package", "absent")}
    assert found == {"layer": True, "library": False, "package": False, "absent": False}


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("scikit-lern", "scikit-learn"),
        ("Scikit-Learn", "scikit-learn"),
        ("nmpy", "numpy"),
        ("httpx", ""),
        ("openblass", ""),
        ("joblibb", ""),
        ("", ""),
    ],
)
def test_the_nearest_is_a_target_and_neither_a_library_nor_a_package_alone(word: str, near: str) -> None:
    assert catalogue().nearest(word) == near


def test_a_target_that_is_not_the_nearest_name_is_found_behind_a_library(tmp_path: Path) -> None:
    a_library(tmp_path / "libsnappy")
    a_recipe(tmp_path / "pysnappy", more=LAYER)
    known = Catalogue(folders=(tmp_path,))
    assert known.nearest("lysnappy") == "pysnappy"
    assert known.nearest("libsnapp") == ""


def test_a_recipe_is_read_once(tmp_path: Path) -> None:
    folder = a_recipe(tmp_path / "one")
    known = Catalogue(folders=(tmp_path,))
    first = known.find("one")
    (folder / "recipe.toml").unlink()
    assert known.find("one") is first


def test_what_lies_beside_a_named_recipe_counts_after_it_and_before_all_others(tmp_path: Path) -> None:
    own, other = a_recipe(tmp_path / "own" / "one"), a_recipe(tmp_path / "own" / "two")
    a_recipe(tmp_path / "others" / "two")
    known = Catalogue(folders=(tmp_path / "others",)).with_those_beside(own)
    assert known.places == {"one": own, "two": other.absolute()}
    assert known.shadowed("two")
    assert not known.shadowed("one")
    assert known.with_those_beside(other).folders == known.folders


def test_a_recipe_in_a_folder_of_another_name_is_told_though_nothing_asks_for_it(tmp_path: Path) -> None:
    a_recipe(tmp_path / "good")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "recipe.toml").write_text("[[[")
    refuse_misnamed(tmp_path)
    a_recipe(tmp_path / "other", name="tabulate")
    with pytest.raises(RecipeError, match="other holds the recipe tabulate") as caught:
        refuse_misnamed(tmp_path)
    assert "name the folder tabulate" in caught.value.hint
