"""The rules of the house: style, types and the direction of imports."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["lint-imports"]],
    ids=["lint", "format", "types", "imports"],
)
def test_the_house_is_in_order(command: list[str]) -> None:
    done = subprocess.run([SCRIPTS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_test_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "tests/requirements.lock").read_text()
    for requirement in (*project["dependencies"], *project["optional-dependencies"]["test"]):
        name = requirement.split("[")[0].split(">")[0].split("=")[0]
        assert f"\n{name}==" in locked or f"\n{name}[" in locked, f"{name} is not locked"


def test_no_lock_names_an_index() -> None:
    for path in (*ROOT.glob("recipes/*/*.lock"), *ROOT.glob("tests/**/*.lock")):
        assert "://" not in path.read_text(), path
    assert '"resolved"' not in (ROOT / "tests/tools/package-lock.json").read_text()


def test_the_recipe_in_the_docs_is_the_real_one() -> None:
    assert (ROOT / "recipes/lxml/recipe.toml").read_text() in (ROOT / "docs/recipes.md").read_text()


def test_no_test_has_a_deadline_of_its_own() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        assert path == Path(__file__) or "deadline" not in path.read_text() or path.name == "conftest.py", path
    assert settings.default is not None
    assert settings.default.deadline is None
