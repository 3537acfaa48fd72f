"""``layerforge plan``."""

from __future__ import annotations

from pathlib import Path

import click

from layerforge import plan, resolve
from layerforge.cli import options as shared
from layerforge.cli import screen
from layerforge.pipeline import prepare
from layerforge.progress import TerminalProgress


@click.command("plan")
@click.argument("target")
@shared.build_options
@shared.json_option
def command(
    target: str,
    python: str,
    arch: str,
    bytecode: str | None,
    docstrings: str | None,
    compression: str,
    lock_file: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Show what a build of TARGET would do, without doing it."""
    chosen = shared.options(python, arch, compression, bytecode, docstrings, Path("dist"), verify=True)
    out = screen.console()
    [request] = resolve.requests([target], lock_file)
    made = prepare(request, chosen, TerminalProgress(out))
    if as_json:
        screen.print_json(plan.as_json(made))
        return
    code = made.recipe.bytecode
    out.print(f"[bold]{made.recipe.name}-{made.target.label}[/]: key {made.key[:16]}")
    for step in made.steps:
        out.print(f"  wheel {step.pin.name} {step.pin.version or step.pin.address}", markup=False, soft_wrap=True)
    out.print(
        f"  bytecode {code.mode}, docstrings {code.docstrings}, optimize {code.optimize}, compiled by "
        f"{made.interpreter or 'nobody'}"
    )
    out.print(f"  compression {made.compression}")
