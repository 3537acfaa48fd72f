from __future__ import annotations

from pathlib import Path

import pytest

from layerforge.core import guarded
from layerforge.resolve import project_extras
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.wanted import wanted

PATH = Path("pyproject.toml")
DATA = guarded.toml(
    """
[project]
name = "My.Shop"
[project.optional-dependencies]
ML = ["six"]
web = ["sniffio; python_version < '3.14'"]
all = ["my-shop[ml,web]", "idna"]
[dependency-groups]
base = ["toolz"]
Lambda = ["attrs", { include-group = "base" }]
round = [{ include-group = "trip" }]
trip = [{ include-group = "round" }]
lost = [{ include-group = "nowhere" }]
odd = [{ something = 1 }]
[tool.uv]
dev-dependencies = ["pluggy"]
"""
)


def lines(extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()) -> list[str]:
    return [text for _, text in project_extras.required(PATH, DATA, wanted(extras, groups))]


def test_all_extras_and_groups_are_known_by_normalised_names() -> None:
    found = project_extras.offered(DATA)
    assert found.extras == ("ml", "web", "all")
    assert found.groups == ("base", "lambda", "round", "trip", "lost", "odd", "dev")


def test_extras_bring_what_they_name_and_what_the_projects_other_extras_bring() -> None:
    assert lines(("ml",)) == ["six"]
    assert lines(("all",)) == ["six", "sniffio; python_version < '3.14'", "idna"]


def test_groups_bring_what_they_name_and_include() -> None:
    assert lines(groups=("lambda",)) == ["attrs", "toolz"]
    assert lines(("ml",), ("dev",)) == ["six", "pluggy"]


def test_uv_is_asked_for_those_alone_that_it_finds_in_the_file() -> None:
    assert project_extras.by_uv(DATA, wanted(["ml"], ["lambda", "dev"])) == wanted(["ml"], ["lambda"])


@pytest.mark.parametrize(
    ("group", "says"),
    [
        ("round", "dependency-groups.round includes itself"),
        ("lost", "includes nowhere, which is no group"),
        ("odd", "dependency-groups.odd must be a list of texts"),
    ],
)
def test_a_group_that_makes_no_sense_is_told(group: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        lines(groups=(group,))
