"""Stands for Lambda's runtime where there is none: loads a handler, invokes it once, and reports what came of it.

A call of ``Function`` is written behind this text, for the init phase; the program that follows invokes it. What it
reports are lines of JSON behind a marker and a word that is new in each run: ``{"init_ms": …}``, then ``{"answer": …,
"duration_ms": …, "peak_memory": …}`` or ``{"error": {"type", "message", "trace"}, …}``. Messages are those of Lambda's
own client. Standard library only, Python 3.10 to 3.15.
"""

import decimal
import importlib
import json
import logging
import os
import resource
import signal
import sys
import time
import traceback
from types import TracebackType
from typing import Any

OWN = ("init.py", "/program.py")
"""What the files of this program end in, in tracebacks."""


class Fault(Exception):  # noqa: N818 - Lambda's own word
    """What is wrong with the function before any of it is invoked."""

    def __init__(self, kind: str, message: str, trace: "list[str] | None" = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.trace = trace or []


class Lines(logging.Handler):
    """Writes what is logged as Lambda's runtime does."""

    def __init__(self, request: str) -> None:
        super().__init__()
        form = f"[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t{request}\t%(message)s"
        formatter = logging.Formatter(form, "%Y-%m-%dT%H:%M:%S")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """One record."""
        print(self.format(record), flush=True)


class Context:
    """What a handler gets beside its event."""

    def __init__(self, request: str, timeout: int) -> None:
        self.aws_request_id = request
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.invoked_function_arn = f"arn:aws:lambda:us-east-1:012345678912:function:{self.function_name}"
        self.client_context = self.identity = None
        self._end = time.monotonic() + timeout

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""
        return max(0, int(1000 * (self._end - time.monotonic())))


class Function:
    """A handler that is loaded, unless that failed."""

    def __init__(self, word: str, handler: str, event: str, timeout: int, request: str) -> None:
        self._word, self._event, self._timeout, self._request = word, event, timeout, request
        self._handler: Any = None
        logging.getLogger().addHandler(Lines(request))
        started = time.perf_counter()
        try:
            self._handler = load(handler)
        except Exception:  # one that wants to end the program ends it, as on Lambda
            self._fail({})
        self._report(init_ms=1000 * (time.perf_counter() - started))

    def invoke(self) -> None:
        """Invokes it, and ends the process, whatever threads it has left."""
        context = Context(self._request, self._timeout)
        # Ends the process even where it is in the middle of compiled code.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, self._timeout)
        started = time.perf_counter()
        facts: dict[str, Any] = {}
        try:
            value = self._handler(json.loads(self._event), context)
            facts = measured(started)
            self._report(answer=as_json(value), **facts)
        except Exception:
            self._fail(facts or measured(started))
        leave()

    def _report(self, **facts: Any) -> None:
        print("\nlayerforge-function:" + self._word + json.dumps(facts), flush=True)

    def _fail(self, facts: "dict[str, Any]") -> None:
        """Reports the exception that is being handled, and ends the process."""
        kind, error, trace = sys.exc_info()
        assert kind is not None
        if isinstance(error, Fault):
            told = {"type": error.kind, "message": str(error), "trace": error.trace}
        else:
            told = {"type": kind.__name__, "message": str(error), "trace": own_lines(trace)}
        self._report(error=told, **facts)
        leave()


def load(handler: str) -> Any:
    """The function that a handler's name means."""
    module, dot, name = handler.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)",
        )
    try:
        found = importlib.import_module(module.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{module}': {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}", trace) from error
    try:
        return getattr(found, name)
    except AttributeError as error:
        raise Fault("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module}'") from error


def as_json(value: object) -> str:
    """An answer as JSON, decimal numbers as they are."""
    try:
        return json.dumps(value, ensure_ascii=False, default=number)
    except Exception as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def number(value: object) -> float:
    """A decimal number as JSON has it."""
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def own_lines(trace: "TracebackType | None") -> "list[str]":
    """A traceback without the frames of this program."""
    frames = traceback.extract_tb(trace)
    while frames and frames[0].filename.endswith(OWN) and not frames[0].filename.startswith("/var/task"):
        frames.pop(0)
    return traceback.format_list(frames)


def measured(started: float) -> "dict[str, Any]":
    """Milliseconds since then, and the most bytes that the process has held."""
    return {"duration_ms": 1000 * (time.perf_counter() - started), "peak_memory": peak_memory()}


def peak_memory() -> int:
    """The most bytes that this process has held. What the kernel counts as its usage begins with what the process held
    that it was forked from, so that is taken only where nothing else says it.
    """
    try:
        with open("/proc/self/status", encoding="utf-8") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def leave() -> None:
    """Ends the process at once."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)
