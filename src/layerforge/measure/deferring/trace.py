"""What an init phase imports, as the script tells that is traced with it (``data/trace_imports.py``)."""

from __future__ import annotations

import base64
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from layerforge.build.engine import Job
from layerforge.core import guarded, resources


@dataclass(frozen=True, kw_only=True)
class TracedModule:
    """A module that was loaded, or looked for in vain."""

    file: str
    """That it came from, as the function sees it; empty where it is built in, or was not found."""
    us: float
    """Microseconds of processor time, for the module alone; 0 where edges were noted instead."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    """That a module asked for another."""

    importer: str
    line: int
    """Of the importer's body, that was being run then; 0 for native code."""
    called: str
    """The module of the function that was called there and holds the import; empty where the line holds it."""
    module: str
    """What it asked for."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One module that an import statement in a module's body names."""

    first: int
    last: int
    """Lines."""
    module: str
    """Absolute name."""
    names: tuple[str, ...]
    """What it takes of it; nothing for ``import a``, ``*`` for all."""
    bound: tuple[str, ...]
    """The names that it binds, in the same order."""
    needed: tuple[int, ...] = ()
    """Of each of these a line that keeps it from waiting; 0 where none was seen."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """All that an init phase imported."""

    modules: Mapping[str, TracedModule]
    edges: tuple[Edge, ...] = ()
    statements: Mapping[str, tuple[Statement, ...]] = field(default_factory=dict)
    """By the module in whose body they stand, where its source is there."""


_Row = tuple[int, int, str, list[str], list[str], list[int]]
"""Of a statement."""


@dataclass(frozen=True, kw_only=True)
class _Told:
    """The script's JSON."""

    modules: dict[str, TracedModule]
    edges: list[tuple[str, int, str, str]]
    statements: dict[str, list[_Row]]


def new_word() -> str:
    """What the lines of one run begin with."""
    return f"layerforge-trace:{secrets.token_hex(16)}:"


def traced(job: Job, word: str, *, edges: bool, before: str = "") -> Job:
    """The job, whose init phase is traced: who imports what, or else what it costs. ``before`` runs before it."""
    text = resources.text("trace_imports.py")
    init = f"{text}\n\n{before}\ntrace(edges={edges})\n{job.init}"
    return replace(job, init=init, program=f"tell({word!r})\n", invocations=1)


def told(output: str, word: str) -> Trace:
    """What a run has told. Raises ``guarded.Unreadable`` where it did not come to its end."""
    said = guarded.json_as(unpacked(output, word), _Told)
    return Trace(
        modules=said.modules,
        edges=tuple(Edge(importer=a, line=line, called=called, module=b) for a, line, called, b in said.edges),
        statements={name: tuple(map(_statement, rows)) for name, rows in said.statements.items()},
    )


def _statement(row: _Row) -> Statement:
    first, last, module, names, bound, needed = row
    return Statement(
        first=first, last=last, module=module, names=tuple(names), bound=tuple(bound), needed=tuple(needed)
    )


def unpacked(output: str, word: str) -> bytes:
    """JSON that was packed into the lines behind a word. Raises ``guarded.Unreadable``."""
    text = "".join(line.removeprefix(word) for line in output.splitlines() if line.startswith(word))
    try:
        opened = zlib.decompressobj()
        data = opened.decompress(base64.b64decode(text, validate=True), guarded.MOST_JSON)
    except (ValueError, zlib.error) as error:
        raise guarded.Unreadable(f"what the run told is damaged: {error}") from error
    if not opened.eof:
        raise guarded.Unreadable("the run told nothing" if not text else "the run told too much, or not all")
    return data
