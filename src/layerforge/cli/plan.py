"""``layerforge plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from layerforge.build import cost, plan
from layerforge.build.cost import Cost
from layerforge.build.plan import Plan
from layerforge.cli import asking, build_options, call, clusters, costs, project, sharing, terminal
from layerforge.cli import options as shared
from layerforge.cli.screen import Screen
from layerforge.layer.passes import deferring, laziness
from layerforge.planning import cost_of
from layerforge.resolve.fit import Way


@click.command("plan", cls=project.ProjectCommand)
@shared.targets_argument
@build_options.build_options
@build_options.result_options
@build_options.cluster_options
@shared.json_option
@build_options.call_options
def command(
    compiles: bool,  # noqa: FBT001
    cluster: str | None,
    tls_dir: Path | None,
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Show what a build would do, without doing it. Takes what `layerforge build` takes, and downloads no package.

    With --json, several layers are a list under "plans". The first layer without a plan ends the call.
    """
    progress = terminal.progress()
    shared.refuse_both(given["wheels"], compiles, given["from_source"])
    shared.refuse_twice(given["twice"], cluster)
    clusters.refuse_absent(cluster, tls_dir)
    store = sharing.open_store(progress)
    wanted = asking.layers(given, progress)
    place = clusters.place(click.get_current_context().params, store, progress)
    sites = call.sites(place, wanted, shared.decisive(given), compiles=None)
    prepared = [call.plan_of(one, site, fetches=False) for one, site in zip(wanted, sites, strict=True)]
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
    kept = f"docstrings {code.told}, columns {code.told_of_columns}"
    out.line(f"  bytecode {code.mode}, {kept}, compiled by {planned.interpreter or 'nobody'}")
    for line in (*deferring.told(code), *laziness.told(code, planned.target)):
        out.line(f"  {line}")
    if planned.goal and planned.goal.required:
        out.line(f"  fits {planned.goal.fit.told}; may be chosen for that: {', '.join(planned.goal.ways) or 'nothing'}")
    out.line(f"  compression {'auto' if planned.goal and Way.SMALL in planned.goal.ways else planned.compression}")
    for line in costs.told(price):
        out.line(f"  {line}")
