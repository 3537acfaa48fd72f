"""The engine that runs programs on this machine, apart from everything of it but the interpreter."""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from layerforge import elf, faults, process, resources
from layerforge.errors import EngineError
from layerforge.model import Arch, Interpreter, Job, Outcome, Target
from layerforge.runtimes import version

PROCESSORS = {"x86_64": Arch.X86_64, "amd64": Arch.X86_64, "aarch64": Arch.ARM64, "arm64": Arch.ARM64}
"""Lambda's word for a processor by the kernel's, in lower case."""

PRELUDE = """
import posix, sys
posix.dup2(1, 2)
sys.path[:0] = sys.argv[3:]
__file__, __maps__, sys.argv[:] = *sys.argv[1:3], sys.argv[1:2]
del posix, sys
try:
    exec(compile(open(0, "rb", closefd=False).read(), "init.py", "exec", dont_inherit=True))
    exec(compile(open(__file__, encoding="utf-8").read(), __file__, "exec", dont_inherit=True))
finally:
    if __maps__:
        open(__maps__, "wb").write(open("/proc/self/maps", "rb").read())
"""
"""Takes the job's first text from its standard input, which no module can read again, and as arguments the file of the
second, the file that is to tell what was loaded in the end, if any, and the folders to put before the standard
library. Both outputs become one, in order.

It imports nothing that is not loaded anyway, so that the program cannot lean on it."""

OPTIONS = ("-I", "-S", "-B", "-u", "-X", "faulthandler")

LIBRARIES_TOO = ("libnss_files.so.2", "libnss_dns.so.2")
"""What the C library loads by name where it has not got it inside."""

PROGRAMS = {
    "/usr/bin/sh": "sh",
    "/usr/bin/env": "env",
    "/usr/bin/uname": "uname",
    "/usr/sbin/ldconfig": "/sbin/ldconfig",
}
"""Programs that a run may start, by their place: those of Lambda's that need nothing but the C library."""

MEGABYTE = 2**20
LARGEST = 10_240 * MEGABYTE
"""Bytes of the largest function."""
DISK = 512 * MEGABYTE
"""Bytes of a function's ``/tmp``."""
HANDLES = PROCESSES = 1024
TRIAL_SECONDS = 60.0
NOWHERE = "/proc/sbx_user1051"
"""A home that is not there, and that nobody can make."""
CANNOT = 125
"""Status of ``enclose.py`` where it could not start the program."""


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
    namespaces: bool = True
    """Whether to shut programs off from this machine where its kernel lets us."""
    name: str = "host"

    @property
    def identity(self) -> str:
        """The machine and its interpreter, and how much of it a program could see when this was written."""
        return f"{self.machine} {self.interpreter} enclosed"

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

        Where the kernel lets us, the program has a root of its own, that holds the layer, the interpreter and what
        Lambda's runtime has, no network and no other process; where not, ``Outcome.open`` says so, and
        ``Outcome.foreign`` what was loaded of this machine. In both cases it has no site-packages, no variable of
        this process, no home, and bounds. Raises ``EngineError`` where there is no interpreter or it cannot be started.
        """
        if self.interpreter is None:
            raise EngineError(self.refusal(job.target))
        with tempfile.TemporaryDirectory(prefix="layerforge-") as name:
            folder = Path(name).resolve()
            try:
                view = _view(self.interpreter.path.absolute(), frozenset(job.target.runtime.libraries), self.namespaces)
                return _plainly(job, view, folder) if view.refused else _enclosed(job, view, folder)
            except OSError as error:
                if lacking := faults.scarce(error):
                    raise lacking from error
                raise EngineError(f"{self.interpreter.path} cannot be started: {error}") from error


# --- what a program may see


@dataclass(frozen=True, kw_only=True)
class View:
    """What of this machine a program is made of."""

    executable: str
    own: tuple[str, ...]
    """Files and folders of the interpreter, and libraries."""
    hidden: tuple[str, ...]
    """Folders inside these that are not the interpreter's."""
    links: Mapping[str, str]
    """Names that libraries are looked for by, below ``/usr/lib64``."""
    shown: Mapping[str, str]
    """Programs, by their place."""
    refused: str = ""
    """Why the kernel lets nobody have a root of his own; empty where it does."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What ``enclose.py`` takes; ``root`` is empty where only bounds are set."""

    root: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    limits: Mapping[str, int]
    own: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)


@cache
def _view(python: Path, names: frozenset[str], namespaces: bool) -> View:  # noqa: FBT001
    """The view of an interpreter where the runtime has libraries of these names; it is tried out once."""
    asked = [*sorted(names), *LIBRARIES_TOO]
    done = _enclose(python, "libraries", json.dumps(asked), b"", TRIAL_SECONDS)
    if done.status:
        raise EngineError(f"{python} does not say what it is made of", details=tuple(done.stderr.splitlines()[-12:]))
    found: dict[str, Any] = json.loads(done.stdout)
    view = View(
        executable=found["executable"],
        own=(found["executable"], *_outermost(found["paths"]), *found["libraries"]),
        hidden=tuple(str(one) for path in found["paths"] for one in _site_folders(Path(path))),
        links=_links(found["libraries"]),
        shown={place: path for place, name in PROGRAMS.items() if (path := shutil.which(name))},
    )
    return replace(view, refused=_tried(view) if namespaces else "they were not asked for")


def _outermost(paths: Iterable[str]) -> list[str]:
    """The paths that lie in no other of them."""
    outer: list[str] = []
    for path in sorted(paths):
        if not any(Path(path).is_relative_to(one) for one in outer):
            outer.append(path)
    return outer


def _site_folders(path: Path) -> Iterable[Path]:
    return (one for name in ("site-packages", "dist-packages") if (one := path / name).is_dir())


