"""What the command line says of a layer, before and after the recipes of its packages do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes import target
from layerforge.build.options import Options, decided, settled
from layerforge.resolve import targets
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode, CodeRules, Compression, Docstrings
from layerforge.resolve.request import Request

KEEP, DROP = Docstrings.KEEP, Docstrings.DROP
RULES = {
    "a": CodeRules(docstrings=DROP, keep_docstrings=("a/x.py",), optimize=2),
    "b": CodeRules(docstrings=DROP, optimize=1),
    "c": CodeRules(),
}


def options(**facts: Any) -> Options:
    plain: dict[str, Any] = {"compression": Compression.FAST, "output": Path("out"), "epoch": 0}
    return Options(**{"target": target(), "interpreter": None, **plain, **facts})


def composed(docstrings: Docstrings | None) -> Bytecode:
    """How a layer is compiled whose recipes say ``RULES``."""
    spec = LayerSpec(name="x", requires=("x",), bytecode=Bytecode(packages=RULES))
    return decided(spec, options(docstrings=docstrings)).bytecode


def test_without_a_word_of_the_command_line_each_recipe_counts_for_its_package() -> None:
    made = composed(None)
    assert {name: made.rules_of(name) for name in RULES} == RULES
    assert made.rules_of("without-a-recipe") == CodeRules()
    assert made.told == "drop in a, b"


@pytest.mark.parametrize("word", list(Docstrings))
def test_the_command_line_decides_on_the_docstrings_of_every_package(word: Docstrings) -> None:
    made = composed(word)
    assert {made.rules_of(name).docstrings for name in (*RULES, "without-a-recipe")} == {word}
    assert made.told == str(word)


@pytest.mark.parametrize("word", list(Docstrings))
def test_what_has_to_keep_its_docstrings_does_whatever_the_command_line_says(word: Docstrings) -> None:
    made = composed(word)
    assert {name: one.keep_docstrings for name, one in made.packages.items()} == {"a": ("a/x.py",), "b": (), "c": ()}


def test_docstrings_that_are_to_stay_leave_of_level_2_what_level_1_does() -> None:
    assert [one.optimize for one in composed(KEEP).packages.values()] == [1, 1, 0]
    assert [one.optimize for one in composed(DROP).packages.values()] == [2, 1, 0]


def a_request(folder: Path) -> Request:
    [request] = targets.requests(["demo"], None, Catalogue(folders=(folder,)))
    return request


@pytest.mark.parametrize("mode", [None, *BytecodeMode])
def test_where_bytecode_stands_is_for_the_command_line_to_say(mode: BytecodeMode | None, tmp_path: Path) -> None:
    made = settled(a_request(tmp_path), options(bytecode=mode), compiles=False).spec
    assert made.bytecode.mode is (mode or BytecodeMode.BESIDE)


def test_what_is_to_be_compiled_beyond_the_recipes_is_known_before_anything_is_locked(tmp_path: Path) -> None:
    made = settled(a_request(tmp_path), options(from_source=("six", "demo", "six")), compiles=True)
    assert made.spec.compiled == {"six", "demo"}
    assert len(made.spec.packages) == 2


@pytest.mark.parametrize("compiles", [True, False])
def test_the_source_is_locked_of_what_is_asked_for_by_name_and_compiled_by_its_recipe(
    compiles: bool,
    tmp_path: Path,
) -> None:
    (tmp_path / "demo").mkdir()
    text = 'schema = 2\n[package]\nname = "demo"\nversions = ">=1"\nbuild = "source"\n'
    (tmp_path / "demo" / "recipe.toml").write_text(text)
    [request] = targets.requests(["demo[extra]>=1", "other"], None, Catalogue(folders=(tmp_path,)))
    assert settled(request, options(), compiles=compiles).from_sdist == (("demo",) if compiles else ())
