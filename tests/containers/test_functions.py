"""Functions of several files, invoked by AWS's own emulator and client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import zips

APP = """
import logging, os, sys
import helpers
from parts import sub
logging.getLogger().setLevel("INFO")
print("loaded")
def tried(what):
    try:
        what()
    except OSError as error:
        return error.strerror
def handler(event, context):
    logging.info("event %s", event)
    print("to err", file=sys.stderr)
    if event.get("fail"):
        return helpers.fail(event)
    if event.get("hold"):
        event = len(b"x" * (event["hold"] * 2**20))
    if "sleep" in dict(event or {}):
        import time
        time.sleep(event["sleep"])
    if event and event.get("exit"):
        os._exit(3)
    return {
        "event": event, "parts": [helpers.N, sub.S], "table": os.environ.get("TABLE"), "path": sys.path[:3],
        "task": tried(lambda: open("/var/task/x", "w")), "opt": tried(lambda: open("/opt/x", "w")),
        "tmp": tried(lambda: open("/tmp/x", "w")), "left": context.get_remaining_time_in_millis(),
        "lib": __import__("lib").WHERE, "shm": os.path.exists("/dev/shm"), "files": sorted(os.listdir("/var/task")),
    }
"""
HELPERS = "N = 7\ndef fail(event):\n    return event['absent']\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A function and two layers, of which the second lies over the first."""
    (tmp_path / "src/parts").mkdir(parents=True)
    (tmp_path / "src/app.py").write_text(APP)
    (tmp_path / "src/helpers.py").write_text(HELPERS)
    (tmp_path / "src/parts/sub.py").write_text("S = 'é'\n")
    (tmp_path / "src").chmod(0o700)
    zips.of(tmp_path / "1.zip", {"python/lib.py": b"WHERE = 'first'\n", "python/helpers.py": b"N = 'of a layer'\n"})
    zips.of(tmp_path / "2.zip", {"python/lib.py": b"WHERE = 'second'\n"})
    return tmp_path


def ran(image: str, folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "layerforge", "run", "1.zip", "2.zip", "--code", "src", "--image", image, *arguments]
    return subprocess.run(argv, cwd=folder, input=stdin, capture_output=True, text=True, timeout=600, check=False)


def told(image: str, folder: Path, event: Any, *arguments: str, code: int = 0) -> Any:
    words = ["--handler", "app.handler", "--event", "-", "--json", *arguments]
    done = ran(image, folder, *words, stdin=json.dumps(event))
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_a_function_answers_with_its_layers_as_on_lambda(standin: str, folder: Path) -> None:
    data = told(standin, folder, {"rows": [1, None]}, "--memory", "512", "--timeout", "9", "--env", "TABLE=orders")
    answer = data["answer"]
    assert answer["event"] == {"rows": [1, None]}
    assert answer["parts"] == [7, "é"]
    assert (answer["table"], answer["lib"]) == ("orders", "second")
    assert answer["path"] == ["/var/task", "/opt/python/lib/python3.13/site-packages", "/opt/python"]
    assert answer["task"] == answer["opt"] == "Read-only file system"
    assert (answer["tmp"], answer["shm"]) == (None, False)
    assert 0 < answer["left"] <= 9000
    assert answer["files"] == ["app.py", "helpers.py", "parts"], "nothing of the sandbox lies beside the code"
    assert data["log"][0] == "loaded"
    assert data["log"][2] == "to err"
    assert data["log"][1].endswith("\tevent {'rows': [1, None]}")
    assert data["init_ms"] > 0
    assert data["billed_ms"] >= data["init_ms"] + data["duration_ms"]
    assert 2**20 < data["peak_memory"] < 512 * 2**20
    assert [(one["name"], one["hidden_in"]) for one in data["twice"]] == [("helpers", "1.zip")]


def test_an_error_is_told_with_lambdas_paths(standin: str, folder: Path) -> None:
    done = ran(standin, folder, "--handler", "app.handler", "--event", '{"fail": true}')
    assert (done.returncode, done.stdout) == (7, "")
    assert "function: KeyError: 'absent'" in done.stderr
    assert 'File "/var/task/helpers.py", line 3, in fail' in done.stderr
    assert done.stderr.count("KeyError") == 1, "the runtime's own report is not shown beside it"


def test_a_function_that_holds_too_much_is_ended(standin: str, folder: Path) -> None:
    data = told(standin, folder, {"hold": 300}, "--memory", "256", code=7)
    assert data["error"]["ending"] == "out of memory"
    assert data["error"]["message"] == "Runtime exited with error: signal: killed"


def test_a_function_that_takes_too_long_is_ended_and_its_init_phase_does_not_count(standin: str, folder: Path) -> None:
    assert told(standin, folder, {"sleep": 5}, "--timeout", "2", code=7)["error"] == {
        "ending": "timed out",
        "type": "Sandbox.Timedout",
        "message": "Task timed out after 2.00 seconds",
        "trace": [],
    }
    (folder / "src/app.py").write_text(f"import time\ntime.sleep(4)\n{APP}")
    data = told(standin, folder, {"sleep": 0.1}, "--timeout", "2")
    assert data["init_ms"] > 4000
    assert data["duration_ms"] < 2000


