"""What a project's own files ask for: requirements files with all that they include.

uv would read these files itself, with every option in them, and ``--no-binary`` is one that lets it run a package's
code. So they are read here, guarded: no pipe or device, nothing of any size, no line that a library trips over. uv gets
the requirements and constraints of all of them as one text, and the options that say where to look.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import canonicalize_name, canonicalize_version

from layerforge.core import guarded
from layerforge.resolve import lock
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.listed import Listed, cut, sorted_out, understood, unreadable
from layerforge.resolve.project_file import of_project, project
from layerforge.resolve.wheel_source import EDITABLE, NoSource, WheelSource

MOST_FILES = 1000
"""Files that one requirements file may include, those included that they include."""

_INCLUDE = re.compile(r"(?:-(?P<short>[rc])\s*|--(?P<long>requirement|constraint)[\s=]+)(?P<file>\S.*)")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")

_INSTEAD = {
    "--trusted-host": "leave that line out, and set UV_INSECURE_HOST to the host",
}
"""What uv takes instead of options of pip's."""

HASH_OPTION = re.compile(r"\s--hash[= ](\S+)")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


def listed(path: Path) -> Listed:
    """What a file requires: the lines of a requirements file and of those that it includes, or the dependencies of a
    ``pyproject.toml``.

    Raises ``RecipeError`` where one of the files cannot be read.
    """
    return of_project(path, project(path)) if path.suffix == ".toml" else _of_files(path)


@dataclass(kw_only=True)
class _Lines:
    """What the lines of several files come to."""

    requirements: list[tuple[str, str]] = field(default_factory=list)
    """With where each stands; so below."""
    constraints: list[tuple[str, str]] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    compiled: list[str] = field(default_factory=list)
    hashes: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    all_hashed: bool = False
    prerelease: str = ""

    def take_hashes(self, line: str) -> None:
        """Adds the hashes of a line; what is named twice has to have both."""
        if "--hash" in line:
            key, hashes = hashed(line)
            self.hashes[key] = self.hashes.get(key, hashes) & hashes


def _of_files(start: Path) -> Listed:
    found = _Lines()
    seen, waiting = {(start.resolve(), False)}, [(start, False)]
    room = guarded.MOST_TEXT
    while waiting:
        path, constrains = waiting.pop(0)
        text = _text(path, room)
        room -= len(text)
        for number, line in lock.logical_lines(text):
            if included := _INCLUDE.match(line):
                # What a constraint includes constrains too.
                kind = constrains or "c" in (included["short"], (included["long"] or "")[:1])
                other = _included(path, included["file"])
                if (other.resolve(), kind) not in seen:
                    waiting.append((other, kind))
                    seen.add((other.resolve(), kind))
            elif line.startswith("-") and not EDITABLE.match(line) and not constrains:
                _take_option(found, path, number, line)
            else:
                told = f"{path.name}:{number}: {line}", _settled(found, path, line)
                (found.constraints if constrains else found.requirements).append(told)
        if len(seen) > MOST_FILES:
            raise RecipeError(f"{start} includes more than {MOST_FILES:,} files", hint="put them into fewer")
    listed, limits = sorted_out(found.requirements), sorted_out(found.constraints)
    no_limits = [f"{lock.redacted(one)}: it is no release, which a constraint has to be" for one in limits.local]
    return replace(
        listed,
        refused=(*listed.refused, *limits.refused, *no_limits),
        constraints="\n".join(text for _, text in found.constraints),
        indexes=tuple(found.indexes),
        compiled=tuple(dict.fromkeys(found.compiled)),
        hashes=tuple(sorted(found.hashes.items())),
        prerelease=found.prerelease,
        all_hashed=found.all_hashed,
    )


