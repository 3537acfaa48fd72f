"""What ``--help`` shows: commands and options in groups, with examples; and how much every command says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from layerforge.cli import variables, verbosity
from layerforge.core.limits import FULL_CPU_MB

GROUPS: Mapping[str, Sequence[str]] = {
    "Make layers": ("init", "build", "rebuild", "lock", "plan", "split", "recipes"),
    "Look at them": ("inspect", "verify", "run", "coldstart", "sbom"),
    "Ship them": ("publish", "snippet", "matrix"),
    "This machine": ("doctor", "cache", "worker"),
}
"""The commands, in the order of ``--help``."""

FIRST = (
    "layerforge build requests",
    "layerforge build -r requirements.txt --arch arm64",
    "layerforge inspect dist/requests-py313-x86_64.zip",
    "layerforge publish dist/requests-py313-x86_64.zip --region eu-west-1",
)
"""Examples of the program."""

EXAMPLES: Mapping[str, Sequence[str]] = {
    "init": ("layerforge init", 'layerforge init "pandas>=3" pyarrow'),
    "build": (
        "layerforge build requests",
        "layerforge build",
        'layerforge build "pandas>=3" pyarrow --arch arm64',
        "layerforge build -r requirements.txt --python 3.12 --bytecode only",
        "layerforge build scikit-learn --wheels --fit direct",
        'layerforge build ".[ml]" --group lambda',
        'layerforge build . "git+https://github.com/psf/requests@v2.32.5"',
    ),
    "rebuild": (
        "layerforge rebuild layer.zip",
        "layerforge rebuild function.zip --wheels --html rebuilt.html",
        "layerforge rebuild layer.zip --python 3.14 --arch arm64",
    ),
    "lock": ("layerforge lock requirements.txt", "layerforge lock requests -o requests.lock"),
    "plan": ("layerforge plan scikit-learn", "layerforge plan -r requirements.txt --json"),
    "split": ("layerforge split", "layerforge split --dry-run", "layerforge split --check"),
    "recipes": ("layerforge recipes", "layerforge recipes new shapely", "layerforge recipes check recipes"),
    "inspect": ("layerforge inspect layer.zip", "layerforge inspect layer.zip --html layer.html"),
    "verify": ("layerforge verify layer.zip", "layerforge verify layer.zip --engine docker --memory 512"),
    "run": (
        "layerforge run layer.zip --code src --handler app.handler --event event.json",
        """layerforge run base.zip ml.zip --code .aws-sam/build/Train --handler app.handler --event '{"rows": 10}'""",
    ),
    "coldstart": (
        f"layerforge coldstart layer.zip --memory 512,{FULL_CPU_MB}",
        "layerforge coldstart layer.zip --env PYTHON_LAZY_IMPORTS=all --against layer.zip",
        "layerforge coldstart layer.zip --import pandas --advise-defer",
    ),
    "sbom": ("layerforge sbom layer.zip -o layer.sbom.json",),
    "publish": (
        "layerforge publish layer.zip --region eu-west-1 --dry-run",
        "layerforge publish layer.zip --region eu-west-1 --write arns.json",
    ),
    "snippet": ("layerforge snippet arns.json --for terraform", "layerforge snippet arns.json --for sam --snapstart"),
    "matrix": ("layerforge matrix recipes/ --python 3.12 --python 3.13",),
    "doctor": ("layerforge doctor",),
    "cache": (
        "layerforge cache info",
        "layerforge cache clear --older-than 30d",
        "layerforge cache log 0f3c5d1b9a77",
        "layerforge cache key --name team ~/.config/layerforge/team.key",
        "layerforge cache push --store s3://BUCKET/layers",
        "layerforge cache pull --store s3://BUCKET/layers",
        "layerforge cache verify --store s3://BUCKET/layers",
    ),
    "worker": (
        "layerforge worker --make-certificates certificates --for build.example.org",
        "layerforge worker tls://build.example.org:8786 --tls-dir certificates",
    ),
}
"""Examples of each command."""

OPTIONS: Mapping[str, Sequence[str]] = {
    "What goes in": (
        "requirements",
        "each",
        "every",
        "extras",
        "groups",
        "no_project",
        "prerelease",
        "keep_code",
        "leave_out",
        "recipes_folders",
        "lock_file",
        "sources",
    ),
    "For which Lambda": ("pythons", "arches", "python", "arch"),
    "How small, how quick": ("fit", "bytecode", "docstrings", "compression"),
    "From source or not": ("compiles", "wheels", "from_source", "build_here"),
    "Where it is made": ("engine", "image", "jobs", "cluster", "tls_dir"),
    "What a team shares": ("store", "trusted_key", "signing_key"),
    "Before and after": ("runs", "no_coldstart", "run_it", "html_file"),
    "Result": ("output", "no_verify", "twice", "fail_fast", "as_json"),
}
"""Options of commands that have many, by what they are about."""

OPTIONS_OF: Mapping[str, Mapping[str, Sequence[str]]] = {
    "inspect": {
        "For which Lambda": ("python", "arch"),
        "Beside a function": ("code",),
        "Since another one": ("older", "limit", "markdown"),
        "Result": ("html_file", "as_json"),
    },
    "verify": {
        "For which Lambda": ("python", "arch", "memory"),
        "Where it is run": ("engine", "image", "run_it"),
        "A package's own tests": ("suite", "select", "jobs", "time_limit", "write"),
        "Result": ("as_json",),
    },
    "coldstart": {
        "What is run": ("modules", "code", "handler", "event", "variables"),
        "How": ("against", "against_variables", "memory", "runs", "image"),
        "What could wait": ("advise_defer", "worth"),
        "For which Lambda": ("python", "arch"),
        "What it costs": ("price_gb_second", "per_day"),
        "Result": ("plot", "write", "no_write", "as_json"),
    },
    "publish": {
        "Where to": ("regions", "name", "bucket", "bucket_owner", "key_prefix", "storage", "keep_object"),
        "For whom": ("public", "organizations", "accounts"),
        "Old versions": ("keep", "keep_foreign"),
        "Asked or not": ("dry_run", "yes", "force"),
        "Result": ("write", "as_json"),
    },
    "worker": {
        "What it offers": ("processors", "memory", "images", "pythons", "name"),
        "Certificates": ("tls_dir", "certificates", "hosts"),
        "What a team shares": ("store", "trusted_key", "signing_key"),
    },
}
"""The same of commands whose options are about something else."""


class Grouped(click.Command):
    """A command whose options stand in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A section a group; what is in none comes last."""
        options = [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        rest = {str(one.name): record for one in options if (record := one.get_help_record(ctx))}
        for title, names in OPTIONS_OF.get(str(self.name), OPTIONS).items():
            if rows := [rest.pop(name) for name in names if name in rest]:
                with formatter.section(title):
                    formatter.write_dl(rows)
        with formatter.section("Options"):
            formatter.write_dl(list(rest.values()))


def equipped(name: str, command: click.Command) -> click.Command:
    """The command with examples, with what every command takes, and with a variable for each option."""
    if command.epilog is None:
        command.epilog = epilog(EXAMPLES[name])
        command.params += how_much_is_said()
        variables.equip(name, command)
        for own, one in command.commands.items() if isinstance(command, click.Group) else ():
            one.epilog = epilog([line for line in EXAMPLES[name] if f"{line} ".startswith(f"layerforge {name} {own} ")])
            one.params += how_much_is_said()
            variables.equip(f"{name} {own}", one)
    return command


def epilog(examples: Sequence[str]) -> str:
    """Examples as they stand at the end of ``--help``."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in examples)


def how_much_is_said() -> list[click.Parameter]:
    """``-q`` and ``-v``, which stand before a command's name or behind it."""
    quiet, verbose = "Say only what is wrong, and what was asked for.", "Show all of the evidence of an error."
    return [
        _switch(["-q", "--quiet"], verbosity.QUIET, quiet),
        _switch(["-v", "--verbose"], verbosity.VERBOSE, verbose),
    ]


def _switch(names: Sequence[str], key: str, text: str) -> click.Option:
    return click.Option(names, is_flag=True, expose_value=False, callback=_noted(key), help=text)


def _noted(key: str) -> Any:
    def note(_ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001
        if value:
            verbosity.WANTED.add(key)

    return note
