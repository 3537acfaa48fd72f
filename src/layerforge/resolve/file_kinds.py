"""Files that other tools write, told apart by name and contents, with the way to a requirements file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layerforge.core.errors import UsageError
from layerforge.resolve import own_code
from layerforge.resolve.project_file import POETRY, PROJECT, project

_EXPORT = "`uv export --frozen --no-dev --no-emit-project -o requirements.txt`, then name that file"
_PIPENV = "`pipenv requirements --hash > requirements.txt`, then name that file"

KINDS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), what, hint)
    for pattern, what, hint in (
        (r"uv\.lock", "is uv's lock", _EXPORT),
        (r"pylock(\.[^.]+)?\.toml", "is a lock in the format of PEP 751", f"where uv.lock lies beside it: {_EXPORT}"),
        (r"poetry\.lock", "is Poetry's lock", POETRY),
        (r"Pipfile(\.lock)?", "is Pipenv's", _PIPENV),
        (
            r"(environment|conda)\.ya?ml",
            "is conda's",
            "list the Python packages in a requirements.txt, as PyPI calls them, and name that",
        ),
        (r"setup\.(py|cfg)", "says what a project is", "`uv build --wheel`, then name the wheel in dist/"),
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


def facts(path: Path) -> ProjectFacts:
    """What a ``pyproject.toml`` says of the project. Raises ``RecipeError`` where it cannot be read."""
    if path.name != PROJECT:
        return ProjectFacts()
    data = project(path)
    table = data["project"]
    name, python = table.get("name", ""), table.get("requires-python", "")
    return ProjectFacts(
        name=name if isinstance(name, str) else "",
        requires_python=python if isinstance(python, str) else "",
        untaken=tuple(_untaken(path, data)),
    )


def _untaken(path: Path, data: dict[str, Any]) -> Iterator[str]:
    if why := own_code.lacking(path.parent):
        yield f"the project has no code of its own for the layer: {why}"
    for what, table in (
        ("extras", data["project"].get("optional-dependencies")),
        ("dependency groups", data.get("dependency-groups")),
    ):
        if isinstance(table, dict) and table:
            yield f"the project's {what} do not count: {', '.join(sorted(table))[:200]}"


def kind(name: str) -> tuple[str, str] | None:
    """What a file of that name is, and what to do with it; ``None`` where it may be a list of requirements."""
    return next(((what, hint) for pattern, what, hint in KINDS if pattern.fullmatch(name)), None)


def refuse_kind(path: Path) -> None:
    """Raises ``UsageError`` for a file that is known and no list of requirements, with the command that makes one."""
    if found := kind(path.name):
        raise UsageError(f"{path} {found[0]}", hint=found[1])
