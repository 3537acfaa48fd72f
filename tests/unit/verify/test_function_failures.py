from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import zips
from fakes import target
from layerforge.build.function import Ending, FunctionCall, FunctionFailure
from layerforge.examine import examine
from layerforge.examine.function_code import FunctionCode, function_code
from layerforge.verify.function_failures import FunctionError, error_of


@pytest.fixture
def code(tmp_path: Path) -> FunctionCode:
    files = {"app.py": b"def handler(event, context): pass\n", "src/helpers.py": b"", "settings.py": b""}
    return function_code(zips.of(tmp_path / "fn.zip", files), tmp_path / "code")


def error(
    code: FunctionCode, kind: str, message: str = "", ending: Ending = Ending.ERROR, **facts: Any
) -> FunctionError:
    plain: dict[str, Any] = {"handler": "app.handler", "event": b"{}", "memory": 512, "timeout": 3}
    call = FunctionCall(target=target(), opt=Path("opt"), code=code.folder, **(plain | facts))
    layer = examine.examine(zips.of(code.folder.parent / "l.zip", {"python/requests/__init__.py": b""}))
    failure = FunctionFailure(ending=ending, type=kind, message=message, trace=("  File",))
    return error_of(failure, call, code, [layer])


def test_a_failure_is_an_error_with_its_trace_and_exit_code_7(code: FunctionCode) -> None:
    found = error(code, "KeyError", "'x'")
    assert (found.exit_code, found.message, found.details, found.hint) == (7, "KeyError: 'x'", ("  File",), "")
    assert error(code, "AssertionError").message == "AssertionError"


@pytest.mark.parametrize(
    ("kind", "message", "words"),
    [
        ("Runtime.HandlerNotFound", "Handler 'handlr' missing on module 'app'", "perhaps you meant app.handler"),
        ("Runtime.UserCodeSyntaxError", "Syntax error in module 'app'", "runs on Python 3.13"),
        ("Runtime.MarshalError", "Unable to marshal response", "made of dictionaries with text as keys"),
        ("Function.ResponseSizeTooLarge", "Response payload size", "into a bucket"),
        (
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'helpers'",
            "src.helpers is there",
        ),
        ("Runtime.ImportModuleError", "Unable to import module 'app': No module named 'setings'", "meant settings"),
        ("ModuleNotFoundError", "No module named 'request'", "perhaps you meant requests"),
        ("ModuleNotFoundError", "No module named 'cv2'", "`layerforge build opencv-python-headless` makes a layer"),
        ("ModuleNotFoundError", "No module named 'a.b'", "`layerforge build a` makes a layer"),
        ("EndpointConnectionError", "Could not connect to the endpoint URL", "has no network"),
        ("OSError", "[Errno 101] Network is unreachable", "has no network"),
        ("NoCredentialsError", "Unable to locate credentials", "no credentials"),
        ("gaierror", "[Errno -3] Temporary failure in name resolution", "has no network"),
        ("OSError", "[Errno 30] Read-only file system: '/var/task/x'", "write below /tmp"),
        ("OSError", "[Errno 28] No space left on device", "/tmp holds 512 MB"),
        ("OSError", "libgomp.so.1: cannot open shared object file: No such file", "LF103"),
    ],
)
def test_what_helps_goes_by_what_is_said(code: FunctionCode, kind: str, message: str, words: str) -> None:
    handler = "app.handlr" if "handlr" in message else "app.handler"
    assert words in error(code, kind, message, handler=handler).hint


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending.TIME, "it had 3 s, and --timeout gives it more"),
        (Ending.MEMORY, "its 512 MB, and --memory gives it more"),
        (Ending.EXIT, "ended before it answered"),
    ],
)
def test_what_helps_goes_by_how_it_ended(code: FunctionCode, ending: Ending, words: str) -> None:
    assert words in error(code, "Runtime.ExitError", "Runtime exited", ending).hint
