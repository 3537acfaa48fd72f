"""Recipes that are variants: what is said of mistakes in them, and what contradicts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerforge.core.errors import UsageError
from layerforge.resolve import recipe_check, recipe_file, targets
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import Budget
from layerforge.resolve.variant import Asked, Variant, Without, of_layer

SOUND = """\
schema = 2
[variant]
name = "small"
of = "scikit-learn"
says = "to run"
[[variant.without]]
package = "SciPy"
what = "optimisation"
modules = ["scipy.optimize"]
[check]
script = "check.py"
[layer]
requires = ["scikit-learn"]
budget = { unzipped = "2 MB", zipped = "1 MB" }
"""
HASH = f"--hash=sha256:{'a' * 64}"
LOCK = f"scipy==1.18.1 {HASH}\nscikit-learn==1.9.1 {HASH}\n"
ROW = 'modules = ["scipy.optimize"]\n'


def recipe(folder: Path, text: str = SOUND, lock: str = LOCK) -> Path:
    place = folder / "small"
    place.mkdir(parents=True)
    (place / "recipe.toml").write_text(text)
    (place / "check.py").write_text("assert True\n")
    (place / "requirements.lock").write_text(lock)
    return place


def of_several(folder: Path, text: str = SOUND, lock: str = LOCK) -> list[tuple[str, str]]:
    """Message and hint of each error that a look at the recipe finds."""
    known = catalogue(folder)
    place = recipe(folder, text, lock)
    found = recipe_check.check([place], known).findings
    return [(one.message, one.hint) for one in found if one.severity == "error"]


def test_a_budget_of_a_variant_is_its_layers_own(tmp_path: Path) -> None:
    [request] = targets.requests([str(recipe(tmp_path))], None)
    assert request.spec.budget == Budget(unzipped=2_000_000, zipped=1_000_000)
    assert request.spec.variant is not None
    assert request.spec.variant.name == "small"


@pytest.mark.parametrize(
    ("was", "wrong", "problem"),
    [
        ('of = "scikit-learn"\n', "", "variant.of is missing"),
        ('says = "to run"\n', "", "variant.says is missing"),
        ('says = "to run"', 'say = "to run"', "variant.say is unknown; perhaps you meant variant.says"),
        ('what = "optimisation"\n', "", "variant.without[0].what is missing"),
        ("modules =", "module =", "variant.without[0].module is unknown; perhaps you meant variant.without[0].modules"),
        (ROW, "", "variant.without[0] names no modules and no files"),
        (ROW, 'modules = ["a b"]\n', "variant.without[0].modules holds 'a b'"),
        (ROW, 'modules = ["a", "a"]\n', "variant.without[0].modules has 'a', which is named already"),
        (ROW, 'modules = ["a", "a.b"]\n', "variant.without names 'a.b', which lies in a, and all of that goes"),
        (ROW, 'files = ["/etc/*"]\n', "variant.without[0].files"),
        (ROW, 'files = ["a**b"]\n', "variant.without[0].files"),
        ('says = "to run"', 'says = "to run"\nproves = ["numpy"]', "variant.proves names 'numpy', of which nothing"),
        ('script = "check.py"', "", "check.script is missing: it proves what is promised of the variant"),
        ('script = "check.py"', 'script = "absent.py"', "check.script names absent.py, which is not there"),
        (SOUND[SOUND.index("[layer]") :], "", "layer is missing: a variant is a layer of its own"),
        ("[check]", "[prune]\nremove = ['x']\n[check]", "prune does not go with [variant]: it is known of a package"),
        ("[check]", "[package]\nname = 'x'\n[check]", "[package], [library] and [variant], not both"),
        ('budget = { unzipped = "2 MB"', 'budget = { unziped = "2 MB"', "perhaps you meant layer.budget.unzipped"),
    ],
)
def test_a_mistake_in_a_variant_is_named_and_gone_once_it_is_mended(
    tmp_path: Path, was: str, wrong: str, problem: str
) -> None:
    assert was in SOUND
    with pytest.raises(RecipeError, match="mistake") as caught:
        recipe_file.load(recipe(tmp_path / "wrong", SOUND.replace(was, wrong, 1)))
    assert any(problem in line for line in caught.value.details), caught.value.details
    assert recipe_file.load(recipe(tmp_path / "right")).variant is not None


def test_a_variant_of_a_layer_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    wrong = SOUND.replace('of = "scikit-learn"', 'of = "scikit-lern"')
    message, hint = "it is a variant of scikit-lern, and there is no such layer", "perhaps scikit-learn is meant"
    assert of_several(tmp_path / "a", wrong) == [(message, hint)]
    assert of_several(tmp_path / "b") == []


def test_a_variant_of_a_package_that_its_lock_does_not_hold_is_told(tmp_path: Path) -> None:
    [(message, _)] = of_several(tmp_path, lock=f"scikit-learn==1.9.1 {HASH}\n")
    assert message == "it does not hold scipy, which parts are left out of"


def test_what_lies_in_another_package_belongs_to_that_ones_row(tmp_path: Path) -> None:
    wrong = SOUND.replace('["scipy.optimize"]', '["numpy.f2py"]')
    [(message, hint)] = of_several(tmp_path, wrong)
    assert message == "numpy/f2py is to be left out of scipy, and is of numpy"
    assert hint == 'it belongs into a [[variant.without]] with package = "numpy"'


ONE = Variant(name="one", of="demo", says="to run", without=(Without(package="demo", what="x", modules=("demo.x",)),))
OTHER = Variant(name="two", of="demo", says="to run", without=ONE.without)


def test_a_layer_is_no_two_variants_and_the_hint_to_build_one_works() -> None:
    with pytest.raises(UsageError, match="one variant at most") as caught:
        of_layer([Asked.of(ONE), Asked.of(OTHER)])
    assert "one by one" in (caught.value.hint or "")
    assert of_layer([Asked.of(ONE), Asked.of(ONE)]) == ONE


def test_a_package_cannot_be_whole_and_not_whole_and_the_hint_to_name_one_works() -> None:
    with pytest.raises(UsageError, match="leaves parts of demo out") as caught:
        of_layer([Asked.of(ONE), Asked(requires=("Demo>=1",))])
    assert caught.value.hint == "name one of the two: one, or what is to be whole"
    assert of_layer([Asked(requires=("Demo>=1",))]) is None
    assert of_layer([Asked.of(ONE), Asked(requires=("other",))]) == ONE
