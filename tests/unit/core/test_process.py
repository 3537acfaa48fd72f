import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from layerforge.core import process
from layerforge.core.errors import StepError

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


DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {closing}
        print(os.getpid(), file=open(sys.argv[1], "w"), flush=True)
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists(sys.argv[1]) or not open(sys.argv[1]).read().endswith("\\n"):
    time.sleep(0.01)
print("imported", flush=True)
"""


def ended(pid: int) -> bool:
    """Whether a process is gone, or waits for nothing but to be counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("closing", ["pass", "os.closerange(0, 3)"])
def test_a_daemon_that_a_child_leaves_behind_holds_nobody_up_and_ends(closing: str, tmp_path: Path) -> None:
    done = process.run([PYTHON, "-c", DAEMON.format(closing=closing), tmp_path / "pid"])
    assert (done.status, done.stdout) == (0, b"imported\n")
    pid = int((tmp_path / "pid").read_text())
    while not ended(pid):
        time.sleep(0.01)


def test_a_daemon_that_has_thrown_its_environment_away_is_known_by_the_pipe_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_JOIN_SECONDS", 0.2)
    hidden = "os.execve(sys.executable, [sys.executable, '-c', HIDDEN, sys.argv[1]], {})"
    text = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'w'), flush=True); time.sleep(600)"
    done = process.run([PYTHON, "-c", f"HIDDEN = {text!r}\n{DAEMON.format(closing=hidden)}", tmp_path / "pid"])
    assert (done.status, done.stdout) == (0, b"imported\n")
    pid = int((tmp_path / "pid").read_text())
    while not ended(pid):
        time.sleep(0.01)


def test_the_children_of_others_live_on(tmp_path: Path) -> None:
    other = subprocess.Popen([PYTHON, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    thread_done: list[process.Completed] = []
    waiting = f"import pathlib, time\nwhile not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)"
    thread = threading.Thread(target=lambda: thread_done.append(process.run([PYTHON, "-c", waiting])))
    thread.start()
    process.run([PYTHON, "-c", DAEMON.format(closing="pass"), tmp_path / "pid"])
    assert other.poll() is None
    (tmp_path / "go").touch()
    thread.join()
    assert [done.status for done in thread_done] == [0]
    other.communicate(b"\n")
    assert other.returncode == 0


@pytest.mark.parametrize("handles", [8, 14, process.FEWEST_HANDLES - 1])
def test_a_machine_that_lacks_something_is_named_and_not_the_program(handles: int) -> None:
    program = f"""
        import resource, sys
        from layerforge.core import process
        from layerforge.core.errors import StepError
        resource.setrlimit(resource.RLIMIT_NOFILE, ({handles}, {handles}))
        try:
            process.run([{PYTHON!r}, "-c", ""])
        except StepError as error:
            print(error.message, "|", error.hint)
    """
    done = subprocess.run([PYTHON, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert "no more files can be opened" in done.stdout, done.stderr
    assert "ulimit -n" in done.stdout


@contextmanager
def handles(most: int) -> Iterator[None]:
    """This process with few open files allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_with_too_few_handles_for_a_program_none_is_started() -> None:
    with handles(process.FEWEST_HANDLES - 1), pytest.raises(StepError, match="no more files can be opened"):
        process.run(["/nowhere/program"])


def test_handles_that_run_out_while_a_program_is_started_are_named_and_not_the_program() -> None:
    taken: list[int] = []
    with handles(256):
        try:
            with suppress(OSError):
                while len(taken) < 256:
                    taken.append(os.dup(0))
            with pytest.raises(StepError, match="no more files can be opened"):
                process.run([PYTHON, "-c", ""])
        finally:
            for handle in taken:
                os.close(handle)


def test_an_interrupted_wait_ends_the_program(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    program = """
        import os, signal, sys, time
        sys.stdin.read()
        sys.stderr.write("x" * 10**6)  # until somebody reads all of it, which is what comes last
        print(os.getpid(), file=open(sys.argv[1], "w"), flush=True)
        os.kill(os.getppid(), signal.SIGUSR1)
        time.sleep(600)
    """
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            process.run([PYTHON, "-c", textwrap.dedent(program), tmp_path / "pid"])
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ended(int((tmp_path / "pid").read_text()))
    assert not process._running


@pytest.fixture
def family() -> Iterator[process._Family]:
    """A child that waits, without a mark of ours and with no pipe of anybody's."""
    child = subprocess.Popen([PYTHON, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    yield process._Family(child=child, mark="x", pipes=frozenset())
    child.communicate(b"\n")


def test_a_number_that_has_come_to_mean_another_process_is_left_alone(family: process._Family) -> None:
    assert not process._kill(family.child.pid, family, lambda *_: False)
    assert family.child.poll() is None


def test_a_process_that_ends_by_itself_meanwhile_was_not_ended(family: process._Family) -> None:
    def belongs(pid: int, _family: process._Family) -> bool:
        os.kill(pid, signal.SIGKILL)
        family.child.wait()
        return True

    assert not process._kill(family.child.pid, family, belongs)
    assert not process._kill(family.child.pid, family, lambda *_: True), "it is gone altogether"
    assert not process._holds(family.child.pid, family)
    assert not process._is_marked(family.child.pid, family)


def test_a_program_that_fails_for_what_the_machine_lacks_says_so_in_its_last_words() -> None:
    program = "raise OSError(28, 'No space left on device')"
    with pytest.raises(StepError, match="no space is left"):
        process.run([PYTHON, "-c", program])


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
