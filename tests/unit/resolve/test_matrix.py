from __future__ import annotations

from pathlib import Path

import pytest

from fakes import target
from layerforge.core.errors import UsageError
from layerforge.core.runtimes import Arch
from layerforge.resolve import lock, matrix
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.request import Request
from layerforge.resolve.targets import requests, stand_alone

HASH = "a" * 64


def a_recipe(folder: Path, pins: str = f"numpy==2.5.0 --hash=sha256:{HASH}", oldest: str = "3.12") -> Path:
    folder.mkdir(parents=True)
    head = f'schema = 2\n[package]\nname = "{folder.name}"\nversions = ">=0"\n'
    (folder / "recipe.toml").write_text(f'{head}[layer]\nrequires = ["numpy"]\n')
    (folder / "requirements.lock").write_text(lock.header(oldest, "x") + pins + "\n")
    return folder


def asked(*words: str | Path) -> tuple[Request, ...]:
    """The layers that words ask for, as `layerforge matrix` takes them."""
    known, targets = catalogue(), matrix.expanded([str(word) for word in words])
    return requests(targets, None, known, each=stand_alone(targets, known))


def combined(*words: str | Path, pythons: tuple[str, ...] = ("3.12", "3.13")) -> tuple[list[str], list[str]]:
    """What is built and what is left out, as text."""
    targets = [target(python, arch) for python in pythons for arch in Arch]
    rows, left = matrix.combine(asked(*words), lambda _request: targets)
    jobs = [f"{row.recipe} {row.python} {row.arch} on {row.runner}" for row in rows]
    return jobs, [f"{one.recipe}-{one.label}: {one.reason}" for one in left]


def test_a_folder_stands_for_every_recipe_in_it_that_is_a_target(tmp_path: Path) -> None:
    a_recipe(tmp_path / "one")
    a_recipe(tmp_path / "two")
    (tmp_path / "no-recipe").mkdir()
    for name in ("package", "library"):
        (tmp_path / name).mkdir()
    (tmp_path / "package/recipe.toml").write_text('schema = 2\n[package]\nname = "package"\nversions = ">=1"\n')
    source = f'source = {{ url = "https://nowhere.invalid/x", sha256 = "{HASH}" }}\n'
    library = f'schema = 2\n[library]\nname = "library"\nversion = "1"\nscript = "make"\n{source}'
    (tmp_path / "library/recipe.toml").write_text(library)
    jobs, left = combined(tmp_path, pythons=("3.13",))
    assert jobs == [
        "one 3.13 x86_64 on ubuntu-24.04",
        "one 3.13 arm64 on ubuntu-24.04-arm",
        "two 3.13 x86_64 on ubuntu-24.04",
        "two 3.13 arm64 on ubuntu-24.04-arm",
    ]
    assert left == []


def test_the_target_of_a_row_is_what_build_takes(tmp_path: Path) -> None:
    folder = a_recipe(tmp_path / "one")
    rows, _ = matrix.combine(asked(folder, "lxml"), lambda _request: [target()])
    assert [row.target for row in rows] == [str(folder), "lxml"]
    [row], _ = matrix.combine(asked(folder, "httpx>=1", "idna"), lambda _request: [target()])
    assert row.target == f"{folder}\nhttpx>=1\nidna"


def test_recipes_of_the_current_folder_are_paths_and_not_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_recipe(tmp_path / "numpy")
    a_recipe(tmp_path / "mine" / "scipy")
    monkeypatch.chdir(tmp_path)
    assert matrix.expanded([".", "mine", "mine/"]) == ("./numpy", "mine/scipy", "mine/scipy")


def test_a_recipes_name_and_folder_stand_for_themselves(tmp_path: Path) -> None:
    folder = a_recipe(tmp_path / "one")
    assert matrix.expanded(["numpy", str(folder), "pandas>=3"]) == ("numpy", str(folder), "pandas>=3")


def test_a_lock_for_newer_pythons_leaves_older_ones_out(tmp_path: Path) -> None:
    jobs, left = combined(a_recipe(tmp_path / "one", oldest="3.13"))
    assert {job.split()[1] for job in jobs} == {"3.13"}
    assert left[0] == "one-py312-x86_64: the lock is for Python 3.13 and newer, the target is 3.12"
    assert len(left) == 2


def test_a_lock_that_holds_nothing_for_a_processor_leaves_it_out(tmp_path: Path) -> None:
    pins = f"numpy==2.5.0 ; platform_machine == 'x86_64' --hash=sha256:{HASH}"
    jobs, left = combined(a_recipe(tmp_path / "one", pins), pythons=("3.13",))
    assert jobs == ["one 3.13 x86_64 on ubuntu-24.04"]
    assert left == ["one-py313-arm64: the lock is stale; numpy is required but not locked"]


def test_what_is_resolved_only_when_it_is_built_is_never_left_out() -> None:
    jobs, left = combined("httpx", pythons=("3.10", "3.14"))
    assert len(jobs) == 4
    assert left == []


def test_an_empty_matrix_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing is left to build") as caught:
        combined(a_recipe(tmp_path / "one", oldest="3.14"))
    assert len(caught.value.details) == 4


def test_a_folder_without_recipes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no recipes"):
        matrix.expanded([str(tmp_path)])


def test_a_folder_whose_recipes_make_no_layer_is_an_error(tmp_path: Path) -> None:
    (a_recipe(tmp_path / "one") / "recipe.toml").write_text('schema = 2\n[package]\nname = "one"\nversions = ">=1"\n')
    with pytest.raises(UsageError, match=r"no recipe in .* is a layer's"):
        matrix.expanded([str(tmp_path)])


def test_a_broken_recipe_is_an_error(tmp_path: Path) -> None:
    folder = a_recipe(tmp_path / "one")
    (folder / "recipe.toml").write_text("schema = 2\n")
    with pytest.raises(RecipeError):
        combined(tmp_path)


def test_a_name_that_no_folder_can_have_is_taken_as_it_is() -> None:
    assert matrix.expanded(["a" * 5_000]) == ("a" * 5_000,)
