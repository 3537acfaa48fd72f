"""``layerforge plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from layerforge import plan, resolve
from layerforge.cli import engines, screen
from layerforge.cli import options as shared
from layerforge.pipeline import equipped, prepare


@click.command("plan")
@click.argument("target")
@shared.build_options
@shared.json_option
def command(
    target: str,
    lock_file: Path | None,
    engine: str,
    image: str | None,
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Show what a build of TARGET would do, without doing it."""
    progress = screen.progress()
    chosen = shared.options(**given, output=Path("dist"), verify=True, progress=progress)
    [request] = resolve.requests([target], lock_file)
    where = engines.choose(engine, image, chosen.target, chosen.interpreter, progress)
    builder = equipped(request.recipe, where.builder, progress)
    made = prepare(request, chosen, builder, shared.open_store(progress), progress)
    if as_json:
        screen.print_json(plan.as_json(made))
        return
    code = made.recipe.bytecode
    out = screen.report()
    out.line((f"{made.recipe.name}-{made.target.label}", "bold"), f": key {made.key[:16]}")
    for row in plan.as_json(made)["steps"]:
        what = " ".join(str(row[key]) for key in ("name", "version", "address", "sonames") if row.get(key))
        out.line(f"  {row['step']} {what}")
    out.line(
        f"  bytecode {code.mode}, docstrings {code.docstrings}, optimize {code.optimize}, compiled by "
        f"{made.interpreter or 'nobody'}"
    )
    out.line(f"  compression {made.compression}")
