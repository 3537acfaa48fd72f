"""``layerforge verify``."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from layerforge.build import interpreters
from layerforge.build.engine import Engine
from layerforge.build.host import HostEngine
from layerforge.build.runtime_packages import ALONE, provided
from layerforge.cli import engines, github, helping, sharing, terminal
from layerforge.cli import options as shared
from layerforge.cli.consent import built_here
from layerforge.core.errors import UsageError, VerificationError
from layerforge.core.limits import LARGEST_MB, SMALLEST_MB
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import DiskStore, pythons
from layerforge.core.store.protocol import Store
from layerforge.examine import examine
from layerforge.examine.examination import Examination
from layerforge.functions import together
from layerforge.perform import verify_zip
from layerforge.report.beside import expected, manifest, target_of
from layerforge.report.manifest import Manifest
from layerforge.verify import verdict as verdicts
from layerforge.verify.verdict import Verdict, mark, run_data

DEFAULT_MINUTES = 180


def suite_options(command: Callable[..., None]) -> Callable[..., None]:
    """What goes with ``--suite``."""
    for option in (
        click.option("--write", type=click.Path(path_type=Path), metavar="FILE", help="Write the suite's JSON there."),
        click.option("--select", multiple=True, metavar="PATH|EXPR", help="Part of the suite; repeatable."),
        click.option(
            "--time-limit",
            type=click.FloatRange(0, min_open=True),
            metavar="MINUTES",
            help=f"Time for the whole suite, on each side.  [default: {DEFAULT_MINUTES}]",
        ),
        click.option("--jobs", "-n", type=click.IntRange(1), help="Tests at the same time.  [default: processors]"),
        click.option(
            "--suite", metavar="NAME", help="Run this package's own tests instead, and compare with its wheel."
        ),
    ):
        command = option(command)
    return command


@click.command("verify", cls=helping.Grouped)
@click.argument("zip_files", metavar="ZIP...", nargs=-1, required=True, type=click.Path(path_type=Path))
@shared.function_options(shared.MANIFEST)
@click.option(
    "--engine", type=click.Choice(engines.CHOICES), default="auto", show_default=True, help="Where to run it."
)
@click.option("--image", help="Container image to run it in.  [default: Lambda's own]")
@click.option("--run", "run_it", is_flag=True, help="Run the code of a layer that was made elsewhere on this machine.")
@click.option(
    "--memory",
    type=click.IntRange(SMALLEST_MB, LARGEST_MB),
    metavar="MB",
    help="Memory of the function, in containers.",
)
@suite_options
@shared.json_option
def command(
    zip_files: tuple[Path, ...],
    python: str | None,
    arch: str | None,
    engine: str,
    image: str | None,
    memory: int | None,
    run_it: bool,  # noqa: FBT001
    suite: str | None,
    jobs: int | None,
    time_limit: float | None,
    select: tuple[str, ...],
    write: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Hold a layer's ZIP against every rule, then import it and run its check as Lambda would. Exits 7 on errors.

    A layer that was not built on this machine is run in a container only; where there is none, --run runs its code
    here, with bounds, and as far apart from the rest as the kernel allows.

    Several ZIPs are the layers of one function, in its order: they are laid over one another, as Lambda does, and
    verified together.

    With --suite, run the tests of one of its packages on the layer and on the index's wheels, in containers.
    """
    _refuse_alone(suite, jobs or time_limit or select or write, memory)
    if suite is not None and len(zip_files) > 1:
        raise UsageError("--suite is for one layer", hint="name one ZIP")
    progress = terminal.progress()
    store = sharing.open_store(progress)
    zip_file = zip_files[0]
    seen = examine.examine(zip_file)
    layer_manifest = manifest(seen, progress.warn)
    target = target_of(seen, layer_manifest, python, arch)
    if suite is not None:
        # What this imports is of no use to anyone else.
        from layerforge.cli import suite as suites
        from layerforge.measure.suite import prepare, prove

        order = prepare.SuiteRequest(
            examination=seen,
            target=target,
            package=prove.find_package(seen, suite),
            excused=layer_manifest.check.excused if layer_manifest else {},
            left_out=layer_manifest.left_out if layer_manifest else (),
            selection=select,
            jobs=jobs or os.cpu_count() or 1,
            seconds=60 * (time_limit or DEFAULT_MINUTES),
            env=layer_manifest.env if layer_manifest else {},
        )
        suites.run(order, suites.builder(engine, image, target, progress), store, progress, write, as_json=as_json)
        return
    runner = engines.choose(engine, image, target, interpreters.find(target.python, own=pythons()), progress, memory)
    if len(zip_files) > 1:
        parts = [examine.examine(path, target) for path in zip_files]
        _show_together(parts, target, runner.engine, store, progress, run_it=run_it, as_json=as_json)
        return
    show(
        zip_file,
        _verified(seen, layer_manifest, target, runner.engine, store, progress, run_it=run_it),
        as_json=as_json,
    )


