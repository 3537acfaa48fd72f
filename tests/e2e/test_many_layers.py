"""Several layers in one call: several targets, a folder of recipes, and what becomes of those that fail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from layerforge.build import interpreters
from program import LABEL, PYTHON, Command, program
from wheels import lock_of, make_wheel


@pytest.fixture
def layerforge(index: Path, tmp_path: Path) -> Command:
    assert index.is_dir()
    return program(tmp_path)


def a_recipe(folder: Path, wheel: Path, extra: str = "") -> None:
    """A recipe that is a layer, locked to a wheel."""
    name = wheel.name.split("-")[0]
    (folder / name).mkdir(parents=True, exist_ok=True)
    head = f'schema = 2\n[package]\nname = "{name}"\nversions = ">=1"\n[layer]\nrequires = ["{name}"]\n'
    (folder / name / "recipe.toml").write_text(head + extra)
    (folder / name / "requirements.lock").write_text(lock_of(wheel))


def zips(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "dist").glob("*.zip"))


def test_one_call_builds_for_every_python_and_processor_that_is_named(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    make_wheel(index)
    other = "3.12" if PYTHON != "3.12" else "3.13"
    if interpreters.find(other) is None:
        pytest.skip(f"there is no CPython {other} here")
    named = ["--python", f"{PYTHON},{other}", "--arch", "x86_64", "--arch", "arm64,aarch64"]
    ran = layerforge("build", "demo", *named, "--json")
    assert ran.code == 0, ran.err
    found = [(one["name"], one["python"], one["arch"]) for one in ran.json["layers"]]
    assert found == [("demo", python, arch) for python in (PYTHON, other) for arch in ("x86_64", "arm64")]
    assert ran.json["failed"] == []
    assert len(zips(tmp_path)) == 4
    assert re.search(rf"^demo-{LABEL} +\S+ \S+ +\S+ \S+ +\d+ s +none", ran.err, re.MULTILINE)
    assert f"✓ demo-{LABEL} install" in ran.err
    # Every layer's time counts under the name of what was done, whatever the layer.
    assert set(ran.json["seconds"]) >= {"install", "compress", "verify", "write"}
    again = layerforge("build", "demo", *named, "--json")
    assert again.json["layers"] == ran.json["layers"]
    assert again.err.count("from the store") == 4
    planned = layerforge("plan", "demo", *named, "--json")
    assert [(one["python"], one["arch"]) for one in planned.json["plans"]] == [one[1:] for one in found]


def test_a_single_layer_is_told_as_ever(layerforge: Command, index: Path) -> None:
    make_wheel(index)
    ran = layerforge("build", "demo", "--python", PYTHON)
    assert "✓ install" in ran.err
    assert "made in" not in ran.err
    failed = layerforge("build", "absent", "--python", PYTHON, "--json")
    assert (failed.code, failed.out) == (4, "")


def test_a_layer_that_fails_does_not_stop_the_others(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    make_wheel(index, "broken", files={"broken/__init__.py": b"import nowhere_to_be_found\n"})
    ran = layerforge("build", "absent", "broken", "demo", "--each", "--python", PYTHON, "--json")
    assert ran.code == 4
    assert [one["name"] for one in ran.json["layers"]] == ["demo"]
    failed = {one["name"]: one for one in ran.json["failed"]}
    assert list(failed) == ["absent", "broken"]
    assert [one["error"]["exit_code"] for one in failed.values()] == [4, 7]
    assert failed["broken"]["error"].keys() == {"title", "message", "hint", "details", "exit_code"}
    assert (failed["broken"]["python"], failed["broken"]["arch"]) == (PYTHON, "x86_64")
    assert zips(tmp_path) == [f"demo-{LABEL}.zip"]
    table = ran.err[ran.err.index("made in") :]
    assert re.search(rf"^broken-{LABEL} +failed: the layer broken is not fit", table, re.MULTILINE)
    # Each in full, after the table.
    assert table.index("✕ lock:") < table.index("✕ verify:")
    assert "nowhere_to_be_found" in table
    other = layerforge("build", "broken", "absent", "--each", "--python", PYTHON)
    assert other.code == 7


def test_with_fail_fast_the_first_failure_is_the_end(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    make_wheel(index, "broken", files={"broken/__init__.py": b"import nowhere_to_be_found\n"})
    ran = layerforge("build", "broken", "demo", "--each", "--python", PYTHON, "--fail-fast", "--jobs", "1", "--json")
    assert ran.code == 7
    assert ran.json["layers"] == []
    assert [one["name"] for one in ran.json["failed"]] == ["broken", "demo"]
    assert ran.err.count("✕ verify:") == 1
    assert re.search(rf"^demo-{LABEL} +not begun", ran.err, re.MULTILINE)
    assert zips(tmp_path) == []
    early = layerforge("build", "absent", "demo", "--each", "--python", PYTHON, "--fail-fast")
    assert early.code == 4
    assert zips(tmp_path) == []


def test_a_folder_of_recipes_is_built_as_far_as_its_locks_go(layerforge: Command, index: Path, tmp_path: Path) -> None:
    recipes = tmp_path / "mine"
    a_recipe(recipes, make_wheel(index))
    a_recipe(recipes, make_wheel(index, "more"))
    lock = recipes / "more" / "requirements.lock"
    lock.write_text("# Locked by layerforge for Python 3.99 and newer. Renew with: x\n" + lock.read_text())
    (recipes / "bare").mkdir()
    (recipes / "bare" / "recipe.toml").write_text('schema = 2\n[package]\nname = "bare"\nversions = ">=1"\n')
    ran = layerforge("build", "--all", "mine", "--python", PYTHON, "--json")
    assert ran.code == 0, ran.err
    assert [one["name"] for one in ran.json["layers"]] == ["demo"]
    assert f"more-{LABEL} is left out:" in ran.err
    planned = layerforge("plan", "--all", recipes, "--python", PYTHON, "--json")
    assert planned.json["name"] == "demo"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--all", "mine", "demo"], "--all goes with neither TARGETs nor --lock"),
        (["--all", "empty"], "empty holds no recipes"),
        (["--all", "absent"], "does not exist"),
        ([], "nothing is named, and this folder has neither"),
        (["demo", "--python", "3.13,9.9"], "Lambda has no runtime for Python '9.9'"),
        (["demo", "--arch", "x86_64,sparc"], "Lambda has no 'sparc' processor"),
        (["demo", "--python", ""], "Lambda has no runtime for Python ''"),
        (["demo", "--lock", "a.lock", "more", "--each"], "--lock goes with a single layer"),
    ],
)
def test_what_goes_together_and_what_does_not(
    layerforge: Command, index: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    a_recipe(tmp_path / "mine", make_wheel(index))
    (tmp_path / "empty").mkdir()
    ran = layerforge("build", *words)
    assert ran.code == 2
    assert said in ran.err


def test_what_github_runs_has_an_annotation_for_each_layer_that_failed(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    make_wheel(index)
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    ran = layerforge("build", "absent", "gone", "demo", "--each", "--python", PYTHON, env=env)
    assert ran.code == 4
    assert len(re.findall(r"^::error ", ran.err, re.MULTILINE)) == 2
    summary = (tmp_path / "summary.md").read_text()
    assert f"`demo-{LABEL}.zip`" in summary
    assert summary.count("✕ lock:") == 2
