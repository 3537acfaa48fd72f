"""Files that other tools write, told apart by name and contents, with the way to a requirements file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerforge.core.errors import UsageError
from layerforge.resolve import own_code, poetry_project, project_extras
from layerforge.resolve.listed import cut
from layerforge.resolve.project_file import PROJECT, project
from layerforge.resolve.wanted import NOTHING, Wanted, wanted

KINDS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), what, hint)
    for pattern, what, hint in (
        (
            r"(environment|conda)\.ya?ml",
            "is conda's",
            "list the Python packages in a requirements.txt, as PyPI calls them, and name that",
        ),
        (r"layers\.lock", "is what `layerforge split` plans", "`layerforge build` without words makes its layers"),
        (r"setup\.(py|cfg)", "says what a project is", "name its folder instead: the layer then holds a wheel of it"),
        (r".*\.py", "is Python's source and lists no requirements", "list them in a requirements.txt, and name that"),
    )
)
"""Files that people have beside their code and that are no list of requirements: their names, and what helps."""


@dataclass(frozen=True, kw_only=True)
class ProjectFacts:
    """What a project says of itself. All is empty where the file is a list of requirements."""

    name: str = ""
    requires_python: str = ""
    untaken: tuple[str, ...] = ()
    """What of it does not come into its layer, a line each."""


def facts(path: Path, taken: Wanted = NOTHING) -> ProjectFacts:
    """What a ``pyproject.toml`` says of the project, of which ``taken`` come in.

    Raises ``RecipeError`` where it cannot be read.
    """
    if path.name != PROJECT:
        return ProjectFacts()
    data = project(path)
    table = data.get("project")
    said = {**poetry_project.said(data), **(table if isinstance(table, dict) else {})}
    name, python = said.get("name", ""), said.get("requires-python", "")
    return ProjectFacts(
        name=name if isinstance(name, str) else "",
        requires_python=python if isinstance(python, str) else "",
        untaken=tuple(_untaken(path, data, taken)),
    )


def not_taken(offered: Wanted, taken: Wanted) -> tuple[str, ...]:
    """A line that says which extras and groups do not come in; none where all do."""
    rest = wanted(sorted(offered.extras), sorted(offered.groups)).without(taken)
    options = " and ".join(
        f"{option} NAME" for option, names in (("--extra", rest.extras), ("--group", rest.groups)) if names
    )
    return (f"of the project do not come in: {cut(rest.told)} ({options})",) if rest else ()


def _untaken(path: Path, data: dict[str, Any], taken: Wanted) -> Iterator[str]:
    if why := own_code.lacking(path.parent):
        yield f"the project has no code of its own for the layer: {why}"
    yield from not_taken(project_extras.offered(data), taken)


def kind(name: str) -> tuple[str, str] | None:
    """What a file of that name is, and what to do with it; ``None`` where it may be a list of requirements."""
    return next(((what, hint) for pattern, what, hint in KINDS if pattern.fullmatch(name)), None)


def refuse_kind(path: Path) -> None:
    """Raises ``UsageError`` for a file that is known and no list of requirements, with the command that makes one."""
    if found := kind(path.name):
        raise UsageError(f"{path} {found[0]}", hint=found[1])
