"""Which files the code of a layer names: what it may open at run time, as far as its words can tell.

Sources are searched and not parsed: a zip may hold one that takes gigabytes to parse. Words in comments count too, so
more is called named than is. Each source is searched once, and what it says is looked up, so the time grows with the
bytes of code alone.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

ENDINGS = (".py", ".dist-info/entry_points.txt")
"""How the names of files end that are looked at."""

INCLUDING = (
    *(".cl", ".glsl", ".hlsl", ".metal", ".wgsl", ".inc", ".ipp", ".def", ".idl"),
    *(".in", ".j2", ".jinja", ".jinja2", ".mako", ".tmpl", ".tpl", ".template"),
)
"""Endings of what is read and not run, and includes other files."""

_LISTING = (
    *(b"listdir", b"scandir", b"walk", b"iterdir", b"glob", b"files", b"contents", b"copytree"),
    *(b"PackageLoader", b"FileSystemLoader", b"TemplateLookup"),
)
_LISTS = re.compile(
    rb"\b(?:listdir|scandir|walk|iterdir|[ir]?glob|files|contents|resource_listdir|copytree|PackageLoader"
    rb"|FileSystemLoader|TemplateLookup)[ \t]*\("
)
"""Calls that give the files of a folder, or read whichever of them is asked for."""

_PLACING = (
    *(b"path.join", b"joinpath", b"Path", b"get_data", b"as_file"),
    *(b"open_text", b"read_text", b"open_binary", b"read_binary"),
)
_PLACES = re.compile(
    rb"(?:\bpath\.join|\bjoinpath|\bPath|\bget_data|\bresource_\w+|\b(?:open|read)_(?:text|binary)|\bas_file)[ \t]*\("
    rb"(?=((?:[^\"'\n]{0,200}[\"'\n]){0,12}))"
)
"""Calls that put a path together, with the beginning of their arguments."""

_OPERANDS = re.compile(rb"/[ \t]*[\"']([\w./-]{1,200})[\"']|[\"']([\w./-]{1,200})[\"'][ \t]*/[ \t]*[\w\"'(]")
"""Texts beside a slash, by which paths are put together too."""

_SLASHES = re.compile(rb"/(?:[ \t]*[\"']|(?<=[\"']/)|(?<=[\"'][ \t]/)|(?<=[ \t][ \t]/))")
"""What none of them is without."""

_HERE = re.compile(rb"__file__")
_OWN_FOLDER = re.compile(
    rb"(?:files|get_data|contents|resource_\w+|(?:open|read)_(?:text|binary)|PackageLoader)"
    rb"[ \t]*\(\s*(?:__package__|__name__|__spec__)"
)
"""How a module reads what is asked for of the folder that it lies in; or it lists that."""

_SELF = re.compile(rb"\(\s*__(?:package|name|spec)__")
"""What none of these calls is without."""

_OF_PACKAGES = (b"files", b"contents", b"path", b"PackageLoader", *_PLACING)

_OF_PACKAGE = re.compile(
    rb"\b(?:files|contents|path|get_data|resource_\w+|(?:open|read)_(?:text|binary)|PackageLoader)[ \t]*\("
    rb"\s*[\"']([\w.]{1,200})[\"']"
)
"""Calls that read whatever is asked for of a package, with the package's name."""

_WORDS = re.compile(rb"[\"'/\\]([\w.-]{1,100})(?=[\"'/\\])")
_MODULES = re.compile(rb"[\"'](\.*\w[\w.]{0,200})[\"':]")
_COMPOSED = re.compile(rb"(?:[}]|%s|%\(\w{1,100}\)s|[\"'])\.tests((?:\.\w{1,100}){0,20})[\"'.{%]")
"""The end of a module's name of which code says the beginning only when it runs: ``f"{app}.tests"``."""

_ENTRIES = re.compile(rb"=[ \t]*([\w.]+)")
_BREAKS = re.compile(rb"[\s\"'/\\(),;=|]")
_PATTERN = re.compile(rb"[*?%{}\[\]]")
_OPEN_ENDED = re.compile(rb"\}\.[{%]|%s\.%s|\{\w*\}\.\{|[\"']\.[\"'][ \t]*(?:\+|\.join)|[\"']\.(?:%s|\{\w*\})[\"']")
"""How a name is put together of a stem and a suffix without its dot."""

