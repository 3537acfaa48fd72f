"""What packages take once they are optimised: measured once on a tree of all of them, and kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from layerforge.build.durations import Compiled
from layerforge.build.graph import Failed
from layerforge.build.jobs import lacking, step_job
from layerforge.build.plan import Plan
from layerforge.build.steps import collected
from layerforge.core import guarded
from layerforge.core.store.protocol import Store
from layerforge.core.text import counted, megabytes
from layerforge.layer.assemble import assemble
from layerforge.layer.data_files import fetched, with_data
from layerforge.layer.package_sizes import KIND, PackageSizes, package_sizes
from layerforge.layer.passes.run import optimize
from layerforge.layer.patches import patched
from layerforge.pipeline import here
from layerforge.planning import Graph, Prepared
from layerforge.resolve.catalogue import Catalogue


def weigh(one: Prepared, known: Catalogue, tell: Callable[[Prepared], None] = lambda _one: None) -> PackageSizes:
    """The sizes of the packages of a plan, which may be more than a layer holds, and what ties them.

    What the store has not is made, once ``tell`` has said what that takes: its source steps are carried out, its wheels
    installed, its passes run; nothing is packed. Raises ``LayerforgeError`` where that fails.
    """
    found = kept(one.plan, one.session.store)
    if found is None:
        tell(one)
        _carry_out(one)
        found = _measured(one, known)
        one.session.store.put(KIND, one.plan.key, json.dumps(asdict(found)).encode())
    return found


def kept(plan: Plan, store: Store) -> PackageSizes | None:
    """The sizes that were measured with the same plan before."""
    value = store.get(KIND, plan.key)
    try:
        return guarded.json_as(value, PackageSizes) if value is not None else None
    except guarded.Unreadable:
        return None  # written by another version


def _carry_out(one: Prepared) -> None:
    """Has the store hold what the source steps of a plan make."""
    plan, session = one.plan, one.session
    wanted = lacking(plan, session.store)
    if not wanted:
        return
    image = session.builder.image if session.builder else None
    jobs = tuple(step_job(plan, step, image, wanted, session.search) for step in wanted.values())
    compiled = frozenset(key for key, step in wanted.items() if isinstance(step, Compiled))
    found = Graph(jobs=jobs, owners={job.key: one for job in jobs}, compiled=compiled)
    for result in here(found, one.options.jobs).run(jobs):
        if isinstance(result, Failed):
            raise result.error


def _measured(one: Prepared, known: Catalogue) -> PackageSizes:
    plan, session = one.plan, one.session
    with session.store.workspace() as workspace:
        data = fetched(plan.spec.data, session.search, workspace)
        built = collected(plan, session.store, workspace, session.progress)
        installed = with_data(assemble(plan, built, workspace, session.search), data)
        installed, _, _ = patched(installed, plan.spec.patches, session.progress)
        finished, _ = optimize(installed, plan, session.interpreter, session.store, session.progress)
        shipping = tuple(pin.name for pin in plan.pins if (recipe := known.find(pin.name)) and recipe.system)
        with session.progress.step("weigh") as step:
            sizes = package_sizes(installed, finished, plan, shipping)
            step.note(f"{counted(len(sizes.packages), 'package')}, {megabytes(finished.size)}")
    return sizes
