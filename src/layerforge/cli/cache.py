"""``layerforge cache``."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from layerforge.build.steps import FAILED_LOG, LOG
from layerforge.cli import options as shared
from layerforge.cli import screen, sharing, terminal
from layerforge.core.errors import StoreError, UsageError
from layerforge.core.store import keys, upkeep
from layerforge.core.store.upkeep import Kept
from layerforge.core.text import counted, megabytes, visible

UNITS = {"h": 3600, "d": 86_400, "w": 604_800}
_SHOWN = 40
"""How many damaged values an error names."""


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
    """Show, share or empty the store, where expensive results are kept by the digest of what made them."""


def kinds_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--kind``."""
    return click.option(
        "--kind", "kinds", multiple=True, metavar="KIND", help="Only values of this kind, as `cache info` names them."
    )(command)


@command.command("info")
@sharing.store_options
@shared.json_option
def info(as_json: bool) -> None:  # noqa: FBT001
    """Show where the store is, what it holds and how long ago that was used; and the same of what a team shares."""
    progress = terminal.progress()
    store, now = sharing.near_store(progress), time.time()
    found = {str(store.root): upkeep.kinds(store)}
    if sharing.sharing().place:
        from layerforge.core.store import tending

        far = sharing.far_store(progress)
        found[far.objects.place] = tending.usage(far)
    if as_json:
        near, *more = (_info(place, kinds, now) for place, kinds in found.items())
        terminal.print_json({**near, **({"shared": more[0]} if more else {})})
        return
    for place, kinds in found.items():
        rows = (*kinds.items(), ("in all", Kept.of(kinds.values())))
        cells = [_cells(kind, kept, now) for kind, kept in rows]
        terminal.report().table(place, ("kind", "values", "size", "last used", "longest unused"), cells)


def _info(place: str, kinds: dict[str, Kept], now: float) -> dict[str, Any]:
    rows = {kind: _data(kept, now) for kind, kept in kinds.items()}
    return {"root": place, "kinds": rows, "total": _data(Kept.of(kinds.values()), now)}


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


@command.command("key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", required=True, help="What the key is called, such as the team's name.")
def key(file: Path, name: str) -> None:
    """Make a pair of keys: write the secret one to FILE, and print the public one, which projects trust."""
    pair = keys.new_key(name)
    keys.write_new(pair, file)
    notes = terminal.notes()
    notes.line(f"{file} signs what is put into the store: `--signing-key {shlex.quote(str(file))}`,")
    notes.line("or its text as the secret LAYERFORGE_SIGNING_KEY of CI. Whoever has it can put anything into layers.")
    notes.line("Projects that trust it say so in layerforge.toml, or in [tool.layerforge] of pyproject.toml:")
    notes.line(f'  trusted-keys = ["{pair.public.text}"]')
    terminal.report().line(pair.public.text)


@command.command("log")
@sharing.store_options
@click.argument("step", metavar="KEY")
def log(step: str) -> None:
    """Print what a step wrote, by its key: that `plan --json` has, or at least its first twelve digits where it ran
    here.
    """
    store = sharing.open_store(terminal.progress())
    near = sorted(store.place("logs").glob(f"*-{step[:12]}.log")) if re.fullmatch(r"[0-9a-f]{12,64}", step) else []
    found = near[-1].read_bytes() if near else store.get(LOG, step) or store.get(FAILED_LOG, step)
    if found is None:
        raise UsageError(
            f"nothing is known of what a step {step[:64]} wrote",
            hint="`layerforge plan --json` has the whole keys; the store has logs of steps that were made with it",
        )
    terminal.report().line(found.decode("utf-8", "replace").rstrip("\n"))


@command.command("push")
@sharing.store_options
@kinds_option
def push(kinds: tuple[str, ...]) -> None:
    """Put what this machine has into the store that a team shares, as far as that lacks it."""
    from layerforge.core.store import tending

    progress = terminal.progress()
    far = sharing.far_store(progress)
    if far.signer is None:
        raise UsageError(
            "what is put into a shared store has to be signed, and no key is named",
            hint="--signing-key FILE or LAYERFORGE_SIGNING_KEY; `layerforge cache key` makes one",
        )
    moved = tending.push(sharing.near_store(progress), far, chosen_kinds(kinds), progress)
    tell_moved(moved.count, moved.size, moved.there, f"to {far.objects.place}")


