"""``layerforge plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from layerforge.build import cost, plan
from layerforge.build.cost import Cost
from layerforge.build.plan import Plan
from layerforge.cli import call, costs, helping, sharing, terminal
from layerforge.cli import options as shared
from layerforge.cli.call import Place
from layerforge.cli.screen import Screen
from layerforge.cli.wishes import wishes
from layerforge.planning import cost_of


@click.command("plan", cls=helping.Grouped)
@shared.targets_argument
@shared.build_options
@shared.result_options
@shared.json_option
def command(
    targets: tuple[str, ...],
    every: Path | None,
    pythons: tuple[tuple[str, ...], ...],
    arches: tuple[tuple[str, ...], ...],
    lock_file: Path | None,
    engine: str,
    image: str | None,
    output: Path,
    no_verify: bool,  # noqa: FBT001
    sources: Path | None,
    recipes_folders: tuple[Path, ...],
    each: bool,  # noqa: FBT001
    no_project: bool,  # noqa: FBT001
    prerelease: str | None,
    compiles: bool,  # noqa: FBT001
    extras: tuple[str, ...],
    groups: tuple[str, ...],
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Show what a build would do, without doing it. Takes what `layerforge build` takes.

    With --json, several layers are a list under "plans".
    """
    progress = terminal.progress()
    shared.refuse_both(given["wheels"], compiles, given["from_source"])
    runtimes = shared.targets(pythons, arches)
    store = sharing.open_store(progress)
    known, options = shared.known_recipes(recipes_folders), wishes(extras, groups)
    wanted = call.asked(targets, every, lock_file, known, runtimes, each=each, options=options)
    wanted = call.taken(wanted, prerelease, project=not no_project)
    place = Place(engine=engine, image=image, sources=sources, store=store, progress=progress)
    sites = call.sites(place, wanted, given | {"output": output, "verify": not no_verify}, compiles=None)
    prepared = [call.plan_of(one, sites[one.target.label], fetches=False) for one in wanted]
    call.refuse_strangers(prepared)
    plans = [(one.plan, cost_of([one])) for one in prepared]
    if as_json:
        found = [plan.as_json(one) | {"cost": cost.as_json(price)} for one, price in plans]
        terminal.print_json(found[0] if len(found) == 1 else {"plans": found})
        return
    for one, price in plans:
        show(terminal.report(), one, price)


def show(out: Screen, planned: Plan, price: Cost) -> None:
    """A plan for people."""
    code = planned.spec.bytecode
    out.line((f"{planned.spec.name}-{planned.target.label}", "bold"), f": key {planned.key[:16]}")
    for row in plan.as_json(planned)["steps"]:
        what = " ".join(str(row[key]) for key in ("name", "version", "address", "sonames") if row.get(key))
        out.line(f"  {row['step']} {what}")
    for one in planned.spec.left_out:
        out.line(f"  left out {one.told} ({one.why})")
    out.line(f"  bytecode {code.mode}, docstrings {code.told}, compiled by {planned.interpreter or 'nobody'}")
    out.line(f"  compression {planned.compression}")
    for line in costs.told(price):
        out.line(f"  {line}")
