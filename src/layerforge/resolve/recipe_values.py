"""What is wrong with a value of a ``recipe.toml``: a rule for each kind."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from layerforge.core import globs, guarded, sizes

PART = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._+-]{0,98}[a-zA-Z0-9+])?")
"""What a library of the image may be called, or a package: its name is a file's, in the container and out of it."""

NAMED = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,98}[a-zA-Z0-9])?")
"""What a recipe may be about: `needs` of others name it as a requirement does."""

MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")

VARIABLE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

SHA256 = re.compile(r"[0-9a-f]{64}")

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

Rule = Callable[[Any], str]
"""Looks at a value and says what is wrong with it; empty where nothing is."""


def text(value: object) -> str:
    """What is wrong with a value that has to be a text."""
    return "" if _is_text(value) and value else "must be a text"


def line(value: object) -> str:
    """What is wrong with a text that is told in one line."""
    return "" if isinstance(value, str) and value.strip() and value.isprintable() else "must be a text of one line"


def _is_text(value: object) -> bool:
    """Whether a value is a text that a program can be told."""
    return isinstance(value, str) and "\0" not in value


def _texts(value: object) -> str:
    fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "" if fits else "must be a list of texts"


def each(rule: Rule) -> Rule:
    """A list of texts that each follow ``rule``."""

    def check(value: Any) -> str:
        if problem := _texts(value):
            return problem
        return "; ".join(f"holds {shown(one)}, which {wrong}" for one in value if (wrong := rule(one)))

    return check


def named(fits: re.Pattern[str], what: str) -> Rule:
    """A rule for texts that look like ``fits``."""
    return lambda value: "" if isinstance(value, str) and fits.fullmatch(value) else f"must be {what}"


def inside(value: object) -> str:
    """What is wrong with a path or glob that has to stay below a folder."""
    if not isinstance(value, str) or not value or not value.isprintable():
        return "must be a path"
    parts = value.split("/")
    if PurePosixPath(value).is_absolute() or ".." in parts or "\\" in value or ":" in parts[0]:
        return "must stay below its folder"
    return "must have no empty part" if "" in parts[:-1] or "." in parts else ""


def glob(value: object) -> str:
    """What is wrong with a glob: ``**`` is a whole part of a path, and no path climbs."""
    if wrong := inside(value):
        return wrong
    assert isinstance(value, str)
    if any("**" in part and part != "**" for part in value.split("/")):
        return "must have ** as a whole part, as in a/**/b"
    return "" if len(value) <= globs.LONGEST else f"must have at most {globs.LONGEST} characters"


def keys(fits: re.Pattern[str]) -> Rule:
    """A table of texts whose keys look like ``fits``."""

    def check(value: Any) -> str:
        if problem := flags(value):
            return problem
        wrong = [one for one in value if not fits.fullmatch(one)]
        return f"must not have the key {shown(wrong[0])}" if wrong else ""

    return check


def shown(value: object) -> str:
    """A value as a message shows it."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def requirements(value: object) -> str:
    """What is wrong with a list of requirements."""
    if problem := _texts(value) or ("" if value else "must not be empty"):
        return problem
    assert isinstance(value, list)
    for item in value:
        try:
            guarded.requirement(item)
        except guarded.Unreadable as error:
            return f"{shown(item)} is no requirement: {error}"
    return ""


def system_packages(value: object) -> str:
    """What is wrong with names of packages of a system."""
    if problem := _texts(value):
        return problem
    assert isinstance(value, list)
    wrong = [item for item in value if not _SYSTEM_PACKAGE.fullmatch(item)]
    return f"has {wrong[0]!r}, which no package is called" if wrong else ""


def size(value: object) -> str:
    """What is wrong with a size."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return ""
    fits = isinstance(value, str) and _SIZE.fullmatch(value)
    return "" if fits else 'must be a size such as "110 MiB"'


def schema_number(value: object) -> str:
    """What is wrong with the schema's number."""
    return "" if value == 2 and type(value) is int else "must be 2"