_DOTS = re.compile(rb"\.(?:(?<=\}\.)[{%]|(?<=%s\.)%|(?<=[\"']\.)[\"'%{])")
"""What no such name is without."""

_RESOURCES = b"resource_"
"""With which the names of calls begin that end in any way."""

_BARE = re.compile(rb"[\"'](\w{1,10})[\"']")
_PLAIN = frozenset({".a", ".c", ".f", ".h", ".in", ".src"})
"""Suffixes that say nothing without their dot: ``"c"`` is a colour, too."""

_INCLUDES = re.compile(rb"\b(?:include|import|extends)[ \t]*[\"'<]([^\"'<>\n]{1,300})[\"'>]")
FEW = 8
"""Words that are looked for one by one, which for more takes longer than to look for all that may be one."""

_LONGEST = 200
"""Bytes before a suffix in which a file's name is looked for."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file of a layer: code that may name others, a list of entry points, or what such code reads."""

    name: str
    """Path below the folder on ``sys.path``."""
    package: str
    read: Callable[[], bytes]

    @property
    def is_python(self) -> bool:
        """Whether it is a module, a program or a list of entry points, and no other text."""
        return self.name.endswith(ENDINGS) or self.name.startswith("../")


Key = tuple[str, ...]
"""What a source may say of a file: the kind of word, the word, and the package that it speaks of, if of one alone."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Files that may be named, by everything that names them.

    A source's or module's whole name counts wherever it stands; a stub's, a pattern for a suffix, and the name of a
    folder where paths are put together, count for files of the own package. A module counts as named by its dotted
    name, too, and by that of a package of tests around it, of which any may be meant.
    """

    files: Mapping[str, str]
    """Package by path below the folder on ``sys.path``."""

    @cached_property
    def by_key(self) -> Mapping[Key, tuple[str, ...]]:
        """Paths by what names them."""
        found: dict[Key, list[str]] = {}
        for path, package in self.files.items():
            for key in set(_keys(path, package)):
                found.setdefault(key, []).append(path)
        return {key: tuple(paths) for key, paths in found.items()}

    @cached_property
    def suffix(self) -> re.Pattern[bytes]:
        """A suffix of the files at the end of a word."""
        ends = {end for path in self.files if (end := posixpath.splitext(path)[1])}
        any_end = b"|".join(re.escape(end.encode()) for end in sorted(ends, key=len, reverse=True))
        return re.compile(rb"(?:" + (any_end or rb"(?!)") + rb")(?![\w.])(?:[$)]*([\"']))?")

    @cached_property
    def suffixes(self) -> frozenset[str]:
        """Suffixes of the files."""
        return frozenset(key[1] for key in self.by_key if key[0] == "suffix")

    @cached_property
    def has_modules(self) -> bool:
        """Whether any is a module."""
        return any(path.endswith(".py") for path in self.files)

    def may_name_modules(self, data: bytes) -> bool:
        """Whether a source may name a module: it holds the last part of the name of one."""
        return len(self.last_parts) > FEW or any(part in data for part in self.last_parts)

    @cached_property
    def last_parts(self) -> frozenset[bytes]:
        """The last parts of the names of modules."""
        return frozenset(key[1].rpartition(".")[2].encode() for key in self.by_key if key[0] == "module")

    @cached_property
    def folders(self) -> frozenset[bytes]:
        """Names of the folders that files lie in, but for modules."""
        return frozenset(key[1].encode() for key in self.by_key if key[0] == "folder")


def named(wanted: Wanted, source: Source, data: bytes) -> Iterator[str]:
    """Those of the files that a source, of which ``data`` is the text, names; a file may come more than once."""
    said = _said(wanted, source, data) if source.is_python else _included(data)
    for key in said:
        yield from wanted.by_key.get(key, ())


def _keys(path: str, package: str) -> Iterator[Key]:
    """All that names a file."""
    folder, _, name = path.rpartition("/")
    if path.endswith(".py"):
        yield from _module_keys(path, package)
        if name != "__init__.py":
            yield "name", name
        return
    if path.endswith(".pyi"):
        yield "name", name, package
    else:
        yield "name", name
        yield "place", folder, package
        yield from (("folder", part, package) for part in folder.split("/")[1:])
    yield "suffix", posixpath.splitext(name)[1], package


