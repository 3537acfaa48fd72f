"""What is measured, and what comes out. Memory is in MB as Lambda counts them, of 2**20 bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from layerforge.build.engine import Job, Outcome
from layerforge.core.runtimes import Target
from layerforge.examine.examination import Examination


class Runs(Protocol):
    """An engine that runs functions."""

    def run(self, job: Job) -> Outcome:
        """Runs a job to its end."""


class Lambda(Protocol):
    """An engine that runs functions of a given size."""

    @property
    def processors(self) -> int:
        """How many its machine has."""

    def run(self, job: Job) -> Outcome:
        """Runs a job to its end."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """The function that has the layer."""

    init: str
    """Source text that runs in the init phase."""
    program: str
    """Source text that runs at each invocation."""
    about: Mapping[str, Any]
    """What it is, for JSON: ``{"imports": [...]}``, ``{"handler": "app.py", "event": {...}}``, or ``{"handler":
    "app.handler", "code": "src", "event": {...}}``."""
    code: Path | None = None
    """Folder of its own code, which every user can read; ``None`` where the texts are all of it."""


@dataclass(frozen=True, kw_only=True)
class MeasuredLayer:
    """A layer to be measured."""

    examination: Examination
    opt: Path
    """Where it lies unpacked."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that a function with it has."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Those of them that belong to this measurement and not to the layer."""
    parts: tuple[Examination, ...] = ()
    """The layers that lie over one another there, in Lambda's order, where it is several."""

    @property
    def name(self) -> str:
        """Of its zip."""
        return self.examination.path.name


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A measurement."""

    target: Target
    function: Function
    subjects: tuple[MeasuredLayer, ...]
    """The layer, and perhaps the one to compare it with."""
    memories: tuple[int, ...]
    """Sizes of the function, MB."""
    runs: int
    """Of each layer at each size."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One cold start. Times in milliseconds, memory in bytes."""

    init_ms: float
    init_cpu_ms: float
    first_ms: float
    """The first invocation alone."""
    second_ms: float
    peak_memory: int


@dataclass(frozen=True, kw_only=True)
class Series:
    """The cold starts of one layer at one size."""

    subject: int
    """Number of the layer in the order."""
    memory: int
    """MB."""
    processors: float
    """How much of the machine's processors the function had."""
    samples: tuple[Sample, ...]
    trouble: str = ""
    """Why there are no more samples: ``out of memory``; empty where all runs came to their end."""
