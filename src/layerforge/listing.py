"""What a project's own files ask for: requirements files with all that they include, and ``pyproject.toml``.

uv would read these files itself, with every option in them, and ``--no-binary`` is one that lets it run a package's
code. So they are read here, guarded: no pipe or device, nothing of any size, no line that a library trips over. uv gets
the requirements and constraints of all of them as one text, and the options that say where to look.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packaging.utils import InvalidWheelFilename, canonicalize_name, canonicalize_version, parse_wheel_filename

from layerforge import guarded, lock
from layerforge.errors import RecipeError, UsageError

PROJECT = "pyproject.toml"
MOST_FILES = 1000
"""Files that one requirements file may include, those included that they include."""

_INCLUDE = re.compile(r"(?:-(?P<short>[rc])\s*|--(?P<long>requirement|constraint)[\s=]+)(?P<file>\S.*)")
_EDITABLE = re.compile(r"(?:-e\s*|--editable[\s=]+)(.*)")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_INSTEAD = {
    "--pre": "leave that line out, and set UV_PRERELEASE=allow",
    "--trusted-host": "leave that line out, and set UV_INSECURE_HOST to the host",
}
"""What uv takes instead of options of pip's."""
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_VCS = re.compile(r"(?:git|hg|bzr|svn)\+")
_WHEEL = ".whl"
_EXPORT = "`uv export --frozen --no-dev --no-emit-project -o requirements.txt`, then name that file"
_POETRY = "`poetry export -o requirements.txt` (of poetry-plugin-export), then name that file"
_PIPENV = "`pipenv requirements --hash > requirements.txt`, then name that file"

KINDS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), what, hint)
    for pattern, what, hint in (
        (r"uv\.lock", "is uv's lock", _EXPORT),
        (r"pylock(\.[^.]+)?\.toml", "is a lock in the format of PEP 751", f"where uv.lock lies beside it: {_EXPORT}"),
        (r"poetry\.lock", "is Poetry's lock", _POETRY),
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
class Listed:
    """What a file of requirements lists."""

    requires: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    """Lines that only uv can make something of, with where they stand."""
    refused: tuple[str, ...] = ()
    """Lines that no layer can be made of, with where they stand and what helps."""
    text: str = ""
    """The requirements as uv reads them; empty for a ``pyproject.toml``, which it reads itself."""
    constraints: str = ""
    """Lines of the files that are included as constraints."""
    indexes: tuple[str, ...] = ()
    """Options that say where packages are looked for, a line each; they may hold passwords."""
    compiled: tuple[str, ...] = ()
    """Packages of which no wheel is to be taken."""
    hashes: tuple[tuple[tuple[str, str], frozenset[str]], ...] = ()
    """What packages that are named with hashes may be, ``sha256:…``: by normalised name and the exact version that they
    are named with, without zeros at its end; the version is empty where there is none."""
    all_hashed: bool = False
    """Whether a hash is asked for of every package."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a project says of itself. All is empty where the file is a list of requirements."""

    name: str = ""
    requires_python: str = ""
    untaken: tuple[str, ...] = ()
    """What of it does not come into its layer, a line each."""


def facts(path: Path) -> Facts:
    """What a ``pyproject.toml`` says of the project. Raises ``RecipeError`` where it cannot be read."""
    if path.name != PROJECT:
        return Facts()
    data = project(path)
    table = data["project"]
    name, python = table.get("name", ""), table.get("requires-python", "")
    return Facts(
        name=name if isinstance(name, str) else "",
        requires_python=python if isinstance(python, str) else "",
        untaken=tuple(_untaken(path, data)),
    )


def _untaken(path: Path, data: dict[str, Any]) -> Iterator[str]:
    build = shlex.join(["uv", "build", "--wheel", str(path.parent)])
    yield f"the layer holds what the project depends on, and not its own code: for that, `{build}` and name the wheel"
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


def listed(path: Path) -> Listed:
    """What a file requires: the lines of a requirements file and of those that it includes, or the dependencies of a
    ``pyproject.toml``.

    Raises ``RecipeError`` where one of the files cannot be read.
    """
    return _of_project(path, project(path)) if path.suffix == ".toml" else _of_files(path)


def project(path: Path) -> dict[str, Any]:
    """What a ``pyproject.toml`` holds. Raises ``RecipeError``."""
    try:
        return guarded.toml(guarded.text(path))
    except guarded.Unreadable as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: guarded.Unreadable) -> RecipeError:
    return RecipeError(f"{path} cannot be read: {error}", hint="name a text file with a requirement a line")


