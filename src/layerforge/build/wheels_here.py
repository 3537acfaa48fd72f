"""Wheels that uv builds on this machine, in an environment of their own: their projects' code runs here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from layerforge.build.interpreters import Interpreter
from layerforge.build.packed import one_wheel
from layerforge.core import process
from layerforge.core.errors import StepError
from layerforge.core.uv_program import uv_program
from layerforge.resolve.uv_environment import environment, refuse_builds
from layerforge.resolve.uv_failures import ANSI, SECRET

TIMEOUT = 1800.0
"""Seconds that a build may take."""

_LAST_LINES = 25
_NO_HOME = "PYTHONHOME"
"""What keeps every other run of uv from building anything."""


def built_here(
    folder: Path,
    name: str,
    into: Path,
    *,
    interpreter: Interpreter | None,
    variables: dict[str, str],
    indexes: tuple[str, ...],
    foreign: bool,
    on_line: Callable[[str], None] = lambda _line: None,
) -> Path:
    """The wheel of an unpacked project, below ``into``. What it is built with comes as wheels, and is not built itself.

    ``foreign`` is whether somebody else wrote it, ``indexes`` say where uv looks besides its own configuration. Raises
    ``StepError`` with what uv and the project's build said where it fails.
    """
    refuse_builds()
    python = str(interpreter.path) if interpreter else sys.executable
    places = [word for line in indexes for word in line.split(" ", 1)]
    argv = [uv_program(), "build", "--wheel", "--no-build", "--no-create-gitignore", "--python", python]
    argv += ["--out-dir", str(into), *places, str(folder)]
    passed = {key: value for key, value in environment(os.environ).items() if key != _NO_HOME}
    env = passed | variables | {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    done = process.run(argv, env=env, cwd=folder, timeout=TIMEOUT, on_line=on_line)
    if done.status or done.timed_out:
        lines = ANSI.sub("", done.stderr + done.stdout.decode("utf-8", "replace")).splitlines()
        said = tuple(SECRET.sub("//…@", line) for line in lines if line.strip())[-_LAST_LINES:]
        raise StepError(
            f"no wheel could be made of {name} on this machine",
            hint=_hint(done.stderr, timed_out=done.timed_out, foreign=foreign),
            details=said,
        )
    return one_wheel(into, name)


def _hint(said: str, *, timed_out: bool, foreign: bool) -> str:
    if timed_out:
        return f"it did not end within {TIMEOUT:,.0f} seconds: does it wait for something?"
    if "building is disabled" in said or "Building source distributions" in said:
        return "what it is built with has no wheel: name a version of that which has one in [build-system] requires"
    if foreign:
        return "another version of it may do better; a container engine has Lambda's Python and compilers"
    return "`uv build --wheel` in its folder says the same, and all of it"
