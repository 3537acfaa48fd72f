from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[1] / "standin" / "build.sh"
# How Lambda runs a function: nothing to write to but /tmp, no rights, no network.
CONFINED = ["--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--user=993:990", "--memory=1769m"]

HANDLER = """
import json, os, sys
import in_layer

def handle(event, context):
    return {"got": event, "layer": in_layer.NAME, "path": sys.path, "cwd": os.getcwd(), "uid": os.getuid(),
            "execution": os.environ["AWS_EXECUTION_ENV"], "handler": os.environ["_HANDLER"]}
"""
INVOKE = """
import sys, urllib.error, urllib.request
address = "http://127.0.0.1:8080/2015-03-31/functions/function/invocations"
try:
    answer = urllib.request.urlopen(address, data=sys.argv[1].encode())
except urllib.error.HTTPError as error:  # the emulator's 502 for a failed start carries the failure
    answer = error
print(answer.read().decode())
"""


def inside(image: str, *command: str, stdin: str = "") -> str:
    run = ["docker", "run", "--rm", "--interactive", "--network=none", "--entrypoint="]
    done = subprocess.run([*run, image, *command], input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def running(image: str, handler: str, *options: str) -> Iterator[str]:
    """Id of a container in which the entry point serves a handler."""
    started = ["docker", "run", "--detach", *CONFINED, *options, image, handler]
    name = subprocess.run(started, capture_output=True, text=True, check=True).stdout.strip()
    try:
        yield name
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=True)


def invoke(container: str, event: object) -> dict[str, object]:
    command = ["docker", "exec", container, "python3.13", "-c", INVOKE, json.dumps(event)]
    for _ in range(50):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            answer: dict[str, object] = json.loads(done.stdout)
            return answer
        if "Connection refused" not in done.stderr:
            break
        time.sleep(0.1)
    raise AssertionError(done.stderr)


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a function and a layer that it imports, readable by the function's user."""
    folder = tmp_path_factory.mktemp("function")
    (folder / "task").mkdir()
    (folder / "task" / "app.py").write_text(HANDLER)
    (folder / "opt" / "python").mkdir(parents=True)
    (folder / "opt" / "python" / "in_layer.py").write_text('NAME = "a layer"\n')
    # pytest's own folders are closed to others, but a mount opens only what is mounted.
    for entry in (folder, *folder.rglob("*")):
        entry.chmod(0o755 if entry.is_dir() else 0o644)
    return folder


def test_an_image_that_is_there_is_found_without_a_build(standin: str, tmp_path: Path) -> None:
    again = subprocess.run(
        [BUILD],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "LAYERFORGE_STANDIN_CACHE": str(tmp_path / "cache")},
    )
    assert (again.stdout, again.stderr) == (f"{standin}\n", "")
    assert not (tmp_path / "cache").exists()


def test_a_changed_input_asks_for_another_image(standin: str, tmp_path: Path) -> None:
    for file in BUILD.parent.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
            (tmp_path / file.name).chmod(file.stat().st_mode)
    with (tmp_path / "runtime.txt").open("a") as runtime:
        runtime.write("# changed\n")
    env = {"PATH": "/usr/bin:/bin:/usr/local/bin", "DOCKER_HOST": "unix:///nonexistent"}
    run = subprocess.run([tmp_path / "build.sh"], capture_output=True, text=True, check=False, env=env)
    assert (run.returncode, run.stdout) == (69, "")
    assert "no container engine answers" in run.stderr


def test_the_interpreter_lies_where_amazons_does_and_has_its_modules(standin: str) -> None:
    code = (
        "import bz2, ctypes, hashlib, lzma, multiprocessing.synchronize, sqlite3, ssl, sys, uuid, zlib\n"
        "print(*sys.version_info[:2], sys.executable, ssl.OPENSSL_VERSION_INFO >= (1, 1, 1))"
    )
    assert inside(standin, "python3.13", "-c", code) == "3 13 /var/lang/bin/python3.13 True"


