"""Reads what others wrote: no file that never ends, no value that is too large, too deep or of another type.

Every function raises ``Unreadable`` and nothing else, whatever the file or the text holds, so that each caller has one
exception to turn into its own error, or into "absent".
"""

from __future__ import annotations

import ast
import json
import math
import os
import re
import stat
import threading
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement

T = TypeVar("T")
MOST_TEXT = 16 * 2**20
"""Bytes that a text file of people may have: requirements, a recipe, a lock."""

MOST_JSON = 64 * 2**20
"""Bytes that a file of figures may have: a manifest, an SBOM, the ARNs of a run."""

MOST_DEPTH = 64
"""Tables and lists inside one another. The deepest that layerforge writes has seven."""

MOST_PYTHON = 2 * 2**20
"""Bytes of a Python source that is parsed."""

LONGEST_LINE = 20_000
"""Characters of a line of TOML: a key of a great many dots takes quadratic time, and no key has more than one line."""

LONGEST_NUMBER = 50
"""Digits of one number in a requirement. Python itself refuses to read numbers of more than 4,300."""

_LONG_NUMBER = re.compile(rf"\d{{{LONGEST_NUMBER + 1}}}")


class Unreadable(ValueError):  # noqa: N818 - says what the file is
    """What was to be read cannot be. The text says why, in a few words that fit after ``cannot be read:``."""


class Outdated(Unreadable):
    """A file of layerforge's is of an earlier schema than this layerforge reads."""


def data(path: Path, most: int, *, follow: bool = True) -> bytes:
    """The bytes of a regular file of at most ``most`` bytes.

    A pipe, a device or a folder is refused without waiting for it, and so is a link where ``follow`` is not set. Raises
    ``Unreadable``, from the ``OSError`` where there was one.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        handle = os.open(path, flags)
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise Unreadable("it is no regular file")
            if facts.st_size > most:
                raise Unreadable(f"it has {facts.st_size:,} bytes, of which at most {most:,} are read")
            # A file may grow while it is read, and those of /proc have no size.
            found = file.read(most + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(getattr(error, "strerror", None) or str(error)) from error
    if len(found) > most:
        raise Unreadable(f"it has more than {most:,} bytes")
    return found


def text(path: Path, most: int = MOST_TEXT) -> str:
    """The text of a regular file in UTF-8, with or without a byte order mark."""
    return decoded(data(path, most))


def decoded(found: bytes) -> str:
    """Bytes as text in UTF-8, with or without a byte order mark."""
    try:
        return found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8: byte {error.start:,} is {found[error.start]:#04x}") from error


def toml(found: str) -> dict[str, Any]:
    """A TOML document."""
    if any(len(line) > LONGEST_LINE for line in found.splitlines()):
        raise Unreadable(f"it has a line of more than {LONGEST_LINE:,} characters")
    try:
        value = tomllib.loads(found)
    except RecursionError as error:
        raise Unreadable(_deep(MOST_DEPTH)) from error
    except ValueError as error:  # TOMLDecodeError, and numbers of more digits than Python takes
        raise Unreadable(str(error)) from error
    return _shallow(value)


def json_value(found: str | bytes, deepest: int = MOST_DEPTH) -> Any:
    """A JSON document, whatever it holds. Numbers that JSON does not have, such as ``NaN``, are refused, and so are
    those that are too large.
    """
    try:
        value = json.loads(found, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise Unreadable(_deep(deepest)) from error
    except ValueError as error:
        raise Unreadable(str(error)) from error
    return _shallow(value, deepest)


def json_as(found: str | bytes, kind: type[T], deepest: int = MOST_DEPTH) -> T:
    """A JSON document as a ``kind``: a dataclass, a list of them. Keys that the type does not have are passed over.

    Nothing is converted: a number is no text, ``1`` is no ``true``, and a key without a default has to be there.
    """
    return as_(json_value(found, deepest), kind)


def file_as(found: str | bytes, kind: type[T], newest: int, *, oldest: int = 1, deepest: int = MOST_DEPTH) -> T:
    """A JSON file that layerforge writes as a ``kind``. One of a schema above ``newest`` is a later layerforge's.

    One below ``oldest``, for which ``Outdated`` is raised, means something else by what stands in it. A file without
    ``schema`` is of the first.
    """
    value = json_value(found, deepest)
    schema = value.get("schema", 1) if isinstance(value, dict) else newest
    if type(schema) is not int or not oldest <= schema <= newest:
        known = f"schema {newest}" if newest == oldest else f"schemas {oldest} to {newest}"
        kind_of_error = Outdated if type(schema) is int and 1 <= schema < oldest else Unreadable
        raise kind_of_error(f"its schema is {repr(schema)[:20]}, and this layerforge reads {known}")
    return as_(value, kind)


def as_(value: Any, kind: type[T]) -> T:
    """A value of JSON or TOML as a ``kind``. Fit for several threads."""
    if kind in _seen:
        return _converted(value, kind)
    # What msgspec learns of a dataclass when it first meets it is seen by other threads before it is whole, and then
    # the process crashes.
    with _first:
        try:
            return _converted(value, kind)
        finally:
            _seen.add(kind)


_first = threading.Lock()
_seen: set[Any] = set()
"""Types that msgspec knows."""


def _converted(value: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind, strict=True)
    except UnicodeEncodeError as error:  # JSON can spell half a character
        raise Unreadable("it holds half a character") from error
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def python(source: bytes) -> ast.Module:
    """A Python source as its tree, which takes about 200 times the memory of the text."""
    if len(source) > MOST_PYTHON:
        raise Unreadable(f"it has {len(source):,} bytes, of which at most {MOST_PYTHON:,} are parsed")
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # memory: the parser's own stack is full
        raise Unreadable(f"it is no Python: {error or type(error).__name__}") from error


def requirement(found: str) -> Requirement:
    """A requirement, whose version and marker can be worked with: the library finds out only when it does so."""
    try:
        parsed = Requirement(_of_length(found).strip())
        # A comparison that makes no sense, such as ``python_version ~= '3'``, is found when it is made.
        if parsed.marker is not None:
            parsed.marker.evaluate({**{key: str(value) for key, value in default_environment().items()}, "extra": ""})
        parsed.specifier.contains("1", prereleases=True)
    except (InvalidRequirement, ValueError, KeyError, RecursionError, AssertionError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"it makes no sense: {(str(error).splitlines() or [type(error).__name__])[0]}") from error
    return parsed


def _of_length(found: str) -> str:
    if len(found) > LONGEST_LINE:
        raise Unreadable(f"it has more than {LONGEST_LINE:,} characters")
    if _LONG_NUMBER.search(re.sub(r"@.*", "", found)):
        raise Unreadable(f"it has a number of more than {LONGEST_NUMBER} digits")
    return found


def _no_constant(name: str) -> None:
    raise Unreadable(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Unreadable(f"{digits[:20]} is too large a number")
    return number


def _deep(deepest: int) -> str:
    return f"it nests more than {deepest} deep"


def _shallow(value: T, deepest: int = MOST_DEPTH) -> T:
    """The value itself, if it nests no deeper than that."""
    level: list[Any] = [value]
    for _ in range(deepest):
        level = [item for one in level if isinstance(one, dict | list) for item in _items(one)]
        if not level:
            return value
    raise Unreadable(_deep(deepest))


def _items(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value
