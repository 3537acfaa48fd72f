"""The container's work for a step: its folders, its environment, its command."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layerforge.build import compiler_flags, module_flags
from layerforge.build.compiler_flags import PREFIX, WORK
from layerforge.build.durations import SharedClock
from layerforge.build.engine import Builder, Mount, Task
from layerforge.build.packed import one_wheel
from layerforge.build.plan import LibraryStep, PackageStep, SourceStep, SystemStep, name_of
from layerforge.build.work import StepWork
from layerforge.core import resources
from layerforge.core.watched import go_on
from layerforge.resolve import lock, sdists, sources, unpack_source, uv_install, wheels
from layerforge.resolve.recipe import Settings
from layerforge.resolve.sources import Search

MEMORY = 8 * 2**30
"""Most bytes that one step may use."""

TIMEOUT = 4 * 3600.0
"""Seconds that one step may take."""

_START = "set -eu\nmkdir -p build tmp\ncd build\n"


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """What a step is carried out with."""

    builder: Builder
    search: Search
    workspace: Path
    """Folder of this step alone."""
    logs: Path
    """Folder for the whole logs, which outlive the build."""
    indexes: tuple[str, ...] = ()
    """Options of a requirements file that say where wheels are looked for. They may hold passwords."""
    memory: int = MEMORY
    timeout: float = TIMEOUT
    clock: SharedClock = field(default_factory=SharedClock)


def task_of(work: StepWork, context: StepContext, folder: Path, unpacked: Path, log: Path) -> Task:
    """The container's work for a step: its folders, its environment, its command.

    ``folder`` is the step's own; below its ``inputs`` lies what the step takes, by name.
    """
    step = work.step
    files = folder / "work"
    files.mkdir()
    libraries = [one.name for one in work.inputs if one.library]
    mounts = [Mount(source=files, target=WORK, writable=True)]
    mounts += [Mount(source=folder / "inputs" / name, target=f"{PREFIX}/{name}") for name in libraries]
    env = environment(work, [f"{PREFIX}/{name}" for name in libraries])
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
                Mount(source=_environment(work, step, context, folder), target="/env"),
                Mount(source=_driver(step, unpacked, folder), target="/driver"),
                Mount(source=folder / "out", target="/out", writable=True),
            ]
            env |= {"PYTHONPATH": "/driver:/env"}
            flags = step.settings.module_flags
            mounts += [module_flags.mount_of(flags, folder)] if flags else []
            make = "python3 /driver/build_wheel.py /driver/settings.json /out\n"
            make = f"{module_flags.BEFORE}{make}{module_flags.AFTER}" if flags else make
            script = f"{_START}cp -R /src/. .\n{make}"
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
        memory=context.memory,
        timeout=context.timeout,
    )


def plain_environment(env: str) -> dict[str, str]:
    """What every program in a container is told, the same on every machine; ``env`` is the folder of its packages."""
    return {
        "HOME": WORK,
        # A container's own /tmp is memory, and small.
        "TMPDIR": f"{WORK}/tmp",  # noqa: S108 - a folder of the step
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PATH": f"{env}/bin:/var/lang/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def environment(work: StepWork, prefixes: Sequence[str]) -> dict[str, str]:
    """The environment of every step: the same on every machine, and what it needs where compilers look for it."""
    flags = compiler_flags.FLAGS[work.target.arch]
    return plain_environment("/env") | {
        "JOBS": str(os.cpu_count() or 1),
        "SOURCE_DATE_EPOCH": str(work.epoch),
        "CFLAGS": flags,
        "CXXFLAGS": flags,
        "FFLAGS": flags.replace(" -g0", ""),
        "LDFLAGS": compiler_flags.LINK_FLAGS,
        "CPATH": ":".join(f"{prefix}/include" for prefix in prefixes),
        "LIBRARY_PATH": ":".join(f"{prefix}/lib" for prefix in prefixes),
        "LD_LIBRARY_PATH": ":".join(["/var/lang/lib", *(f"{prefix}/lib" for prefix in prefixes)]),
        "PKG_CONFIG_PATH": ":".join(f"{prefix}/lib/pkgconfig" for prefix in prefixes),
        "CMAKE_PREFIX_PATH": ";".join(prefixes),
    }


def with_settings(env: Mapping[str, str], step: SourceStep) -> dict[str, str]:
    """The environment with what the recipe sets for the step, and adds to it."""
    settings = Settings() if isinstance(step, SystemStep) else step.settings
    variables = {**env, **settings.env}
    return variables | {name: f"{variables.get(name, '')} {more}".strip() for name, more in settings.flags.items()}


def unpacked_source(context: StepContext, work: StepWork, folder: Path) -> Path:
    """The sources of a step, unpacked below ``folder``; that itself for one that is made from the image alone."""
    source, step = work.source, work.step
    if source is None:
        return folder
    if not source.url and isinstance(step, PackageStep):
        # Whoever planned it had the file, and may have had no right to share it.
        source = sdists.find(step.pin, work.target, context.search, context.indexes)
    data, search = sources.fetch(source, context.search), context.search
    return unpack_source.unpack(data, name_of(step), folder, going_on=lambda: go_on(search.progress))


def _environment(work: StepWork, step: PackageStep, context: StepContext, folder: Path) -> Path:
    """The build environment: what is locked for it, and the packages that it needs, which were compiled."""
    env = folder / "env"
    compiled = [(one.name, folder / "inputs" / one.name) for one in work.inputs if not one.library]
    own = [lock.local_pin(name, one_wheel(path, name)) for name, path in compiled]
    text, pins = lock.render([*step.build_pins, *own]), [*step.build_pins, *own]
    shelf = wheels.shelved(pins, work.target, context.search, context.indexes)
    uv_install.install_for_image(text, work.target, env, context.indexes, shelf)
    wheels.keep(shelf, context.search)
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
