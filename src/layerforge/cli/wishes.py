"""What a call wants of its projects: extras, groups, and the Pythons that they are for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from layerforge.core import runtimes
from layerforge.core.errors import UsageError
from layerforge.core.runtimes import Arch, Target
from layerforge.resolve import pythons
from layerforge.resolve.request import Request
from layerforge.resolve.wanted import Wanted, wanted

Command = TypeVar("Command", bound=Callable[..., Any])
_NAME = re.compile(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", re.ASCII)


def wanted_options(command: Command) -> Command:
    """``--extra`` and ``--group``."""
    extra = click.option(
        "--extra", "extras", multiple=True, metavar="NAME", help="Take this extra of the project too; repeatable."
    )
    group = click.option(
        "--group", "groups", multiple=True, metavar="NAME", help="Take this dependency group too; repeatable."
    )
    return extra(group(command))


def wishes(extras: Iterable[str], groups: Iterable[str]) -> Wanted:
    """The extras and groups that the options name. Raises ``UsageError`` for a name that none can have."""
    for option, names in (("--extra", extras), ("--group", groups)):
        for name in names:
            if not _NAME.fullmatch(name.strip()):
                raise UsageError(f"{option} is {name!r}, which is no name", hint=f"repeat {option} for several")
    return wanted(extras, groups)


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What layers are made for, as far as the command line says."""

    pythons: tuple[str, ...]
    """Empty where each layer has its project's."""
    arches: tuple[Arch, ...]

    def of(self, request: Request, say: Callable[[str], object]) -> list[Target]:
        """The targets of a layer: every Python on every processor. ``say`` gets a line where its project chose them.

        Raises ``UsageError`` for a Python that its project does not take, ``RecipeError`` where Lambda has none.
        """
        who = " and ".join(map(str, request.files or [request.lock or request.spec.name]))
        found = pythons.chosen(self.pythons, request.requires_python, who)
        if not self.pythons and found != (pythons.DEFAULT,):
            say(f"Python {found[0]}: the newest of Lambda's inside requires-python {request.requires_python} of {who}")
        return [runtimes.target(python, arch) for python in found for arch in self.arches]
