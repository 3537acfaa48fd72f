from __future__ import annotations

from pathlib import Path

import pytest

from layerforge.core import resources


@pytest.mark.parametrize(
    ("name", "source", "inside"),
    [
        ("recipes", "recipes", "scikit-learn/recipe.toml"),
        ("docker", "docker", "al2023/Dockerfile"),
        ("rules.md", "docs/rules.md", ""),
    ],
)
def test_what_a_wheel_carries_is_found_in_a_checkout(name: str, source: str, inside: str) -> None:
    found = resources.carried(name, source)
    assert (found / inside if inside else found).is_file()


def test_what_lies_in_the_package_comes_before_the_checkout() -> None:
    assert resources.carried("runtimes.toml", "no/such/file") == resources.path("runtimes.toml")


def test_every_table_that_comes_along_can_be_read() -> None:
    tables = [path.name for path in Path(resources.PACKAGE, "data").glob("*.toml")]
    assert tables
    assert all(resources.table(name) for name in tables)
