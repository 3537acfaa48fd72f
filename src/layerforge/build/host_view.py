"""What of this machine a program may see on the host: its interpreter, and what Lambda's runtime has."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from layerforge.build.errors import EngineError
from layerforge.core import elf, elf_layout, process, resources
from layerforge.core.limits import LARGEST_MB, MIB, TMP_BYTES

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

HANDLES = PROCESSES = 1024
TRIAL_SECONDS = 60.0


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
class EnclosureOrder:
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
def view_of(python: Path, names: frozenset[str], namespaces: bool) -> View:  # noqa: FBT001
    """The view of an interpreter where the runtime has libraries of these names; it is tried out once."""
    asked = [*sorted(names), *LIBRARIES_TOO]
    done = enclose(python, "libraries", json.dumps(asked), b"", TRIAL_SECONDS)
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
        except (OSError, elf_layout.Damaged):
            continue
        folders = ("/usr/lib64", "/usr/lib") if name.startswith("ld-linux") else ("/usr/lib64",)
        found.update({f"{folder}/{name}": path for folder in folders if name and f"{folder}/{name}" != path})
    return found


def _tried(view: View) -> str:
    """Why the kernel lets nobody have a root of his own; empty where it does."""
    with tempfile.TemporaryDirectory(prefix="layerforge-") as name:
        order = order_of(view, Path(name), ("-c", "pass"), {}, TRIAL_SECONDS)
        done = enclose(Path(view.executable), "run", json.dumps(asdict(order)), b"", TRIAL_SECONDS)
    said = done.stderr.strip().splitlines()[-1:] or [f"status {done.status}"]
    return said[0].partition(": ")[2] or said[0] if done.status or done.timed_out else ""


def order_of(
    view: View,
    folder: Path,
    arguments: Iterable[str],
    shown: Mapping[str, str],
    timeout: float,
    env: Mapping[str, str] | None = None,
) -> EnclosureOrder:
    """What ``enclose.py`` is told for one run below ``folder``; ``env`` has what is set besides."""
    root = folder / "root"
    root.mkdir()
    return EnclosureOrder(
        root=str(root),
        argv=(view.executable, *OPTIONS, *arguments),
        env={
            **(env or {}),
            "HOME": "/home/sbx_user1051",
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "LD_LIBRARY_PATH": "/lib64:/usr/lib64:/opt/lib",
        },
        cwd="/var/task",
        limits=limits_for(timeout) | {"NPROC": PROCESSES},
        own=view.own,
        hidden=view.hidden,
        links=view.links,
        shown={**view.shown, **shown},
    )


def enclose(python: Path, what: str, text: str, stdin: bytes, timeout: float) -> process.Completed:
    """Runs ``enclose.py``, which looks at libraries or shuts a program off."""
    program = resources.text("enclose.py")
    argv: list[str | Path] = [python, "-I", "-S", "-B", "-c", program, what, text]
    return process.run(argv, env={"LANG": "C.UTF-8"}, stdin=stdin, timeout=timeout)


def limits_for(timeout: float) -> dict[str, int]:
    """Bounds of a program, by the system's names for them."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        # What a program writes to, since compiled code reserves many times what it uses.
        "DATA": min(LARGEST_MB * MIB, machine),
        "CPU": math.ceil(timeout * (os.cpu_count() or 1)) + 1,
        "FSIZE": TMP_BYTES,
        "NOFILE": HANDLES,
    }
