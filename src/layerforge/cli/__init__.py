"""The command line: the only part that prints and that knows exit codes."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress

import click

from layerforge import __version__
from layerforge.cli import helping, variables, verbosity
from layerforge.core import interrupts
from layerforge.core.errors import LayerforgeError
from layerforge.core.interrupts import INTERRUPTED

COMMANDS = {
    "init": "Write a project file from what a folder holds.",
    "build": "Build, verify and write layers.",
    "lock": "Write a lock: exact versions with hashes.",
    "plan": "Show what a build would do.",
    "split": "Plan the layers that functions share.",
    "recipes": "List recipes, write a first one, or look for mistakes.",
    "rebuild": "Build anybody's layer again, and compare the two.",
    "inspect": "Show what is in a layer, whoever built it.",
    "verify": "Hold a layer against every rule, and run it.",
    "sbom": "Write the SBOM of a layer, whoever built it.",
    "publish": "Publish layers in every Region, exactly once.",
    "snippet": "Print the lines that attach a layer to functions.",
    "matrix": "Print a job matrix for CI.",
    "run": "Invoke a function once with its layers, as Lambda would.",
    "coldstart": "Measure real cold starts, and what they cost.",
    "doctor": "Say what this machine can build.",
    "cache": "Show or empty the store.",
    "worker": "Let this machine do the jobs of a cluster.",
}

MODULES = {"run": "run_function"}
"""Commands whose modules are not called as they are."""


class Commands(click.Group):
    """Loads a command's module only when the command is named: half of a short run is imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Every command, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command = importlib.import_module(f"layerforge.cli.{MODULES.get(cmd_name, cmd_name)}").command
        assert isinstance(command, click.Command)
        helping.equipped(cmd_name, command)
        if callable(ready := ctx.find_root().obj):
            ready()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command that is named; for an unknown one, the nearest."""
        near = difflib.get_close_matches(args[0], COMMANDS, 1)
        if near and args[0] not in COMMANDS:
            ctx.fail(f"No such command {args[0]!r}; perhaps you meant {near[0]!r}.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table itself, without loading anything."""
        for title, names in helping.GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, COMMANDS[name]) for name in names])


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=helping.epilog(helping.FIRST),
)
@click.version_option(__version__, prog_name="layerforge")
def group() -> None:
    """Turn Python packages into AWS Lambda layers that are small, start fast and are known to load."""


group.params += helping.how_much_is_said()


def main() -> None:
    """Runs the program, whose signals leave at once until then, and leaves with an exit code of the contract."""
    try:
        code = run(sys.argv[1:], lambda: interrupts.raise_once(_stop_programs))
        interrupts.ignore()
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        # Threads of a library may hang in the network, and the interpreter would wait for them.
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str], ready: Callable[[], None] = lambda: None) -> int:
    """Runs one command. Returns the exit code. ``ready`` is called when all is loaded and the work begins."""
    verbosity.WANTED.clear()
    variables.USED.clear()
    try:
        code = group.main(arguments, prog_name="layerforge", standalone_mode=False, obj=ready)
    except LayerforgeError as error:
        return _failed(error)
    except OSError as error:
        from layerforge.core import faults

        # A pipe that nobody reads any more is the business of whoever reads no more; all else is a bug.
        if lacking := faults.scarce(error):
            return _failed(lacking)
        raise
    except click.ClickException as error:
        variables.named_in_usage(error).show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        _stop_programs()
        click.echo("interrupted; nothing half-written is left behind", err=True)
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _stop_programs() -> None:
    # A run that has started none has not loaded what starts them.
    if stop := getattr(sys.modules.get("layerforge.core.process"), "stop_all", None):
        stop()


def _failed(error: LayerforgeError) -> int:
    from layerforge.cli import failures

    failures.show(variables.named(error))
    return error.exit_code
