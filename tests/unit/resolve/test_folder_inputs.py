"""What of a folder says which packages its code needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layerforge.resolve import folder_inputs


def filled(folder: Path, *names: str, **texts: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(texts.get(Path(name).stem, ""))
    return folder


@pytest.mark.parametrize(
    ("names", "project", "word"),
    [
        ([], "", None),
        (["app.py"], "", None),
        (["requirements.txt"], "", "./requirements.txt"),
        (["pyproject.toml", "requirements.txt"], "[project]\n", "."),
        (["pyproject.toml"], "[tool.poetry]\n", "."),
        (["pyproject.toml", "requirements.txt"], "[tool.ruff]\n", "./requirements.txt"),
        (["pyproject.toml"], "[tool.ruff]\n", "."),
        (["pyproject.toml", "requirements.txt"], "this is no TOML", "."),
        (["Pipfile.lock", "Pipfile"], "", "./Pipfile.lock"),
        (["uv.lock", "requirements-dev.txt"], "", "./uv.lock"),
        (["gpu-requirements.txt"], "", "./gpu-requirements.txt"),
        (["requirements-a.txt", "requirements-b.txt"], "", None),
        (["recipe.toml"], "", "."),
        (["setup.py", "requirements.txt"], "", "."),
    ],
)
def test_one_word_stands_for_what_lies_in_a_folder(
    tmp_path: Path, names: list[str], project: str, word: str | None
) -> None:
    assert folder_inputs.stand_in(filled(tmp_path, *names, pyproject=project)) == word


def test_files_above_are_found_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    filled(tmp_path, "x.toml", "repo/x.toml", "repo/.git/HEAD", "repo/a/x.toml", "repo/a/b/c/d.py")
    found = list(folder_inputs.above(tmp_path / "repo/a/b/c", "x.toml"))
    assert found == [tmp_path / "repo/a/x.toml", tmp_path / "repo/x.toml"]
    assert list(folder_inputs.above(tmp_path / "repo", "x.toml")) == []


def test_functions_lie_in_folders_with_code_beside_their_requirements(tmp_path: Path) -> None:
    for place in ("api", "services/train", "tests/x", ".venv/lib", "node_modules/y", "deep/er/est"):
        filled(tmp_path, f"{place}/requirements.txt", f"{place}/app.py")
    filled(tmp_path, "docs/requirements.txt", "data/requirements.txt", "requirements.txt", "app.py")
    assert list(map(str, folder_inputs.function_folders(tmp_path))) == ["api", "services/train"]


def test_the_code_of_a_function_is_measured_without_what_nobody_ships(tmp_path: Path) -> None:
    filled(tmp_path, "a.py", "sub/b.py", ".env", "venv/c.py", "__pycache__/d.pyc", a="x" * 10, b="x" * 5, c="x", d="x")
    assert folder_inputs.code_bytes(tmp_path) == 15


def test_names_that_no_text_can_hold_are_passed_over(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    for name in (odd, "new\nline"):
        filled(tmp_path, f"{name}/requirements.txt", f"{name}/app.py", f"{name}/requirements-{odd}.txt")
    assert list(folder_inputs.function_folders(tmp_path)) == []
    assert folder_inputs.lists(tmp_path / odd) == ["requirements.txt"]
