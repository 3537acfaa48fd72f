"""``layerforge rebuild``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from layerforge.cli import (
    before_after,
    build_options,
    call,
    clusters,
    costs,
    ends,
    helping,
    inspect,
    output_files,
    rebuild_view,
    rebuilding,
    sharing,
    terminal,
    verbosity,
)
from layerforge.cli import options as shared
from layerforge.cli.before_after import BeforeAfter, Measuring
from layerforge.cli.call import Asked, Site
from layerforge.cli.comparison_markdown import as_markdown
from layerforge.cli.progress import TerminalProgress
from layerforge.cli.rebuilding import Order, Origin
from layerforge.core.errors import UsageError
from layerforge.core.store.disk import DiskStore
from layerforge.pipeline import Delivered
from layerforge.report import diff_data
from layerforge.report.delivery import Layer

Command = TypeVar("Command", bound=Callable[..., Any])


def comparing_options(command: Command) -> Command:
    """How the two are compared."""
    for option in (
        click.option("--run", "run_it", is_flag=True, help="Run the zip's code on this machine, where no engine is."),
        click.option("--runs", type=click.IntRange(1, 100), default=3, show_default=True, help="Cold starts of each."),
        click.option("--no-coldstart", is_flag=True, help="Measure no cold starts."),
        click.option(
            "--html", "html_file", metavar="FILE", type=click.Path(path_type=Path), help="Write it as a page too."
        ),
    ):
        command = option(command)
    return command


@click.command("rebuild", cls=helping.Grouped)
@click.argument("zip_file", metavar="ZIP", type=click.Path(path_type=Path))
@click.option("--keep-code", is_flag=True, help="Take along what no index has: own code, and packages of your own.")
@shared.function_options(shared.FILES)
@build_options.making_options
@build_options.result_options
@build_options.cluster_options
@comparing_options
@shared.json_option
def command(
    zip_file: Path,
    keep_code: bool,  # noqa: FBT001
    python: str | None,
    arch: str | None,
    output: Path,
    run_it: bool,  # noqa: FBT001
    runs: int,
    no_coldstart: bool,  # noqa: FBT001
    html_file: Path | None,
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Build the packages of ZIP again, in the very same versions, and show before and after.

    ZIP is a layer of any make, or a function's own zip. Versions, Python and processor come from its metadata. What no
    index has is named; own code stays out unless --keep-code is given.
    """
    progress = terminal.progress()
    shared.refuse_both(given["wheels"], given["compiles"], given["from_source"])
    clusters.refuse_absent(given["cluster"], given["tls_dir"])
    if html_file:
        output_files.check(html_file, "rebuilt.html")
    of = rebuilding.origin(zip_file, python, arch)
    refuse_overwriting(of, output)
    output_files.check_folder(output)
    rebuild_view.remark(of)
    store = sharing.open_store(progress)
    made = built(of, store, progress, given | {"output": output}, keep=keep_code, asks=not as_json)
    by = Measuring(
        engine=made.site.session.engine,
        place=before_after.place_of(made.site.session.engine),
        store=store,
        progress=progress,
        runs=0 if no_coldstart else runs,
        run_it=run_it,
    )
    both = before_after.before_after(of, made.layer, by)
    tell(of, made, both, html_file, as_json=as_json, seconds=progress.seconds)


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """A layer that was built of a zip."""

    order: Order
    layer: Layer
    site: Site
    price: Mapping[str, Any]
    """What compiling cost, as data for JSON."""


def built(
    of: Origin,
    store: DiskStore,
    progress: TerminalProgress,
    given: Mapping[str, Any],
    *,
    keep: bool,
    asks: bool,
) -> Rebuilt:
    """Builds a layer of what a zip holds; ``given`` are the options of a build, and ``asks`` says whether a person may
    be asked.
    """
    known, compiles = shared.known_recipes(given["recipes_folders"]), given["compiles"]
    place = clusters.place(given, store, progress)
    with store.workspace() as workspace:
        order = rebuilding.order(
            of, known, workspace, progress, compiled=given["from_source"], leave_out=given["leave_out"], keep=keep
        )
        rebuild_view.unbuilt(terminal.notes(), order.unbuilt)
        wanted = [Asked(request=order.request, target=of.target)]
        sites = call.sites(place, wanted, shared.decisive(given), compiles=compiles)
        read = costs.reader(settled=bool(not asks or compiles or given["wheels"] or given["from_source"]))
        planned, price = call.agreed(wanted, sites, progress, read)
        cluster, tls_dir, image = (given[name] for name in ("cluster", "tls_dir", "image"))
        with clusters.opened(cluster, tls_dir, image, planned, store, progress) as runner_of:
            [ended] = ends.of(wanted, planned, progress, runner_of)
    [site] = sites
    assert isinstance(ended, Delivered), "a single layer that fails is raised"
    assert isinstance(site, Site), "a single target that fails is raised"
    return Rebuilt(order=order, layer=ended.layer, site=site, price=price)


def refuse_overwriting(of: Origin, output: Path) -> None:
    """Raises ``UsageError`` where the new layer would take the place of the zip that it is built of."""
    path = output / f"{of.name}-{of.target.label}.zip"
    if path.resolve() == of.seen.path.resolve():
        raise UsageError(f"the new layer would take the place of {path}", hint="name another folder with --output")


def tell(
    of: Origin, made: Rebuilt, both: BeforeAfter, html_file: Path | None, *, as_json: bool, seconds: Mapping[str, float]
) -> None:
    """Shows before and after, as it is wanted."""
    if html_file:
        changes = diff_data.as_data(both.pair.changes)
        inspect.write_page(terminal.notes(), html_file, both.new, inspect.advice_on(both.new), changes)
    terminal.step_summary(as_markdown(both.pair))
    if as_json:
        data = rebuild_view.as_data(of, made.order, made.layer, both)
        terminal.print_json(data | {"seconds": seconds, "cost": made.price})
        return
    rebuild_view.show(terminal.report(), of, made.order, made.layer, both)
    if not verbosity.wanted(verbosity.QUIET):
        rebuild_view.following(terminal.notes(), of, made.layer)
