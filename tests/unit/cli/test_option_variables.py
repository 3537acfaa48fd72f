"""A variable of the environment for each option."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from layerforge import cli
from layerforge.cli import variables
from layerforge.core.errors import UsageError
from program import PYTHON, Command
from wheels import make_wheel


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by the words that call it."""
    for name in cli.COMMANDS:
        found = cli.group.get_command(click.Context(cli.group), name)
        assert found is not None
        yield name, found
        if isinstance(found, click.Group):
            yield from ((f"{name} {other}", one) for other, one in found.commands.items())


def options() -> Iterator[tuple[str, click.Option]]:
    for path, command in commands():
        yield from ((path, one) for one in command.params if isinstance(one, click.Option) and not one.hidden)


def test_every_option_of_every_command_has_a_variable() -> None:
    for path, option in options():
        name = variables.long_name(option)
        assert name, (path, option.opts)
        assert str(option.envvar).startswith("LAYERFORGE_"), (path, option.opts)
        ending = name.upper().replace("-", "_")
        assert str(option.envvar).endswith((ending, f"{ending}S")), (path, option.opts)


def test_a_variable_means_the_same_wherever_it_counts() -> None:
    meant = defaultdict(set)
    for _, option in options():
        if not option.expose_value or option.name not in {"quiet", "verbose"}:
            meant[option.envvar].add((option.type.name, option.is_flag, option.multiple))
    assert {name: kinds for name, kinds in meant.items() if len(kinds) > 1} == {}


def test_no_variable_is_one_that_means_something_else() -> None:
    taken = {"LAYERFORGE_CACHE", "LAYERFORGE_RUN", "LAYERFORGE_RESULTS"}
    assert not taken & {str(option.envvar) for _, option in options()}


def test_homes_name_commands_and_options_that_there_are() -> None:
    there = {(path, variables.long_name(option)) for path, option in options()}
    for name, paths in variables.HOMES.items():
        assert {(path, name) for path in paths} <= there
    assert variables.variable("lock", "python") == "LAYERFORGE_LOCK_PYTHON"
    assert variables.variable("cache clear", "yes") == "LAYERFORGE_CACHE_CLEAR_YES"
    assert variables.variable("build", "leave-out") == "LAYERFORGE_LEAVE_OUT"


def test_variables_stand_for_options_flags_and_lists(
    layerforge: Command, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        make_wheel(index, name)
    for name in ("first", "second"):
        make_wheel(index, name, requires=("one", "two"))
    (tmp_path / "list.txt").write_text("second\n")
    given = {
        "PYTHON": PYTHON,
        "ENGINE": "host",
        "NO_VERIFY": "yes",
        "JSON": "1",
        "EACH": "true",
        "OUTPUT": "there",
        "LEAVE_OUT": "one two",
        "QUIET": "1",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"LAYERFORGE_{name}", value)
    ran = layerforge("build", "first", "-r", "list.txt")
    assert ran.code == 0, ran.err
    assert [(one["name"], [it["name"] for it in one["packages"]]) for one in ran.json["layers"]] == [
        ("first", ["first"]),
        ("list", ["second"]),
    ]
    assert len(list((tmp_path / "there").glob("*.zip"))) == 2
    assert "resolve" not in ran.err


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("COMPRESSION", "best", ["plan", "x"]),
        ("JOBS", "none", ["plan", "x"]),
        ("WHEELS", "perhaps", ["build", "x"]),
        ("PYTHON", "2.7", ["plan", "x"]),
        ("ARCH", "sparc", ["build", "x"]),
        ("LOCK_PYTHON", "2.7", ["lock", "x"]),
        ("RECIPES", "/nowhere", ["plan", "x"]),
        ("FIT", "60", ["build", "x"]),
    ],
)
def test_a_wrong_value_names_its_variable(
    layerforge: Command, name: str, value: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"LAYERFORGE_{name}", value)
    ran = layerforge(*words)
    assert ran.code == 2
    assert f"LAYERFORGE_{name}" in ran.err
    monkeypatch.setenv(f"LAYERFORGE_{name}", "")
    assert f"LAYERFORGE_{name}" not in layerforge(*words).err


def test_an_error_that_is_about_no_variable_names_none(layerforge: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAYERFORGE_WHEELS", "1")
    ran = layerforge("plan", "x", "--python", "2.7")
    assert "--python takes" in ran.err
    assert "LAYERFORGE_" not in ran.err
    variables.USED.clear()
    assert variables.named(UsageError("--python is wrong", hint="h")).hint == "h"


def test_what_is_meant_for_a_build_is_not_meant_for_what_looks_at_layers(
    layerforge: Command, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_wheel(index, "one")
    assert layerforge("build", "one", "--python", PYTHON, "--engine", "host", "--no-verify").code == 0
    [made] = (tmp_path / "dist").glob("*.zip")
    monkeypatch.setenv("LAYERFORGE_PYTHON", "3.10" if PYTHON != "3.10" else "3.11")
    monkeypatch.setenv("LAYERFORGE_OUTPUT", "elsewhere")
    assert layerforge("inspect", made, "--json").json["python"] == PYTHON
    assert layerforge("sbom", made).code == 0
    assert not (tmp_path / "elsewhere").exists()


def test_a_variable_counts_for_a_command_of_a_group_too(
    layerforge: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipes/own").mkdir(parents=True)
    (tmp_path / "recipes/own/recipe.toml").write_text('schema = 2\n[package]\nname = "own"\nversions = ">=1"\n')
    monkeypatch.setenv("LAYERFORGE_JSON", "1")
    assert layerforge("recipes", "check", "recipes").json["recipes"] == ["own"]
    monkeypatch.delenv("LAYERFORGE_JSON")
    assert layerforge("recipes", "--json", "check", "recipes").code == 2