def versions(value: object) -> str:
    """What is wrong with versions as in a requirement."""
    if not isinstance(value, str) or not value.strip():
        return 'must be the versions that the recipe was proved for, such as ">=2.5,<3"'
    try:
        SpecifierSet(value)
        guarded.requirement(f"x{value}")
    except (InvalidSpecifier, guarded.Unreadable):
        return 'must be versions as in a requirement, such as ">=2.5,<3"'
    return ""


def needs(value: object) -> str:
    """What is wrong with names of recipes."""
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


def minutes(value: object) -> str:
    """What is wrong with a time."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
    return "" if fits else "must be minutes, a number above 0"


def yes_or_no(value: object) -> str:
    """What is wrong with a truth."""
    return "" if isinstance(value, bool) else "must be true or false"


def own_glob(value: object) -> str:
    """What is wrong with a glob of a package's own files."""
    if wrong := glob(value):
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


def address(value: object) -> str:
    """What is wrong with an address."""
    return "" if isinstance(value, str) and file_name(value) else "must be an address that ends with the name of a file"


def data_folder(value: object) -> str:
    """What is wrong with a folder for data."""
    if wrong := inside(value):
        return wrong
    assert isinstance(value, str)
    return "" if value.startswith(DATA_FOLDERS) else f"must lie below {' or '.join(DATA_FOLDERS)}"


def function_variables(value: Any) -> str:
    """What is wrong with the variables of a function; empty where nothing is."""
    if wrong := keys(VARIABLE)(value):
        return wrong
    if broken := next((one for one, text in value.items() if not text.isprintable()), ""):
        return f"must have values of one line, and {broken} has {shown(value[broken])}"
    taken = next((one for one in value if one in _TAKEN or one.startswith(_LAMBDAS)), "")
    return f"must not set {taken}, which is Lambda's own" if taken else ""


def deferred(value: Any) -> str:
    """What is wrong with imports that are to wait, by file."""
    if not isinstance(value, dict):
        return "must be a table of files and the modules that each imports later"
    wrong = (text for file, modules in value.items() if (text := _deferred_in(file, modules)))
    return "; ".join(wrong)


def _deferred_in(file: str, modules: object) -> str:
    if inside(file) or not file.endswith(".py") or "*" in file:
        return f"must have files below python/ as its keys, a/b.py, and {shown(file)} is none"
    wrong = each(named(MODULE, "a module's name"))(modules) or ("" if modules else "must not be empty")
    return f"has for {shown(file)} what {wrong}" if wrong else ""


def all_or_globs(value: Any) -> str:
    """What is wrong with files of a package: all of them, or those that globs name."""
    if isinstance(value, str):
        return "" if value == "all" else 'must be "all" or a list of globs'
    return each(own_glob)(value)


def level(value: object) -> str:
    """What is wrong with a level of optimisation."""
    return "" if value in (0, 1, 2) and not isinstance(value, bool) else "must be 0, 1 or 2"


def one_of(*words: str) -> Rule:
    """A rule for one of some words."""
    known = " or ".join(repr(str(word)) for word in words)
    return lambda value: "" if value in words else f"must be {known}"


def table(value: object) -> str:
    """What is wrong with a table."""
    return "" if isinstance(value, dict) else "must be a table"


def flags(value: object) -> str:
    """What is wrong with a table of texts."""
    fits = isinstance(value, dict) and all(_is_text(item) for item in value.values())
    return "" if fits else "must be a table of texts"


def globs_of_texts(value: Any) -> str:
    """What is wrong with a table of texts whose keys are globs."""
    if problem := flags(value):
        return problem
    wrong = [problem for one in value if (problem := glob(one))]
    return f"has a key that {wrong[0]}" if wrong else ""


def config(value: object) -> str:
    """What is wrong with settings of a build backend."""
    values = [item if isinstance(item, list) else [item] for item in value.values()] if isinstance(value, dict) else []
    fits = isinstance(value, dict) and all(_is_text(one) for item in values for one in item)
    return "" if fits else "must be a table of texts or lists of texts"


def bytes_of(value: int | str) -> int:
    """Bytes of ``"110 MiB"``, ``"30 MB"`` or a plain number."""
    if isinstance(value, int):
        return value
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is no size")
    return int(float(match[1]) * sizes.UNITS[match[2] or "bytes"])
