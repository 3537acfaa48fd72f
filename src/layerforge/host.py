"""The engine that runs programs on this machine, apart from everything of it but the interpreter."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from layerforge import process
from layerforge.errors import EngineError
from layerforge.model import Arch, Interpreter, Job, Outcome, Target
from layerforge.runtimes import version

PROCESSORS = {"x86_64": Arch.X86_64, "amd64": Arch.X86_64, "aarch64": Arch.ARM64, "arm64": Arch.ARM64}
"""Lambda's word for a processor by the kernel's, in lower case."""

PRELUDE = """
import posix, sys
posix.dup2(1, 2)
sys.path[:0] = sys.argv[3:]
__file__, sys.argv[:] = sys.argv[1], sys.argv[2:3]
del posix, sys
exec(compile(open(__file__, encoding="utf-8").read(), __file__, "exec", dont_inherit=True))
__file__ = __import__("sys").argv[0]
exec(compile(open(__file__, encoding="utf-8").read(), __file__, "exec", dont_inherit=True))
"""
"""Takes the files of the job's two texts and the folders to put before the standard library. Both outputs become one,
in order.

It imports nothing that is not loaded anyway, so that the program cannot lean on it."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What decides whether a machine can run a target's code."""

    system: str
    """``linux``, as in ``sys.platform``."""
    processor: str
    """The kernel's word, ``x86_64`` or ``aarch64``."""
    glibc: tuple[int, ...] | None
    """Version of the GNU C library; ``None`` where there is another or none."""


def this_machine() -> Machine:
    """The machine that layerforge runs on."""
    return Machine(system=sys.platform, processor=platform.machine(), glibc=_glibc())


def _glibc() -> tuple[int, ...] | None:
    try:
        name, _, number = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        return version(number) if name == "glibc" else None
    except (AttributeError, ValueError, OSError):
        return None


@dataclass(frozen=True, kw_only=True)
class HostEngine:
    """Runs programs with an interpreter of this machine."""

    interpreter: Interpreter | None
    machine: Machine = field(default_factory=this_machine)
    name: str = "host"

    @property
    def identity(self) -> str:
        """The machine and its interpreter."""
        return f"{self.machine} {self.interpreter}"

    def refusal(self, target: Target) -> str:
        """Why this machine cannot run the target's code; empty where it can."""
        machine, needed = self.machine, target.runtime.glibc
        if machine.system != "linux":
            return f"this machine runs {machine.system}, Lambda runs Linux"
        if PROCESSORS.get(machine.processor.lower()) is not target.arch:
            return f"this machine's processor is {machine.processor}, the layer's is {target.arch}"
        if machine.glibc is None:
            return "this machine's C library is not glibc"
        if machine.glibc < needed:
            return f"this machine's glibc {_dotted(machine.glibc)} is older than Lambda's {_dotted(needed)}"
        if self.interpreter is None or not self.interpreter.version.startswith(f"{target.python}."):
            return f"there is no CPython {target.python} on this machine"
        return ""

    def run(self, job: Job) -> Outcome:
        """Runs a job with ``sys.path`` as Lambda has it: the layer's two folders, then the standard library.

        No site-packages, no variable of this process's environment, an empty home and an empty working folder that
        are gone afterwards. Raises ``EngineError`` where there is no interpreter or it cannot be started.
        """
        if self.interpreter is None:
            raise EngineError(self.refusal(job.target))
        with tempfile.TemporaryDirectory(prefix="layerforge-") as name:
            try:
                return _run(job, self.interpreter, Path(name).resolve())
            except OSError as error:
                raise EngineError(f"{self.interpreter.path} cannot be started: {error}") from error


def _run(job: Job, interpreter: Interpreter, folder: Path) -> Outcome:
    init, program, home, cwd = (folder / name for name in ("init.py", "program.py", "home", "work"))
    init.write_text(job.init, "utf-8")
    program.write_text(job.program, "utf-8")
    home.mkdir()
    cwd.mkdir()
    options = ["-I", "-S", "-B", "-u", "-X", "faulthandler"]
    argv: list[str | Path] = [interpreter.path.absolute(), *options, "-c", PRELUDE, init, program, *_folders(job)]
    done = process.run(argv, env=_environment(job, home), cwd=cwd, timeout=job.timeout)
    return Outcome(
        status=done.status,
        output=done.stdout.decode("utf-8", "replace") + done.stderr,
        seconds=done.seconds,
        timed_out=done.timed_out,
    )


def _folders(job: Job) -> list[Path]:
    """Where Lambda looks for a layer's modules, in its order."""
    site = job.opt.absolute() / "python"
    return [site / "lib" / f"python{job.target.python}" / "site-packages", site]


def _environment(job: Job, home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
        "LD_LIBRARY_PATH": str(job.opt.absolute() / "lib"),
    }


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
