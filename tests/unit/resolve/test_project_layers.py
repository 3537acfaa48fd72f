"""From what a project file says of a layer to a request."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerforge.resolve import project_layers
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.project_settings import Asks, FunctionWish, LayerWish
from layerforge.resolve.request import Request


def request(asks: Asks, lock: Path | None = None) -> Request:
    return project_layers.request(LayerWish(name="mine", asks=asks), catalogue(), lock)


def test_a_layer_is_called_as_its_table_and_asked_for_by_that(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("six\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\ndependencies = ["attrs"]\n')
    found = request(Asks(requires=("idna",), file=(tmp_path / "list.txt",), project=tmp_path))
    assert (found.spec.name, found.given) == ("mine", ("mine",))
    assert sorted(found.spec.requires) == ["attrs", "idna", "six"]
    assert found.renew == "layerforge lock mine"


def test_the_name_of_a_recipe_stands_for_what_that_requires_without_its_lock() -> None:
    found = request(Asks(requires=("lxml",)))
    assert (found.spec.requires, found.lock, found.spec.folder) == (("lxml<7,>=6",), None, None)


def test_a_function_asks_as_a_layer_does() -> None:
    wish = FunctionWish(name="train", asks=Asks(requires=("six",)))
    assert project_layers.request(wish, catalogue()).spec.requires == ("six",)


def test_versions_come_from_the_lock_that_is_named(tmp_path: Path) -> None:
    asks = Asks(requires=("six",), lock=tmp_path / "own.lock")
    assert request(asks).lock == tmp_path / "own.lock"
    assert request(asks, tmp_path / "other.lock").lock == tmp_path / "other.lock"


def test_a_lock_alone_is_what_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "own.lock").write_text("six==1.0\n")
    found = request(Asks(lock=tmp_path / "own.lock"))
    assert found.spec.requires == ("six==1.0",)


def test_all_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    asks = Asks(file=(tmp_path / "a.txt",), project=tmp_path / "b")
    with pytest.raises(RecipeError, match="layer mine names what is not there") as caught:
        request(asks)
    assert caught.value.details == (f"layer.mine.file: {tmp_path}/a.txt", f"layer.mine.project: {tmp_path}/b")
    with pytest.raises(RecipeError, match="function mine names"):
        project_layers.request(FunctionWish(name="mine", asks=asks), catalogue())


def test_the_lock_of_a_layer_is_its_own_and_no_other_tools() -> None:
    def file(asks: Asks) -> tuple[str, str]:
        wish = LayerWish(name="mine", asks=asks)
        return str(project_layers.lock_file(wish)), project_layers.unlockable(wish)

    assert file(Asks(requires=("six",))) == ("mine.lock", "")
    assert file(Asks(requires=("six",), lock=Path("locks/x.lock"))) == ("locks/x.lock", "")
    assert "another tool's" in file(Asks(requires=("six",), lock=Path("uv.lock")))[1]
    assert "is made of own.lock itself" in file(Asks(lock=Path("own.lock")))[1]
