"""Carries out the source steps of a plan: each in a container of its own, its result kept by the step's key."""

from __future__ import annotations

import io
import json
import os
import posixpath
import re
import shlex
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path, PurePosixPath

from layerforge import lock, process, resources, runtimes, sources, uvtool
from layerforge.errors import EngineError, StepError
from layerforge.model import (
    SYSTEM,
    Builder,
    Built,
    LibraryStep,
    Mount,
    Outcome,
    PackageStep,
    Plan,
    Progress,
    Settings,
    Source,
    SourceStep,
    Store,
    SystemStep,
    Task,
)
from layerforge.progress import megabytes
from layerforge.runtimes import PREFIX, WORK

MEMORY = 8 * 2**30
"""Most bytes that one step may use."""
TIMEOUT = 4 * 3600.0
"""Seconds that one step may take."""
_LAST_LINES = 25
_LONGEST = 400
"""Characters of a command that an error shows."""
_PATIENCE = 0.5
"""Seconds between two attempts to end what still runs."""
_START = "set -eu\nmkdir -p build tmp\ncd build\n"

HINTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (
            r"fatal error: '?(\S+?)'?:? (?:file not found|No such file)",
            "the header {0} is missing: add the library to `needs`, or the image's package to [build] packages",
        ),
        (
            r"cannot find -l(\S+)|unable to find library -l(\S+)",
            "the library {0} is missing: add it to `needs`, or the image's package to [build] packages",
        ),
        (
            r"Dependency \"?(\S+?)\"? not found|No package '(\S+)' found",
            "{0} is missing: add it to `needs`, or the image's package to [build] packages",
        ),
        (
            r"(\S+): (?:command )?not found",
            "the program {0} is missing: name the image's package that brings it in [build] packages",
        ),
        (r"ModuleNotFoundError: No module named '(\S+)'", "the module {0} is missing: add it to [build] requires"),
        (
            r"No space left on device",
            "the disk is full: free some space or set LAYERFORGE_CACHE to a larger one; /tmp holds 1 GB, $TMPDIR more",
        ),
        (
            r"Temporary failure in name resolution|Could not resolve host|Network is unreachable",
            "steps have no network: name what it fetches in the recipe",
        ),
        (
            r"Read-only file system",
            "a step may write to its working folder, $PREFIX and $TMPDIR alone: let it install there",
        ),
        (
            r"[Cc]annot fork|Resource temporarily unavailable",
            "a step may have 4,096 processes at once: does a script call itself?",
        ),
    )
)


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """What every step of one build shares."""

    plan: Plan
    builder: Builder
    store: Store
    progress: Progress
    workspace: Path
    logs: Path
    """Folder for the whole logs, which outlive the build."""
    sources: Sequence[Path]
    """Folders with archives that need not be downloaded."""
    memory: int = MEMORY
    timeout: float = TIMEOUT


def build(shop: Workshop, jobs: int) -> Built:
    """Carries out every source step, ``jobs`` of them at a time. Raises ``StepError`` where one fails."""
    steps = {name_of(step): step for step in shop.plan.steps if isinstance(step, SourceStep)}
    done = _in_order(shop, steps, jobs)
    wheels = {name: _one_wheel(done[name], name) for name, step in steps.items() if isinstance(step, PackageStep)}
    shipped = {name: done[name] for name, step in steps.items() if not isinstance(step, PackageStep)}
    return Built(wheels=wheels, shipped=shipped)


