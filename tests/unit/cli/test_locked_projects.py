"""Projects with the locks of other tools, from the command line to the layer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from other_locks import pylock_of
from program import LABEL, PYTHON, Command
from wheels import make_wheel

HOST = ("--engine", "host")


@pytest.fixture
def shop(index: Path, tmp_path: Path) -> Path:
    """A project with an extra and a group, and a lock of all of it; newer versions are to be had."""
    wheels = [make_wheel(index, name, "1.0") for name in ("demo", "fast", "own")]
    for name in ("demo", "fast", "own"):
        make_wheel(index, name, "2.0")
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "shop"\nversion = "1"\nrequires-python = "=={PYTHON}.*"\ndependencies = ["demo"]\n'
        '[project.optional-dependencies]\nml = ["fast"]\n[dependency-groups]\nlambda = ["own"]\ndev = ["absent"]\n'
    )
    text = pylock_of(*wheels, head='extras = ["ml"]\ndependency-groups = ["lambda"]\n')
    text = text.replace('name = "fast"\n', 'name = "fast"\nmarker = "\'ml\' in extras"\n')
    (folder / "pylock.toml").write_text(
        text.replace('name = "own"\n', 'name = "own"\nmarker = "\'lambda\' in dependency_groups"\n')
    )
    return folder


def packages(made: Path) -> list[str]:
    rows = json.loads(made.read_text())["packages"]
    return [f"{row['name']} {row['version']}" for row in rows]


def test_a_project_is_built_in_the_versions_of_its_lock_for_its_own_python(
    layerforge: Command, shop: Path, tmp_path: Path
) -> None:
    ran = layerforge("build", "./checkout", *HOST)
    assert ran.code == 0, ran.err
    assert packages(tmp_path / f"dist/shop-{LABEL}.manifest.json") == ["demo 1.0"]
    where = "checkout/pyproject.toml"
    said = f"  Python {PYTHON}: the newest of Lambda's inside requires-python =={PYTHON}.* of {where}"
    assert ran.err.splitlines().count(said) == 1
    assert "  versions and hashes are those of checkout/pylock.toml" in ran.err.splitlines()


def test_extras_and_groups_are_options_of_build_plan_and_lock(layerforge: Command, shop: Path, tmp_path: Path) -> None:
    words = ("./checkout[ml]", "--group", "lambda")
    assert layerforge("build", *words, *HOST, "--no-verify").code == 0
    assert packages(tmp_path / f"dist/shop-{LABEL}.manifest.json") == ["demo 1.0", "fast 1.0", "own 1.0"]
    planned = layerforge("plan", "./checkout", "--extra", "ml", *HOST, "--json")
    assert [step["name"] for step in planned.json["steps"] if "name" in step] == ["demo", "fast"]
    assert layerforge("lock", "./checkout", "--extra", "ml").code == 0
    text = (shop / "pyproject.lock").read_text()
    assert "demo==1.0" in text
    assert "fast==1.0" in text
    first = f"# Locked by layerforge for Python {PYTHON} and newer. Renew with: layerforge lock ./checkout --extra ml"
    assert text.splitlines()[0].startswith(first)


def test_a_python_that_the_project_does_not_take_is_refused_with_those_that_it_does(
    layerforge: Command, shop: Path
) -> None:
    ran = layerforge("build", "./checkout", *HOST, "--python", "3.14")
    assert ran.code == 2
    assert f"checkout/pyproject.toml requires Python =={PYTHON}.*, and --python names 3.14" in ran.err
    assert f"--python takes {PYTHON} for it" in ran.err


def test_each_of_several_layers_has_the_python_of_its_own_project(layerforge: Command, shop: Path, index: Path) -> None:
    ran = layerforge("plan", "./checkout", "demo", "--each", *HOST, "--json", "--bytecode", "none")
    assert ran.code == 0, ran.err
    assert [plan["python"] for plan in ran.json["plans"]] == [PYTHON, "3.13"]


def test_a_stale_lock_is_an_error_of_locks_with_the_tools_own_command(layerforge: Command, shop: Path) -> None:
    file = shop / "pyproject.toml"
    file.write_text(file.read_text().replace('"demo"', '"demo>=2"'))
    ran = layerforge("build", "./checkout", *HOST)
    assert ran.code == 4
    assert "demo>=2 is required but 1.0 is locked" in ran.err
    assert "cd checkout && uv export --format pylock.toml -o pylock.toml" in ran.err


def test_a_lock_of_another_tool_is_never_written_over(layerforge: Command, shop: Path) -> None:
    before = (shop / "pylock.toml").read_text()
    assert layerforge("lock", "./checkout/pylock.toml").code == 0
    assert (shop / "pylock.toml").read_text() == before
    (shop / "pyproject.toml").unlink()
    assert layerforge("lock", "./checkout/pylock.toml").code == 0
    assert (shop / "pylock.toml").read_text() == before
    assert "demo==1.0" in (shop / "checkout.lock").read_text()


def test_a_hash_that_no_file_of_the_index_has_is_never_replaced(layerforge: Command, shop: Path) -> None:
    file = shop / "pylock.toml"
    file.write_text(file.read_text().replace('sha256 = "', 'sha256 = "' + "0" * 8, 1))
    text = file.read_text()
    start = text.index('sha256 = "') + len('sha256 = "')
    file.write_text(text[: start + 64] + text[start + 72 :])
    ran = layerforge("build", "./checkout", *HOST)
    assert ran.code in {4, 6}
    assert "hash" in ran.err.lower()


def test_a_lock_that_no_build_takes_by_itself_comes_with_the_command_that_does(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "demo", "1.0")
    (tmp_path / "requirements.txt").write_text("demo\n")
    ran = layerforge("lock", "requirements.txt")
    assert "`layerforge build requirements.txt --lock requirements.lock` builds from it" in ran.err
    make_wheel(index, "demo", "2.0")
    built = layerforge("build", "requirements.txt", "--lock", "requirements.lock", *HOST, "--json").json["layers"]
    assert [one["version"] for one in built[0]["packages"]] == ["1.0"]
    assert "builds from it" not in layerforge("lock", "requirements.txt", "-q").err
