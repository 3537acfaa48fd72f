from pathlib import Path

import pytest

from fakes import FakeProgress, target
from layerforge import recipe, resolve
from layerforge.errors import LockError, RecipeError, UsageError
from wheels import lock_of, make_wheel

RECIPE = 'schema = 1\n[layer]\nname = "mine"\nrequires = ["demo>=1"]\n'


def a_recipe(folder: Path, lock: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "requirements.lock").write_text(lock)
    return folder


def test_a_recipes_name_asks_for_the_bundled_recipe() -> None:
    [request] = resolve.requests(["numpy"], None)
    assert request.recipe.folder == recipe.bundled()["numpy"]
    assert request.lock == recipe.bundled()["numpy"] / "requirements.lock"
    assert request.renew == "layerforge lock numpy"


def test_several_recipes_are_several_layers() -> None:
    assert [one.recipe.name for one in resolve.requests(["numpy", "pillow"], None)] == ["numpy", "pillow"]


def test_bare_requirements_share_a_layer_and_a_recipes_name_beside_them_is_one_of_them() -> None:
    [request] = resolve.requests(["pandas>=3", "pyarrow"], None)
    assert request.recipe.name == "pandas-pyarrow"
    assert request.recipe.requires == ("pandas>=3", "pyarrow")
    assert request.lock is None


def test_a_folder_a_recipe_file_and_a_requirements_file_are_paths(tmp_path: Path) -> None:
    folder = a_recipe(tmp_path / "mine")
    (tmp_path / "needs.txt").write_text("demo\n")
    found = resolve.requests([str(folder), str(folder / "recipe.toml"), str(tmp_path / "needs.txt")], None)
    assert [one.recipe.name for one in found] == ["mine", "mine", "needs"]
    assert found[2].source == tmp_path / "needs.txt"


def test_a_path_that_is_not_there_suggests_the_nearest_recipe() -> None:
    with pytest.raises(RecipeError, match="does not exist") as caught:
        resolve.requests(["./scikit-lern"], None)
    assert "scikit-learn" in caught.value.hint


@pytest.mark.parametrize("word", ["not a requirement!", "pandas=>3", "=="])
def test_what_is_no_requirement_is_a_usage_error_that_shows_one(word: str) -> None:
    with pytest.raises(UsageError, match="neither a recipe, a path nor a requirement") as caught:
        resolve.requests([word], None)
    assert '"pandas>=3"' in caught.value.hint


def test_a_given_lock_goes_with_one_layer_only() -> None:
    [request] = resolve.requests(["lxml"], Path("my.lock"))
    assert request.lock == Path("my.lock")
    with pytest.raises(UsageError, match="single layer"):
        resolve.requests(["numpy", "pillow"], Path("my.lock"))


def test_a_recipe_is_built_from_its_lock_and_nothing_is_resolved(index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(index, version="1.0")
    make_wheel(index, version="2.0")
    [request] = resolve.requests([str(a_recipe(tmp_path / "mine", lock_of(wheel)))], None)
    progress = FakeProgress()
    found = resolve.locked(request, target(), progress)
    assert [pin.version for pin in resolve.pins(request, found, target())] == ["1.0"]
    assert progress.steps == []


def test_a_bare_requirement_is_resolved(index: Path) -> None:
    make_wheel(index, version="2.0", requires=["other"])
    make_wheel(index, "other", "3.0")
    [request] = resolve.requests(["demo"], None)
    found = resolve.locked(request, target(), FakeProgress())
    assert [(pin.name, pin.version) for pin in found.pins] == [("demo", "2.0"), ("other", "3.0")]


def test_a_missing_lock_says_how_to_write_it(tmp_path: Path) -> None:
    folder = a_recipe(tmp_path / "mine")
    (folder / "requirements.lock").unlink()
    [request] = resolve.requests([str(folder)], None)
    with pytest.raises(LockError) as caught:
        resolve.locked(request, target(), FakeProgress())
    assert caught.value.hint == f"write it with `layerforge lock {folder}`"


def test_a_typo_in_a_recipes_name_is_a_recipe_error_with_the_nearest_name(index: Path) -> None:
    assert index.is_dir()
    [request] = resolve.requests(["scikit-lern"], None)
    progress = FakeProgress()
    with pytest.raises(RecipeError) as caught:
        resolve.locked(request, target(), progress)
    assert caught.value.hint == "perhaps you meant scikit-learn"
    assert "perhaps you meant scikit-learn" in progress.warnings[0]


def test_an_unknown_package_far_from_every_recipe_is_a_lock_error(index: Path) -> None:
    assert index.is_dir()
    [request] = resolve.requests(["qwertyuiop"], None)
    with pytest.raises(LockError, match="there is no package qwertyuiop"):
        resolve.locked(request, target(), FakeProgress())


def test_a_universal_lock_starts_with_its_oldest_python_and_holds_no_address(index: Path, tmp_path: Path) -> None:
    make_wheel(index, version="2.0")
    [request] = resolve.requests([str(a_recipe(tmp_path / "mine"))], None)
    text = resolve.universal(request, "3.12")
    assert text.startswith("# Locked by layerforge for Python 3.12 and newer.")
    assert "demo==2.0" in text
    assert str(index) not in text


def test_a_wheel_on_disk_is_a_target(index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", version="4.0")
    [request] = resolve.requests([str(wheel)], None)
    assert index.is_dir()
    [pin] = resolve.locked(request, target(), FakeProgress()).pins
    assert (pin.name, pin.address) == ("demo", wheel.resolve().as_uri())
