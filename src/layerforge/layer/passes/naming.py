"""Which files the code of a layer names: what it may open at run time, as far as its words can tell.

Sources are searched and not parsed: a zip may hold one that takes gigabytes to parse. Words in comments count too, so
more is called named than is.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

ENDINGS = (".py", ".dist-info/entry_points.txt")
"""How the names of files end that are looked at."""

_LISTS = re.compile(
    rb"\b(?:listdir|scandir|walk|iterdir|[ir]?glob|files|contents|resource_listdir|copytree|PackageLoader"
    rb"|FileSystemLoader|TemplateLookup)[ \t]*\("
)
"""Calls that give the files of a folder, or read whichever of them is asked for."""

_WORDS = re.compile(rb"[\"'/\\]([\w.-]{1,100})(?=[\"'/\\])")
_MODULES = re.compile(rb"[\"'](\.*\w[\w.]{0,200})[\"':]")
_ENTRIES = re.compile(rb"=[ \t]*([\w.]+)")
_BREAKS = re.compile(rb"[\s\"'/\\(),;=|]")
_PATTERN = re.compile(rb"[*?%{}\[\]]")
_LONGEST = 200
"""Bytes before a suffix in which a file's name is looked for."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Code that may name files, or a list of entry points."""

    name: str
    """Path below the folder on ``sys.path``."""
    package: str
    read: Callable[[], bytes]


@dataclass(frozen=True, kw_only=True)
class _Words:
    """What the code of one package says, each with the file that says it."""

    names: dict[str, str] = field(default_factory=dict)
    suffixes: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)
    """Folders that a module in them lists."""


def named(doomed: Mapping[str, str], sources: Iterable[Source]) -> dict[str, str]:
    """Those of the ``doomed`` files (package by path below the folder on ``sys.path``) that a source names, each with
    the source's path.

    A source's or module's whole name counts wherever it stands; a stub's, a pattern for a suffix, and the name of a
    folder in a module that lists folders, count for files of the own package. A module counts as named by its dotted
    name, too.
    """
    if not doomed:
        return {}
    suffix = _suffixes(doomed)
    folders = {folder.encode() for path in doomed if not _is_python(path) for folder in path.split("/")[1:-1]}
    modules: dict[str, str] = {}
    words: dict[str, _Words] = {}
    for source in sources:
        data = source.read()
        own = words.setdefault(source.package, _Words())
        for name, is_pattern in _file_names(data, suffix):
            (own.suffixes if is_pattern else own.names).setdefault(name, source.name)
        for module in _module_names(source, data):
            modules.setdefault(module, source.name)
        if folders and _LISTS.search(data):
            own.folders.update(dict.fromkeys(_said(folders, data), source.name))
            own.listed.update({posixpath.dirname(source.name): source.name} if b"__file__" in data else {})
    names = {name: by for own in words.values() for name, by in own.names.items()}
    found = ((path, _by(path, names, modules, words.get(package, _Words()))) for path, package in doomed.items())
    return {path: by for path, by in found if by}


def _by(path: str, names: Mapping[str, str], modules: Mapping[str, str], own: _Words) -> str:
    """The source that names ``path``; empty where none does."""
    folder, _, name = path.rpartition("/")
    if path.endswith(".py"):
        return _by_module(path, modules) or ("" if name == "__init__.py" else names.get(name, ""))
    patterns = next((by for suffix, by in own.suffixes.items() if name.endswith(suffix)), "")
    if path.endswith(".pyi"):
        return own.names.get(name, "") or patterns
    listed = (own.folders[part] for part in folder.split("/")[1:] if part in own.folders)
    return names.get(name, "") or patterns or next(listed, "") or own.listed.get(folder, "")


def _by_module(path: str, modules: Mapping[str, str]) -> str:
    """A module is named by its own name or by that of a package of tests around it, of which any may be meant."""
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    least = parts.index("tests") + 1 if "tests" in parts else len(parts)
    dotted = (".".join(parts[:count]) for count in range(len(parts), least - 1, -1))
    return next((modules[one] for one in dotted if one in modules), "")


def _is_python(path: str) -> bool:
    return path.endswith((".py", ".pyi"))


def _suffixes(doomed: Collection[str]) -> re.Pattern[bytes]:
    """A suffix of ``doomed`` files at the end of a word."""
    ends = {end for path in doomed if (end := posixpath.splitext(path)[1])}
    any_end = b"|".join(re.escape(end.encode()) for end in sorted(ends, key=len, reverse=True))
    return re.compile(rb"(?:" + any_end + rb")(?![\w.])(?:[$)]*([\"']))?")


def _file_names(data: bytes, suffix: re.Pattern[bytes]) -> Iterator[tuple[str, bool]]:
    """Every word that ends in a suffix, or the suffix alone for a pattern such as ``*.h``, ``%s.h`` and ``.h``."""
    for match in suffix.finditer(data):
        end = match[0].rstrip(b"$)\"'")
        before = data[max(0, match.start() - _LONGEST) : match.start()]
        stem = _BREAKS.split(before)[-1]
        is_pattern = (bool(match[1]) and (not stem or bool(_PATTERN.search(stem)))) or stem.startswith(b"*")
        if is_pattern:
            yield end.decode("utf-8", "replace"), True
        elif stem:
            yield (stem + end).decode("utf-8", "replace"), False


def _module_names(source: Source, data: bytes) -> Iterator[str]:
    """Dotted names in quotes, those that begin with dots completed, and what entry points name."""
    if source.name.endswith("/entry_points.txt"):
        yield from (one.decode("ascii", "replace") for one in _ENTRIES.findall(data))
        return
    package = source.name.split("/")[:-1]
    for found in set(_MODULES.findall(data)):
        name = found.decode("utf-8", "replace")
        bare = name.lstrip(".")
        level = len(name) - len(bare)
        start = package[: max(0, len(package) - level + 1)] if level else []
        dotted = ".".join([*start, bare.rstrip(".")])
        if "." in dotted:
            yield dotted


def _said(folders: AbstractSet[bytes], data: bytes) -> Iterator[str]:
    return (word.decode() for word in folders & set(_WORDS.findall(data)))
