"""Finds the CPython that compiles and runs code for a target."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from uv import find_uv_bin

from layerforge import process
from layerforge.errors import UsageError
from layerforge.model import Interpreter
from layerforge.runtimes import runtimes

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


def find(python: str, *, uv: Path | None = None) -> Interpreter | None:
    """A CPython of the minor version ``python`` (``3.13``) on this machine, or ``None``.

    The running one is preferred, then what ``uv python find`` knows: its own, those on ``PATH``, and those of pyenv,
    active or not. Nothing is downloaded. Candidates that make other bytecode than Lambda's runtime, such as a
    pre-release, and free-threaded builds, which cannot load a layer's extension modules, do not count.
    """
    for path in _candidates(python, uv):
        found = _probe(path, python)
        if found is not None:
            return found
    return None


def missing(python: str) -> UsageError:
    """The error for a Python that has to be there and is not."""
    # layerforge brings uv along, but perhaps not onto the user's PATH.
    tool = "uv" if shutil.which("uv") else find_uv_bin()
    return UsageError(
        f"no CPython {python} on this machine, and bytecode for Lambda's Python {python} takes one",
        hint=f"install it with `{tool} python install {python}`, or leave bytecode out with `--bytecode none`",
    )


def _candidates(python: str, uv: Path | None) -> Iterator[Path]:
    if sys.executable and python == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(sys.executable)
    found = _ask_uv(python, uv)
    if found is not None:
        yield found


def _ask_uv(python: str, uv: Path | None) -> Path | None:
    """What uv finds. ``--system`` looks past the virtual environment that layerforge itself may run in."""
    options = ["--no-python-downloads", "--system", "--no-project"]
    try:
        argv = [uv or find_uv_bin(), "python", "find", *options, f"cpython@{python}"]
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
