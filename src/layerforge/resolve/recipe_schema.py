"""What a ``recipe.toml`` may hold, key by key, and what is wrong with a value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from layerforge.core import globs, guarded
from layerforge.resolve.recipe import Docstrings

_PART = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._+-]{0,98}[a-zA-Z0-9+])?")
"""What a library of the image may be called, or a package: its name is a file's, in the container and out of it."""

_NAMED = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,98}[a-zA-Z0-9])?")
"""What a recipe may be about: `needs` of others name it as a requirement does."""

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
SHOWN = 80
"""Characters of a wrong value that an error repeats."""

_SYSTEM_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,99}")
"""What packages of dnf, yum and apt are called; nothing that a shell or an option would take otherwise."""

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*(bytes|kB|MB|GB|KiB|MiB|GiB)?")
DATA_FOLDERS = ("share/", "etc/")
"""Where data may lie below ``/opt``: nothing there is a package's, or looked for by a name that others use."""

_LAMBDAS = ("AWS_", "LAMBDA_", "_")
_TAKEN = frozenset({"PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "TZ", "HOME"})
"""Variables that decide for a whole function, which no package may."""

_UNITS = {"bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
Rule = Callable[[Any], str]
"""Looks at a value and says what is wrong with it; empty where nothing is."""


def _text(value: object) -> str:
    return "" if _is_text(value) and value else "must be a text"


def _is_text(value: object) -> bool:
    """Whether a value is a text that a program can be told."""
    return isinstance(value, str) and "\0" not in value


def _texts(value: object) -> str:
    fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "" if fits else "must be a list of texts"


def _each(rule: Rule) -> Rule:
    """A list of texts that each follow ``rule``."""

    def check(value: Any) -> str:
        if problem := _texts(value):
            return problem
        return "; ".join(f"holds {shown(one)}, which {wrong}" for one in value if (wrong := rule(one)))

    return check


def _named(fits: re.Pattern[str], what: str) -> Rule:
    return lambda value: "" if isinstance(value, str) and fits.fullmatch(value) else f"must be {what}"


def _inside(value: object) -> str:
    """What is wrong with a path or glob that has to stay below a folder."""
    if not isinstance(value, str) or not value or not value.isprintable():
        return "must be a path"
    parts = value.split("/")
    if PurePosixPath(value).is_absolute() or ".." in parts or "\\" in value or ":" in parts[0]:
        return "must stay below its folder"
    return "must have no empty part" if "" in parts[:-1] or "." in parts else ""


def _glob(value: object) -> str:
    """What is wrong with a glob: ``**`` is a whole part of a path, and no path climbs."""
    if wrong := _inside(value):
        return wrong
    assert isinstance(value, str)
    if any("**" in part and part != "**" for part in value.split("/")):
        return "must have ** as a whole part, as in a/**/b"
    return "" if len(value) <= globs.LONGEST else f"must have at most {globs.LONGEST} characters"


def _keys(fits: re.Pattern[str]) -> Rule:
    """A table of texts whose keys look like ``fits``."""

    def check(value: Any) -> str:
        if problem := _flags(value):
            return problem
        wrong = [one for one in value if not fits.fullmatch(one)]
        return f"must not have the key {shown(wrong[0])}" if wrong else ""

    return check


def shown(value: object) -> str:
    """A value as a message shows it."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _requirements(value: object) -> str:
    if problem := _texts(value) or ("" if value else "must not be empty"):
        return problem
    assert isinstance(value, list)
    for item in value:
        try:
            guarded.requirement(item)
        except guarded.Unreadable as error:
            return f"{shown(item)} is no requirement: {error}"
    return ""


def _system_packages(value: object) -> str:
    if problem := _texts(value):
        return problem
    assert isinstance(value, list)
    wrong = [item for item in value if not _SYSTEM_PACKAGE.fullmatch(item)]
    return f"has {wrong[0]!r}, which no package is called" if wrong else ""


def _size(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return ""
    fits = isinstance(value, str) and _SIZE.fullmatch(value)
    return "" if fits else 'must be a size such as "110 MiB"'


def _schema_number(value: object) -> str:
    return "" if value == 2 and type(value) is int else "must be 2"


def _versions(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        return 'must be the versions that the recipe was proved for, such as ">=2.5,<3"'
    try:
        SpecifierSet(value)
        guarded.requirement(f"x{value}")
    except (InvalidSpecifier, guarded.Unreadable):
        return 'must be versions as in a requirement, such as ">=2.5,<3"'
    return ""


def _needs(value: object) -> str:
    if problem := _texts(value):
        return problem
    assert isinstance(value, list)
    for item in value:
        try:
            named = guarded.requirement(item)
        except guarded.Unreadable as error:
            return f"holds {shown(item)}, which is no name of a recipe: {error}"
        if named.url or named.marker or named.extras:
            return f"holds {shown(item)}: a need is a recipe's name, and its versions where not all will do"
    return ""


def _minutes(value: object) -> str:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    return "" if fits else "must be minutes, a number above 0"


def _yes_or_no(value: object) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _own_glob(value: object) -> str:
    """What is wrong with a glob of a package's own files."""
    if wrong := _glob(value):
        return wrong
    assert isinstance(value, str)
    first = value.partition("/")[0]
    return "must begin with a folder or file of the package itself" if first.startswith(("*", "?")) else ""


def file_name(url: str) -> str:
    """What the file at an address is called: the last part of its path; empty where that is no name."""
    try:
        name = unquote(urlsplit(url).path.rpartition("/")[2], errors="strict")
    except ValueError:
        return ""
    return name if name.isprintable() and "/" not in name and name not in {".", ".."} else ""


def _address(value: object) -> str:
    return "" if isinstance(value, str) and file_name(value) else "must be an address that ends with the name of a file"


def _data_folder(value: object) -> str:
    if wrong := _inside(value):
        return wrong
    assert isinstance(value, str)
    return "" if value.startswith(DATA_FOLDERS) else f"must lie below {' or '.join(DATA_FOLDERS)}"


def function_variables(value: Any) -> str:
    """What is wrong with the variables of a function; empty where nothing is."""
    if wrong := _keys(_VARIABLE)(value):
        return wrong
    if broken := next((one for one, text in value.items() if not text.isprintable()), ""):
        return f"must have values of one line, and {broken} has {shown(value[broken])}"
    taken = next((one for one in value if one in _TAKEN or one.startswith(_LAMBDAS)), "")
    return f"must not set {taken}, which is Lambda's own" if taken else ""


def _level(value: object) -> str:
    return "" if value in (0, 1, 2) and not isinstance(value, bool) else "must be 0, 1 or 2"


def _one_of(*words: str) -> Rule:
    known = " or ".join(repr(str(word)) for word in words)
    return lambda value: "" if value in words else f"must be {known}"


def _flags(value: object) -> str:
    fits = isinstance(value, dict) and all(_is_text(item) for item in value.values())
    return "" if fits else "must be a table of texts"


def _config(value: object) -> str:
    values = [item if isinstance(item, list) else [item] for item in value.values()] if isinstance(value, dict) else []
    fits = isinstance(value, dict) and all(_is_text(one) for item in values for one in item)
    return "" if fits else "must be a table of texts or lists of texts"


_name = _named(_NAMED, "a name of letters, digits and . _ - between them")
_part = _named(_PART, "a name of letters, digits and . _ + - between them")
_parts = _each(_part)
_globs = _each(_glob)
_SYSTEM = {"system": _parts}
_LIBRARY = {"env": _keys(_VARIABLE), "flags": _keys(_VARIABLE), **_SYSTEM}
_PACKAGE = {**_LIBRARY, "config": _config}
_SOURCE = {"url": _text, "sha256": _named(_SHA256, "64 hexadecimal digits")}

SCHEMA: Mapping[str, Any] = {
    "schema": _schema_number,
    "package": {
        "name": _name,
        "versions": _versions,
        "build": _one_of("source"),
        "needs": _needs,
        "minutes": _minutes,
        **_PACKAGE,
        "arch": {"x86_64": _PACKAGE, "arm64": _PACKAGE},
    },
    "library": {
        "name": _name,
        "version": _text,
        "source": _SOURCE,
        "needs": _needs,
        "script": _text,
        "ship": _globs,
        "minutes": _minutes,
        **_LIBRARY,
        "arch": {"x86_64": _LIBRARY, "arm64": _LIBRARY},
    },
    "build": {"requires": _requirements, "packages": _system_packages},
    "prune": {"remove": _each(_own_glob), "keep": _each(_own_glob)},
    "bytecode": {
        "docstrings": _one_of(*Docstrings),
        "keep_docstrings": _each(_own_glob),
        "optimize": _level,
    },
    "env": function_variables,
    "data": [{**_SOURCE, "url": _address, "into": _data_folder, "unpack": _yes_or_no, "files": _globs}],
    "check": {
        "imports": _each(_named(_MODULE, "a module's name")),
        "script": _inside,
        "single": _globs,
        "excused": _flags,
    },
    "layer": {"requires": _requirements, "leave-out": _parts, "budget": {"unzipped": _size, "zipped": _size}},
}
"""A callable checks a value, a mapping is a table with these keys, a list an array of such tables."""

REQUIRED = {
    "": ("schema",),
    "package": ("name", "versions"),
    "library": ("name", "version", "source.url", "source.sha256", "script"),
    "layer": ("requires",),
}
"""Keys that have to be there, by the table that has them, where there is such a table."""

REQUIRED_IN_ROWS = {"data": ("url", "sha256", "into")}

OF_PACKAGES = (
    "prune",
    "bytecode",
    "env",
    "data",
    "layer",
    "check.imports",
    "check.script",
    "check.excused",
    "build.requires",
)
"""What no library has: it ships what it names, and packages prove it."""

OF_COMPILED = ("needs", "minutes", "config", "flags", "env")
"""Keys of ``[package]`` that mean nothing where it is not compiled."""


def size(value: int | str) -> int:
    """Bytes of ``"110 MiB"``, ``"30 MB"`` or a plain number."""
    if isinstance(value, int):
        return value
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is no size")
    return int(float(match[1]) * _UNITS[match[2] or "bytes"])