def _module_keys(path: str, package: str) -> Iterator[Key]:
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    least = parts.index("tests") + 1 if "tests" in parts else len(parts)
    yield from (("module", ".".join(parts[:count])) for count in range(len(parts), least - 1, -1))
    if "tests" in parts:
        yield from (("composed", ".".join(parts[least:count]), package) for count in range(len(parts), least - 1, -1))


def _said(wanted: Wanted, source: Source, data: bytes) -> Iterator[Key]:
    package = source.package
    for name, is_pattern in _file_names(data, wanted.suffix):
        yield from [("suffix", name, package)] if is_pattern else [("name", name), ("name", name, package)]
    if wanted.suffixes - _PLAIN and _DOTS.search(data) and _OPEN_ENDED.search(data):
        yield from (("suffix", end, package) for end in _bare_suffixes(data) & wanted.suffixes)
    if wanted.may_name_modules(data):
        yield from (("module", module) for module in _module_names(source, data))
    if wanted.has_modules and b".tests" in data:
        yield from (("composed", tail.decode().lstrip("."), package) for tail in set(_COMPOSED.findall(data)))
    if wanted.folders:
        yield from (("folder", word, package) for word in _folder_names(wanted, data))
        own = _SELF.search(data) and _OWN_FOLDER.search(data)
        if own or (_HERE.search(data) and _lists(data)):
            yield "place", posixpath.dirname(source.name), package


def _bare_suffixes(data: bytes) -> set[str]:
    return {f".{word.decode()}" for word in set(_BARE.findall(data)) if word.isascii()} - _PLAIN


def _folder_names(wanted: Wanted, data: bytes) -> Iterator[str]:
    """Names of folders from which a module may read any file: where it puts paths together, or lists folders."""
    may_place = _calls(data, _OF_PACKAGES)  # which are more
    if _lists(data):
        texts = [data]
    else:
        texts = _PLACES.findall(data) if may_place and _calls(data, _PLACING) else []
        texts += [b'"' + b"/".join(pair) + b'"' for pair in _operands(data)]
    packages = _OF_PACKAGE.findall(data) if may_place else []
    texts += (b'"' + name.replace(b".", b"/") + b'"' for name in packages)
    for text in texts:
        yield from (word.decode() for word in wanted.folders & set(_WORDS.findall(text)))


def _lists(data: bytes) -> bool:
    return _calls(data, _LISTING) and bool(_LISTS.search(data))


def _operands(data: bytes) -> list[tuple[bytes, bytes]]:
    return _OPERANDS.findall(data) if _SLASHES.search(data) else []


def _calls(data: bytes, words: tuple[bytes, ...]) -> bool:
    """Whether one of the words may be called: an expression that has to try each of them everywhere takes long."""
    if words is not _LISTING and _RESOURCES in data:
        return True
    for found in _parentheses(words).finditer(data):
        before = data[max(0, found.start() - _LONGEST) : found.start()].rstrip(b" \t")
        if not before or before.endswith(words):
            return True
    return False


@cache
def _parentheses(words: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Parentheses behind the ends of words, or behind so much space that only a longer look tells."""
    ends = b"|".join(sorted({re.escape(word[-3:]) for word in words}))
    return re.compile(rb"\((?:(?<=(?:" + ends + rb")\()|(?<=(?:" + ends + rb")[ \t]\()|(?<=[ \t][ \t]\())")


def _included(data: bytes) -> Iterator[Key]:
    """What a source in another language includes, by its name."""
    for found in set(_INCLUDES.findall(data)):
        yield "name", posixpath.basename(found.decode("utf-8", "replace").strip())


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
    for found in {name for name in _MODULES.findall(data) if b"." in name}:
        name = found.decode("utf-8", "replace")
        bare = name.lstrip(".")
        level = len(name) - len(bare)
        start = package[: max(0, len(package) - level + 1)] if level else []
        dotted = ".".join([*start, bare.rstrip(".")])
        if "." in dotted:
            yield dotted
