"""Signals at any moment of the program's life, by a process that sends itself one."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

from layerforge.core import interrupts

PROGRAM = """
    import os, runpy, signal, sys
    left, number, event = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

    def hook(name, arguments):
        global left
        if name == event and "layerforge.cli" in sys.modules:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), number)

    sys.addaudithook(hook)
    sys.argv = ["layerforge", *sys.argv[4:]]
    runpy.run_module("layerforge", run_name="__main__")
"""


def interrupted(count: int, number: signal.Signals, *arguments: str, event: str = "import") -> tuple[int, str]:
    """Exit code and standard error of a program that gets a signal at its ``count``-th import."""
    argv = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(count), str(number.value), event, *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("count", [1, 10, 40, 150, 300])
def test_a_signal_while_libraries_are_loaded_ends_the_program_without_a_word(
    count: int, number: signal.Signals
) -> None:
    assert interrupted(count, number, "publish", "--help") == (130, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_work_goes_on_is_told_without_a_traceback(number: signal.Signals) -> None:
    code, said = interrupted(1, number, "doctor", event="subprocess.Popen")
    assert (code, said.splitlines()[-1]) == (130, "interrupted; nothing half-written is left behind")
    assert "Traceback" not in said


def test_a_second_signal_leaves_at_once_and_a_late_one_changes_nothing() -> None:
    program = """
        import os, signal
        from layerforge.core import interrupts
        def kill(): os.kill(os.getpid(), signal.SIGINT)
        interrupts.raise_once(lambda: print("ended", flush=True))
        try:
            kill()
        except KeyboardInterrupt:
            print("first", flush=True)
        if {late}:
            interrupts.ignore()
        kill()
        print("alive", flush=True)
    """
    ran = []
    for late in (False, True):
        argv = [sys.executable, "-c", textwrap.dedent(program.format(late=late))]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        ran.append((done.returncode, done.stdout.split(), done.stderr))
    assert ran == [(130, ["first", "ended"], ""), (0, ["first", "alive"], "")]


@pytest.mark.parametrize("waits", ["threading.Event().wait()", "queue.SimpleQueue().get()", "Future().result()"])
def test_a_signal_that_another_thread_gets_ends_what_the_main_thread_waits_for(waits: str) -> None:
    program = f"""
        import queue, signal, threading, time
        from concurrent.futures import Future
        from layerforge.core import interrupts
        interrupts.raise_once(lambda: None)
        def take():
            time.sleep(0.2)
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
            time.sleep(60)
        threading.Thread(target=take, daemon=True).start()
        try:
            {waits}
        except KeyboardInterrupt:
            print("heard", flush=True)
    """
    argv = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "heard\n", "")


def test_a_program_that_starts_with_ctrl_c_ignored_goes_on_to_ignore_it() -> None:
    program = """
        import os, signal
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        from layerforge.core import interrupts
        interrupts.leave_at_once()
        os.kill(os.getpid(), signal.SIGINT)
        print("alive")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n")


@pytest.fixture
def handlers() -> Iterator[None]:
    """The handlers of this process, which it gets back."""
    kept = {number: signal.getsignal(number) for number in (*interrupts.SIGNALS, signal.SIGURG)}
    wakeup = signal.set_wakeup_fd(-1)
    yield
    opened = signal.set_wakeup_fd(wakeup)
    if opened >= 0:
        os.close(opened)  # which ends the thread that reads what is written there
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_the_first_signal_can_be_caught_and_ends_nothing_by_itself(number: signal.Signals) -> None:
    ended: list[str] = []
    interrupts.raise_once(lambda: ended.append("called"))
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    assert not ended, "what ends the rest is for the second signal"


@pytest.mark.usefixtures("handlers")
def test_once_all_is_written_signals_are_ignored_and_stay_so() -> None:
    interrupts.ignore()
    for number in interrupts.SIGNALS:
        os.kill(os.getpid(), number)
    interrupts.raise_once(lambda: None)
    assert {signal.getsignal(number) for number in interrupts.SIGNALS} == {signal.SIG_IGN}
