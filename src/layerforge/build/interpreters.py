"""Finds the CPython that compiles and runs code for a target, or has uv get it."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from layerforge.build.engine import Builder
from layerforge.build.errors import EngineError
from layerforge.core import process
from layerforge.core.errors import UsageError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import announced, runtimes
from layerforge.core.uv_program import uv_program


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A CPython on this machine."""

    path: Path
    version: str
    """Full version, ``3.13.0``."""


PROBE = """
import importlib.util, json, sys
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": sys.version.split()[0],
    "magic": int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little"),
    "abi": getattr(sys, "abiflags", ""),
}))
"""

PROBE_TIMEOUT = 60.0
"""Seconds that an interpreter may take to say what it is; a first start on a cold disk is slow."""

LANG = "/var/lang"
"""Where Lambda's images have their interpreter."""

FETCH_TIMEOUT = 600.0
"""Seconds that a download of an interpreter may take; one has some 30 MB."""

_REFUSED = {"never", "manual", "false", "0"}
"""Values of UV_PYTHON_DOWNLOADS that leave downloads to the user."""


def find(python: str, *, own: Path | None = None, uv: Path | None = None) -> Interpreter | None:
    """A CPython of the minor version ``python`` (``3.13``) on this machine, or ``None``.

    The running one is preferred, then those of pyenv, active or not, and those on ``PATH``, then what
    ``uv python find`` knows, then what ``find_or_fetch`` put into the folder ``own``. Nothing is downloaded. Candidates
    that make other bytecode than Lambda's runtime, such as a pre-release, and free-threaded builds, which cannot load a
    layer's extension modules, do not count.
    """
    for path in _candidates(python, own, uv):
        found = _probe(path, python)
        if found is not None:
            return found
    return None


def find_or_fetch(python: str, own: Path, progress: Progress, *, uv: Path | None = None) -> Interpreter | None:
    """What ``find`` finds; where that is nothing, what uv downloads into ``own``, and a line that says so.

    ``None`` where it can be had in neither way, or the user's ``UV_PYTHON_DOWNLOADS`` forbids it.
    """
    found = find(python, own=own, uv=uv)
    if found is not None or not may_fetch():
        return found
    progress.say(f"no CPython {python} on this machine: uv gets one into {own}")
    if failed := _fetch(python, own, uv):
        progress.warn(f"uv could not get CPython {python}: {failed}")
        return None
    return find(python, own=own, uv=uv)


def from_image(builder: Builder, python: str, own: Path, progress: Progress) -> Interpreter | None:
    """The interpreter of the engine's image, copied into ``own`` once; ``None`` where it does not run on this machine.

    Bytecode is the same on every processor, but a program is not, and this one may need a newer C library.
    """
    folder = own / f"image-{builder.image.identity.removeprefix('sha256:')[:16]}"
    if not folder.is_dir():
        progress.say(f"no CPython {python} on this machine: it is copied out of the image into {folder}")
        own.mkdir(parents=True, exist_ok=True)
        try:
            builder.copy_out(LANG, folder)
        except EngineError as error:
            progress.warn(f"the image's CPython cannot be copied: {error.message}")
            return None
    return _probe(_launcher(folder, python), python)


def _launcher(folder: Path, python: str) -> Path:
    """A program that starts a copied interpreter with its own libraries, which are not where it was linked to."""
    launcher, lang = folder / f"python{python}", folder.absolute()
    program, libraries = (shlex.quote(str(lang / part)) for part in (f"bin/python{python}", "lib"))
    text = f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {program} "$@"\n'
    if not launcher.is_file() or launcher.read_text("utf-8") != text:
        launcher.write_text(text, "utf-8")
        launcher.chmod(0o755)
    return launcher


def may_fetch() -> bool:
    """Whether the user leaves downloads of interpreters to uv, as it does by default."""
    return os.environ.get("UV_PYTHON_DOWNLOADS", "").strip().lower() not in _REFUSED


def _fetch(python: str, own: Path, uv: Path | None) -> str:
    """Has uv download an interpreter; what went wrong, if anything did."""
    env = {**os.environ, "UV_PYTHON_INSTALL_DIR": str(own.absolute())}
    argv = [uv or uv_program(), "python", "install", "--no-bin", "--no-progress", f"cpython@{python}"]
    try:
        own.mkdir(parents=True, exist_ok=True)
        done = process.run(argv, env=env, timeout=FETCH_TIMEOUT)
    except OSError as error:
        return error.strerror or str(error)
    # The last cause is the one that a person can do something about.
    lines = [line.strip().removeprefix("cause: ").removeprefix("Caused by: ") for line in done.stderr.splitlines()]
    return "" if done.status == 0 else (next(filter(None, reversed(lines)), "") or f"it ended with {done.status}")


