from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from layerforge.core import guarded
from layerforge.resolve import poetry_project


@pytest.mark.parametrize(
    ("constraint", "means"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^1.2", ">=1.2,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1", ">=1,<2"),
        ("*", ""),
        ("1.2.*", "==1.2.*"),
        ("1.2", "==1.2"),
        (">=1.2, <2", ">=1.2,<2"),
        (">=1.2 <2", ">=1.2,<2"),
        ("!=1.5,>=1", "!=1.5,>=1"),
        ("~=1.4", "~=1.4"),
        ("^1 || ^2", ""),
    ],
)
def test_versions_as_poetry_writes_them_mean_the_same_in_the_words_of_the_standards(
    constraint: str, means: str
) -> None:
    assert poetry_project.specifiers(constraint) == means


@given(st.lists(st.integers(0, 30), min_size=1, max_size=4), st.sampled_from("^~"))
def test_what_begins_a_range_is_in_it_and_what_is_next_is_not(numbers: list[int], operator: str) -> None:
    number = ".".join(map(str, numbers))
    found = SpecifierSet(poetry_project.specifiers(f"{operator}{number}"))
    assert found.contains(Version(number))
    assert not found.contains(Version(f"{numbers[0] + 1}.{numbers[0]}"))


DATA = guarded.toml(
    """
[tool.poetry]
name = "shop"
[tool.poetry.dependencies]
python = "^3.11 || ~3.9"
plain = "^1"
with-extras = { version = "*", extras = ["a", "b"] }
marked = { version = "^2", markers = "sys_platform == 'linux'", python = ">=3.12,<3.14" }
twice = [{ version = "^1", python = "<3.12" }, { version = "^2", python = ">=3.12" }]
optional = { version = "^3", optional = true }
kept = { git = "https://git.example/kept", tag = "v1" }
either = "^1 || ^3"
[tool.poetry.extras]
fast = ["optional"]
[tool.poetry.group.Lambda.dependencies]
more = "*"
[tool.poetry.dev-dependencies]
pytest = "^8"
"""
)


def test_a_project_of_poetrys_says_what_it_depends_on_in_requirements() -> None:
    assert poetry_project.required(DATA) == [
        "plain>=1,<2",
        "with-extras[a,b]",
        'marked>=2,<3 ; (sys_platform == \'linux\') and (python_version >= "3.12" and python_version < "3.14")',
        'twice>=1,<2 ; python_version < "3.12"',
        'twice>=2,<3 ; python_version >= "3.12"',
        "kept @ git+https://git.example/kept@v1",
        "either",
    ]
    assert all(guarded.requirement(text) for text in poetry_project.required(DATA))
    assert poetry_project.extras(DATA) == {"fast": ["optional>=3,<4"]}
    assert poetry_project.groups(DATA) == {"lambda": ["more"], "dev": ["pytest>=8,<9"]}


def test_what_the_standards_cannot_say_is_known() -> None:
    assert poetry_project.alternatives(DATA) == ["either = '^1 || ^3'"]
    assert poetry_project.requires_python(DATA) == "!=3.10.*"


def test_a_project_that_says_all_of_it_in_the_standards_table_is_none_of_poetrys() -> None:
    assert poetry_project.is_one(DATA)
    assert not poetry_project.is_one({**DATA, "project": {"name": "shop", "dependencies": []}})
    assert poetry_project.is_one({**DATA, "project": {"name": "shop", "dynamic": ["dependencies"]}})
    assert not poetry_project.is_one({"tool": {"ruff": {}}})
    assert not poetry_project.is_one({"tool": "x"})
