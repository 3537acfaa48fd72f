from __future__ import annotations

import pytest

from layerforge.core import runtimes
from layerforge.core.errors import UsageError
from layerforge.resolve import pythons
from layerforge.resolve.errors import RecipeError


@pytest.mark.parametrize(
    ("requires", "python"),
    [
        ("", "3.13"),
        (">=3.12,<3.13", "3.12"),
        (">=3.10,<3.14", "3.13"),
        ("==3.11.*", "3.11"),
        (">=3.11.4,<3.12", "3.11"),
        ("<=3.12", "3.12"),
        (">=3.9", runtimes.announced()[-1]),
        (">=3.15", "3.15"),
    ],
)
def test_a_layer_is_for_the_newest_announced_python_that_its_project_takes(requires: str, python: str) -> None:
    assert pythons.chosen((), requires) == (python,)


def test_pythons_that_are_named_are_taken_where_the_project_takes_them() -> None:
    assert pythons.chosen(("3.12", "3.13"), ">=3.11") == ("3.12", "3.13")
    with pytest.raises(UsageError, match=r"shop requires Python >=3\.12,<3\.14, and --python names 3\.11") as caught:
        pythons.chosen(("3.11", "3.12"), ">=3.12,<3.14", "shop")
    assert caught.value.hint == "--python takes 3.12 or 3.13 for it"


@pytest.mark.parametrize("given", [(), ("3.13",)])
def test_a_project_for_pythons_that_lambda_does_not_have_is_refused(given: tuple[str, ...]) -> None:
    with pytest.raises(RecipeError, match=r"Lambda has no Python that requires-python takes: <3\.9"):
        pythons.chosen(given, "<3.9")


def test_what_makes_no_sense_is_told() -> None:
    with pytest.raises(RecipeError, match="makes no sense: three"):
        pythons.chosen((), "three")


@pytest.mark.parametrize(
    ("given", "requires", "oldest"),
    [("", "", "3.12"), ("", ">=3.13", "3.13"), ("", ">=3.10", "3.12"), ("", "==3.11.*", "3.11"), ("3.10", "", "3.10")],
)
def test_a_lock_begins_with_the_oldest_python_that_its_project_takes(given: str, requires: str, oldest: str) -> None:
    assert pythons.oldest(given, requires, "3.12") == oldest


def test_what_several_say_counts_together_each_once() -> None:
    assert pythons.together([">=3.11, <3.14", "", "<3.14", ">=3.11"]) == ">=3.11,<3.14"
