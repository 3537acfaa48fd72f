"""Stand-ins that satisfy the Protocols."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from layerforge.build.engine import Job, Outcome
from layerforge.build.interpreters import Interpreter
from layerforge.core import runtimes
from layerforge.core.progress import Mark, Step
from layerforge.core.runtimes import Arch, Target
from layerforge.core.store.protocol import Made
from layerforge.layer import tree
from layerforge.layer.passes.setting import Setting
from layerforge.layer.tree import Entry, File, Package, Tree
from layerforge.report.manifest import Manifest
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Budget, Bytecode, Check, Compression
from layerforge.resolve.sources import Search


@dataclass
class FakeStore:
    """A store in memory that counts what it is asked for."""

    values: dict[tuple[str, str], bytes] = field(default_factory=dict)
    hits: int = 0
    shared: bool = False

    def get(self, kind: str, key: str) -> bytes | None:
        value = self.values.get((kind, key))
        self.hits += value is not None
        return value

    def put(self, kind: str, key: str, value: bytes, made: Made | None = None) -> None:
        self.values[kind, key] = value

    def holds(self, kind: str, key: str) -> bool:
        return (kind, key) in self.values


@dataclass
class FakeStep:
    """A step that remembers what it was told."""

    advanced: int = 0
    expected: int = 0
    notes: list[str] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    long: list[tuple[str, float | None]] = field(default_factory=list)
    lives: list[tuple[str, float | None]] = field(default_factory=list)

    def expect(self, amount: int) -> None:
        self.expected += amount

    def advance(self, amount: int) -> None:
        self.advanced += amount

    def takes_long(self, place: str, expected: float | None) -> None:
        self.long.append((place, expected))

    def live(self, text: str, expected: float | None) -> None:
        self.lives.append((text, expected))

    def note(self, text: str, mark: Mark = Mark.GOOD) -> None:
        self.notes.append(text)
        self.marks.append(mark)


@dataclass
class FakeProgress:
    """Progress that keeps every line."""

    steps: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    told: list[FakeStep] = field(default_factory=list)
    """What each of the steps was told."""

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        self.steps.append(title)
        self.told.append(FakeStep())
        yield self.told[-1]

    def say(self, text: str) -> None:
        self.lines.append(text)

    def aside(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def stock(progress: FakeProgress | None = None, store: FakeStore | None = None, folders: Sequence[Path] = ()) -> Search:
    """Where a test's source distributions come from: its index, ``folders``, and a store of its own."""
    return Search(store=store or FakeStore(), folders=folders, progress=progress or FakeProgress())


@dataclass
class FakeEngine:
    """An engine that answers with prepared outcomes and remembers the jobs."""

    outcomes: list[Outcome]
    refuses: str = ""
    jobs: list[Job] = field(default_factory=list)
    name: str = "fake"
    has_runtime_packages: bool = True

    @property
    def identity(self) -> str:
        return f"{self.name} {self.refuses}"

    def refusal(self, target: Target) -> str:
        return self.refuses

    def run(self, job: Job) -> Outcome:
        self.jobs.append(job)
        return self.outcomes.pop(0)


def a_manifest(*packages: Package, **facts: Any) -> Manifest:
    """A manifest of ``packages`` with ``facts`` in the place of its plain ones."""
    plain = Manifest(
        name="demo",
        python="3.13",
        arch=Arch.X86_64,
        engine="host",
        interpreter="3.13.0",
        compression=Compression.FAST,
        bytecode=Bytecode(),
        budget=Budget(),
        check=Check(),
        env={},
        requires=("demo",),
        sha256="a" * 64,
        content_sha256="b" * 64,
        zip_bytes=10,
        unzipped_bytes=20,
        packages=packages,
        edits=(),
        left=(),
        key="k",
        layerforge="0",
    )
    return replace(plain, **facts)


def target(python: str = "3.13", arch: Arch = Arch.X86_64) -> Target:
    return runtimes.target(python, arch)


def a_file(path: str, data: bytes = b"", *, package: str = "pkg", executable: bool = False) -> File:
    return File(path=path, blob=tree.blob(data), package=package, executable=executable)


def a_tree(*entries: Entry, packages: Iterable[Package] = ()) -> Tree:
    return Tree(entries=tuple(sorted(entries, key=lambda entry: entry.path)), packages=tuple(packages))


def a_setting(
    *,
    spec: LayerSpec | None = None,
    python: str = "3.13",
    arch: Arch = Arch.X86_64,
    interpreter: Interpreter | None = None,
    store: FakeStore | None = None,
) -> Setting:
    return Setting(
        spec=spec or LayerSpec(name="pkg", requires=("pkg",)),
        target=target(python, arch),
        interpreter=interpreter,
        store=store or FakeStore(),
        step=FakeStep(),
        progress=FakeProgress(),
    )
