from __future__ import annotations

import json
import os
import py_compile
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from fakes import target
from layerforge.build import host_function, interpreters
from layerforge.build.engine import Job, Outcome
from layerforge.build.function import MOST_ANSWER, Ending, FunctionAnswer, FunctionCall
from layerforge.build.host import HostEngine
from layerforge.build.host_function import MARKER, read
from layerforge.core.runtimes import runtimes

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module", params=list(runtimes()))
def python(request: pytest.FixtureRequest) -> str:
    if interpreters.find(request.param) is None:
        pytest.skip(f"no CPython {request.param} on this machine")
    return str(request.param)


def a_call(folder: Path, source: str, event: Any = None, **facts: Any) -> FunctionCall:
    """A call of ``app.handler``, whose source is ``source``, with an empty layer unless there is one."""
    code, opt = folder / "code", folder / "opt"
    for place in (code, opt):
        place.mkdir(exist_ok=True)
        place.chmod(0o755)
    (code / "app.py").write_text(source)
    plain: dict[str, Any] = {
        "target": target(RUNNING),
        "opt": opt,
        "code": code,
        "handler": "app.handler",
        "event": json.dumps({} if event is None else event).encode(),
        "memory": 512,
        "timeout": 30,
    }
    return FunctionCall(**(plain | facts))


def invoked(call: FunctionCall, *, namespaces: bool = True) -> FunctionAnswer:
    engine = HostEngine(interpreter=interpreters.find(call.target.python), namespaces=namespaces)
    return engine.invoke(call)


def is_enclosed() -> bool:
    """Whether this machine's kernel lets us have namespaces."""
    with tempfile.TemporaryDirectory() as name:
        return not invoked(a_call(Path(name), "def handler(e, c): pass")).open


enclosed = pytest.mark.skipif(not is_enclosed(), reason="the kernel gives no namespaces")
ways = pytest.mark.parametrize("namespaces", [pytest.param(True, marks=enclosed), False])

ANSWERING = """
import decimal, helpers, lib, sys
print("loaded")
def handler(event, context):
    print("to err", file=sys.stderr)
    return {"event": event, "n": decimal.Decimal("1.50"), "i": decimal.Decimal(3), "é": [helpers.N, lib.WHERE]}
"""


@ways
def test_a_function_of_several_files_answers_with_its_layers(tmp_path: Path, namespaces: bool) -> None:
    call = a_call(tmp_path, ANSWERING, {"a": [1, None, "ü"]})
    (call.code / "helpers.py").write_text("N = 7\n")
    (call.opt / "python").mkdir()
    (call.opt / "python/lib.py").write_text("WHERE = 'layer'\n")
    (call.opt / "python/helpers.py").write_text("N = 'of the layer'\n")
    answer = invoked(call, namespaces=namespaces)
    assert answer.failure is None
    assert answer.answer == '{"event": {"a": [1, null, "ü"]}, "n": 1.5, "i": 3, "é": [7, "layer"]}'
    assert answer.log == ("loaded", "to err")
    assert answer.init_ms is not None
    assert answer.duration_ms is not None
    assert answer.peak_memory is not None
    assert answer.peak_memory > 2**20
    assert bool(answer.open) is not namespaces


@ways
def test_memory_is_that_of_the_function_and_not_of_what_started_it(tmp_path: Path, namespaces: bool) -> None:
    held = b"x" * (300 * 2**20)
    answer = invoked(a_call(tmp_path, "def handler(event, context):\n    return 1\n"), namespaces=namespaces)
    assert held
    assert answer.peak_memory is not None
    assert answer.peak_memory < 200 * 2**20


def test_every_python_of_lambda_runs_it(tmp_path: Path, python: str) -> None:
    source = "import sys\ndef handler(e, c):\n    return list(sys.version_info[:2])\n"
    assert json.loads(invoked(a_call(tmp_path, source, target=target(python))).answer) == [3, int(python[2:])]