def _of_project(path: Path, data: dict[str, Any]) -> Listed:
    table = data.get("project", {})
    if not isinstance(table, dict):
        raise RecipeError(f"{path}: project must be a table", hint="mend it, or name a requirements file")
    if "dependencies" in _list(table.get("dynamic")):
        raise _dynamic(path, data)
    if not table:
        raise _no_project(path, data)
    found = table.get("dependencies", [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise RecipeError(f"{path}: project.dependencies must be a list of texts", hint='such as ["pandas>=3"]')
    return _sorted_out([(f"{path.name}: {one}", one) for one in found])


def _no_project(path: Path, data: dict[str, Any]) -> UsageError:
    message = f"{path} has no [project] that lists dependencies"
    if isinstance(data.get("tool"), dict) and "poetry" in data["tool"]:
        return UsageError(f"{message}; it is Poetry's", hint=_POETRY)
    beside = path.parent / "requirements.txt"
    if path.name == PROJECT and beside.is_file():
        return UsageError(message, hint=f"`{shlex.join(['layerforge', 'build', str(beside)])}`")
    return UsageError(message, hint="name a requirements file")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dynamic(path: Path, data: dict[str, Any]) -> UsageError:
    value: Any = data
    for key in ("tool", "setuptools", "dynamic", "dependencies", "file"):
        value = value.get(key) if isinstance(value, dict) else None
    files = [value] if isinstance(value, str) else _list(value)
    hint = f"`{shlex.join(['uv', 'build', '--wheel', str(path.parent)])}`, then name the wheel in its dist/"
    if files and all(isinstance(one, str) for one in files):
        command = shlex.join(["layerforge", "build", *(str(path.parent / one) for one in files)])
        hint = f"name the file that they come from: `{command}`"
    return UsageError(f"{path}: its dependencies are dynamic, so only a build of the project knows them", hint=hint)


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
            elif line.startswith("-") and not _EDITABLE.match(line) and not constrains:
                _take_option(found, path, number, line)
            else:
                found.take_hashes(line)
                told = f"{path.name}:{number}: {line}", _expanded(re.split(r"\s--", line)[0])
                (found.constraints if constrains else found.requirements).append(told)
        if len(seen) > MOST_FILES:
            raise RecipeError(f"{start} includes more than {MOST_FILES:,} files", hint="put them into fewer")
    listed = _sorted_out(found.requirements)
    return replace(
        listed,
        refused=listed.refused + _sorted_out(found.constraints).refused,
        text="\n".join(text for _, text in found.requirements),
        constraints="\n".join(text for _, text in found.constraints),
        indexes=tuple(found.indexes),
        compiled=tuple(dict.fromkeys(found.compiled)),
        hashes=tuple(sorted(found.hashes.items())),
        all_hashed=found.all_hashed,
    )


def hashed(line: str) -> tuple[tuple[str, str], frozenset[str]]:
    """Name, exact version and hashes of a requirement that is named with ``--hash``. Raises ``RecipeError``.

    Of hashes of several kinds those of SHA-256 count, since a file that is right has them all.
    """
    head, *options = re.split(r"\s+--hash[= ]", line)
    found = [one for one in map(str.strip, options) if _SHA256.fullmatch(one)]
    wrong = [one for one in options if one.strip().startswith("sha256:") and one.strip() not in found]
    if wrong or not found:
        raise RecipeError(
            f"{lock.redacted(_cut(head))}: {_cut((wrong or options)[0])!r} is no hash that is enforced here",
            hint="give it as --hash=sha256: and 64 hexadecimal digits, as `uv pip compile --generate-hashes` does",
        )
    try:
        requirement = guarded.requirement(head)
    except guarded.Unreadable as error:
        raise RecipeError(f"{lock.redacted(_cut(head))} has hashes and is no requirement: {error}") from error
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
        raise _unreadable(path, error) from error


def _included(above: Path, word: str) -> Path:
    """The file that a line includes. Raises ``RecipeError`` where it lies on a server."""
    named = _expanded(word.strip("\"'"))
    if "://" in named and not named.startswith("file://"):
        raise RecipeError(
            f"{above} includes {lock.redacted(named)}, which lies on a server",
            hint="download it, look at it, and include the file",
        )
    return above.parent / named.removeprefix("file://")


def _sorted_out(lines: Iterable[tuple[str, str]]) -> Listed:
    """Requirements apart from what is none. Each line comes with what to call it."""
    requires: list[str] = []
    unread: list[str] = []
    refused: list[str] = []
    for where, text in lines:
        if why := unlockable(text):
            refused.append(f"{lock.redacted(where)}: {why}")
        try:
            requires.append(str(guarded.requirement(text)))
        except guarded.Unreadable as error:
            unread.append(lock.redacted(where))
            if not why and not _local(text):
                refused.append(f"{lock.redacted(_cut(where))}: {lock.redacted(str(error))}")
    return Listed(requires=tuple(requires), unread=tuple(unread), refused=tuple(refused))


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"


def _local(text: str) -> bool:
    return text.startswith((".", "/", "~", "file:")) or "/" in text.partition("@")[0]


def unlockable(text: str) -> str:
    """Why no layer can be made of what a line names, and what helps; empty where one can or the line is no address."""
    if editable := _EDITABLE.match(text):
        return f"{lock.LOCAL_PROJECT}: {_wheel_of(editable[1])}"
    _name, at, address = text.partition("@") if re.match(r"[\w.\[\], -]+@", text) else ("", "", text)
    address = address.strip().partition(" ;")[0].strip()
    if _VCS.match(address):
        return f"a repository is no release: {_made_by_pip(address)}"
    plain = re.split(r"[?#]", address)[0]
    if plain.endswith(_WHEEL) and not (at and ":" in address):
        return _with_name(address, plain)
    if plain.startswith("file:") and not _regular(plain):
        return "there is no regular file of that name"
    if "://" in address and not plain.endswith(_WHEEL):
        return f"this is no wheel: {_made_by_pip(address)}"
    if not at and _local(address) and "://" not in address:
        return f"{lock.LOCAL_PROJECT}: {_wheel_of(address)}"
    return ""


def _regular(address: str) -> bool:
    """Whether what a ``file:`` address names is there and no pipe or device, which uv would wait for."""
    return os.path.isfile(unquote(address.removeprefix("file:").removeprefix("//")))  # noqa: PTH113 - never raises


def _made_by_pip(text: str) -> str:
    command = shlex.join(
        ["pip", "wheel", "--no-deps", "-w", "wheels", lock.redacted(text) if lock.holds_credentials(text) else text]
    )
    return f"`{command}` makes a wheel of it in ./wheels, to name instead"


def _wheel_of(folder: str) -> str:
    return f"`{shlex.join(['uv', 'build', '--wheel', folder])}`, then name the wheel in its dist/"


def _with_name(address: str, plain: str) -> str:
    """What a wheel without its name is to be written as."""
    try:
        name = parse_wheel_filename(plain.rpartition("/")[2])[0]
    except InvalidWheelFilename as error:
        return str(error)
    where = address if ":" in address else Path(address).absolute().as_uri()
    return f"write `{name} @ {where}`"
