"""A function that is invoked once, as Lambda would invoke it: what goes in, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from layerforge.core.runtimes import Target

MOST_EVENT = 6 * 2**20
"""Bytes of an event that Lambda takes, where somebody waits for the answer."""

MOST_ANSWER = 6_291_556
"""Bytes of an answer that Lambda gives back."""

LONGEST_TIMEOUT = 900
"""Seconds that a function may have."""

CANNOT_ANSWER = "Function.ResponseSizeTooLarge"
TIMED_OUT = "Sandbox.Timedout"
EXITED = "Runtime.ExitError"


@dataclass(frozen=True, kw_only=True)
class FunctionCall:
    """A function, and the event that it is invoked with."""

    target: Target
    opt: Path
    """Folder that stands for ``/opt``."""
    code: Path
    """Folder that stands for ``/var/task``; every user can read it."""
    handler: str
    """``app.handler``, as Lambda's configuration has it."""
    event: bytes
    """JSON."""
    memory: int
    """MB."""
    timeout: int
    """Seconds of the invocation. The init phase has its own."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables of the function."""
    runtime: Path | None = None
    """Folder with the packages of Lambda's own Python, for an engine that has none."""


class Ending(StrEnum):
    """Why there is no answer."""

    ERROR = "error"
    TIME = "timed out"
    MEMORY = "out of memory"
    EXIT = "exited"


@dataclass(frozen=True, kw_only=True)
class FunctionFailure:
    """What Lambda says instead of an answer."""

    ending: Ending
    type: str
    """``KeyError``, ``Runtime.ImportModuleError``."""
    message: str
    trace: tuple[str, ...] = ()
    """Lines, with paths as on Lambda."""


@dataclass(frozen=True, kw_only=True)
class FunctionAnswer:
    """How an invocation ended. Times in milliseconds, memory in bytes; ``None`` for what is not known."""

    answer: str
    """JSON, as the function gave it; empty where it failed."""
    failure: FunctionFailure | None
    log: tuple[str, ...]
    """Lines that the function wrote, to either stream."""
    init_ms: float | None
    duration_ms: float | None
    """The invocation alone."""
    peak_memory: int | None
    open: str = ""
    """What of the machine the function could see though none would on Lambda; empty where that was nothing."""


@runtime_checkable
class Invoker(Protocol):
    """An engine that can invoke functions."""

    @property
    def name(self) -> str:
        """``host`` or ``docker``."""

    def refusal(self, target: Target) -> str:
        """Why this engine cannot run the target's code; empty where it can."""

    def invoke(self, call: FunctionCall) -> FunctionAnswer:
        """Invokes a function once, in an environment that is new. Raises ``EngineError``."""


def environment(memory: int, seconds: int) -> dict[str, str]:
    """What every function of ``memory`` MB that may take ``seconds`` finds in its environment, beyond what the image of
    its runtime says.
    """
    return {
        "AWS_LAMBDA_FUNCTION_NAME": "layerforge",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(seconds),
    }


def too_large(answer: str) -> FunctionFailure | None:
    """What Lambda says of an answer that is too large; ``None`` where it is not."""
    size = len(answer.encode())
    if size <= MOST_ANSWER:
        return None
    message = f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({MOST_ANSWER} bytes)."
    return FunctionFailure(ending=Ending.ERROR, type=CANNOT_ANSWER, message=message)