@enclosed
def test_code_and_layers_are_read_only_and_there_is_a_tmp_and_no_network(tmp_path: Path) -> None:
    source = """
import os, socket
def tried(what):
    try:
        what()
    except OSError as error:
        return error.strerror
def handler(event, context):
    return {
        "task": tried(lambda: open("/var/task/x", "w")),
        "opt": tried(lambda: open("/opt/x", "w")),
        "tmp": tried(lambda: open("/tmp/x", "w")),
        "net": bool(tried(lambda: socket.create_connection(("192.0.2.1", 80), 1))),
        "where": [__file__, os.getcwd(), os.environ["LAMBDA_TASK_ROOT"], sorted(os.listdir("/var/task"))],
    }
"""
    said = json.loads(invoked(a_call(tmp_path, source)).answer)
    assert said["task"] == said["opt"] == "Read-only file system"
    assert said["tmp"] is None
    assert said["net"]
    assert said["where"] == ["/var/task/app.py", "/var/task", "/var/task", ["app.py"]]


def test_the_context_and_the_variables_are_lambdas(tmp_path: Path) -> None:
    source = """
import os, logging
logging.getLogger().setLevel("INFO")
def handler(event, context):
    logging.info("left %s", 1)
    left = context.get_remaining_time_in_millis()
    names = ("TABLE", "AWS_REGION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "_HANDLER", "AWS_EXECUTION_ENV")
    return [context.memory_limit_in_mb, 0 < left <= 9000, context.function_version, *map(os.environ.get, names)]
"""
    call = a_call(tmp_path, source, timeout=9, memory=256, env={"TABLE": "orders", "AWS_REGION": "eu-west-1"})
    answer = invoked(call)
    own = ["orders", "eu-west-1", "256", "app.handler", f"AWS_Lambda_python{RUNNING}"]
    assert json.loads(answer.answer) == ["256", True, "$LATEST", *own]
    assert answer.log[0].startswith("[INFO]\t20")
    assert answer.log[0].endswith("\tleft 1")


@ways
def test_an_error_has_the_trace_that_lambda_gives(tmp_path: Path, namespaces: bool) -> None:
    source = "import lib\ndef handler(event, context):\n    return lib.look(event)\n"
    call = a_call(tmp_path, source)
    (call.opt / "python").mkdir()
    (call.opt / "python/lib.py").write_text("def look(event):\n    return event['key']\n")
    failure = invoked(call, namespaces=namespaces).failure
    assert failure is not None
    assert (failure.ending, failure.type, failure.message) == (Ending.ERROR, "KeyError", "'key'")
    frames = [line for line in failure.trace if line.startswith("  File")]
    assert frames == ['  File "/var/task/app.py", line 3, in handler', '  File "/opt/python/lib.py", line 2, in look']


