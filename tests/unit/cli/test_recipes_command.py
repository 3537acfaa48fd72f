from __future__ import annotations

from pathlib import Path

from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.recipe import Budget
from program import Command


def test_every_recipe_that_comes_along_is_listed_and_a_target_with_its_lock_and_budget(layerforge: Command) -> None:
    rows = {row["name"]: row for row in layerforge("recipes", "--json").json["recipes"]}
    assert list(rows) == sorted(catalogue().places)
    for name, row in rows.items():
        assert row["versions"], name
        recipe = catalogue().target(name)
        assert (row["kind"] in {"layer", "variant"}) == (recipe is not None)
        assert bool(row["version"]) == row["python"].endswith(" and newer") == (recipe is not None), name
        budget = recipe.layer.budget if recipe and recipe.layer else Budget()
        assert (row["unzipped_at_most"], row["zipped_at_most"]) == (budget.unzipped or 0, budget.zipped or 0)
    kinds = {name: (row["kind"], row["compiles"]) for name, row in rows.items()}
    assert kinds["openblas"] == ("library", True)
    assert kinds["numpy"] == ("layer", True)
    assert kinds["pillow"] == ("layer", False)
    assert kinds["joblib"] == ("package", False)
    lines = layerforge("recipes").out.splitlines()
    assert lines[0].split() == ["recipe", "what", "of", "version", "Python", "unzipped", "at", "most"]
    shown = [(name, row["kind"], row["version"] or row["versions"]) for name, row in rows.items()]
    assert [tuple(line.split()[:3]) for line in lines[1 : len(rows) + 1]] == shown


def test_a_folders_own_recipes_are_listed_in_the_place_of_layerforges(layerforge: Command, tmp_path: Path) -> None:
    folder = tmp_path / "mine/numpy"
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text('schema = 2\n[package]\nname = "NumPy"\nversions = ">=1,<2"\n')
    rows = {row["name"]: row for row in layerforge("recipes", "--recipes", tmp_path / "mine", "--json").json["recipes"]}
    assert (rows["numpy"]["kind"], rows["numpy"]["versions"]) == ("package", ">=1,<2")
    assert rows["scipy"]["kind"] == "layer"


def test_of_several_folders_the_first_ones_recipes_come_first(layerforge: Command, tmp_path: Path) -> None:
    for place, versions in (("one/demo", ">=1"), ("two/demo", ">=2"), ("two/other", ">=3")):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        text = f'schema = 2\n[package]\nname = "{folder.name}"\nversions = "{versions}"\n'
        (folder / "recipe.toml").write_text(text)
    ran = layerforge("recipes", "--recipes", tmp_path / "one", "--recipes", tmp_path / "two", "--json")
    rows = {row["name"]: row["versions"] for row in ran.json["recipes"]}
    assert (rows["demo"], rows["other"]) == (">=1", ">=3")


def test_a_recipe_in_the_place_of_a_folder_of_recipes_is_refused_with_what_to_name(
    layerforge: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "mine/demo"
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text('schema = 2\n[package]\nname = "demo"\nversions = ">=1"\n')
    ran = layerforge("recipes", "--recipes", folder)
    assert ran.code == 2
    assert "it is a recipe itself: name the folder that it lies in" in ran.err
