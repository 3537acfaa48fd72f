"""The store that a team shares, as options, variables and the project name it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from layerforge.core.errors import UsageError
from layerforge.core.progress import Progress
from layerforge.core.store import disk
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.sharing import Sharing, behind, opened
from layerforge.resolve.project_settings import project_settings

if TYPE_CHECKING:
    from layerforge.core.store.far import FarStore

Command = TypeVar("Command", bound=Callable[..., Any])

NONE = "none"
"""What is named as store where none is wanted, though the project names one."""

_PLACE, _TRUSTED, _SIGNING = "LAYERFORGE_STORE", "LAYERFORGE_TRUSTED_KEYS", "LAYERFORGE_SIGNING_KEY"
_META = "layerforge.sharing"


def store_options(command: Command) -> Command:
    """``--store``, ``--trusted-key`` and ``--signing-key``."""
    for option in (
        click.option(
            "--signing-key",
            metavar="FILE",
            expose_value=False,
            callback=_noted("signing_key"),
            help="Secret key that signs what is put into that store; without one it is only read.",
        ),
        click.option(
            "--trusted-key",
            multiple=True,
            metavar="KEY",
            expose_value=False,
            callback=_noted("trusted"),
            help="Public key whose records count, as `layerforge cache key` tells it. Repeatable.  "
            "[default: the project's trusted-keys]",
        ),
        click.option(
            "--store",
            metavar="URL",
            expose_value=False,
            callback=_noted("place"),
            help="What a team shares: s3://bucket/prefix, an address or a folder; `none` for nothing.  "
            "[default: the project's store]",
        ),
    ):
        command = option(command)
    return command


def _noted(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def note(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        if value:
            known: Sharing = ctx.meta.get(_META, Sharing())
            changed: dict[str, Any] = {name: value}
            ctx.meta[_META] = replace(known, **changed)

    return note


def sharing() -> Sharing:
    """What counts for this run: an option before a variable before the project's own word."""
    ctx = click.get_current_context(silent=True)
    said: Sharing = ctx.meta.get(_META, Sharing()) if ctx else Sharing()
    project = project_settings(Path.cwd())
    place = said.place or os.environ.get(_PLACE, "") or project.store
    named = said.trusted or tuple(os.environ.get(_TRUSTED, "").split()) or project.trusted_keys
    return Sharing(
        place="" if place == NONE else place,
        trusted=named,
        signing_key=said.signing_key or os.environ.get(_SIGNING, ""),
    )


def near_store(progress: Progress) -> DiskStore:
    """The user's own store. Raises ``StoreError`` where others may write to it, before anything is done."""
    found = DiskStore(root=disk.default_root(), progress=progress)
    found.refuse_shared()
    return found


def open_store(progress: Progress) -> DiskStore:
    """The user's own store with what the team shares behind it. Raises ``StoreError`` where that cannot be read."""
    return behind(near_store(progress), sharing())


def far_store(progress: Progress) -> FarStore:
    """The store that the team shares. Raises ``UsageError`` where none is named."""
    said = sharing()
    if not said.place:
        raise UsageError(
            "no store is named that a team shares",
            hint="--store s3://bucket/prefix, or a folder; LAYERFORGE_STORE and the project's `store` do too",
        )
    return opened(said, progress)
