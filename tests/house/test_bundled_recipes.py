"""The recipes that come along can be applied beside one another, in whatever layer their packages turn up."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from layerforge.resolve import recipe_file
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.recipe import Recipe

RECIPES = {recipe.name: recipe for recipe in catalogue().all()}
CHECKS = {name: recipe.check.scripts[0].text for name, recipe in RECIPES.items() if recipe.check.scripts}

SPOILING = frozenset(
    {
        "os.environ.pop",
        "os.environ.setdefault",
        "os.environ.update",
        "os.putenv",
        "signal.signal",
        "sys.path.append",
        "sys.path.insert",
        "tempfile.mkdtemp",
        "tempfile.mkstemp",
        "warnings.filterwarnings",
        "warnings.simplefilter",
    }
)
"""Calls that leave a process, or its temporary folder, other than it was."""


BOILERPLATE = frozenset({"schema = 2", 'build = "source"', 'script = "check.py"', "imports = [", "remove = ["})
"""Lines of a recipe that say nothing of its package."""


def statements(recipe: Recipe) -> Iterator[str]:
    """What a recipe says of single files, modules and tests."""
    yield from (f"prune {glob}" for glob in (*recipe.prune.remove, *recipe.prune.keep))
    yield from (f"keep docstrings of {glob}" for glob in recipe.bytecode.keep_docstrings)
    yield from (f"import {name}" for name in recipe.check.imports)
    yield from (f"excuse {glob}" for glob in recipe.check.excused)


def runs(text: str) -> Iterator[tuple[str, ...]]:
    """Three lines that follow one another in one table and say something, without what stands behind them.

    A table's header, a comment, brackets and quotes alone, and what every recipe begins with say nothing.
    """
    table: list[str] = []
    for line in [*text.splitlines(), "[end]"]:
        plain = line.partition("  #")[0].strip()
        if re.fullmatch(r"\[.*\]", plain):
            yield from zip(table, table[1:], table[2:], strict=False)
            table = []
        elif re.search(r"\w", plain) and not plain.startswith("#") and plain not in BOILERPLATE:
            table.append(plain)


def calls(text: str) -> Iterable[ast.Call]:
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))


def test_what_is_known_of_a_file_a_module_or_a_test_is_said_once() -> None:
    said = Counter(one for recipe in RECIPES.values() for one in statements(recipe))
    assert [one for one, times in said.items() if times > 1] == []


def test_no_three_lines_stand_in_two_recipes() -> None:
    found: dict[tuple[str, ...], set[str]] = {}
    for name, recipe in RECIPES.items():
        for run in runs((recipe.folder / recipe_file.FILE).read_text("utf-8")):
            found.setdefault(run, set()).add(name)
    assert len(found) > 100
    assert {run: names for run, names in found.items() if len(names) > 1} == {}


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_asks_for_its_own_packages_version_alone(name: str) -> None:
    asked = [call for call in calls(CHECKS[name]) if ast.unparse(call.func) == "importlib.metadata.version"]
    variant = RECIPES[name].variant
    proved = variant.proves if variant else (name,)
    assert {ast.unparse(argument) for call in asked for argument in call.args} == set(map(repr, proved))


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_leaves_the_process_to_the_next_as_it_was(name: str) -> None:
    called = {ast.unparse(call.func) for call in calls(CHECKS[name])}
    changed = [node for node in ast.walk(ast.parse(CHECKS[name])) if isinstance(node, ast.Assign)]
    targets = [ast.unparse(target) for node in changed for target in node.targets]
    assert called & SPOILING == set()
    assert [one for one in targets if one.startswith(("os.environ[", "sys."))] == []


def test_every_recipe_of_a_package_proves_what_it_says() -> None:
    packages = {name for name, recipe in RECIPES.items() if recipe.versions}
    assert packages - CHECKS.keys() == set()
    assert [name for name in packages if not RECIPES[name].check.imports] == []
