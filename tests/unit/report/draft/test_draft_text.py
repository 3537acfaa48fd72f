"""The texts of a first recipe: whatever a wheel says of itself, what is written is a recipe."""

from __future__ import annotations

import ast
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import target
from layerforge.report.draft import text
from layerforge.report.draft.native import Native, SourceDistribution
from layerforge.report.draft.portions import Portion
from layerforge.report.draft.survey import PackageSurvey
from layerforge.resolve import recipe_file
from layerforge.resolve.catalogue import Catalogue

NOTHING_KNOWN = Catalogue(folders=())
DEMO = PackageSurvey(
    name="demo",
    version="1.4.2",
    target=target(),
    files=3,
    bytes=4000,
    dropped=0,
    layer_bytes=4000,
    modules=("demo",),
    others=(),
    requires=(),
    extras=(),
    largest=(),
    spare=(),
    native=Native(),
    programs=(),
    variables=(),
    sdist=None,
)
PORTIONS = st.lists(
    st.builds(Portion, glob=st.text(max_size=30), files=st.integers(1), bytes=st.integers(1)), max_size=3
)
WORDS = st.lists(st.text(max_size=30), max_size=4).map(tuple)


@pytest.mark.parametrize(
    ("version", "versions"),
    [
        ("2.1.2", ">=2.1,<3"),
        ("0.9", ">=0.9,<1"),
        ("7", ">=7,<8"),
        ("2026.1.post1", ">=2026.1,<2027"),
        ("1!2.3", ">=1!2.3,<1!3"),
    ],
)
def test_versions_go_from_the_one_that_was_looked_at_to_the_next_large_one(version: str, versions: str) -> None:
    assert text.versions_of(version) == versions


@given(extras=WORDS, programs=WORDS, lacking=WORDS, declared=WORDS, largest=PORTIONS, spare=PORTIONS)
def test_what_a_wheel_says_of_itself_is_a_comment_and_never_a_key(
    extras: tuple[str, ...],
    programs: tuple[str, ...],
    lacking: tuple[str, ...],
    declared: tuple[str, ...],
    largest: list[Portion],
    spare: list[Portion],
) -> None:
    found = replace(
        DEMO,
        extras=extras,
        programs=programs,
        largest=tuple(largest),
        spare=tuple(spare),
        native=Native(files=1, bundled=tuple(largest), lacking=lacking),
        sdist=SourceDistribution(file="demo-1.4.2.tar.gz", requires=declared),
    )
    written = text.files(found, NOTHING_KNOWN)
    data = tomllib.loads(written["recipe.toml"])
    data["package"].pop("system", None)
    assert data == {
        "schema": 2,
        "package": {"name": "demo", "versions": ">=1.4,<2"},
        "check": {"imports": ["demo"]},
        "layer": {"requires": ["demo>=1.4,<2"]},
    }
    assert ast.parse(written["check.py"])


def test_a_package_without_modules_has_a_recipe_all_the_same(tmp_path: Path) -> None:
    place = tmp_path / "demo"
    place.mkdir()
    for name, content in text.files(replace(DEMO, modules=()), NOTHING_KNOWN).items():
        (place / name).write_text(content)
    assert recipe_file.load(place).check.imports == ()


def test_proposals_become_a_recipe_where_their_sign_is_taken_away(tmp_path: Path) -> None:
    found = replace(
        DEMO,
        spare=(Portion(glob="demo/docs/**", files=2, bytes=3000),),
        variables=("DEMO_DATA",),
        native=Native(files=1),
        sdist=SourceDistribution(file="demo-1.4.2.tar.gz", requires=("setuptools",)),
    )
    place = tmp_path / "demo"
    place.mkdir()
    written = text.files(found, NOTHING_KNOWN)
    proposals = ("# build", "# needs", "# [", "# docstrings", "# remove", "#     ", "# ]", "# DEMO_DATA", "# script")
    lines = [line[2:] if line.startswith(proposals) else line for line in written["recipe.toml"].splitlines()]
    (place / "recipe.toml").write_text("\n".join(lines))
    (place / "check.py").write_text(written["check.py"])
    made = recipe_file.load(place)
    assert (made.compiles, made.prune.remove, made.env) == (True, ("demo/docs/**",), {"DEMO_DATA": "/opt/share/…"})
    assert [one.text for one in made.check.scripts] == [written["check.py"]]