def _verified(
    seen: Examination,
    layer_manifest: Manifest | None,
    target: Target,
    runner: Engine,
    store: DiskStore,
    progress: Progress,
    *,
    run_it: bool,
) -> Verdict:
    """The verdict on a layer, whose code is run where it may be."""
    expect = expected(layer_manifest, target)
    why_not = "" if run_it or not isinstance(runner, HostEngine) else unrun(seen, store)
    beside = ALONE if why_not else provided(expect.spec, target, runner, store, progress)
    with progress.step("verify") as step, store.workspace() as workspace:
        verdict = verify_zip(seen.path, expect, runner, workspace, beside, unrun=why_not or beside.lacking)
        step.note("", mark(verdict))
    return verdict


def _show_together(
    parts: Sequence[Examination],
    target: Target,
    runner: Engine,
    store: DiskStore,
    progress: Progress,
    *,
    run_it: bool,
    as_json: bool,
) -> None:
    """Verifies the layers of one function together, and shows the verdict."""
    manifests = [manifest(part, progress.warn) for part in parts]
    expect = together.expected(manifests, target)
    reasons = () if run_it or not isinstance(runner, HostEngine) else (unrun(part, store) for part in parts)
    why_not = next(filter(None, reasons), "")
    beside = ALONE if why_not else provided(expect.spec, target, runner, store, progress)
    with progress.step("verify") as step, store.workspace() as workspace:
        verdict = together.verify_together(parts, expect, runner, workspace, beside, unrun=why_not or beside.lacking)
        step.note("", mark(verdict))
    show(Path(" + ".join(str(part.path) for part in parts)), verdict, as_json=as_json)


def show(zip_file: Path, verdict: Verdict, *, as_json: bool) -> None:
    """Shows a verdict. Raises ``VerificationError`` for a layer with errors."""
    out = terminal.report(taken=as_json)
    if as_json:
        terminal.print_json({"path": str(zip_file), **run_data(verdict)})
    out.line(f"{zip_file}: {verdicts.summary(verdict)}")
    terminal.verdict(out, verdict.findings, verdict.notes)
    github.annotate_findings(verdict.findings, str(zip_file))
    if verdicts.errors_of(verdict.findings):
        raise VerificationError(f"{zip_file} is not fit for Lambda", hint="docs/rules.md explains each rule")


def unrun(seen: Examination, store: Store) -> str:
    """Why a layer's code is not to be run on this machine; empty where the store says that it was built here."""
    if built_here(seen, store):
        return ""
    return "it was not built on this machine, and --run runs its code here; --engine docker runs it in a container"


def _refuse_alone(suite: str | None, others: object, memory: int | None) -> None:
    """Raises ``UsageError`` for options that do not go together."""
    if suite is None and others:
        raise UsageError(
            "--jobs, --time-limit, --select and --write go with --suite", hint="name a package: --suite NAME"
        )
    if suite is not None and memory is not None:
        raise UsageError("--memory is that of a function, and tests need more", hint="leave it out with --suite")
