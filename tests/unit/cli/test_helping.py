from __future__ import annotations

import click
import pytest

from layerforge import cli
from layerforge.cli import helping
from layerforge.core import runtimes


def test_every_command_is_in_a_group_and_has_examples() -> None:
    grouped = [name for names in helping.GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(cli.COMMANDS) == sorted(helping.EXAMPLES)


@pytest.mark.parametrize("line", [*helping.FIRST, *(line for lines in helping.EXAMPLES.values() for line in lines)])
def test_examples_name_options_that_there_are(line: str) -> None:
    name, *words = line.removeprefix("layerforge ").split()
    command = cli.group.get_command(click.Context(cli.group), name)
    assert command is not None
    if isinstance(command, click.Group) and words:
        command = command.commands[words[0]]
    known = {option for one in command.params for option in one.opts}
    assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in cli.COMMANDS)])
def test_help_ends_in_examples_a_line_each(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 0
    shown = capsys.readouterr().out
    examples = helping.EXAMPLES[arguments[0]] if len(arguments) > 1 else helping.FIRST
    assert all(f"  {line}\n" in shown for line in examples)


def test_help_shows_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["build", "--help"])
    shown = capsys.readouterr().out
    assert f"[{'|'.join(runtimes.runtimes())}]" in shown
    assert "[x86_64|arm64]" in shown
    assert shown.index("What goes in:") < shown.index("--requirements") < shown.index("Result:")


@pytest.mark.parametrize("name", ["build", "plan", "rebuild"])
def test_every_option_of_a_build_stands_in_a_group(name: str) -> None:
    command = cli.group.get_command(click.Context(cli.group), name)
    assert command is not None
    options = {str(one.name) for one in command.params if isinstance(one, click.Option)}
    grouped = {one for names in helping.OPTIONS.values() for one in names}
    assert options - grouped == {"quiet", "verbose"}


@pytest.mark.parametrize("name", helping.OPTIONS_OF)
def test_groups_of_a_command_name_its_options_each_once(name: str) -> None:
    command = cli.group.get_command(click.Context(cli.group), name)
    assert isinstance(command, helping.Grouped)
    options = {str(one.name) for one in command.params if isinstance(one, click.Option) and not one.hidden}
    grouped = [one for names in helping.OPTIONS_OF[name].values() for one in names]
    assert sorted(grouped) == sorted(options - {"quiet", "verbose"})


def test_what_follows_r_is_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["plan", "-r", "requests"]) == 3
    assert "does not exist" in capsys.readouterr().err
