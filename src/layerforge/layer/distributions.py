"""The distributions of an archive, from its ``.dist-info`` folders, and which file came with which."""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from packaging.utils import canonicalize_name

from layerforge.core.digest import of_record
from layerforge.core.errors import VerificationError
from layerforge.core.metadata import fields_of
from layerforge.core.paths import DEEPEST, SITE, site_dir
from layerforge.layer import licences, pyc
from layerforge.layer.contents import Contents

MOST_ROWS = 400_000
"""Lines that all RECORDs together may have: twice the entries of the largest archive."""

MOST_DISTRIBUTIONS = 1_000
"""Folders of metadata, one for each package. The largest layers have about 150."""


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
_SIZE = re.compile(r"[0-9]{1,18}")
"""A RECORD's size; what has more digits is no file's, and Python refuses to read very long ones."""


def distributions(layer: Contents) -> tuple[Distribution, ...]:
    """Every distribution that has a ``.dist-info`` folder, sorted by that folder's path.

    Those that another package carries inside, as setuptools does, are not installed, so they are left out.
    """
    found = {match[1]: match[2] for path in layer.paths if (match := _INFO.fullmatch(path))}
    if len(found) > MOST_DISTRIBUTIONS:
        raise VerificationError(
            f"the archive is not read: it holds the metadata of {len(found):,} packages",
            hint=f"at most {MOST_DISTRIBUTIONS:,} are read; no layer needs that many",
        )
    folders = {posixpath.dirname(info) for info in found}
    return tuple(
        _counted(
            _distribution(info, stem, layer)
            for info, stem in sorted(found.items())
            if _is_site_packages(f"{posixpath.dirname(info)}/") or folders.isdisjoint(_around(info))
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


def _is_site_packages(folder: str) -> bool:
    return site_dir(folder) == folder != f"{SITE}/"


def _distribution(info: str, stem: str, layer: Contents) -> Distribution:
    text = layer.read(f"{info}/METADATA") or b""
    name, version = identity(text, stem)
    record = layer.read(f"{info}/RECORD")
    # What lies deeper is in no archive that is read.
    kept = (row for row in rows(record or b"") if row.path.count("/") <= DEEPEST)
    return Distribution(
        name=name,
        version=version,
        info=info,
        record=None if record is None else tuple(islice(kept, MOST_ROWS + 1)),
        licence=licences.declared(text),
    )


def identity(text: bytes, stem: str) -> tuple[str, str]:
    """Normalised name and version that a METADATA file tells, else those in the name of its folder, ``stem``."""
    fields, (name, _, version) = fields_of(text), stem.partition("-")
    return canonicalize_name(str(fields.get("Name") or name)), str(fields.get("Version") or version)


def rows(record: bytes) -> Iterator[RecordRow]:
    """Rows of a RECORD; a row that is none, or a file that is no CSV from there on, is left out."""
    text = record.decode("utf-8", "replace").replace("\0", "")
    try:
        for row in csv.reader(io.StringIO(text, newline=None)):
            if len(row) == 3 and row[0]:
                size = int(row[2]) if _SIZE.fullmatch(row[2]) else None
                yield RecordRow(path=row[0], sha256=of_record(row[1]), size=size)
    except csv.Error:
        return


def owners(paths: Iterable[str], found: Iterable[Distribution], layer: Contents) -> Mapping[str, str]:
    """Name of the distribution by path: by RECORD, else by the nearest folder that one distribution alone has files
    in, else by the top-level name. A path that belongs to none is not in the mapping.
    """
    paths, found = tuple(paths), tuple(found)
    listed = {path: one.name for one in found for path in recorded(one)}
    folders = _folders(listed, {folder for path in paths for folder in _parents(path)})
    tops = {top: one.name for one in found for top in _tops(one, layer)}
    result: dict[str, str] = {}
    for path in paths:
        source = pyc.source_path(path) if path.endswith(".pyc") else path
        owner = listed.get(path) or listed.get(source) or _nearest(path, folders) or tops.get(_top(path), "")
        if owner:
            result[path] = owner
    return result


def recorded(one: Distribution) -> Iterator[str]:
    """Paths in the archive of everything that a RECORD lists; what lies outside the layer is left out."""
    return (path for path, _ in placed(one) if path)


def placed(one: Distribution) -> Iterator[tuple[str, RecordRow]]:
    """Each row of a RECORD with the path in the layer that it is of; empty for what lies outside of it."""
    for row in one.record or ():
        path = posixpath.normpath(posixpath.join(posixpath.dirname(one.info), row.path))
        yield "" if path.startswith(("../", "/")) else path, row


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
    site = site_dir(path)
    parts = path.removeprefix(site).split("/")[:-1]
    yield from (site + "/".join(parts[:count]) for count in range(len(parts), 0, -1))


def _nearest(path: str, folders: Mapping[str, str]) -> str:
    return next((folders[folder] for folder in _parents(path) if folder in folders), "")


def _top(path: str) -> str:
    """Normalised top-level name that a path stands under: ``scikit-learn`` for ``python/scikit_learn.libs/x.so``."""
    site = site_dir(path)
    return site + canonicalize_name(path.removeprefix(site).partition("/")[0].partition(".")[0])


def _tops(one: Distribution, layer: Contents) -> Iterator[str]:
    site = one.info[: -len(posixpath.basename(one.info))]
    names = (layer.read(f"{one.info}/top_level.txt") or b"").decode("utf-8", "replace").split()
    yield from (site + canonicalize_name(name) for name in (one.name, *names))
