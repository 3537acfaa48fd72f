"""What the emulator's words mean. They are those of a real run in the stand-in image, shortened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes import target
from layerforge.build.container.function import MARKER, read
from layerforge.build.container.run import Ended
from layerforge.build.container.run import Ending as Stopped
from layerforge.build.errors import EngineError
from layerforge.build.function import MOST_ANSWER, Ending, FunctionAnswer, FunctionCall

ID = "0ee68b02-9e1b-4984-a8e9-dc3199632567"
STAMP = "28 Nov 2026 17:34:42,919 "
START, END = f"START RequestId: {ID} Version: $LATEST\n", f"END RequestId: {ID}\n"
REPORT = f"REPORT RequestId: {ID}\tInit Duration: 0.03 ms\tDuration: 49.20 ms\tMax Memory Used: 3008 MB\t\n"
INIT = f"{STAMP}[INFO] (rapid) INIT REPORT(durationMs: 41.910000)\n"
DONE = f"{STAMP}[INFO] (rapid) INVOKE RTDONE(status: success, produced bytes: 0, duration: 6.558000ms)\n"
UPDATES = (
    "[WARNING]\t2026-11-28T17:34:48.096Z\t\tLAMBDA_WARNING: Unhandled exception. The most likely cause is an issue\n"
)
ANSWERED = Ended(status=0, ending=Stopped.BY_ITSELF, out_of_memory=False, seconds=1.0)


def a_call(**facts: Any) -> FunctionCall:
    plain: dict[str, Any] = {"handler": "app.handler", "event": b"{}", "memory": 512, "timeout": 3}
    return FunctionCall(target=target(), opt=Path("opt"), code=Path("code"), **(plain | facts))


def said(answer: str, status: int = 200, peak: int | None = 40_000_000) -> str:
    return f"\n{MARKER}{json.dumps({'status': status, 'answer': answer, 'peak_memory': peak})}\n"


def meant(output: str, log: str, ended: Ended = ANSWERED, **facts: Any) -> FunctionAnswer:
    return read(output, log, ended, a_call(**facts))


def error(kind: str, message: str, **more: Any) -> str:
    return json.dumps({"errorMessage": message, "errorType": kind, **more})


def test_an_answer_comes_with_its_times_its_memory_and_the_functions_own_lines() -> None:
    found = meant(f"{START}hello\non err\n{END}{REPORT}", INIT + DONE + said('{"a": 1}'))
    assert found.answer == '{"a": 1}'
    assert found.failure is None
    assert found.log == ("hello", "on err")
    assert (found.init_ms, found.duration_ms, found.peak_memory) == (41.91, 6.558, 40_000_000)


def test_lines_like_the_emulators_own_are_kept_where_the_function_wrote_them() -> None:
    other = ID.replace("0", "1")
    output = f"{START}START RequestId: {other} Version: 1\nEND RequestId: {other}\n{END}{REPORT}"
    found = meant(output, INIT + DONE + said("1"))
    assert found.log == (f"START RequestId: {other} Version: 1", f"END RequestId: {other}")


def test_an_error_of_the_function_is_told_with_its_trace() -> None:
    trace = ['  File "/var/task/app.py", line 6, in handler\n    raise KeyError("x")\n']
    body = error("KeyError", "'x'", requestId=ID, stackTrace=trace)
    output = f"{START}[ERROR] KeyError: 'x'\rTraceback (most recent call last):\r  File\n{END}{REPORT}"
    found = meant(output, INIT + DONE + said(body))
    assert found.answer == ""
    assert found.failure is not None
    assert (found.failure.ending, found.failure.type, found.failure.message) == (Ending.ERROR, "KeyError", "'x'")
    assert found.failure.trace == ('  File "/var/task/app.py", line 6, in handler', '    raise KeyError("x")')
    assert found.log == ("[ERROR] KeyError: 'x'", "Traceback (most recent call last):", "  File")


@pytest.mark.parametrize(
    "answer",
    [
        error("KeyError", "x"),
        error("KeyError", "x", requestId="another", stackTrace=[]),
        '{"errorType": 1}',
        '"Task timed out after 3.00 seconds"',
    ],
)
def test_an_answer_that_only_looks_like_an_error_is_an_answer(answer: str) -> None:
    found = meant(START + END, INIT + DONE + said(answer))
    assert (found.answer, found.failure) == (answer, None)


def test_an_error_in_the_init_phase_is_told_without_lambdas_words_on_updates() -> None:
    body = error("Runtime.ImportModuleError", "Unable to import module 'ap'", requestId="", stackTrace=[])
    found = meant(f"{START}{UPDATES}[ERROR] Runtime.ImportModuleError: …\n", INIT + said(body, 502, None))
    assert found.failure is not None
    assert (found.failure.type, found.failure.ending) == ("Runtime.ImportModuleError", Ending.ERROR)
    assert found.log == ("[ERROR] Runtime.ImportModuleError: …",)
    assert found.peak_memory is None


@pytest.mark.parametrize(
    ("how", "ending"),
    [("exit status 3", Ending.EXIT), ("signal: killed", Ending.MEMORY), ("signal: aborted", Ending.EXIT)],
)
def test_a_runtime_that_ends_gives_no_answer(how: str, ending: Ending) -> None:
    message = f"Runtime exited with error: {how}"
    body = error("Runtime.ExitError", f"RequestId: {ID} Error: {message}")
    found = meant(START, INIT + said(body, 502, None))
    assert found.failure is not None
    assert (found.failure.ending, found.failure.message) == (ending, message)


def test_a_function_is_late_where_the_emulator_says_so_and_where_it_only_had_more_time() -> None:
    for output, log in (
        (START + END + REPORT, INIT + said("Task timed out after 3.00 seconds")),
        (START + END + REPORT, INIT + DONE.replace("6.558000", "3000.1") + said("1")),
    ):
        found = meant(output, log, timeout=3)
        assert found.failure is not None
        assert found.failure.ending is Ending.TIME
        assert found.failure.message == "Task timed out after 3.00 seconds"
        assert found.answer == ""
    assert meant(START + END, INIT + DONE.replace("6.558000", "2999.9") + said("1"), timeout=3).answer == "1"


def test_a_container_that_was_stopped_or_killed_says_why() -> None:
    stopped = Ended(status=-9, ending=Stopped.TIME, out_of_memory=False, seconds=1.0)
    killed = Ended(status=-9, ending=Stopped.BY_ITSELF, out_of_memory=True, seconds=1.0)
    for ended, ending in ((stopped, Ending.TIME), (killed, Ending.MEMORY)):
        found = meant(START, INIT, ended)
        assert found.failure is not None
        assert found.failure.ending is ending


def test_an_image_whose_emulator_does_not_come_up_is_no_fault_of_the_function() -> None:
    silent = Ended(status=70, ending=Stopped.BY_ITSELF, out_of_memory=False, seconds=1.0)
    with pytest.raises(EngineError, match="emulator did not answer") as caught:
        meant("no such file\n", "", silent)
    assert caught.value.details == ("no such file",)
    with pytest.raises(EngineError):
        meant("", f"{MARKER}nonsense\n", silent)


def test_an_answer_beyond_what_lambda_gives_back_is_none() -> None:
    found = meant(START + END, INIT + DONE + said('"' + "x" * MOST_ANSWER + '"'))
    assert found.failure is not None
    assert found.failure.type == "Function.ResponseSizeTooLarge"
