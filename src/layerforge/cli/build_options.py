"""Options of commands that make layers: what is asked for, what decides the bytes, and where they are made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from layerforge.cli import sharing, variables
from layerforge.cli.options import AUTO, every_target_option
from layerforge.cli.wishes import wanted_options
from layerforge.resolve import uv
from layerforge.resolve.fit import Fit, parse_fit
from layerforge.resolve.recipe import BytecodeMode, Compression, Docstrings

Command = TypeVar("Command", bound=Callable[..., Any])


class FitType(click.ParamType[Fit]):
    """What a layer has to fit into, as words or as a table of a project file."""

    name = "fit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fit:
        """The same as data."""
        if param and ctx:
            variables.noted("--fit", ctx, param)  # Callbacks come too late where the value is wrong.
        return value if isinstance(value, Fit) else parse_fit(value)


_ENGINE = (
    click.option(
        "--jobs",
        type=click.IntRange(1),
        default=os.cpu_count() or 1,
        show_default="processors",
        help="Source steps and layers at the same time.",
    ),
    click.option(
        "--sources",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder of archives that need no download.",
    ),
    click.option("--from-source", multiple=True, metavar="PKG", help="Compile this package too; repeatable."),
    click.option("--wheels", is_flag=True, help="Take wheels, whatever recipes say: it takes seconds."),
    click.option("--compile", "compiles", is_flag=True, help="Compile what recipes say without asking."),
    click.option("--image", help="Container image to build and run in.  [default: Lambda's own]"),
    click.option(
        "--engine",
        type=click.Choice(["auto", "docker", "host"]),
        default="auto",
        show_default=True,
        help="A container engine, or this machine with wheels alone; auto takes the first that answers.",
    ),
)


def engine_options(command: Command) -> Command:
    """Where layers are made, and what is compiled for them."""
    for option in _ENGINE:
        command = option(command)
    return command


def build_options(command: Command) -> Command:
    """What is asked for, what decides the bytes of a layer, and where it is made."""
    lock = click.option("--lock", "lock_file", type=click.Path(path_type=Path), help="Build from this lock.")
    for option in (lock, making_options, build_here_option, no_project_option, prerelease_option):
        command = option(command)
    return every_target_option(wanted_options(each_option(all_option(command))))


def making_options(command: Command) -> Command:
    """What decides the bytes of a layer, whatever is asked for, and where it is made."""
    for option in (
        engine_options,
        leave_out_option,
        click.option(
            "--compression",
            type=click.Choice([AUTO, *(str(choice) for choice in Compression)]),
            default=AUTO,
            show_default=True,
            help="fast takes seconds, small half a minute, max some minutes; auto is fast, and small only where that "
            "makes a direct upload of it.",
        ),
        click.option(
            "--fit",
            type=FitType(),
            metavar="direct|SIZE|room=SIZE",
            help="Have the layer fit: into a direct upload, into 60MB of zip, or beside 40MB of the function's own. "
            "Settings that are not given are chosen for it.",
        ),
        click.option(
            "--docstrings",
            type=click.Choice([str(choice) for choice in Docstrings]),
            help="In the bytecode.  [default: the recipe's, else keep]",
        ),
        click.option(
            "--bytecode",
            type=click.Choice([str(choice) for choice in BytecodeMode]),
            help="Beside the sources, only (no sources), or none.  [default: beside]",
        ),
    ):
        command = option(command)
    return recipes_option(sharing.store_options(command))


def call_options(command: Command) -> Command:
    """How the layers of a call are made."""
    fail_fast = click.option("--fail-fast", is_flag=True, help="The first layer that fails ends the call.")
    twice = click.option(
        "--verify-twice",
        "twice",
        is_flag=True,
        help="Make each layer twice, from nothing, and deliver it only if both are the same to the byte.",
    )
    return fail_fast(twice(command))


def cluster_options(command: Command) -> Command:
    """``--cluster`` and ``--tls-dir``."""
    address = click.option(
        "--cluster",
        envvar="LAYERFORGE_CLUSTER",
        metavar="ADDRESS",
        help="Let workers do it: tls://HOST:8786, or local:N for N processes here.",
    )
    tls = click.option(
        "--tls-dir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        envvar="LAYERFORGE_TLS_DIR",
        help="Folder of the cluster's certificates; tls:// needs it.",
    )
    return address(tls(command))


def leave_out_option(command: Command) -> Command:
    """``--leave-out``."""
    return click.option(
        "--leave-out",
        multiple=True,
        metavar="NAME",
        help="Leave out this package and what only it needs; `runtime` is all that Lambda's Python has. Repeatable.",
    )(command)


def build_here_option(command: Command) -> Command:
    """``--build-here``."""
    return click.option(
        "--build-here",
        is_flag=True,
        envvar="LAYERFORGE_BUILD_HERE",
        help="Where there is no container engine, let source distributions and repositories that are named run their "
        "code here to become wheels.",
    )(command)


def no_project_option(command: Command) -> Command:
    """``--no-project``."""
    return click.option(
        "--no-project",
        is_flag=True,
        envvar="LAYERFORGE_NO_PROJECT",
        help="Leave out a project's own code: the layer holds what it depends on.",
    )(command)


def prerelease_option(command: Command) -> Command:
    """``--prerelease``."""
    return click.option(
        "--prerelease",
        type=click.Choice(uv.PRERELEASES),
        envvar="LAYERFORGE_PRERELEASE",
        help="Which prereleases are taken, in uv's own words.  [default: if-necessary-or-explicit]",
    )(command)


def recipes_option(command: Command) -> Command:
    """``--recipes``."""
    return click.option(
        "--recipes",
        "recipes_folders",
        multiple=True,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder of recipes that count before layerforge's own; repeatable, the first one's first.",
    )(command)


def each_option(command: Command) -> Command:
    """``--each``."""
    return click.option("--each", is_flag=True, help="A layer for each TARGET, not one for all of them.")(command)


def all_option(command: Command) -> Command:
    """``--all``."""
    return click.option(
        "--all",
        "every",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIR",
        help="A layer of every recipe with [layer] in this folder, instead of TARGETs.",
    )(command)


def result_options(command: Command) -> Command:
    """What becomes of a layer that is built."""
    output = click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        default=Path("dist"),
        show_default=True,
        help="Folder that the layers are written to.",
    )
    return output(click.option("--no-verify", is_flag=True, help="Skip the rules and the check.")(command))