def _in_order(shop: Workshop, steps: Mapping[str, SourceStep], jobs: int) -> dict[str, Path]:
    """Result of each step by name. Where one fails or the user interrupts, those that still run are ended."""
    done: dict[str, Path] = {}
    # Before any thread starts: only this one can be interrupted while it waits for a server.
    archives = {name: _archive(shop, step) for name, step in steps.items() if not shop.store.get("built", step.key)}
    graph = TopologicalSorter({name: needs_of(step) for name, step in steps.items()})
    graph.prepare()
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        running: dict[Future[Path], str] = {}
        try:
            while graph.is_active():
                for name in graph.get_ready():
                    running[pool.submit(_carry_out, shop, steps[name], archives.get(name), dict(done))] = name
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    name = running.pop(future)
                    done[name] = future.result()
                    graph.done(name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # Again and again, since a thread may have been just about to start its container.
            while not all(future.done() for future in running):
                with suppress(EngineError):
                    shop.builder.stop()
                process.stop_all()
                wait(running, timeout=_PATIENCE)
            raise
    return done


def name_of(step: SourceStep) -> str:
    """What a step is called among the others."""
    match step:
        case LibraryStep():
            return step.library.name
        case PackageStep():
            return step.pin.name
        case SystemStep():
            return SYSTEM


def needs_of(step: SourceStep) -> tuple[str, ...]:
    """The steps that have to be done before."""
    match step:
        case LibraryStep():
            return step.library.needs
        case PackageStep():
            return step.package.needs
        case SystemStep():
            return ()


def _archive(shop: Workshop, step: SourceStep) -> Source | None:
    """What a step is made from, once it is here; ``None`` where that is the image itself."""
    match step:
        case LibraryStep():
            source = step.library.source
        case PackageStep():
            source = uvtool.find_sdist(step.pin, shop.plan.target, shop.plan.indexes)
        case SystemStep():
            return None
    sources.fetch(source, shop.store, shop.sources, shop.progress)
    return source


def _carry_out(shop: Workshop, step: SourceStep, source: Source | None, done: Mapping[str, Path]) -> Path:
    """Folder with the result of a step, from the store or made from ``source``."""
    name = name_of(step)
    folder = shop.workspace / f"step-{name.replace(' ', '-')}"
    out = folder / "out"
    folder.mkdir()
    with shop.progress.step(name) as shown:
        kept = shop.store.get("built", step.key)
        if kept is not None and tarfile.is_tarfile(io.BytesIO(kept)):
            _untar(kept, out, name)
            # What a recipe ships is no part of the key: it may have been named after this was made.
            _hold(name, out, _promised(step), "does `ship` name what the script installs?")
            shown.note(f"from the store, {megabytes(len(kept))}")
            return out
        out.mkdir()
        log = shop.logs / f"{name.replace(' ', '-')}-{step.key[:12]}.log"
        # What lay in the store a moment ago may have been cleared.
        source = source or _archive(shop, step)
        unpacked = _sources(shop, source, name, folder) if source else folder
        task = _task(shop, step, folder, unpacked, log, done)
        outcome = shop.builder.perform(task, lambda _line: None)
        _check(outcome, task, out, _promised(step))
        _refuse_native(task)
        packed = _tar(out, name)
        # What comes out of the archive is what later builds get, and nothing of it leads out of its folder.
        _untar(packed, made := folder / "made", name)
        shop.store.put("built", step.key, packed)
        shown.note(megabytes(len(packed)))
    return made


def _task(shop: Workshop, step: SourceStep, folder: Path, unpacked: Path, log: Path, done: Mapping[str, Path]) -> Task:
    """The container's work for a step: its folders, its environment, its command."""
    work = folder / "work"
    work.mkdir()
    needs = [(need, done[need]) for need in dict.fromkeys(_prefixes(step, shop.plan))]
    mounts = [Mount(source=work, target=WORK, writable=True)]
    mounts += [Mount(source=path, target=f"{PREFIX}/{need}") for need, path in needs]
    env = environment(shop.plan, [f"{PREFIX}/{need}" for need, _ in needs])
    match step:
        case LibraryStep():
            library = step.library
            mounts += [
                Mount(source=unpacked, target="/src"),
                Mount(source=folder / "out", target=f"{PREFIX}/{library.name}", writable=True),
            ]
            env |= {"PREFIX": f"{PREFIX}/{library.name}"}
            script = f"{_START}cp -R /src/. .\n{library.script}\n"
        case PackageStep():
            mounts += [
                Mount(source=unpacked, target="/src"),
                Mount(source=_environment(shop, step, folder, done), target="/env"),
                Mount(source=_driver(step, unpacked, folder), target="/driver"),
                Mount(source=folder / "out", target="/out", writable=True),
            ]
            env |= {"PYTHONPATH": "/driver:/env"}
            script = f"{_START}cp -R /src/. .\npython3 /driver/build_wheel.py /driver/settings.json /out\n"
        case SystemStep():
            mounts += [Mount(source=folder / "out", target="/out", writable=True)]
            script = _START + "".join(_copy_library(soname) for soname in step.sonames)
    return Task(
        name=name_of(step),
        argv=("/bin/sh", "-c", script),
        env=with_settings(env, step),
        mounts=tuple(mounts),
        workdir=WORK,
        log=log,
        memory=shop.memory,
        timeout=shop.timeout,
    )


def _prefixes(step: SourceStep, plan: Plan) -> Iterator[str]:
    """Libraries that a step needs, those included that its needs need; one may come twice."""
    steps = {name_of(one): one for one in plan.steps if isinstance(one, SourceStep)}
    for need in needs_of(step):
        yield from (name for name in _prefixes(steps[need], plan) if name != need)
        if isinstance(steps[need], LibraryStep):
            yield need


def environment(plan: Plan, prefixes: Sequence[str]) -> dict[str, str]:
    """The environment of every step: the same on every machine, and what it needs where compilers look for it."""
    flags = runtimes.FLAGS[plan.target.arch]
    return {
        "HOME": WORK,
        # A container's own /tmp is memory, and small.
        "TMPDIR": f"{WORK}/tmp",  # noqa: S108 - a folder of the step
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PATH": "/env/bin:/var/lang/bin:/usr/local/bin:/usr/bin:/bin",
        "JOBS": str(os.cpu_count() or 1),
        "SOURCE_DATE_EPOCH": str(plan.epoch),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "CFLAGS": flags,
        "CXXFLAGS": flags,
        "FFLAGS": flags.replace(" -g0", ""),
        "LDFLAGS": runtimes.LINK_FLAGS,
        "CPATH": ":".join(f"{prefix}/include" for prefix in prefixes),
        "LIBRARY_PATH": ":".join(f"{prefix}/lib" for prefix in prefixes),
        "LD_LIBRARY_PATH": ":".join(["/var/lang/lib", *(f"{prefix}/lib" for prefix in prefixes)]),
        "PKG_CONFIG_PATH": ":".join(f"{prefix}/lib/pkgconfig" for prefix in prefixes),
        "CMAKE_PREFIX_PATH": ";".join(prefixes),
    }


def with_settings(env: Mapping[str, str], step: SourceStep) -> dict[str, str]:
    """The environment with what the recipe sets for the step, and adds to it."""
    settings = Settings() if isinstance(step, SystemStep) else step.settings
    made = {**env, **settings.env}
    return made | {name: f"{made.get(name, '')} {more}".strip() for name, more in settings.flags.items()}


def _sources(shop: Workshop, source: Source, name: str, folder: Path) -> Path:
    data = sources.fetch(source, shop.store, shop.sources, shop.progress)
    return sources.unpack(data, name, folder)


def _environment(shop: Workshop, step: PackageStep, folder: Path, done: Mapping[str, Path]) -> Path:
    """The build environment: what is locked for it, and the packages that the same plan has compiled."""
    env = folder / "env"
    compiled = [(need, path) for need in step.package.needs if (path := done.get(need)) and list(path.glob("*.whl"))]
    own = [lock.local_pin(need, _one_wheel(path, need)) for need, path in compiled]
    uvtool.install_for_image(lock.render([*step.build_pins, *own]), shop.plan.target, env, shop.plan.indexes)
    return env


def _driver(step: PackageStep, unpacked: Path, folder: Path) -> Path:
    """The program that calls the build backend, and its settings."""
    driver = folder / "driver"
    driver.mkdir()
    for file in ("build_wheel.py", "sitecustomize.py"):
        (driver / file).write_text(resources.text(file), "utf-8")
    config = {key: list(values) for key, values in step.settings.config.items()}
    name, path = sources.build_backend(unpacked)
    settings = {"backend": name, "backend_path": list(path), "config": config}
    (driver / "settings.json").write_text(json.dumps(settings), "utf-8")
    return driver


def _copy_library(soname: str) -> str:
    """Shell that copies a library to where the image's own compiler or loader finds it."""
    name = shlex.quote(soname)
    return f"""found=$(ldconfig -p 2>/dev/null | sed -n 's/.* => //p' | grep -F "/"{name} | head -n 1)
[ -n "$found" ] || found=$(cc -print-file-name={name})
[ -f "$found" ] || {{ echo "the image has no library "{name}; exit 1; }}
mkdir -p /out/lib && cp -L "$found" /out/lib/{name}
"""


def _check(outcome: Outcome, task: Task, out: Path, promised: Iterable[str]) -> None:
    """Raises ``StepError`` where a step failed, or succeeded without a result."""
    name = task.name
    evidence = tuple(outcome.output.splitlines()[-_LAST_LINES:])
    where = f"the whole log: {task.log}"
    if outcome.out_of_memory:
        raise StepError(
            f"{name} ran out of memory: it may have {megabytes(task.memory)}",
            hint=f"fewer at a time with --jobs 1; {where}",
            details=evidence,
        )
    if outcome.timed_out:
        raise StepError(
            f"{name} did not end within {task.timeout:,.0f} seconds",
            hint=f"does it wait for something? {where}",
            details=evidence,
        )
    if outcome.status:
        hint = "; ".join([*_fitting_hint(outcome.output), where])
        signal = process.signal_name(outcome.status)
        how = f"was ended by {signal}" if signal else f"failed with status {outcome.status}"
        raise StepError(f"{name} {how}", hint=hint, details=evidence)
    _hold(name, out, promised, f"does the script install into $PREFIX? {where}", evidence)


def _hold(name: str, out: Path, promised: Iterable[str], hint: str, evidence: tuple[str, ...] = ()) -> None:
    """Raises ``StepError`` where a result lacks what the recipe says of it."""
    missing = [glob for glob in promised if not list(out.glob(glob))]
    if missing:
        raise StepError(f"{name} ended well but did not make {', '.join(missing)}", hint=hint, details=evidence)


def _refuse_native(task: Task) -> None:
    """Raises ``StepError`` where a command in a step's log compiled for the processor of this machine."""
    with task.log.open(encoding="utf-8", errors="replace") as log:
        for line in log:
            if runtimes.compiles_for_this_machine(line):
                raise StepError(
                    f"{task.name} was compiled for this machine's processor, which Lambda's need not be like",
                    hint=f"take that flag out, with an option of the package or a sed in the script; "
                    f"the whole log: {task.log}",
                    details=(line.strip()[:_LONGEST],),
                )


def _promised(step: SourceStep) -> Iterator[str]:
    match step:
        case LibraryStep():
            yield from step.library.ship
        case PackageStep():
            yield "*.whl"
        case SystemStep():
            yield from (f"lib/{soname}" for soname in step.sonames)


def _fitting_hint(output: str) -> Iterator[str]:
    for pattern, hint in HINTS:
        if match := pattern.search(output):
            yield hint.format(next((group for group in match.groups() if group), ""))
            return


def _one_wheel(folder: Path, name: str) -> Path:
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise StepError(f"{name} made {len(wheels)} wheels instead of one", hint="is it the right package?")
    return wheels[0]


def _tar(folder: Path, name: str) -> bytes:
    """A folder as an archive without dates and owners, the same for the same files.

    Links to the folder's place in the container become relative. Raises ``StepError`` for what is neither a file nor a
    folder nor a link.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            info = tar.gettarinfo(path, path.relative_to(folder).as_posix())
            if info is None or not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
                raise _odd(name, f"{path.relative_to(folder)} is neither a file nor a folder nor a link")
            place = PurePosixPath(PREFIX, name)
            if info.issym() and PurePosixPath(info.linkname).is_relative_to(place):
                target = PurePosixPath(info.linkname).relative_to(place)
                info.linkname = posixpath.relpath(target, posixpath.dirname(info.name) or ".")
            info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
            info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
            if info.isreg():
                # Hard links would name a file by whichever came first.
                info.type, info.linkname, info.size = tarfile.REGTYPE, "", path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)
    return buffer.getvalue()


def _untar(data: bytes, into: Path, name: str) -> None:
    """Unpacks a step's result. Raises ``StepError`` where a link in it leads out of the folder."""
    into.mkdir()
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            tar.extractall(into, filter="data")
    except tarfile.FilterError as error:
        raise _odd(name, str(error)) from error


def _odd(name: str, what: str) -> StepError:
    return StepError(
        f"{name} made something that no layer may hold",
        hint="links have to stay below $PREFIX, and there may be no sockets, pipes and devices",
        details=(what,),
    )
