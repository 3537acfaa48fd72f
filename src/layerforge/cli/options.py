"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from packaging.utils import canonicalize_name

from layerforge import interpreters, runtimes, store
from layerforge.archive import EARLIEST, LATEST
from layerforge.errors import UsageError
from layerforge.model import Arch, BytecodeMode, Compression, Docstrings, Progress, Target
from layerforge.pipeline import Options
from layerforge.store import DiskStore

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_PYTHON = "3.13"


def target_options(command: Command) -> Command:
    """``--python`` and ``--arch``."""
    python = click.option("--python", default=DEFAULT_PYTHON, show_default=True, help="Lambda's Python: 3.10 to 3.14.")
    arch = click.option("--arch", default=str(Arch.X86_64), show_default=True, help="x86_64 or arm64.")
    return python(arch(command))


_ENGINE = (
    click.option(
        "--jobs",
        type=click.IntRange(1),
        default=os.cpu_count() or 1,
        show_default="processors",
        help="Source steps at the same time.",
    ),
    click.option(
        "--sources",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder of archives that need no download.",
    ),
    click.option("--from-source", multiple=True, metavar="PKG", help="Compile this package too; repeatable."),
    click.option("--image", help="Container image to build and run in.  [default: Lambda's own]"),
    click.option(
        "--engine",
        type=click.Choice(["auto", "docker", "host"]),
        default="auto",
        show_default=True,
        help="A container engine, or this machine with wheels alone; auto takes the first that answers.",
    ),
)


def build_options(command: Command) -> Command:
    """What decides the bytes of a layer, and where it is made."""
    for option in (
        *_ENGINE,
        click.option("--lock", "lock_file", type=click.Path(path_type=Path), help="Build from this lock."),
        click.option(
            "--compression",
            type=click.Choice([str(choice) for choice in Compression]),
            default=str(Compression.FAST),
            show_default=True,
            help="fast takes seconds, small half a minute, max some minutes.",
        ),
        click.option(
            "--docstrings", type=click.Choice([str(choice) for choice in Docstrings]), help="In the bytecode."
        ),
        click.option(
            "--bytecode",
            type=click.Choice([str(choice) for choice in BytecodeMode]),
            help="Beside the sources, only (no sources), or none.  [default: the recipe's, else beside]",
        ),
    ):
        command = option(command)
    return target_options(command)


def json_option(command: Command) -> Command:
    """``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Machine-readable output on standard output.")(command)


def target(python: str, arch: str) -> Target:
    """The target that the options name."""
    return runtimes.target(python.removeprefix("python"), arch)


def options(
    python: str,
    arch: str,
    compression: str,
    bytecode: str | None,
    docstrings: str | None,
    from_source: tuple[str, ...],
    sources: Path | None,
    jobs: int,
    *,
    output: Path,
    verify: bool,
    progress: Progress,
) -> Options:
    """The options of a build. Where it needs an interpreter that is not here, uv gets it."""
    made = target(python, arch)
    fetching = partial(interpreters.find_or_fetch, progress=progress)
    look = interpreters.find if bytecode == BytecodeMode.NONE else fetching
    return Options(
        target=made,
        interpreter=look(made.python, own=store.pythons()),
        compression=Compression(compression),
        output=output,
        epoch=source_date_epoch(),
        bytecode=BytecodeMode(bytecode) if bytecode else None,
        docstrings=Docstrings(docstrings) if docstrings else None,
        verify=verify,
        from_source=tuple(canonicalize_name(name) for name in from_source),
        sources=sources,
        jobs=jobs,
    )


def source_date_epoch() -> int:
    """The date that every entry gets: ``SOURCE_DATE_EPOCH``, else the oldest that a zip can hold."""
    text = os.environ.get("SOURCE_DATE_EPOCH", str(EARLIEST))
    if not text.isdecimal() or int(text) > LATEST:
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {text!r}", hint="it takes seconds since 1970, such as 1735689600, until 2107"
        )
    return max(int(text), EARLIEST)


def open_store(progress: Progress) -> DiskStore:
    """The user's store. Raises ``StoreError`` where others may write to it, before anything is done."""
    found = DiskStore(root=store.default_root(), progress=progress)
    found.refuse_shared()
    return found
