"""What docs/project.md and docs/reference.md say of the project file and of variables is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest

from layerforge import cli
from layerforge.cli import variables
from layerforge.resolve import project_keys
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.project_settings import Asks, FunctionWish, ProjectSettings, Settings, settings_of

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "project.md").read_text("utf-8")


def keys_below(heading: str) -> set[str]:
    """The keys in the first column of a section's table."""
    section = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`([\w-]+)`", cell)}


def test_every_key_stands_in_the_table_of_its_place() -> None:
    assert keys_below("What a layer asks for") == {*project_keys.schema(Asks), "extras", "groups"}
    assert keys_below("How it is made") == set(project_keys.schema(Settings))
    assert keys_below("What stands at the top alone") == set(project_keys.schema(ProjectSettings))
    assert keys_below("Functions") == set(project_keys.schema(FunctionWish))


def test_every_key_of_a_build_is_called_as_an_option_of_it() -> None:
    command = cli.group.get_command(click.Context(cli.group), "build")
    assert command is not None
    options = {variables.long_name(one) for one in command.params if isinstance(one, click.Option)}
    keys = {*project_keys.schema(Settings), *project_keys.schema(ProjectSettings)}
    assert keys - options == {"trusted-keys"}


def test_the_example_is_a_project_file() -> None:
    [example] = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    found = settings_of(tomllib.loads(example), Path("layerforge.toml"))
    assert [one.name for one in found.layers] == ["science", "web"]


def test_mistakes_are_told_as_the_docs_show(tmp_path: Path) -> None:
    table = {"python": 3.13, "layer": {"science": {"reqires": ["x"]}, "web": {"file": "x", "compression": "smal"}}}
    with pytest.raises(RecipeError) as caught:
        settings_of(table, Path("layerforge.toml"))
    shown = "\n".join([f"✕ recipe: {caught.value.message}", *(f"    {line}" for line in caught.value.details)])
    assert f"{shown}\n  → {caught.value.hint}\n" in TEXT


def test_variables_that_belong_to_some_commands_are_told() -> None:
    text = (DOCS / "reference.md").read_text("utf-8").partition("## Environment")[2]
    told: dict[str, tuple[str, ...]] = {}
    for names, paths in re.findall(r"^\| (`--[^|]+) \| ([^|]+) \|$", text, re.MULTILINE):
        commands = () if paths == "none" else tuple(paths.split(", "))
        told |= dict.fromkeys(re.findall(r"--([\w-]+)", names), commands)
    assert told == dict(variables.HOMES)
    for name in re.findall(r"`LAYERFORGE_([A-Z_]+)`", text):
        assert name in {"OPTION", "CACHE", "TRUSTED_KEYS"} or any(
            str(one.envvar) == f"LAYERFORGE_{name}" for command in commands_of_all() for one in command.params
        ), name


def commands_of_all() -> list[click.Command]:
    found = [cli.group.get_command(click.Context(cli.group), name) for name in cli.COMMANDS]
    groups = [one for one in found if isinstance(one, click.Group)]
    return [*(one for one in found if one), *(one for group in groups for one in group.commands.values())]
