"""``layerforge cache``."""

from __future__ import annotations

import re
import sys
import time
from typing import Any

import click

from layerforge.cli import options as shared
from layerforge.cli import screen, terminal
from layerforge.core.errors import UsageError
from layerforge.core.store.disk import Kept
from layerforge.core.text import counted, megabytes

UNITS = {"h": 3600, "d": 86_400, "w": 604_800}


class Age(click.ParamType[float]):
    """How long ago, as a number and a unit."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d{1,6})([hdw])", str(value).strip().lower(), re.ASCII)
        if not match:
            self.fail(f"{value!r} is no age: such as 12h, 30d or 8w, for hours, days and weeks", param, ctx)
        return float(int(match[1]) * UNITS[match[2]])


@click.group("cache")
def command() -> None:
    """Show or empty the store, where expensive results are kept by the digest of what made them."""


@command.command("info")
@shared.json_option
def info(as_json: bool) -> None:  # noqa: FBT001
    """Show where the store is, what it holds and how long ago that was used."""
    store = shared.open_store(terminal.progress())
    kinds, now = store.kinds(), time.time()
    total = Kept.of(kinds.values())
    if as_json:
        rows = {kind: _data(kept, now) for kind, kept in kinds.items()}
        terminal.print_json({"root": str(store.root), "kinds": rows, "total": _data(total, now)})
        return
    cells = [_cells(kind, kept, now) for kind, kept in (*kinds.items(), ("in all", total))]
    terminal.report().table(str(store.root), ("kind", "values", "size", "last used", "longest unused"), cells)


def _data(kept: Kept, now: float) -> dict[str, float]:
    ages = {"newest_seconds": max(0, round(now - kept.newest)), "oldest_seconds": max(0, round(now - kept.oldest))}
    return {"count": kept.count, "bytes": kept.size, **(ages if kept.count else {})}


def _cells(kind: str, kept: Kept, now: float) -> tuple[str, ...]:
    ages = (ago(now - kept.newest), ago(now - kept.oldest)) if kept.count else ("", "")
    return (kind, f"{kept.count:,}", megabytes(kept.size), *ages)


def ago(seconds: float) -> str:
    """``3 days``: a span of time in the largest unit that it fills."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return counted(int(seconds // size), unit)
    return "now"


@command.command("clear")
@click.option("--older-than", type=Age(), help="Only what was not used for so long: 12h, 30d, 8w.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
def clear(older_than: float | None, yes: bool) -> None:  # noqa: FBT001
    """Remove what the store holds. Asks first; builds that run go on."""
    store = shared.open_store(terminal.progress())
    before = time.time() - older_than if older_than is not None else None
    if not yes:
        ask(f"remove what {store.root} holds" + (", as far as it is that old" if before else ""))
    freed = store.clear(before)
    terminal.report().line(f"{megabytes(freed)} freed in {store.root}")


def ask(what: str) -> None:
    """Asks whether to. Raises ``UsageError`` where nobody is there to answer, ``Abort`` where the answer is no."""
    if not (sys.stdin.isatty() and terminal.notes().is_terminal):
        raise UsageError("there is no terminal to ask on", hint="add --yes to remove without being asked")
    click.confirm(f"{screen.inert(what)}?", abort=True, err=True)