def test_the_environment_is_the_one_that_amazons_image_sets(standin: str) -> None:
    lines = inside(standin, "env").splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    environment.pop("HOSTNAME")
    environment.pop("HOME")
    assert environment == {
        "LANG": "en_US.UTF-8",
        "TZ": ":/etc/localtime",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:"
        "/var/task:/var/task/lib:/opt/lib",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
    }
    assert inside(standin, "pwd") == "/var/task"


def test_the_c_library_is_older_than_amazon_linuxs(standin: str) -> None:
    version = inside(standin, "python3.13", "-c", "import os; print(os.confstr('CS_GNU_LIBC_VERSION'))")
    assert tuple(map(int, version.removeprefix("glibc ").split("."))) < (2, 34)


@pytest.mark.parametrize(
    ("compiler", "suffix", "source"),
    [
        ("cc -fopenmp", "c", '#include <omp.h>\n#include <stdio.h>\nint main() { puts("it runs"); }'),
        ("cc -flto -fuse-ld=lld -Wl,--icf=all", "c", '#include <stdio.h>\nint main() { puts("it runs"); }'),
        ("c++", "cc", '#include <iostream>\nint main() { std::cout << "it runs"; }'),
        ("gcc", "c", '#include <stdio.h>\nint main() { puts("it runs"); }'),
        ("g++", "cc", '#include <iostream>\nint main() { std::cout << "it runs"; }'),
        ("gfortran", "f90", "print '(a)', 'it runs'\nend"),
    ],
)
def test_a_program_is_compiled_and_runs(standin: str, compiler: str, suffix: str, source: str) -> None:
    script = f"cat > /tmp/it.{suffix} && {compiler} /tmp/it.{suffix} -o /tmp/it && /tmp/it"
    assert inside(standin, "sh", "-c", script, stdin=source) == "it runs"


def test_a_package_is_compiled_by_the_compiler_that_numpy_needs(standin: str) -> None:
    code = "import sysconfig; print(*sysconfig.get_config_vars('CC', 'CXX'), sep='|')"
    assert inside(standin, "python3.13", "-c", code) == "cc -pthread|c++ -pthread"
    assert "clang version 16" in inside(standin, "cc", "--version")
    assert "clang version 16" in inside(standin, "c++", "--version")


def test_headers_of_libraries_that_lambda_lacks_are_not_to_be_found(standin: str) -> None:
    assert inside(standin, "sh", "-c", "find /usr/include -name ssl.h -o -name ffi.h -o -name sqlite3.h") == ""


def test_a_handler_answers_over_http_under_lambdas_constraints(standin: str, function: Path) -> None:
    mounts = [f"--volume={function}/task:/var/task:ro", f"--volume={function}/opt:/opt:ro"]
    with running(standin, "app.handle", *mounts) as container:
        answer = invoke(container, {"n": 1})
    path = answer.pop("path")
    assert isinstance(path, list)
    assert path[:4] == ["/var/task", "/opt/python/lib/python3.13/site-packages", "/opt/python", "/var/runtime"]
    assert answer == {
        "got": {"n": 1},
        "layer": "a layer",
        "cwd": "/var/task",
        "uid": 993,
        "execution": "AWS_Lambda_python3.13",
        "handler": "app.handle",
    }


def test_a_handler_that_cannot_be_imported_is_told_in_the_answer(standin: str, function: Path) -> None:
    with running(standin, "app.handle", f"--volume={function}/task:/var/task:ro") as container:
        answer = invoke(container, {})
    assert answer["errorType"] == "Runtime.ImportModuleError"
    assert "in_layer" in str(answer["errorMessage"])


def test_the_entry_point_wants_one_handler(standin: str) -> None:
    run = subprocess.run(["docker", "run", "--rm", "--network=none", standin], capture_output=True, check=False)
    assert run.returncode == 142
