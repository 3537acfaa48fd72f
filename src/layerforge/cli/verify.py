"""``layerforge verify``."""

from __future__ import annotations

from pathlib import Path

import click

from layerforge import examine, interpreters, pipeline, recipe, report
from layerforge.cli import options as shared
from layerforge.cli import screen
from layerforge.errors import VerificationError
from layerforge.host import HostEngine
from layerforge.model import Manifest, Recipe, Severity
from layerforge.progress import TerminalProgress


@click.command("verify")
@click.argument("zip_file", metavar="ZIP", type=click.Path(path_type=Path))
@click.option("--python", help="Python of the function.  [default: the manifest's, else what the files point to]")
@click.option("--arch", help="Processor of the function.  [default: the manifest's, else what the files point to]")
@click.option("--engine", type=click.Choice(["host"]), default="host", expose_value=False, help="Where to run it.")
@shared.json_option
def command(zip_file: Path, python: str | None, arch: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Hold a layer's ZIP against every rule, then import it and run its check as Lambda would. Exits 7 on errors."""
    out = screen.console()
    store = shared.open_store(TerminalProgress(out))
    seen = examine.examine(zip_file)
    guess, made = examine.guess_target(seen), manifest(zip_file, seen.sha256)
    told = (made.python, str(made.arch)) if made else (guess.python, str(guess.arch))
    target = shared.target(python or told[0], arch or told[1])
    runner = HostEngine(interpreter=interpreters.find(target.python))
    with store.progress.step("verify") as step, store.workspace() as workspace:
        verdict = pipeline.verify_zip(zip_file, target, expected(made), runner, workspace)
        step.note(pipeline.summary(verdict))
    if as_json:
        screen.print_json({"path": str(zip_file), **report.verdict_json(verdict), "notes": list(verdict.notes)})
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
    """The recipe that a layer is held against: the bundled one of its name, compiled as the manifest says."""
    if made is None:
        return None
    folder = recipe.bundled().get(made.name)
    known = recipe.load(folder) if folder else Recipe(name=made.name, requires=made.requires)
    return Recipe(
        name=made.name,
        requires=made.requires,
        folder=folder,
        budget=known.budget,
        bytecode=made.bytecode,
        check=known.check,
    )
