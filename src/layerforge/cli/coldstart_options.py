"""Options of ``layerforge coldstart``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from layerforge.cli.code_options import code_option, variables_of
from layerforge.core.errors import UsageError
from layerforge.core.limits import FULL_CPU_MB, LARGEST_MB, SMALLEST_MB
from layerforge.measure.coldstart.experiment import Lambda

MEMORIES = f"512,1024,{FULL_CPU_MB},3008"
PICTURES = (".png", ".svg")
TAIL = ".coldstart.json"
"""What the measurement's name ends in, beside the zip."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the result goes, besides the screen; ``None`` for nowhere."""

    json: Path | None
    plot: Path | None
    asked: bool
    """Whether the place of the JSON was named, so that the command fails where it cannot be written."""


@dataclass(frozen=True, kw_only=True)
class RunPlace:
    """Where the functions run."""

    engine: Lambda
    image: str
    """Its name."""


class Memories(click.ParamType[tuple[int, ...]]):
    """Sizes of a function, with commas between them."""

    name = "MB,MB,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """The sizes in ascending order, each once."""
        if isinstance(value, tuple):
            return value
        smallest, largest = SMALLEST_MB, LARGEST_MB
        words = [word.strip() for word in str(value).split(",")]
        for word in words:
            if not word.isdecimal() or not smallest <= int(word) <= largest:
                self.fail(f"{word!r} is no memory size: Lambda takes {smallest} to {largest:,} MB", param, ctx)
        return tuple(sorted(set(map(int, words))))


def environments(own: Iterable[str], others: Iterable[str], against: Path | None) -> tuple[dict[str, str], ...]:
    """The variables that ``--env`` gives to the function with the layer, and ``--against-env`` to the function with the
    other. Raises ``UsageError``.
    """
    given = variables_of(own), variables_of(others, "--against-env")
    if given[1] and against is None:
        raise UsageError(
            "--against-env is about the layer of --against, and there is none",
            hint="name it; with the same zip twice, --env alone shows what variables change",
        )
    return given


def function_options(command: Any) -> Any:
    """What is run."""
    for option in (
        click.option("--event", metavar="JSON|FILE|-", help="What --handler is invoked with.  [default: {}]"),
        click.option(
            "--handler",
            metavar="FILE|MODULE.FUNCTION",
            help="Your function: a Python file whose `handler(event, context)`, or `lambda_handler`, is invoked; with "
            "--code, what Lambda's configuration has, such as app.handler.",
        ),
        code_option,
        click.option(
            "--against-env",
            "against_variables",
            metavar="NAME=VALUE",
            multiple=True,
            help="Variable of the function with the layer of --against; repeatable.",
        ),
        click.option(
            "--env",
            "variables",
            metavar="NAME=VALUE",
            multiple=True,
            help="Variable of the function with ZIP; repeatable. Those that manifests name are set already.",
        ),
        click.option(
            "--import",
            "modules",
            metavar="MODULE",
            multiple=True,
            help="Module that the init phase imports; repeatable.  [default: those of the required packages]",
        ),
    ):
        command = option(command)
    return command


def advice_options(command: Any) -> Any:
    """What could wait."""
    for option in (
        click.option(
            "--worth",
            type=click.FloatRange(0, min_open=True),
            default=1.0,
            show_default=True,
            metavar="MS",
            help="Milliseconds that an import has to free, for --advise-defer to name it.",
        ),
        click.option(
            "--advise-defer",
            is_flag=True,
            help="Say instead which imports could wait until they are used, as lines for recipes.",
        ),
    ):
        command = option(command)
    return command


def result_options(command: Any) -> Any:
    """What becomes of the figures."""
    for option in (
        click.option("--no-write", is_flag=True, help="Leave nothing beside the zip."),
        click.option(
            "--write",
            "write",
            metavar="FILE.json",
            type=click.Path(path_type=Path),
            help=f"Where the JSON goes.  [default: beside the zip, NAME{TAIL}]",
        ),
        click.option(
            "--plot",
            metavar="FILE.png|.svg",
            type=click.Path(path_type=Path),
            help="Draw a picture, too; takes layerforge[plot].",
        ),
        click.option(
            "--per-day", type=click.IntRange(1), metavar="N", help="Cold starts a day, for what they cost in a year."
        ),
        click.option(
            "--price-gb-second",
            type=click.FloatRange(0),
            metavar="DOLLARS",
            help="Your price.  [default: us-east-1's list price]",
        ),
    ):
        command = option(command)
    return command