def _links(libraries: Iterable[str]) -> dict[str, str]:
    """The name that each library is asked for by. The loader itself stands in ``/lib`` on some processors."""
    found: dict[str, str] = {}
    for path in libraries:
        try:
            name = elf.facts(Path(path).read_bytes()).soname
        except (OSError, elf.Damaged):
            continue
        folders = ("/usr/lib64", "/usr/lib") if name.startswith("ld-linux") else ("/usr/lib64",)
        found.update({f"{folder}/{name}": path for folder in folders if name and f"{folder}/{name}" != path})
    return found


def _tried(view: View) -> str:
    """Why the kernel lets nobody have a root of his own; empty where it does."""
    with tempfile.TemporaryDirectory(prefix="layerforge-") as name:
        order = _order(view, Path(name), ("-c", "pass"), {}, TRIAL_SECONDS)
        done = _enclose(Path(view.executable), "run", json.dumps(asdict(order)), b"", TRIAL_SECONDS)
    said = done.stderr.strip().splitlines()[-1:] or [f"status {done.status}"]
    return said[0].partition(": ")[2] or said[0] if done.status or done.timed_out else ""


# --- runs


def _enclosed(job: Job, view: View, folder: Path) -> Outcome:
    """A run in a root of its own, where the layer lies at ``/opt``."""
    task = folder / "task"
    task.mkdir()
    (task / "program.py").write_text(job.program, "utf-8")
    (task / "program.py").chmod(0o644)
    # The program runs as another user, to whom /opt lies open whoever made this one, and with whatever umask.
    for place in (task, job.opt):
        place.chmod(0o755)
    arguments = ("-c", PRELUDE, "/var/task/program.py", "", *_folders(job, Path("/opt")))
    shown = {"/opt": str(job.opt.absolute()), "/var/task": str(task)}
    return _outcome(job, view, _order(view, folder, arguments, shown, job.timeout))


def _order(view: View, folder: Path, arguments: Iterable[str], shown: Mapping[str, str], timeout: float) -> Order:
    root = folder / "root"
    root.mkdir()
    return Order(
        root=str(root),
        argv=(view.executable, *OPTIONS, *arguments),
        env={
            "HOME": "/home/sbx_user1051",
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "LD_LIBRARY_PATH": "/lib64:/usr/lib64:/opt/lib",
        },
        cwd="/var/task",
        limits=_limits(timeout) | {"NPROC": PROCESSES},
        own=view.own,
        hidden=view.hidden,
        links=view.links,
        shown={**view.shown, **shown},
    )


def _plainly(job: Job, view: View, folder: Path) -> Outcome:
    """A run where the kernel gives no namespaces: what it loads of this machine is looked at afterwards."""
    program, maps, tmp, cwd = (folder / name for name in ("program.py", "maps", "tmp", "work"))
    program.write_text(job.program, "utf-8")
    tmp.mkdir()
    cwd.mkdir(mode=0o500)
    opt = job.opt.absolute()
    env = {
        "HOME": NOWHERE,
        "TMPDIR": str(tmp),
        "LANG": "C.UTF-8",
        "PATH": str(opt / "bin"),
        "LD_LIBRARY_PATH": str(opt / "lib"),
    }
    argv = (view.executable, *OPTIONS, "-c", PRELUDE, str(program), str(maps), *_folders(job, opt))
    order = Order(root="", argv=argv, env=env, cwd=str(cwd), limits=_limits(job.timeout))
    outcome = _outcome(job, view, order)
    open_ = f"this machine's files, network and processes were in sight ({view.refused})"
    return replace(outcome, open=open_, foreign=_foreign(maps, (*view.own, str(opt), str(tmp))))


def _foreign(maps: Path, known: Iterable[str]) -> tuple[str, ...]:
    """Libraries that lie in nothing known, of those that a process had loaded in the end."""
    if not maps.is_file():
        return ()
    rows = maps.read_text("utf-8", "surrogateescape").splitlines()
    paths = {row.split(None, 5)[5] for row in rows if "/" in row and "x" in row.split(None, 2)[1]}
    real = [Path(path).resolve() for path in known]
    return tuple(
        sorted(path for path in paths if path[0] == "/" and not any(Path(path).is_relative_to(one) for one in real))
    )


def _outcome(job: Job, view: View, order: Order) -> Outcome:
    done = _enclose(Path(view.executable), "run", json.dumps(asdict(order)), job.init.encode(), job.timeout)
    if done.status == CANNOT and done.stderr.startswith("layerforge-enclosure: "):
        raise EngineError(f"the run could not be shut off: {done.stderr.strip()}")
    return Outcome(
        status=done.status,
        output=done.stdout.decode("utf-8", "replace") + done.stderr,
        seconds=done.seconds,
        timed_out=done.timed_out,
    )


def _enclose(python: Path, what: str, text: str, stdin: bytes, timeout: float) -> process.Completed:
    program = resources.text("enclose.py")
    argv: list[str | Path] = [python, "-I", "-S", "-B", "-c", program, what, text]
    return process.run(argv, env={"LANG": "C.UTF-8"}, stdin=stdin, timeout=timeout)


def _limits(timeout: float) -> dict[str, int]:
    """Bounds of a program, by the system's names for them."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        # What a program writes to, since compiled code reserves many times what it uses.
        "DATA": min(LARGEST, machine),
        "CPU": math.ceil(timeout * (os.cpu_count() or 1)) + 1,
        "FSIZE": DISK,
        "NOFILE": HANDLES,
    }


def _folders(job: Job, opt: Path) -> tuple[str, ...]:
    """Where Lambda looks for a layer's modules, in its order."""
    site = opt / "python"
    return (str(site / "lib" / f"python{job.target.python}" / "site-packages"), str(site))


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
