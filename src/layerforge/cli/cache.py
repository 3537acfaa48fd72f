"""``layerforge cache``."""

from __future__ import annotations

import click

from layerforge.cli import options as shared
from layerforge.cli import screen
from layerforge.progress import TerminalProgress, megabytes


@click.group("cache")
def command() -> None:
    """Show or empty the store, where expensive results are kept by the digest of what made them."""


@command.command("info")
@shared.json_option
def info(as_json: bool) -> None:  # noqa: FBT001
    """Show where the store is and what it holds."""
    out = screen.console()
    store = shared.open_store(TerminalProgress(out))
    sizes = store.sizes()
    if as_json:
        kinds = {kind: {"count": count, "bytes": size} for kind, (count, size) in sizes.items()}
        screen.print_json({"root": str(store.root), "kinds": kinds})
        return
    rows = [(kind, f"{count:,}", megabytes(size)) for kind, (count, size) in sizes.items()]
    out.print(screen.table(str(store.root), ("kind", "values", "size"), rows))


@command.command("clear")
def clear() -> None:
    """Remove everything from the store."""
    out = screen.console()
    store = shared.open_store(TerminalProgress(out))
    freed = store.clear()
    out.print(f"{megabytes(freed)} freed in {store.root}", markup=False, soft_wrap=True)
