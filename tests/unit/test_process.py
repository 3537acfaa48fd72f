import sys
import threading
import time
from pathlib import Path

import pytest

from layerforge import process

PYTHON = sys.executable


def test_output_status_and_lines_come_back() -> None:
    lines: list[str] = []
    program = (
        "import sys; print(sys.stdin.read()); print('one', file=sys.stderr); print('two', file=sys.stderr); exit(3)"
    )
    done = process.run([PYTHON, "-c", program], stdin=b"in", on_line=lines.append)
    assert (done.status, done.stdout, done.stderr) == (3, b"in\n", "one\ntwo\n")
    assert lines == ["one", "two"]


def test_full_pipes_do_not_block() -> None:
    program = "import sys; d = sys.stdin.buffer.read(); sys.stderr.write('e' * 10**6); sys.stdout.buffer.write(d)"
    done = process.run([PYTHON, "-c", program], stdin=b"x" * 10**6)
    assert (len(done.stdout), len(done.stderr)) == (10**6, 10**6)


def test_a_child_that_does_not_read_its_input_is_no_error() -> None:
    assert process.run([PYTHON, "-c", ""], stdin=b"x" * 10**6).status == 0


def test_a_slow_child_is_ended() -> None:
    done = process.run([PYTHON, "-c", "import time; time.sleep(60)"], timeout=0.2)
    assert done.timed_out
    assert process.signal_name(done.status) == "SIGKILL"


def test_what_a_slow_child_has_started_ends_with_it() -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    done = process.run([PYTHON, "-c", program], timeout=0.5)
    assert done.timed_out
    assert done.seconds < 50


def test_the_environment_and_folder_are_as_given(tmp_path: Path) -> None:
    program = "import os; print(os.environ.get('HOME'), os.environ['ONLY'], os.getcwd())"
    done = process.run([PYTHON, "-c", program], env={"ONLY": "this"}, cwd=tmp_path)
    assert done.stdout.decode().split() == ["None", "this", str(tmp_path)]


def test_a_program_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(OSError, match="No such file"):
        process.run(["/nowhere/program"])


def test_stopping_ends_what_other_threads_wait_for() -> None:
    results: list[process.Completed] = []
    thread = threading.Thread(target=lambda: results.append(process.run([PYTHON, "-c", "import time; time.sleep(60)"])))
    thread.start()
    while not process._running:
        time.sleep(0.01)
    process.stop_all()
    thread.join(10)
    assert [process.signal_name(done.status) for done in results] == ["SIGKILL"]


@pytest.mark.parametrize(("status", "name"), [(-11, "SIGSEGV"), (0, ""), (1, ""), (-200, "signal 200")])
def test_signals_are_named(status: int, name: str) -> None:
    assert process.signal_name(status) == name
