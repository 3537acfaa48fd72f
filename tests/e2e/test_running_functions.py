"""Functions with layers that were built on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from program import LABEL, PYTHON, Command, program
from wheels import make_wheel


@pytest.fixture
def layerforge(index: Path, tmp_path: Path) -> Command:
    assert index.is_dir()
    return program(tmp_path)


def test_a_function_runs_with_layers_that_were_built_here_without_a_question(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    for name in ("demo", "other"):
        make_wheel(index, name)
        assert layerforge("build", name, "--python", PYTHON).code == 0
    (tmp_path / "src/own").mkdir(parents=True)
    (tmp_path / "src/own/work.py").write_text("import demo, other\nFILES = [demo.__file__, other.__file__]\n")
    (tmp_path / "src/app.py").write_text("from own import work\ndef handler(event, context):\n    return work.FILES\n")
    layers = [f"dist/{name}-{LABEL}.zip" for name in ("demo", "other")]
    ran = layerforge("run", *layers, "--code", "src", "--handler", "app.handler", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["answer"] == ["/opt/python/demo/__init__.py", "/opt/python/other/__init__.py"]
    assert (ran.json["python"], ran.json["engine"]) == (PYTHON, "host"), "the layers' manifests say for which Python"
    assert ran.json["twice"] == []
    (tmp_path / "src/demo").mkdir()
    (tmp_path / "src/demo/__init__.py").write_text("")
    ran = layerforge("run", *layers, "--code", "src", "--handler", "app.handler", "--json")
    assert ran.json["answer"][0] == "/var/task/demo/__init__.py"
    assert [(one["name"], one["hidden_version"]) for one in ran.json["twice"]] == [("demo", "1.0")]
