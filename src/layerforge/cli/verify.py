"""``layerforge verify``."""

from __future__ import annotations

from pathlib import Path

import click

from layerforge import examine, interpreters, pipeline, report
from layerforge.cli import engines, screen
from layerforge.cli import options as shared
from layerforge.errors import VerificationError
from layerforge.model import Manifest, Recipe, Severity
from layerforge.progress import TerminalProgress


@click.command("verify")
@click.argument("zip_file", metavar="ZIP", type=click.Path(path_type=Path))
@click.option("--python", help="Python of the function.  [default: the manifest's, else what the files point to]")
@click.option("--arch", help="Processor of the function.  [default: the manifest's, else what the files point to]")
@click.option(
    "--engine", type=click.Choice(engines.CHOICES), default="auto", show_default=True, help="Where to run it."
)
@click.option("--image", help="Container image to run it in.  [default: Lambda's own]")
@click.option("--memory", type=click.IntRange(128, 10_240), metavar="MB", help="Memory of the function, in containers.")
@shared.json_option
def command(
    zip_file: Path,
    python: str | None,
    arch: str | None,
    engine: str,
    image: str | None,
    memory: int | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Hold a layer's ZIP against every rule, then import it and run its check as Lambda would. Exits 7 on errors."""
    out = screen.console()
    progress = TerminalProgress(out)
    store = shared.open_store(progress)
    seen = examine.examine(zip_file)
    guess, made = examine.guess_target(seen), manifest(zip_file, seen.sha256)
    told = (made.python, str(made.arch)) if made else (guess.python, str(guess.arch))
    target = shared.target(python or told[0], arch or told[1])
    runner = engines.choose(engine, image, target, interpreters.find(target.python), progress, memory).engine
    with progress.step("verify") as step, store.workspace() as workspace:
        bad = made.uncompilable if made else frozenset()
        verdict = pipeline.verify_zip(zip_file, target, expected(made), runner, workspace, uncompilable=bad)
        step.note(pipeline.summary(verdict))
    if as_json:
        screen.print_json({"path": str(zip_file), **report.verdict_data(verdict), "notes": list(verdict.notes)})
    screen.verdict(out, verdict.findings, verdict.notes)
    if any(one.severity is Severity.ERROR for one in verdict.findings):
        raise VerificationError(f"{zip_file} is not fit for Lambda", hint="docs/rules.md explains each rule")


def manifest(zip_file: Path, sha256: str) -> Manifest | None:
    """The manifest beside a zip; ``None`` where there is none or it belongs to other bytes."""
    beside = zip_file.with_suffix(".manifest.json")
    try:
        made = report.read_manifest(beside.read_text("utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return made if made.sha256 == sha256 else None


def expected(made: Manifest | None) -> Recipe | None:
    """What a layer is held against, as its manifest says; ``None`` for a layer of unknown make."""
    if made is None:
        return None
    return Recipe(name=made.name, requires=made.requires, budget=made.budget, bytecode=made.bytecode, check=made.check)