def _settled(found: _Lines, path: Path, line: str) -> str:
    """A line without its options, and with the whole place of what it names on this disk; its hashes are taken."""
    head, *options = re.split(r"(?=\s--[a-z])", line)
    head, hashes = _expanded(head), [one for one in HASH_OPTION.findall(line) if _SHA256.fullmatch(one)]
    try:
        one = understood(head, (Path(), path.parent), tuple(hashes))
    except NoSource:
        return head  # it is told with its place
    if isinstance(one, WheelSource):
        return one.text
    found.take_hashes("".join([one, *options]))
    return one


def hashed(line: str) -> tuple[tuple[str, str], frozenset[str]]:
    """Name, exact version and hashes of a requirement that is named with ``--hash``. Raises ``RecipeError``.

    Of hashes of several kinds those of SHA-256 count, since a file that is right has them all.
    """
    head, *options = re.split(r"\s+--hash[= ]", line)
    found = [one for one in map(str.strip, options) if _SHA256.fullmatch(one)]
    wrong = [one for one in options if one.strip().startswith("sha256:") and one.strip() not in found]
    if wrong or not found:
        raise RecipeError(
            f"{lock.redacted(cut(head))}: {cut((wrong or options)[0])!r} is no hash that is enforced here",
            hint="give it as --hash=sha256: and 64 hexadecimal digits, as `uv pip compile --generate-hashes` does",
        )
    try:
        requirement = guarded.requirement(head)
    except guarded.Unreadable as error:
        raise RecipeError(f"{lock.redacted(cut(head))} has hashes and is no requirement: {error}") from error
    exact = [one.version for one in requirement.specifier if one.operator in {"==", "==="} and "*" not in one.version]
    version = canonicalize_version(exact[0]) if exact else ""
    return (canonicalize_name(requirement.name), version), frozenset(found)


def _take_option(found: _Lines, path: Path, number: int, line: str) -> None:
    option, value = _split_option(line)
    value = _expanded(value)
    match option:
        case "--index-url" | "-i" | "--extra-index-url":
            found.indexes.append(f"{option} {value}")
        case "--find-links" | "-f":
            near = path.parent / value.removeprefix("file://")
            found.indexes.append(f"--find-links {near.resolve() if near.exists() else value}")
        case "--no-index":
            found.indexes.append(option)
        case "--no-binary":
            found.compiled += _names(path, number, value)
        case "--pre":
            found.prerelease = "allow"
        case "--require-hashes":
            found.all_hashed = True
        case "--only-binary" | "--prefer-binary" | "--use-feature":
            pass  # wheels are taken wherever they can be
        case _:
            raise RecipeError(
                f"{path.name}:{number}: the option {option} does not count here",
                hint=_INSTEAD.get(option, "leave that line out"),
            )


def _split_option(line: str) -> tuple[str, str]:
    """An option's name and its value, which may follow it at once where the name is a letter."""
    match = re.match(r"(--[a-z][a-z-]*)(?:[=\s]+(.*))?$|(-[a-zA-Z])\s*(.*)$", line)
    if match is None:
        return line.split()[0], ""
    return match[1] or match[3], (match[2] or match[4] or "").strip().strip("\"'")


def _names(path: Path, number: int, value: str) -> list[str]:
    names: list[str] = [canonicalize_name(one.strip()) for one in value.split(",") if one.strip()]
    if ":all:" in value:
        raise RecipeError(
            f"{path.name}:{number}: --no-binary :all: would compile every package",
            hint="name those that are to be compiled: --no-binary lxml",
        )
    return [] if ":none:" in value else names


def _expanded(text: str) -> str:
    """A line with the variables that pip and uv know, ``${NAME}``."""
    return _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text)


def _text(path: Path, room: int) -> str:
    try:
        return guarded.text(path, room)
    except guarded.Unreadable as error:
        raise unreadable(path, error) from error


def _included(above: Path, word: str) -> Path:
    """The file that a line includes. Raises ``RecipeError`` where it lies on a server."""
    named = _expanded(word.strip("\"'"))
    if "://" in named and not named.startswith("file://"):
        raise RecipeError(
            f"{above} includes {lock.redacted(named)}, which lies on a server",
            hint="download it, look at it, and include the file",
        )
    return above.parent / named.removeprefix("file://")