def missing(python: str) -> UsageError:
    """The error for a Python that has to be there and is not."""
    # layerforge brings uv along, but perhaps not onto the user's PATH.
    tool = "uv" if shutil.which("uv") else uv_program()
    forbidden = os.environ.get("UV_PYTHON_DOWNLOADS", "").strip().lower() in _REFUSED - {"manual"}
    # uv itself refuses to install one then.
    command = f"UV_PYTHON_DOWNLOADS=manual {tool}" if forbidden else tool
    others = [one for one in reversed(announced()) if one != python and find(one)]
    here = f", or take a Python that is here, such as `--python {others[0]}`" if others else ""
    return UsageError(
        f"no CPython {python} on this machine, and bytecode for Lambda's Python {python} takes one",
        hint=f"install it with `{command} python install {python}`, leave bytecode out with `--bytecode none`{here}",
    )


def _candidates(python: str, own: Path | None, uv: Path | None) -> Iterator[Path]:
    if sys.executable and python == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    # uv starts whatever it finds first, without a cache: twice the time of finding it here.
    yield from itertools.islice(_on_path(python), 1)
    found = _ask_uv(python, uv)
    if found is not None:
        yield found
    if own is not None:
        yield from sorted(own.absolute().glob(f"cpython-{python}.*/bin/python{python}"), key=_numbers, reverse=True)


def _on_path(python: str) -> Iterator[Path]:
    """Programs of that name, but for those of virtual environments."""
    for folder in map(Path, _with_pyenv(os.environ, python)["PATH"].split(os.pathsep)):
        program = folder / f"python{python}"
        if folder.is_absolute() and os.access(program, os.X_OK) and not (folder.parent / "pyvenv.cfg").exists():
            yield program


def _ask_uv(python: str, uv: Path | None) -> Path | None:
    """What uv finds. ``--system`` looks past the virtual environment that layerforge itself may run in."""
    # Without a cache, so that a home that cannot be written is no reason to find none.
    options = ["--no-python-downloads", "--system", "--no-project", "--no-cache"]
    try:
        argv = [uv or uv_program(), "python", "find", *options, f"cpython@{python}"]
        done = process.run(argv, env=_with_pyenv(os.environ, python), timeout=PROBE_TIMEOUT)
    except OSError:
        return None
    path = done.stdout.decode("utf-8", "surrogateescape").strip()
    return Path(path) if done.status == 0 and path else None


def _with_pyenv(env: Mapping[str, str], python: str) -> dict[str, str]:
    """``env`` with pyenv's versions of that Python before its ``PATH``, newest first.

    Before it, since what lies there else is pyenv's shims, which take long to say that they are not active.
    """
    root = Path(env.get("PYENV_ROOT") or Path("~/.pyenv").expanduser())
    folders = sorted(root.glob(f"versions/{python}.*/bin"), key=_by_version, reverse=True)
    path = os.pathsep.join([*map(str, folders), env.get("PATH", os.defpath)])
    return {**env, "PATH": path}


def _numbers(program: Path) -> list[int]:
    """``…/cpython-3.13.18-linux-x86_64-gnu/bin/python3.13`` as 3, 13, 18."""
    return [int(part) for part in re.findall(r"\d+", program.parents[1].name.split("-")[1])]


def _by_version(folder: Path) -> list[int]:
    return [int(part) if part.isdecimal() else -1 for part in folder.parent.name.split(".")]


def _probe(path: Path, python: str) -> Interpreter | None:
    """The interpreter at ``path``, if it is what it should be."""
    try:
        done = process.run([path, "-I", "-S", "-c", PROBE], timeout=PROBE_TIMEOUT)
        facts = json.loads(done.stdout) if done.status == 0 else {}
    except (OSError, ValueError):
        return None
    return Interpreter(path=path, version=facts["version"]) if facts and _fits(facts, python) else None


def _fits(facts: Mapping[str, object], python: str) -> bool:
    version = str(facts["version"])
    runtime = runtimes().get(python)
    return (
        facts["implementation"] == "cpython"
        and version.startswith(f"{python}.")
        and "t" not in str(facts["abi"])
        and (runtime is None or facts["magic"] == runtime.magic)
    )
