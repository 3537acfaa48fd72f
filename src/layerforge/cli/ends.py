"""The layers of a call, made in one graph of jobs: how each ended, as a table, as JSON and as an exit code."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from typing import Any

from layerforge.build.graph import Job, Runner
from layerforge.build.work import layer_key
from layerforge.cli import failures, github
from layerforge.cli.call import Asked, origin
from layerforge.cli.progress import LayerProgress, TerminalProgress
from layerforge.cli.screen import Screen
from layerforge.core.errors import LayerforgeError, VerificationError
from layerforge.core.progress import Progress
from layerforge.core.text import counted, duration, megabytes
from layerforge.pipeline import Delivered, Ended, NotBegunError, here, layers
from layerforge.planning import Graph, Prepared
from layerforge.verify.verdict import errors_of

COLUMNS = ("layer", "zip", "unzipped", "made in", "findings")


def of(
    wanted: Sequence[Asked],
    planned: Sequence[Prepared | LayerforgeError],
    progress: TerminalProgress,
    elsewhere: Callable[[Graph], Runner] | None = None,
    *,
    fail_fast: bool = False,
) -> list[Ended]:
    """How each layer of a call ended, in their order. Findings are annotated at the files that ask for the layers.

    ``elsewhere`` gives what does the jobs; without it threads of this machine do.

    Raises ``LayerforgeError`` where a single layer failed.
    """
    alone = len(wanted) == 1
    ended: dict[str, Ended] = {}
    asked = {layer_key(made.plan): one for one, made in zip(wanted, planned, strict=True) if isinstance(made, Prepared)}
    ready = [one for one in planned if isinstance(one, Prepared)]

    def runner_of(found: Graph) -> Runner:
        jobs = max(one.options.jobs for one in found.owners.values())
        return here(found, jobs, lambda job, shown: shown if alone else _named(job, found, wanted, progress))

    with closing(_maker(ready)(ready, elsewhere or runner_of, fail_fast=fail_fast or alone)) as results:
        for one, result in results:
            key = layer_key(one.plan)
            ended[key] = result
            _annotate(result, asked[key])
            if not alone and isinstance(result, LayerforgeError) and not isinstance(result, NotBegunError):
                progress.warn(f"{asked[key].title} failed: {result.message}")
    if alone and isinstance(failed := next(iter(ended.values())), LayerforgeError):
        raise failed
    return [ended[layer_key(one.plan)] if isinstance(one, Prepared) else one for one in planned]


def _maker(ready: Sequence[Prepared]) -> Callable[..., Generator[tuple[Prepared, Ended], None, None]]:
    if not any(one.options.twice for one in ready):
        return layers
    from layerforge import twice  # few builds need it, and half of a short run is imports

    return twice.layers


def _named(job: Job, found: Graph, wanted: Sequence[Asked], progress: TerminalProgress) -> Progress:
    """Progress that says of which layer, or of which target, a job is."""
    planned = found.owners[job.key].plan
    if job.key == layer_key(planned):
        return LayerProgress(progress, job.title)
    several = len({one.target.label for one in wanted}) > 1
    return LayerProgress(progress, planned.target.label) if several else progress


def _annotate(ended: Ended, one: Asked) -> None:
    match ended:
        case Delivered():
            verdict = ended.layer.verdict
            github.annotate_findings(verdict.findings if verdict else (), origin(one.request))
        case VerificationError():
            github.annotate_findings(ended.findings, origin(one.request))


def show(out: Screen, wanted: Sequence[Asked], ended: Sequence[Ended]) -> int:
    """The table of several layers, then every error in full. Returns the exit code: that of the first failure."""
    out.line()
    out.table("", COLUMNS, [_row(one, end) for one, end in zip(wanted, ended, strict=True)], words=True)
    errors = list(_errors(ended))
    for error in errors:
        out.line()
        failures.show(error)
    return errors[0].exit_code if errors else 0


def _errors(ended: Iterable[Ended]) -> Iterable[LayerforgeError]:
    """Each error once: several layers may lack the same step."""
    found = {id(one): one for one in ended if isinstance(one, LayerforgeError)}
    return (one for one in found.values() if not isinstance(one, NotBegunError))


def _row(one: Asked, ended: Ended) -> tuple[str, ...]:
    match ended:
        case Delivered():
            made, verdict = ended.layer.manifest, ended.layer.verdict
            took = "from the store" if ended.kept else duration(ended.seconds)
            findings = verdict.findings if verdict else ()
            errors = len(errors_of(findings))
            told = f"{counted(len(findings) - errors, 'warning')}" if findings else "none"
            return (
                one.title,
                megabytes(made.zip_bytes),
                megabytes(made.unzipped_bytes),
                took,
                told if verdict else "not verified",
            )
        case LayerforgeError():
            why = "not begun" if isinstance(ended, NotBegunError) else f"failed: {ended.message}"
            return (one.title, "", "", "", why)


def failed_json(wanted: Sequence[Asked], ended: Sequence[Ended]) -> list[dict[str, Any]]:
    """The layers that failed as data for JSON."""
    return [
        {
            "name": one.request.spec.name,
            "python": one.target.python,
            "arch": str(one.target.arch),
            "error": failures.as_data(end),
        }
        for one, end in zip(wanted, ended, strict=True)
        if isinstance(end, LayerforgeError)
    ]
