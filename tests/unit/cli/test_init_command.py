"""``layerforge init``: what it writes can be built at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from program import LABEL, PYTHON, Command
from wheels import make_wheel


@pytest.fixture
def wheels(index: Path) -> Path:
    for name in ("one", "two"):
        make_wheel(index, name)
    return index


@pytest.mark.parametrize(
    ("files", "words", "layers"),
    [
        ({"pyproject.toml": '[project]\nname = "app"\nversion = "1"\ndependencies = ["one"]\n'}, [], {"app": ["one"]}),
        ({"requirements.txt": "one\n", "requirements-b.txt": "two\n"}, [], {"FOLDER": ["one"], "b": ["two"]}),
        ({"cron/requirements.txt": "two\n", "cron/app.py": ""}, [], {"cron": ["two"]}),
        ({}, ["one>=1", "two"], {"one-two": ["one", "two"]}),
    ],
)
def test_what_it_writes_is_built_without_words(
    layerforge: Command,
    wheels: Path,
    tmp_path: Path,
    files: dict[str, str],
    words: list[str],
    layers: dict[str, list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "FOLDER"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LAYERFORGE_PYTHON", PYTHON)
    ran = layerforge("init", *words)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0] == "layerforge.toml"
    for name in layers:
        assert f"  layer {name}: " in ran.out
    assert "  layerforge build  builds and verifies all of them" in ran.out
    built = layerforge("build", "--engine", "host", "--json")
    assert built.code == 0, built.err
    assert {one["name"]: [it["name"] for it in one["packages"]] for one in built.json["layers"]} == layers
    assert (folder / f"dist/{next(iter(layers))}-{LABEL}.zip").is_file()


def test_functions_are_to_be_planned_first(layerforge: Command, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requirements.txt").write_text("one\n")
        (tmp_path / name / "app.py").write_text("")
    ran = layerforge("init")
    assert ran.code == 0
    assert "  function a: file a/requirements.txt, code 100.0 kB" in ran.out
    assert ran.out.index("layerforge split") < ran.out.index("layerforge build")


TEMPLATE = """\
Resources:
  Api:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: api/
      Runtime: python3.10
      Architectures: [arm64]
  Train:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: train/
      Runtime: pythonPYTHON
"""


def test_functions_of_a_template_are_planned_and_built_for_their_own_runtimes(
    layerforge: Command, wheels: Path, tmp_path: Path
) -> None:
    (tmp_path / "template.yaml").write_text(TEMPLATE.replace("PYTHON", PYTHON))
    for name, packages in (("api", "one\n"), ("train", "one\ntwo\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requirements.txt").write_text(packages)
        (tmp_path / name / "app.py").write_text("")
    assert layerforge("init").code == 0
    built = layerforge("build", "--engine", "host", "--bytecode", "none", "--json")
    assert built.code == 0, built.err
    assert "there is no layers.lock yet, so the layers are planned first" in built.err
    made = {(one["name"], one["python"], one["arch"]): one["layers"] for one in built.json["functions"]}
    assert set(made) == {("Api", "3.10", "arm64"), ("Train", PYTHON, "x86_64")}
    again = layerforge("build", "--engine", "host", "--bytecode", "none")
    assert again.code == 0, again.err
    assert "planned first" not in again.err


def test_nothing_is_overwritten(layerforge: Command, tmp_path: Path) -> None:
    file = tmp_path / "layerforge.toml"
    file.write_text("# mine\n")
    ran = layerforge("init", "one")
    assert ran.code == 2
    assert "nothing is overwritten" in ran.err
    assert file.read_text() == "# mine\n"
    file.unlink()
    file.symlink_to("nowhere")
    assert layerforge("init", "one").code == 2
    assert file.is_symlink()


def test_a_table_of_the_project_is_a_project_file_too(layerforge: Command, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.layerforge]\npython = "3.13"\n')
    ran = layerforge("init", "one")
    assert ran.code == 2
    assert "pyproject.toml has [tool.layerforge]" in ran.err
    assert not (tmp_path / "layerforge.toml").exists()


def test_nothing_is_written_where_nothing_says_what_is_needed(layerforge: Command, tmp_path: Path) -> None:
    assert layerforge("init").code == 2
    assert layerforge("init", "one two").code == 2
    assert not (tmp_path / "layerforge.toml").exists()
