"""A first project file, from what a folder holds."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from layerforge.core import guarded
from layerforge.core.text import fitting_name, megabytes
from layerforge.resolve import folder_inputs, poetry_project, sam_template
from layerforge.resolve.catalogue import recipes_in
from layerforge.resolve.folder_inputs import LOCKS, REQUIREMENTS
from layerforge.resolve.project_file import PROJECT
from layerforge.resolve.recipe import LONGEST_NAME
from layerforge.resolve.sam_template import SamFunction

DEVELOPERS = re.compile(
    r"(^|[-_.])(dev|develop|development|test|tests|testing|lint|docs?|ci|build|constraints)([-_.]|$)"
)
"""Requirements files that are for those who work on a project, by a word in their names."""

_STEP = 100_000
"""Bytes that the size of a function's code is told in."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A table of the project file."""

    kind: str
    """``layer`` or ``function``"""
    name: str
    says: tuple[tuple[str, Any, str], ...]
    """Keys with their values, and what a comment says of each."""
    may: tuple[str, ...] = ()
    """Lines that are left to the user, as comments."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a project file is to say."""

    parts: tuple[Part, ...]
    python: tuple[str, ...] = ()
    arch: tuple[str, ...] = ()
    recipes: str = ""
    passed_over: tuple[str, ...] = ()
    """What does not count, a line each."""

    @property
    def functions(self) -> bool:
        """Whether layers are to be planned for functions."""
        return any(one.kind == "function" for one in self.parts)


def draft(folder: Path, requirements: Sequence[str] = ()) -> Draft:
    """What the project file in ``folder`` is to say: of ``requirements``, where there are any, else of what lies there.

    Without parts where nothing there says what is needed.
    """
    recipes = "recipes" if recipes_in(folder / "recipes") else ""
    if requirements:
        name = fitting_name("-".join(map(_bare, requirements)), LONGEST_NAME)
        return Draft(parts=(_layer(name, ("requires", list(requirements), "what comes into it")),), recipes=recipes)
    places = _places(folder)
    said = [one.sam for one in places if one.sam]
    python = tuple(sorted({one.python for one in said if one.python}))
    arch = tuple(sorted({one.arch for one in said if one.arch}))
    functions = [_function(folder, one, several=(len(python) > 1, len(arch) > 1)) for one in places]
    parts = functions if len(functions) > 1 else _own(folder)
    if not parts:
        parts = [_layer(one.name, *(row for row in one.says if row[0] != "code")) for one in functions]
    elif parts != functions:
        python = arch = ()
    return Draft(
        parts=tuple(parts), python=python, arch=arch, recipes=recipes, passed_over=tuple(_passed_over(folder, parts))
    )


def _bare(requirement: str) -> str:
    try:
        return guarded.requirement(requirement).name
    except guarded.Unreadable:
        return requirement


def _layer(name: str, *says: tuple[str, Any, str], may: Iterable[str] = ()) -> Part:
    return Part(kind="layer", name=name, says=says, may=tuple(may))


# --- functions


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A function's folder with a requirements file in it."""

    path: str
    """From the project file."""
    name: str
    sam: SamFunction | None = None


def _places(folder: Path) -> list[_Place]:
    """The folders of functions: those that a template names, else those with code beside a requirements file."""
    templates = [folder / name for name in sam_template.NAMES if (folder / name).is_file()]
    found: dict[str, _Place] = {}
    for one in [one for path in templates for one in sam_template.functions(path)]:
        path = os.path.normpath(one.code)
        if path != "." and not path.startswith(("..", os.sep)) and (folder / path / REQUIREMENTS).is_file():
            found.setdefault(path, _Place(path=path, name=one.name, sam=one))
    if not found:
        found = {str(one): _Place(path=str(one), name=one.name) for one in folder_inputs.function_folders(folder)}
    times = Counter(fitting_name(one.name, LONGEST_NAME).casefold() for one in found.values())
    return [_renamed(one, times) for one in found.values()]


