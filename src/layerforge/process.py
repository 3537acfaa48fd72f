"""Child processes: the only module that starts one."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_running: set[subprocess.Popen[bytes]] = set()
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Completed:
    """How a child process ended."""

    status: int
    """Exit status; the negated signal number where one ended it."""
    stdout: bytes
    stderr: str
    seconds: float
    timed_out: bool = False


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    timeout: float | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Completed:
    """Runs ``argv`` to its end. ``on_line`` gets each line of its standard error as it comes.

    ``env`` replaces the environment; ``None`` passes this process's own on. After ``timeout`` seconds the child is
    killed. Raises ``OSError`` where the program cannot be started.
    """
    started = time.monotonic()
    child = subprocess.Popen(
        [str(arg) for arg in argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if env is None else dict(env),
        cwd=cwd,
        # A group of its own, so that what the child has started ends with it.
        start_new_session=True,
    )
    with _lock:
        _running.add(child)
    try:
        return _drain(child, started, stdin, timeout, on_line)
    finally:
        _end(child)
        with _lock:
            _running.discard(child)


def _drain(
    child: subprocess.Popen[bytes],
    started: float,
    stdin: bytes,
    timeout: float | None,
    on_line: Callable[[str], None] | None,
) -> Completed:
    """Feeds and reads all three pipes at once, so that no full pipe can block the child."""
    out: list[bytes] = []
    err: list[str] = []
    threads = [
        threading.Thread(target=_feed, args=(child, stdin), daemon=True),
        threading.Thread(target=_read, args=(child, out), daemon=True),
        threading.Thread(target=_lines, args=(child, err, on_line), daemon=True),
    ]
    for thread in threads:
        thread.start()
    timed_out = False
    try:
        child.wait(timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        _kill(child)
        child.wait()
    for thread in threads:
        thread.join()
    return Completed(
        status=child.returncode,
        stdout=b"".join(out),
        stderr="".join(err),
        seconds=time.monotonic() - started,
        timed_out=timed_out,
    )


def _feed(child: subprocess.Popen[bytes], data: bytes) -> None:
    assert child.stdin is not None
    # A child may end before it has read everything; its status tells why.
    with suppress(BrokenPipeError):
        child.stdin.write(data)
    with suppress(BrokenPipeError):
        child.stdin.close()


def _read(child: subprocess.Popen[bytes], out: list[bytes]) -> None:
    assert child.stdout is not None
    out.append(child.stdout.read())
    child.stdout.close()


def _lines(child: subprocess.Popen[bytes], err: list[str], on_line: Callable[[str], None] | None) -> None:
    assert child.stderr is not None
    for raw in child.stderr:
        line = raw.decode("utf-8", "replace")
        err.append(line)
        if on_line is not None:
            on_line(line.rstrip("\n"))
    child.stderr.close()


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        _kill(child)
        child.wait()


def _kill(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def stop_all() -> None:
    """Ends every child that other threads still wait for, so that an interrupted program can leave at once."""
    with _lock:
        children = list(_running)
    for child in children:
        _kill(child)


def signal_name(status: int) -> str:
    """``SIGSEGV`` for a status of -11; empty for one that is no signal."""
    try:
        return signal.Signals(-status).name if status < 0 else ""
    except ValueError:
        return f"signal {-status}"
