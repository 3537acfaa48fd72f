"""The distributions of an archive, from its ``.dist-info`` folders, and which file came with which."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from itertools import islice

from packaging.utils import canonicalize_name

from layerforge.core.digest import of_record
from layerforge.core.paths import DEEPEST, SITE
from layerforge.layer import licences, pyc
from layerforge.layer.errors import VerificationError


@dataclass(frozen=True, kw_only=True)
class RecordRow:
    """One line of a RECORD: path relative to ``python/``, digest in hexadecimal or empty, size or ``None``."""

    path: str
    sha256: str
    size: int | None


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A distribution as found in an archive."""

    name: str
    version: str
    info: str
    record: tuple[RecordRow, ...] | None
    """``None`` where it has no RECORD."""
    licence: str = ""
    """As its METADATA declares it; empty where that says nothing."""


_INFO = re.compile(r"((?:.*/)?([^/]+)\.dist-info)/[^/]+")
_SITE_PACKAGES = re.compile(rf"{SITE}/lib/python3\.\d+/site-packages/")
_SIZE = re.compile(r"[0-9]{1,18}")
"""A RECORD's size; what has more digits is no file's, and Python refuses to read very long ones."""

Reader = Callable[[str], bytes | None]
"""Contents of a file of the archive by its path; ``None`` where there is none."""


def distributions(paths: Iterable[str], read: Reader) -> tuple[Distribution, ...]:
    """Every distribution that has a ``.dist-info`` folder, sorted by that folder's path.

    Those that another package carries inside, as setuptools does, are not installed, so they are left out.
    """
    found = {match[1]: match[2] for path in paths if (match := _INFO.fullmatch(path))}
    if len(found) > MOST_DISTRIBUTIONS:
        raise VerificationError(
            f"the archive is not read: it holds the metadata of {len(found):,} packages",
            hint=f"at most {MOST_DISTRIBUTIONS:,} are read; no layer needs that many",
        )
    folders = {posixpath.dirname(info) for info in found}
    return tuple(
        _counted(
            _distribution(info, stem, read)
            for info, stem in sorted(found.items())
            if _SITE_PACKAGES.fullmatch(f"{posixpath.dirname(info)}/") or folders.isdisjoint(_around(info))
        )
    )


def _counted(found: Iterable[Distribution]) -> Iterator[Distribution]:
    """The distributions themselves, as long as their RECORDs have no more lines together than are read."""
    rows = 0
    for one in found:
        rows += len(one.record or ())
        if rows > MOST_ROWS:
            raise VerificationError(
                f"{one.info}/RECORD is not read: with it, more than {MOST_ROWS:,} files would be listed",
                hint="no layer needs that many; is this the right file?",
            )
        yield one


def _around(info: str) -> Iterator[str]:
    """Folders around the one that a ``.dist-info`` folder stands in, the archive's top included."""
    parts = info.split("/")[:-1]
    return ("/".join(parts[:count]) for count in range(len(parts)))


def _distribution(info: str, stem: str, read: Reader) -> Distribution:
    name, _, version = stem.partition("-")
    metadata = read(f"{info}/METADATA") or b""
    fields = HeaderParser().parsestr(_text(metadata))
    record = read(f"{info}/RECORD")
    return Distribution(
        name=canonicalize_name(fields.get("Name") or name),
        version=fields.get("Version") or version,
        info=info,
        record=None if record is None else tuple(islice(_rows(_text(record)), MOST_ROWS + 1)),
        licence=licences.declared(metadata),
    )


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")


def _rows(text: str) -> Iterator[RecordRow]:
    """Rows of a RECORD; a row that is none, or a file that is no CSV from there on, is left out."""
    try:
        for row in csv.reader(io.StringIO(text.replace("\0", ""), newline=None)):
            if len(row) == 3 and row[0] and row[0].count("/") <= DEEPEST:
                size = int(row[2]) if _SIZE.fullmatch(row[2]) else None
                yield RecordRow(path=row[0], sha256=of_record(row[1]), size=size)
    except csv.Error:
        return


def owners(paths: Iterable[str], found: Iterable[Distribution], read: Reader) -> Mapping[str, str]:
    """Name of the distribution by path: by RECORD, else by the nearest folder that one distribution alone has files
    in, else by the top-level name. A path that belongs to none is not in the mapping.
    """
    paths, found = tuple(paths), tuple(found)
    listed = {path: one.name for one in found for path in recorded(one)}
    folders = _folders(listed, {folder for path in paths for folder in _parents(path)})
    tops = {top: one.name for one in found for top in _tops(one, read)}
    result: dict[str, str] = {}
    for path in paths:
        source = pyc.source_path(path) if path.endswith(".pyc") else path
        owner = listed.get(path) or listed.get(source) or _nearest(path, folders) or tops.get(_top(path), "")
        if owner:
            result[path] = owner
    return result


def recorded(one: Distribution) -> Iterator[str]:
    """Paths in the archive of everything that a RECORD lists; what lies outside the layer is left out."""
    for row in one.record or ():
        path = posixpath.normpath(posixpath.join(posixpath.dirname(one.info), row.path))
        if not path.startswith(("../", "/")):
            yield path


def _folders(listed: Mapping[str, str], there: Container[str]) -> Mapping[str, str]:
    """Owner by folder, of those folders ``there`` whose recorded files all come with one distribution."""
    seen: dict[str, str] = {}
    for path, name in listed.items():
        for folder in _parents(path):
            if folder in there and seen.setdefault(folder, name) != name:
                seen[folder] = ""
    return {folder: name for folder, name in seen.items() if name}


def _parents(path: str) -> Iterator[str]:
    """Folders around ``path``, innermost first, without the site folder and what is above it."""
    site = _site(path)
    parts = path.removeprefix(site).split("/")[:-1]
    yield from (site + "/".join(parts[:count]) for count in range(len(parts), 0, -1))


def _nearest(path: str, folders: Mapping[str, str]) -> str:
    return next((folders[folder] for folder in _parents(path) if folder in folders), "")


def _site(path: str) -> str:
    match = _SITE_PACKAGES.match(path)
    return match[0] if match else f"{SITE}/" if path.startswith(f"{SITE}/") else ""


def _top(path: str) -> str:
    """Normalised top-level name that a path stands under: ``scikit-learn`` for ``python/scikit_learn.libs/x.so``."""
    site = _site(path)
    return site + canonicalize_name(path.removeprefix(site).partition("/")[0].partition(".")[0])


def _tops(one: Distribution, read: Reader) -> Iterator[str]:
    site = one.info[: -len(posixpath.basename(one.info))]
    names = _text(read(f"{one.info}/top_level.txt")).split()
    yield from (site + canonicalize_name(name) for name in (one.name, *names))


MOST_ROWS = 400_000
"""Lines that all RECORDs together may have: twice the entries of the largest archive."""

MOST_DISTRIBUTIONS = 1_000
"""Folders of metadata, one for each package. The largest layers have about 150."""