def _renamed(place: _Place, times: Mapping[str, int]) -> _Place:
    """The place with a name that Lambda takes and that no other has."""
    name = fitting_name(place.name, LONGEST_NAME)
    return replace(place, name=name if times[name.casefold()] == 1 else fitting_name(place.path, LONGEST_NAME))


def _function(folder: Path, place: _Place, several: tuple[bool, bool]) -> Part:
    """``several`` says whether there are functions of several Pythons, and of several processors."""
    size = folder_inputs.code_bytes(folder / place.path)
    says: list[tuple[str, Any, str]] = [
        ("file", f"{place.path}/{REQUIREMENTS}", "what it requires"),
        ("code", megabytes(-(-size // _STEP) * _STEP), "how much its own code takes, unzipped"),
    ]
    if place.sam and place.sam.python and several[0]:
        says.append(("python", place.sam.python, "its Runtime in the template"))
    if place.sam and place.sam.arch and several[1]:
        says.append(("arch", place.sam.arch, "its Architectures"))
    return Part(kind="function", name=place.name, says=tuple(says))


# --- the folder's own


def _own(folder: Path) -> list[Part]:
    """The layers of what lies in the folder itself."""
    name = fitting_name(folder.absolute().name, LONGEST_NAME)
    if folder_inputs.is_project(folder):
        return [_of_project(folder, name)]
    lists = [one for one in folder_inputs.lists(folder) if not _is_for_developers(one)]
    if lists:
        return [
            _layer(name if one == REQUIREMENTS else _part(one, name), ("file", one, "what comes into it"), may=_MAY)
            for one in lists
        ]
    locks = [one for one in LOCKS if (folder / one).is_file()]
    return [_layer(name, ("lock", locks[0], "what comes into it"), may=_MAY)] if locks else []


def _is_for_developers(name: str) -> bool:
    return DEVELOPERS.search(name.removesuffix(".txt")) is not None


def _part(file: str, name: str) -> str:
    """The name of the layer of ``requirements-gpu.txt``: ``gpu``."""
    rest = re.sub(r"requirements", "", file.removesuffix(".txt")).strip("-_. ")
    return fitting_name(rest or name, LONGEST_NAME)


def _of_project(folder: Path, name: str) -> Part:
    try:
        data = guarded.toml(guarded.text(folder / PROJECT))
    except guarded.Unreadable:
        data = {}
    table = data.get("project")
    table = table if isinstance(table, dict) else {}
    poetrys = poetry_project.table(data)
    named = table.get("name") or poetrys.get("name")
    may = [
        f"# {key} = {json.dumps(sorted(found), ensure_ascii=False)}  # {what}"
        for key, found, what in (
            ("extra", table.get("optional-dependencies") or poetrys.get("extras"), "of the project's extras"),
            ("group", data.get("dependency-groups") or poetrys.get("group"), "of its dependency groups"),
        )
        if isinstance(found, dict) and found
    ]
    called = fitting_name(named, LONGEST_NAME) if isinstance(named, str) and named else name
    return _layer(called, ("project", ".", "what the project here depends on, and its own code"), may=[*may, *_MAY])


_MAY = (
    '# leave-out = ["runtime"]  # what Lambda\'s own Python brings: boto3 and what that needs',
    '# compression = "small"  # half a minute more for a smaller zip',
)


def _passed_over(folder: Path, parts: Sequence[Part]) -> Iterator[str]:
    """Requirements of the folder that no part of the draft takes."""
    taken = {value for one in parts for _, value, _ in one.says if isinstance(value, str)}
    for one in folder_inputs.lists(folder):
        if one not in taken:
            why = "it is for those who work on it" if _is_for_developers(one) else "what is named above counts instead"
            yield f"{one} does not count: {why}"
    if folder_inputs.is_project(folder) and "." not in taken:
        yield "the project here does not count: the functions have lists of their own"
