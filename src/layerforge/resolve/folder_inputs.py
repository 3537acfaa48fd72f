"""What of a folder says which packages its code needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from layerforge.core import guarded
from layerforge.resolve import recipe_file
from layerforge.resolve.project_file import PROJECT

REQUIREMENTS = "requirements.txt"

SETUP = "setup.py"

LOCKS = ("uv.lock", "pylock.toml", "poetry.lock", "Pipfile.lock")
"""Locks of other tools, which say it too."""

_OTHERS = (*LOCKS, "Pipfile")

_REPOSITORY = (".git", ".hg", ".svn")


def stand_in(folder: Path) -> str | None:
    """The word that ``layerforge build`` takes for what lies in the current ``folder``; ``None`` where that is nothing
    to build.
    """
    if (folder / recipe_file.FILE).is_file() or is_project(folder):
        return "."
    found = [name for name in (REQUIREMENTS, *_OTHERS) if (folder / name).is_file()] or lists(folder)
    if len(found) == 1 or found[:1] == [REQUIREMENTS] or (found and found[0] in _OTHERS):
        return f"./{found[0]}"
    return "." if (folder / PROJECT).is_file() else None


def is_project(folder: Path) -> bool:
    """Whether a folder is that of a project, which can be made into a wheel."""
    return lists_dependencies(folder / PROJECT) or (folder / SETUP).is_file()


def lists_dependencies(path: Path) -> bool:
    """Whether a ``pyproject.toml`` is of a project, and not of tools alone. One that cannot be read may be."""
    if not path.is_file():
        return False
    try:
        data = guarded.toml(guarded.text(path))
    except guarded.Unreadable:
        return True
    tool = data.get("tool")
    return "project" in data or (isinstance(tool, dict) and "poetry" in tool)


def lists(folder: Path) -> list[str]:
    """The requirements files of a folder by name, with ``requirements.txt`` first."""
    found = [one.name for one in folder.glob("*requirements*.txt") if one.is_file() and one.name.isprintable()]
    return sorted(found, key=lambda name: (name != REQUIREMENTS, name))


def above(folder: Path, *names: str) -> Iterator[Path]:
    """Files of these names in the folders above one, up to the root of its repository, the nearest first."""
    here = folder.absolute()
    while here.parent != here and not any((here / one).exists() for one in _REPOSITORY):
        here = here.parent
        yield from (file for name in names if (file := here / name).is_file())


def function_folders(folder: Path) -> Iterator[Path]:
    """The folders below one that hold a ``requirements.txt`` beside code of Python, from it, by name."""
    for pattern in ("*", "*/*"):
        for file in sorted(folder.glob(f"{pattern}/{REQUIREMENTS}")):
            place = file.parent.relative_to(folder)
            if not any(map(_is_no_code, place.parts)) and any(file.parent.glob("*.py")):
                yield place


_NOT_PACKED = frozenset({"venv", "env", "node_modules", "__pycache__"})
"""Folders that nobody ships."""

_NO_CODE = _NOT_PACKED | {"dist", "build", "docs", "doc", "test", "tests", "examples", "cdk.out"}
"""Folders that no function lies in."""


def _is_no_code(name: str) -> bool:
    """Whether no function lies in a folder, or none that a project file could name."""
    return name.startswith(".") or name in _NO_CODE or not name.isprintable()


def code_bytes(folder: Path) -> int:
    """What the files of a function's folder take, without what nobody ships."""
    total = 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _NOT_PACKED]
        total += sum((Path(place) / name).lstat().st_size for name in files if not name.startswith("."))
    return total
