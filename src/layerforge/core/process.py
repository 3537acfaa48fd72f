"""Child processes: the only module that starts one.

What a child has started ends with it, also what left its group: everything that carries the mark that the child was
given in its environment, and what holds one of its pipes. Other processes of this one are left alone.
"""

from __future__ import annotations

import errno
import os
import resource
import secrets
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from layerforge.core import faults

MARK = "LAYERFORGE_RUN"
"""Variable by which the processes of one run are known again."""

_JOIN_SECONDS = 5.0
"""How long output is waited for after everything that could write more has ended."""

_ROUNDS = 20
"""How often what starts new processes while it is being ended is looked for again."""

_CHUNK = 1 << 16
FEWEST_HANDLES = 32
"""Files that a child must be able to open. With fewer, programs fail in ways that do not name the cause."""


@dataclass(frozen=True, kw_only=True)
class _Family:
    """A child, and how what it starts is known."""

    child: subprocess.Popen[bytes]
    mark: str
    pipes: frozenset[str]
    """As the kernel names them: ``pipe:[4711]``."""


_running: dict[int, _Family] = {}

# A signal may come while the main thread holds it.
_lock = threading.RLock()


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
    killed. What it leaves running is ended with it. Raises ``OSError`` where the program cannot be started, and the
    ``LayerforgeError`` that fits where that, or its failure, came of a machine that lacks something.
    """
    started = time.monotonic()
    family = _start(argv, dict(os.environ if env is None else env), cwd)
    child = family.child
    with _lock:
        _running[child.pid] = family
    try:
        done = _drain(family, started, stdin, timeout, on_line)
    except BaseException:
        _end_child(family)
        raise
    finally:
        with _lock:
            _running.pop(child.pid, None)
    if done.status > 0 and (lacking := faults.told(done.stderr)):
        raise lacking
    return done


def _start(argv: Sequence[str | Path], env: dict[str, str], cwd: Path | None) -> _Family:
    mark = secrets.token_hex(16)
    if 0 <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] < FEWEST_HANDLES:
        raise faults.of(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
    try:
        child = subprocess.Popen(
            [str(arg) for arg in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**env, MARK: mark},
            cwd=cwd,
            # A group of its own, so that what the child has started ends with it.
            start_new_session=True,
        )
    except OSError as error:
        if lacking := faults.scarce(error):
            raise lacking from error
        raise
    pipes = (stream for stream in (child.stdout, child.stderr) if stream is not None)
    names = frozenset(f"pipe:[{os.fstat(stream.fileno()).st_ino}]" for stream in pipes)
    return _Family(child=child, mark=f"{MARK}={mark}", pipes=names)


def _drain(
    family: _Family,
    started: float,
    stdin: bytes,
    timeout: float | None,
    on_line: Callable[[str], None] | None,
) -> Completed:
    """Feeds and reads all three pipes at once, so that no full pipe can block the child."""
    child = family.child
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
    _end_child(family)
    if not _joined(threads):
        # Somebody without the mark holds a pipe open. Who cannot be found may hold it for good.
        _end_all(family, _holds)
        _joined(threads)
    return Completed(
        status=child.returncode,
        stdout=b"".join(out),
        stderr="".join(err),
        seconds=time.monotonic() - started,
        timed_out=timed_out,
    )


def _joined(threads: Sequence[threading.Thread]) -> bool:
    """Waits until all have ended, but not for long. Returns whether they have."""
    until = time.monotonic() + _JOIN_SECONDS
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _feed(child: subprocess.Popen[bytes], data: bytes) -> None:
    assert child.stdin is not None
    # A child may end before it has read everything; its status tells why.
    with suppress(BrokenPipeError):
        child.stdin.write(data)
    with suppress(BrokenPipeError):
        child.stdin.close()


def _read(child: subprocess.Popen[bytes], out: list[bytes]) -> None:
    assert child.stdout is not None
    while chunk := os.read(child.stdout.fileno(), _CHUNK):
        out.append(chunk)
    child.stdout.close()


def _lines(child: subprocess.Popen[bytes], err: list[str], on_line: Callable[[str], None] | None) -> None:
    assert child.stderr is not None
    for raw in child.stderr:
        line = raw.decode("utf-8", "replace")
        err.append(line)
        if on_line is not None:
            on_line(line.rstrip("\n"))
    child.stderr.close()


def _end_child(family: _Family) -> None:
    """Ends the child, its group, and whatever has left that."""
    _strike(family)
    family.child.wait()
    _end_all(family, _is_marked)


def _strike(family: _Family) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(family.child.pid, signal.SIGKILL)


def _end_all(family: _Family, belongs: Callable[[int, _Family], bool]) -> None:
    """Ends this user's processes that belong to a family. Finds none where there is no ``/proc``."""
    for _ in range(_ROUNDS):
        try:
            found = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]
        except OSError:
            return
        others = [pid for pid in found if pid != os.getpid() and belongs(pid, family)]
        if not [pid for pid in others if _kill(pid, family, belongs)]:
            return


def _is_marked(pid: int, family: _Family) -> bool:
    try:
        return family.mark.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it is another user's, or has ended meanwhile
        return False


def _holds(pid: int, family: _Family) -> bool:
    """Whether a process can write into one of the pipes."""
    try:
        return any(_is_end(file, family.pipes) for file in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _is_end(file: Path, pipes: frozenset[str]) -> bool:
    try:
        return str(file.readlink()) in pipes and bool(file.lstat().st_mode & stat.S_IWUSR)
    except OSError:
        return False


def _kill(pid: int, family: _Family, belongs: Callable[[int, _Family], bool]) -> bool:
    """Ends a process, if that number still is one of the family. Returns whether there was one to end."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        # From here on the number cannot come to mean another process.
        if not belongs(pid, family):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def stop_all() -> None:
    """Ends every child that other threads still wait for, so that an interrupted program can leave at once."""
    with _lock:
        families = list(_running.values())
    for family in families:
        _strike(family)
        _end_all(family, _is_marked)


def signal_name(status: int) -> str:
    """``SIGSEGV`` for a status of -11; empty for one that is no signal."""
    try:
        return signal.Signals(-status).name if status < 0 else ""
    except ValueError:
        return f"signal {-status}"
