from __future__ import annotations

from layerforge.resolve import recipe_file
from program import Command


def test_every_recipe_that_comes_along_is_listed_with_its_lock_and_budget(layerforge: Command) -> None:
    rows = {row["name"]: row for row in layerforge("recipes", "--json").json["recipes"]}
    assert set(rows) == set(recipe_file.bundled())
    for name, row in rows.items():
        assert row["version"], name
        assert row["python"].endswith(" and newer"), name
        assert 0 < row["zipped_at_most"] < row["unzipped_at_most"], name
    lines = layerforge("recipes").out.splitlines()
    assert lines[0].split() == ["recipe", "version", "Python", "unzipped", "at", "most"]
    assert [line.split()[:2] for line in lines[1:]] == [[name, row["version"]] for name, row in rows.items()]
