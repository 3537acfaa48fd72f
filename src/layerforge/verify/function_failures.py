"""What a function's failure means, and what to do about it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from layerforge.build.function import CANNOT_ANSWER, Ending, FunctionCall, FunctionFailure
from layerforge.core.errors import LayerforgeError
from layerforge.examine import handlers
from layerforge.examine.examination import Examination
from layerforge.examine.function_code import FunctionCode
from layerforge.resolve.requirement import known_modules
from layerforge.verify.run_check import hint_of

NO_NETWORK = "the sandbox has no network, so that nothing can be reached, AWS included"
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_CONNECTION = re.compile(
    r"Connect(?:ion|Timeout)|EndpointConnection|gaierror|Name or service not known|name resolution|getaddrinfo|"
    r"Network is unreachable|Max retries exceeded|URLError|NoCredentials|Unable to locate credentials"
)


class FunctionError(LayerforgeError):
    """A function did not answer: it failed, took too long or too much memory, or ended."""

    exit_code = 7
    title = "function"


def error_of(
    failure: FunctionFailure, call: FunctionCall, code: FunctionCode, layers: Sequence[Examination]
) -> FunctionError:
    """The failure of a call as an error, with what helps."""
    return FunctionError(
        f"{failure.type}: {failure.message}".rstrip(": "),
        hint=_hint(failure, call, code, layers),
        details=failure.trace,
    )


def _hint(failure: FunctionFailure, call: FunctionCall, code: FunctionCode, layers: Sequence[Examination]) -> str:
    match failure.ending:
        case Ending.TIME:
            return f"it had {call.timeout} s, and --timeout gives it more; {NO_NETWORK}, where it waits for that"
        case Ending.MEMORY:
            return f"it ran out of its {call.memory:,} MB, and --memory gives it more"
        case Ending.EXIT:
            return "the function's process ended before it answered, as by sys.exit, or by a crash of native code"
        case Ending.ERROR:
            return _of_error(failure, call, code, layers)


def _of_error(failure: FunctionFailure, call: FunctionCall, code: FunctionCode, layers: Sequence[Examination]) -> str:
    text = f"{failure.type}: {failure.message}"
    if failure.type == "Runtime.HandlerNotFound":
        names = handlers.suggested(call.handler, code)
        return f"perhaps you meant {' or '.join(names)}" if names else handlers.FORM
    if failure.type == "Runtime.UserCodeSyntaxError":
        return f"the function runs on Python {call.target.python}; --python takes another"
    if failure.type == "Runtime.MarshalError":
        return "an answer is made of dictionaries with text as keys, lists, text, numbers, true, false and None"
    if failure.type == CANNOT_ANSWER:
        return "put what is larger into a bucket, and answer with its name"
    if match := _NO_MODULE.search(failure.message):
        return _missing(match[1], code, layers)
    if _CONNECTION.search(text):
        return f"{NO_NETWORK}, and no credentials: give the function in its event or by --env what it would ask for"
    return _of_system(text)


def _of_system(text: str) -> str:
    if "Read-only file system" in text:
        return "/var/task and /opt are read-only, as on Lambda: write below /tmp"
    if "No space left on device" in text:
        return "/tmp holds 512 MB, as on Lambda"  # noqa: S108
    return hint_of(text)


def _missing(module: str, code: FunctionCode, layers: Sequence[Examination]) -> str:
    """What to do where a module is nowhere."""
    known = handlers.modules(code, layers)
    top = module.partition(".")[0]
    inside = sorted(one for one in known if one.endswith(f".{module}"))
    if inside:
        return f"{inside[0]} is there, which is no {module}: what is imported lies at the top of the code"
    near = difflib.get_close_matches(module, known, 1, 0.8)
    if near:
        return f"perhaps you meant {near[0]}"
    package = known_modules().get(top, top)
    return f"neither the code nor a layer has it: `layerforge build {package}` makes a layer, if it is that package"
