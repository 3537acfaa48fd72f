"""The engine that runs programs on this machine, apart from everything of it but the interpreter."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from layerforge.build import host_function
from layerforge.build.engine import Job, Outcome
from layerforge.build.errors import EngineError
from layerforge.build.function import FunctionAnswer, FunctionCall
from layerforge.build.host_view import OPTIONS, EnclosureOrder, View, enclose, limits_for, order_of, view_of
from layerforge.build.interpreters import Interpreter
from layerforge.build.machine import Machine, this_machine
from layerforge.core import faults
from layerforge.core.paths import moved
from layerforge.core.runtimes import Target, arch_of

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

TASK = "/var/task"
BESIDE = "/var/layerforge"
"""Where the program lies when a function's own code is at ``/var/task``."""

RUNTIME = "/var/runtime"
"""Where Lambda's own Python has its packages."""

NOWHERE = "/proc/sbx_user1051"
"""A home that is not there, and that nobody can make."""

CANNOT = 125
"""Status of ``enclose.py`` where it could not start the program."""


@dataclass(frozen=True, kw_only=True)
class HostEngine:
    """Runs programs with an interpreter of this machine."""

    interpreter: Interpreter | None
    machine: Machine = field(default_factory=this_machine)
    namespaces: bool = True
    """Whether to shut programs off from this machine where its kernel lets us."""
    name: str = "host"
    has_runtime_packages: bool = False

    @property
    def identity(self) -> str:
        """The machine and its interpreter, and how much of it a program could see when this was written."""
        return f"{self.machine} {self.interpreter} enclosed"

    def refusal(self, target: Target) -> str:
        """Why this machine cannot run the target's code; empty where it can."""
        machine, needed = self.machine, target.runtime.glibc
        if machine.system != "linux":
            return f"this machine runs {machine.system}, Lambda runs Linux"
        if arch_of(machine.processor) is not target.arch:
            return f"this machine's processor is {machine.processor}, the layer's is {target.arch}"
        if machine.glibc is None:
            return "this machine's C library is not glibc"
        if machine.glibc < needed:
            return f"this machine's glibc {_dotted(machine.glibc)} is older than Lambda's {_dotted(needed)}"
        if self.interpreter is None or not self.interpreter.version.startswith(f"{target.python}."):
            return f"there is no CPython {target.python} on this machine"
        return ""

    def run(self, job: Job) -> Outcome:
        """Runs a job with ``sys.path`` as Lambda has it: the layer's two folders, the runtime's packages where the job
        brings them, then the standard library.

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
                view = view_of(
                    self.interpreter.path.absolute(), frozenset(job.target.runtime.libraries), self.namespaces
                )
                return _plainly(job, view, folder) if view.refused else _enclosed(job, view, folder)
            except OSError as error:
                if lacking := faults.scarce(error):
                    raise lacking from error
                raise EngineError(f"{self.interpreter.path} cannot be started: {error}") from error

    def invoke(self, call: FunctionCall) -> FunctionAnswer:
        """Invokes a function with what stands for Lambda's runtime here. Raises ``EngineError``."""
        return host_function.invoke(self.run, call)


def _enclosed(job: Job, view: View, folder: Path) -> Outcome:
    """A run in a root of its own, where the layer lies at ``/opt``."""
    task = folder / "task"
    task.mkdir()
    (task / "program.py").write_text(job.program, "utf-8")
    (task / "program.py").chmod(0o644)
    # The program runs as another user, to whom /opt lies open whoever made this one, and with whatever umask.
    for place in (task, job.opt):
        place.chmod(0o755)
    program = BESIDE if job.code else TASK
    arguments = ("-c", PRELUDE, f"{program}/program.py", "", *_folders(job, TASK, Path("/opt"), RUNTIME))
    shown = {"/opt": str(job.opt.absolute()), program: str(task)}
    if job.code:
        job.code.chmod(0o755)
        shown[TASK] = str(job.code.absolute())
    if job.runtime:
        shown[RUNTIME] = str(job.runtime.absolute())
    return _outcome(job, view, order_of(view, folder, arguments, shown, job.timeout, job.env))


def _plainly(job: Job, view: View, folder: Path) -> Outcome:
    """A run where the kernel gives no namespaces: what it loads of this machine is looked at afterwards."""
    program, maps, tmp, cwd = (folder / name for name in ("program.py", "maps", "tmp", "work"))
    program.write_text(job.program, "utf-8")
    tmp.mkdir()
    cwd.mkdir(mode=0o500)
    opt = job.opt.absolute()
    env = {
        **{name: moved(value, str(opt)) for name, value in job.env.items()},
        "HOME": NOWHERE,
        "TMPDIR": str(tmp),
        "LANG": "C.UTF-8",
        "PATH": str(opt / "bin"),
        "LD_LIBRARY_PATH": str(opt / "lib"),
    }
    runtime = str(job.runtime.absolute()) if job.runtime else ""
    code = str(job.code.absolute()) if job.code else ""
    argv = (view.executable, *OPTIONS, "-c", PRELUDE, str(program), str(maps), *_folders(job, code, opt, runtime))
    order = EnclosureOrder(root="", argv=argv, env=env, cwd=code or str(cwd), limits=limits_for(job.timeout))
    outcome = _outcome(job, view, order)
    open_ = f"this machine's files, network and processes were in sight ({view.refused})"
    known = (*view.own, str(opt), str(tmp), *filter(None, [runtime, code]))
    return replace(outcome, open=open_, foreign=_foreign(maps, known))


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


def _outcome(job: Job, view: View, order: EnclosureOrder) -> Outcome:
    done = enclose(Path(view.executable), "run", json.dumps(asdict(order)), job.init.encode(), job.timeout)
    if done.status == CANNOT and done.stderr.startswith("layerforge-enclosure: "):
        raise EngineError(f"the run could not be shut off: {done.stderr.strip()}")
    return Outcome(
        status=done.status,
        output=done.stdout.decode("utf-8", "replace") + done.stderr,
        seconds=done.seconds,
        timed_out=done.timed_out,
    )


def _folders(job: Job, code: str, opt: Path, runtime: str) -> tuple[str, ...]:
    """Where Lambda looks for modules, in its order: the function's own, then those of a layer, then those of its own
    Python.
    """
    site = opt / "python"
    first, own = (code,) if job.code else (), (runtime,) if job.runtime else ()
    return (*first, str(site / "lib" / f"python{job.target.python}" / "site-packages"), str(site), *own)


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