@command.command("pull")
@sharing.store_options
@kinds_option
def pull(kinds: tuple[str, ...]) -> None:
    """Bring all that a team shares to this machine, for work without a network."""
    from layerforge.core.store import tending

    progress = terminal.progress()
    far = sharing.far_store(progress)
    moved = tending.pull(sharing.near_store(progress), far, chosen_kinds(kinds), progress)
    tell_moved(moved.count, moved.size, moved.there, f"from {far.objects.place}")


def chosen_kinds(named: Iterable[str]) -> Callable[[str], bool]:
    """Whether a kind is one that is named, or any that is shared. Raises ``UsageError`` for others."""
    from layerforge.core.store import far

    if unknown := [kind for kind in named if not far.goes(kind)]:
        raise UsageError(f"{unknown[0]!r} is no kind that is shared", hint=f"there are {', '.join(sorted(far.KINDS))}")
    kinds = frozenset(named)
    return lambda kind: kind in kinds or not kinds


def tell_moved(count: int, size: int, there: int, where: str) -> None:
    """Says what was moved."""
    known = f"; {counted(there, 'value')} there already" if there else ""
    terminal.report().line(f"{counted(count, 'value')}, {megabytes(size)} {where}{known}")


@command.command("verify")
@sharing.store_options
@click.option("--remove", is_flag=True, help="Remove what is damaged in the shared store, so that it can be put again.")
def verify(remove: bool) -> None:  # noqa: FBT001
    """Read everything that is kept and name what is damaged: on this machine, and in the store that a team shares."""
    from layerforge.core.store import tending

    progress = terminal.progress()
    near = sharing.near_store(progress)
    found = tending.damaged_near(near)
    place, far = str(near.root), None
    if sharing.sharing().place:
        far = sharing.far_store(progress)
        place = f"{place} or {far.objects.place}"
        found += tending.damaged_far(far, progress)
    if far and remove:
        tending.remove_damaged(far, found)
    told = tuple(visible(f"{one.name} {one.why}") for one in found)
    if found and not remove:
        raise StoreError(
            f"{counted(len(found), 'value')} in {place} cannot be used",
            hint="--remove takes them out of the shared store, so that they can be put again",
            details=told[:_SHOWN],
        )
    for line in told:
        terminal.report().line(f"{line}: removed")
    terminal.report().line(f"nothing {'else ' if found else ''}is damaged in {place}")


@command.command("clear")
@sharing.store_options
@click.option("--older-than", type=Age(), help="Only what was not used for so long: 12h, 30d, 8w.")
@click.option("--shared", is_flag=True, help="What the team shares instead, by when it was put there.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
def clear(older_than: float | None, shared: bool, yes: bool) -> None:  # noqa: FBT001
    """Remove what the store holds. Asks first; builds that run go on."""
    progress = terminal.progress()
    before = time.time() - older_than if older_than is not None else None
    far = sharing.far_store(progress) if shared else None
    near = sharing.near_store(progress)
    place = far.objects.place if far else str(near.root)
    if not yes:
        ask(f"remove what {place} holds" + (", as far as it is that old" if before else ""))
    if far:
        from layerforge.core.store import tending

        freed = tending.clear_far(far, before)
    else:
        freed = upkeep.clear(near, before)
    terminal.report().line(f"{megabytes(freed)} freed in {place}")


def ask(what: str) -> None:
    """Asks whether to. Raises ``UsageError`` where nobody is there to answer, ``Abort`` where the answer is no."""
    if not (sys.stdin.isatty() and terminal.notes().is_terminal):
        raise UsageError("there is no terminal to ask on", hint="add --yes to remove without being asked")
    click.confirm(f"{screen.inert(what)}?", abort=True, err=True)