@pytest.mark.parametrize(
    ("source", "handler", "kind", "words"),
    [
        ("import absent", "app.handler", "Runtime.ImportModuleError", "module 'app': No module named 'absent'"),
        ("x = 1", "app.handler", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("x = 1", "other.handler", "Runtime.ImportModuleError", "module 'other': No module named 'other'"),
        ("def (", "app.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("x = 1", "app", "Runtime.MalformedHandlerName", "Bad handler 'app'"),
        ("1 / 0", "app.handler", "ZeroDivisionError", "division by zero"),
        ("def handler(e, c):\n    return {1}", "app.handler", "Runtime.MarshalError", "Object of type set is not JSON"),
        ("def handler(e):\n    return 1", "app.handler", "TypeError", "takes 1 positional argument"),
        ("handler = 3", "app.handler", "TypeError", "'int' object is not callable"),
    ],
)
def test_what_is_wrong_is_told_in_lambdas_words(
    tmp_path: Path, source: str, handler: str, kind: str, words: str
) -> None:
    answer = invoked(a_call(tmp_path, source, handler=handler))
    assert answer.failure is not None
    assert (answer.failure.ending, answer.failure.type) == (Ending.ERROR, kind)
    assert words in answer.failure.message
    assert answer.answer == ""


def test_an_error_of_the_module_has_its_line(tmp_path: Path) -> None:
    failure = invoked(a_call(tmp_path, "x = 1\n1 / 0\n")).failure
    assert failure is not None
    assert '  File "/var/task/app.py", line 2, in <module>' in failure.trace


def test_a_function_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    source = "import time\ndef handler(event, context):\n    print('begun')\n    time.sleep(60)\n"
    answer = invoked(a_call(tmp_path, source, timeout=1))
    assert answer.failure is not None
    assert answer.failure.ending is Ending.TIME
    assert answer.failure.message == "Task timed out after 1.00 seconds"
    assert answer.duration_ms == 1000
    assert answer.log == ("begun",)


def test_a_function_that_holds_more_than_it_may_would_have_been_ended(tmp_path: Path) -> None:
    source = "def handler(event, context):\n    return len(b'x' * (200 * 2**20))\n"
    answer = invoked(a_call(tmp_path, source, memory=128))
    assert answer.failure is not None
    assert answer.failure.ending is Ending.MEMORY
    assert invoked(a_call(tmp_path, source, memory=512)).answer == str(200 * 2**20)


@pytest.mark.parametrize(
    ("source", "how"),
    [
        ("import sys\nsys.exit(3)", "exit status 3"),
        ("import sys\ndef handler(e, c):\n    sys.exit(0)", "exit status 0"),
        ("import os, signal\ndef handler(e, c):\n    os.kill(os.getpid(), signal.SIGSEGV)", "signal: SIGSEGV"),
    ],
)
def test_a_process_that_ends_gives_no_answer(tmp_path: Path, source: str, how: str) -> None:
    failure = invoked(a_call(tmp_path, source)).failure
    assert failure is not None
    assert failure.ending is Ending.EXIT
    assert failure.message.startswith(f"Runtime exited with error: {how}")


def test_threads_that_go_on_do_not_hold_the_answer(tmp_path: Path) -> None:
    source = (
        "import threading, time\ndef handler(e, c):\n    threading.Thread(target=time.sleep, args=(600,)).start()\n"
    )
    assert invoked(a_call(tmp_path, source)).answer == "null"


def test_an_answer_that_is_too_large_is_none(tmp_path: Path) -> None:
    source = "def handler(event, context):\n    return 'x' * event['n']\n"
    assert len(invoked(a_call(tmp_path, source, {"n": MOST_ANSWER - 2})).answer) == MOST_ANSWER
    failure = invoked(a_call(tmp_path, source, {"n": MOST_ANSWER - 1})).failure
    assert failure is not None
    assert failure.type == "Function.ResponseSizeTooLarge"


def test_a_report_that_the_function_writes_itself_is_not_taken_for_one(tmp_path: Path) -> None:
    forged = json.dumps({"answer": "1"})
    source = f"def handler(e, c):\n    print('layerforge-function:' + {forged!r})\n    return 2\n"
    answer = invoked(a_call(tmp_path, source))
    assert answer.answer == "2"
    assert answer.log == (f"{MARKER}{forged}",)


def test_a_kill_is_that_of_the_kernel_for_memory(tmp_path: Path) -> None:
    killed = Outcome(status=-signal.SIGKILL, output="last words\n", seconds=1.0)
    answer = read(killed, a_call(tmp_path, ""), f"{MARKER}w")
    assert answer.failure is not None
    assert answer.failure.ending is Ending.MEMORY
    assert answer.log == ("last words",)


def test_the_job_has_the_code_before_all_else(tmp_path: Path) -> None:
    jobs: list[Job] = []

    def run(job: Job) -> Outcome:
        jobs.append(job)
        return Outcome(status=0, output=f'\n{MARKER}w{{"answer": "1", "peak_memory": 5}}\n', seconds=1.0)

    call = a_call(tmp_path, "")
    assert host_function.invoke(run, call, "w").answer == "1"
    [job] = jobs
    assert job.code == call.code
    assert job.timeout > call.timeout, "the init phase has a time of its own"


@pytest.mark.parametrize("mode", list(py_compile.PycInvalidationMode))
def test_bytecode_that_is_stale_or_missing_is_no_matter(tmp_path: Path, mode: py_compile.PycInvalidationMode) -> None:
    call = a_call(tmp_path, "import helpers\ndef handler(event, context):\n    return helpers.N\n")
    place = call.code / "helpers.py"
    place.write_text("N = 1\n")
    os.utime(place, (1_000_000, 1_000_000))
    py_compile.compile(str(place), invalidation_mode=mode)
    place.write_text("N = 22\n")
    # Unchecked bytecode is taken as it is, there as here.
    assert invoked(call).answer == ("1" if mode is py_compile.PycInvalidationMode.UNCHECKED_HASH else "22")
