"""What uv is told by its environment: enough to reach indexes, and nothing that runs code of packages."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from layerforge.core import guarded
from layerforge.resolve.errors import LockError

_PASSED = re.compile(
    r"UV_.*|XDG_.*|LC_.*|SSL_CERT_(FILE|DIR)|(?i:(https?|all|no)_proxy)|PATH|HOME|USER|LOGNAME|LANG|TMPDIR|NETRC|TZ"
    r"|SYSTEMROOT|DBUS_SESSION_BUS_ADDRESS"
)
"""Variables that uv gets. The others are none of its business, and some hold what must not get about."""

_NOWHERE = "/nonexistent/no-code-of-packages-runs-here"
_ELSEWHERE = re.compile(r"UV_WORKING_DIR(ECTORY)?|UV_PROJECT")
"""Variables that have uv look for its configuration in another folder than this one."""

_BUILDING = frozenset({"no-binary", "no-binary-package", "extra-build-variables", "extra-build-dependencies"})
"""Keys of uv's configuration that have packages built, or say with what."""

KEYRING = "UV_KEYRING_PROVIDER"
"""Where the user has uv ask a program for passwords, that program may need whatever the user has."""


def refuse_builds() -> None:
    """Raises ``LockError`` where uv's configuration has it build packages, or changes with what they are built.

    The environment keeps a build from running any code, but a configuration can take that back, and that of a folder
    may be anybody's.
    """
    for file in _configurations():
        try:
            table: Any = guarded.toml(guarded.text(file))
        except guarded.Unreadable:
            continue  # uv says what is wrong with it
        for key in ("tool", "uv") if file.name == "pyproject.toml" else ():
            table = table.get(key) if isinstance(table, dict) else None
        tables = [table, table.get("pip")] if isinstance(table, dict) else []
        found = sorted({key for one in tables if isinstance(one, dict) for key in one if key in _BUILDING and one[key]})
        if found:
            raise LockError(
                f"{file} has uv build packages, which would run their code on this machine: {', '.join(found)}",
                hint="leave that out there, and compile a package in a container with --from-source NAME",
            )


def _configurations() -> Iterator[Path]:
    """Files in which uv looks for its configuration."""
    if named := os.environ.get("UV_CONFIG_FILE"):
        yield Path(named)
        return
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser())
    yield from (home / "uv" / "uv.toml", Path("/etc/uv/uv.toml"))
    here = Path.cwd()
    for above in (here, *here.parents):
        yield from (path for path in (above / "uv.toml", above / "pyproject.toml") if path.is_file())


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What of a process's variables uv gets.

    It looks at interpreters in isolated mode and builds packages without that. So with a PYTHONHOME that is not there
    it works as ever, and whatever a file, a configuration or an option has it build ends before any code of a package.
    """
    every = variables.get(KEYRING, "disabled") != "disabled"
    named = {key: value for key, value in variables.items() if every or _PASSED.fullmatch(key)}
    kept = {key: value for key, value in named.items() if not _ELSEWHERE.fullmatch(key)}
    return {**kept, "PYTHONHOME": _NOWHERE}


def with_keyring(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The variables with which uv finds a keyring that runs: it is a program in Python, and of the user's choice."""
    found = shutil.which("keyring", path=env.get("PATH"))
    if found is None or env.get(KEYRING, "disabled") == "disabled":
        return dict(env)
    script = folder / "keyring"
    script.write_text(f'#!/bin/sh\nunset PYTHONHOME\nexec {shlex.quote(found)} "$@"\n', "utf-8")
    script.chmod(0o755)
    return {**env, "PATH": f"{folder}{os.pathsep}{env.get('PATH', '')}"}
