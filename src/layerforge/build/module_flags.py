"""Flags of single files: what stands in for the compilers of a step, and the shell that puts it in their place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from layerforge.build.compiler_flags import WORK
from layerforge.build.engine import Mount
from layerforge.core import globs, resources

_PROGRAM = "compile_with.py"
_PLACE = "/compile-with"
_COMPILERS = f"{WORK}/compilers"

BEFORE = f"""python3 -IS {_PLACE}/{_PROGRAM} --set-up {_PLACE}/rows.json {_COMPILERS}
PATH={_COMPILERS}:$PATH
"""
"""Shell that puts the stand-ins in the compilers' place."""

AFTER = f"python3 -IS {_PLACE}/{_PROGRAM} --check {_COMPILERS}\n"
"""Shell that fails where a glob has matched nothing that was made."""


def mount_of(module_flags: Mapping[str, str], folder: Path) -> Mount:
    """What stands in for the compilers, written below ``folder``, where a container sees it."""
    place = folder / "compile-with"
    place.mkdir()
    rows = [
        {"glob": glob, "pattern": globs.pattern(glob).pattern, "flags": flags} for glob, flags in module_flags.items()
    ]
    (place / "rows.json").write_text(json.dumps(rows), "utf-8")
    (place / _PROGRAM).write_text(resources.text(_PROGRAM), "utf-8")
    return Mount(source=place, target=_PLACE)