def test_a_process_that_ends_is_told(standin: str, folder: Path) -> None:
    data = told(standin, folder, {"exit": 1}, code=7)
    assert (data["error"]["ending"], data["error"]["message"]) == ("exited", "Runtime exited with error: exit status 3")
    assert data["log"][0] == "loaded"


@pytest.mark.parametrize(
    ("change", "handler", "words"),
    [
        ("x = 'handler'\n", "app.handler", ("Runtime.HandlerNotFound", "a handler is the path")),
        (
            "import absent\nhandler = 1\n",
            "app.handler",
            ("Runtime.ImportModuleError", "named 'absent'", "makes a layer"),
        ),
        ("def (\nhandler = 1\n", "app.handler", ("Runtime.UserCodeSyntaxError", "runs on Python 3.13")),
        ("1 / 0\nhandler = 1\n", "app.handler", ("ZeroDivisionError", 'File "/var/task/app.py", line 1, in <module>')),
        ("def handler(e, c):\n    return {1}\n", "app.handler", ("Runtime.MarshalError", "set is not JSON")),
    ],
)
def test_what_is_wrong_with_a_function_is_told(
    standin: str, folder: Path, change: str, handler: str, words: tuple[str, ...]
) -> None:
    (folder / "src/app.py").write_text(change)
    done = ran(standin, folder, "--handler", handler)
    assert done.returncode == 7
    said = " ".join(done.stderr.split())
    assert all(word in said for word in words), said


def test_the_network_is_not_there_and_that_is_said(standin: str, folder: Path) -> None:
    (folder / "src/app.py").write_text(
        "import boto3\ndef handler(event, context):\n    boto3.client('sts').get_caller_identity()\n"
    )
    words = ("--handler", "app.handler", "--env", "AWS_ACCESS_KEY_ID=x", "--env", "AWS_SECRET_ACCESS_KEY=x")
    done = ran(standin, folder, *words, "--timeout", "60")
    assert done.returncode == 7
    assert "the sandbox has no network" in " ".join(done.stderr.split())


def test_no_container_stays_behind(standin: str, folder: Path) -> None:
    argv = [sys.executable, "-m", "layerforge", "run", "--code", "src", "--image", standin, "--handler", "app.handler"]
    with subprocess.Popen([*argv, "2.zip"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.communicate(timeout=600)
    asked = ["docker", "ps", "--all", "--quiet", "--filter", f"label=layerforge.pid={running.pid}"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == ""
    assert running.returncode == 0


def test_cold_starts_of_a_function_with_two_layers_are_measured(standin: str, folder: Path) -> None:
    argv = [sys.executable, "-m", "layerforge", "coldstart", "1.zip", "2.zip", "--image", standin, "--json"]
    own = ["--code", "src", "--handler", "app.handler", "--event", '{"a": 1}', "--runs", "1", "--memory", "1769"]
    done = subprocess.run([*argv, *own], cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["function"] == {"handler": "app.handler", "code": "src", "event": {"a": 1}}
    assert [one["zip"] for one in data["layers"]] == ["1.zip", "2.zip"]
    assert data["sizes"][0]["init_ms"]["median"] > 0
    assert {"helpers", "parts.sub"} <= {name for node in data["imports"] for name in names(node)}
    assert not list(folder.glob("*.coldstart.json")), "it speaks of no single layer"


def names(node: Any) -> set[str]:
    """Of a module, and of all that it imports."""
    return {node["name"]}.union(*map(names, node["children"]))


def test_a_file_that_imports_what_lies_beside_it_takes_its_folder(standin: str, folder: Path) -> None:
    argv = [sys.executable, "-m", "layerforge", "coldstart", "2.zip", "--image", standin, "--handler", "src/app.py"]
    own = ["--runs", "1", "--memory", "1769", "--no-write", "--json"]
    done = subprocess.run([*argv, *own], cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert "app.py imports helpers, parts beside it: its folder is taken as --code" in done.stderr
    assert json.loads(done.stdout)["function"]["handler"] == "app.handler"


def test_a_failure_of_code_that_is_measured_has_its_own_lines_alone(standin: str, folder: Path) -> None:
    (folder / "src/helpers.py").write_text("1 / 0\n")
    argv = [sys.executable, "-m", "layerforge", "coldstart", "2.zip", "--image", standin, "--code", "src"]
    own = ["--handler", "app.handler", "--runs", "1", "--memory", "1769"]
    done = subprocess.run([*argv, *own], cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 7
    assert 'File "/var/task/helpers.py", line 1, in <module>' in done.stderr
    assert "sandbox_handler" not in done.stderr
    assert "`layerforge run` invokes once" in done.stderr
