"""A whole project as its owner has it: cloned, built without a word, run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from program import program

WEB = Path(__file__).parents[2] / "examples/web-api"


def test_a_web_project_is_built_without_a_word_and_answers(tmp_path: Path) -> None:
    project = tmp_path / "web-api"
    shutil.copytree(WEB, project)
    layerforge = program(project)
    built = layerforge("build", "--json")
    assert built.code == 0, built.err
    assert "Python 3.13" not in built.err, "it is the usual one"
    [layer] = built.json["layers"]
    assert (layer["name"], layer["python"], layer["findings"]) == ("orders", "3.13", [])
    names = {one["name"] for one in layer["packages"]}
    assert {"orders", "fastapi", "mangum", "pydantic"} <= names
    assert names.isdisjoint({"openpyxl", "pytest"})
    ran = layerforge("run", layer["path"], "--handler", "orders.api.handler", "--event", "event.json", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.json["answer"]["body"]) == {"cents": 2550}
    alone = layerforge("build", "--no-project", "--json").json["layers"][0]
    assert {one["name"] for one in alone["packages"]} == names - {"orders"}
    outside = layerforge("build", "--python", "3.14")
    assert (outside.code, "--python takes 3.12 or 3.13 for it" in outside.err) == (2, True)
