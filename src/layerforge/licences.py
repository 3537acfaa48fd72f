"""Licences: what a distribution's metadata declares, and the texts that come with it or with a library's sources."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser

from layerforge import digest
from layerforge.model import Tree
from layerforge.sources import DAMAGED

LONGEST = 1 << 20
"""Bytes of a licence's text; what is longer is none."""

MOST = 200
"""Texts that are taken from one source archive."""

_NAME = re.compile(
    r"(?:.*[-_.])?(?:LICEN[CS]ES?|COPYING|COPYRIGHT|NOTICE|UNLICENSE)(?:[-_.][^/]*)?(?<!\.py)(?<!\.pyc)(?<!\.so)", re.I
)
_IN_INFO = re.compile(r".*\.dist-info/(?:licen[cs]es/.+|[^/]*(?:AUTHORS)[^/]*)", re.I)
_PREFIX = "License :: "

SPDX = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}
"""Identifiers of the licences that a classifier names beyond doubt."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """One licence's text."""

    owner: str
    """Package or library that it came with."""
    place: str
    """Path in the layer, or in the archive of sources."""
    text: str


def declared(metadata: bytes) -> str:
    """The licence that a METADATA file declares: an SPDX expression, else a name; empty where it tells none."""
    fields = HeaderParser().parsestr(metadata.decode("utf-8", "replace"))
    named = str(fields.get("License-Expression") or _short(str(fields.get("License", ""))))
    if named:
        return named
    rows = [str(row) for row in fields.get_all("Classifier", []) if str(row).startswith(_PREFIX)]
    names = dict.fromkeys(row.rpartition(" :: ")[2] for row in rows if row.count(" :: ") > 1 or "OSI" not in row)
    return " AND ".join(SPDX.get(name, name) for name in names) if len(names) == 1 else ", ".join(names)


def _short(licence: str) -> str:
    """Some METADATA holds a licence's whole text where its name is meant; that is no name."""
    return licence if "\n" not in licence and len(licence) <= 80 and licence.upper() != "UNKNOWN" else ""


def is_licence(path: str) -> bool:
    """Whether the file at ``path`` of a layer or an archive is a licence's text, by its name."""
    return bool(_IN_INFO.fullmatch(path) or _NAME.fullmatch(path.rpartition("/")[2]))


def of_tree(tree: Tree) -> tuple[Text, ...]:
    """Every licence's text that a layer's packages brought, in their metadata or beside vendored code."""
    files = (file for file in tree.files if file.size <= LONGEST and is_licence(file.path))
    return tuple(Text(owner=file.package, place=file.path, text=_decoded(file.blob.read())) for file in files)


def of_archive(data: bytes, owner: str) -> tuple[Text, ...]:
    """The texts in an archive of sources, tar or zip: those nearest to its top; none where it is no archive.

    Nothing is unpacked to a disk, and no member is read beyond ``LONGEST`` bytes.
    """
    try:
        found = sorted(_members(data), key=lambda one: (one[0].count("/"), one[0]))
    except DAMAGED:
        return ()
    return tuple(Text(owner=owner, place=name, text=_decoded(text)) for name, text in found[:MOST])


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    file = io.BytesIO(data)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if info.file_size <= LONGEST and is_licence(info.filename):
                    yield info.filename, archive.read(info)
        return
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r|*") as tar:
        for member in tar:
            if member.isfile() and member.size <= LONGEST and is_licence(member.name):
                opened = tar.extractfile(member)
                yield member.name, opened.read() if opened else b""


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


@dataclass(frozen=True, kw_only=True)
class Licensed:
    """A part of a layer, as the bundle lists it."""

    name: str
    version: str
    licence: str
    """As its metadata says; empty where it says nothing."""


def bundle(layer: str, parts: Iterable[Licensed], texts: Iterable[Text]) -> str:
    """One plain text with the licences of everything in a layer. A text that several parts share stands there once."""
    by_owner: dict[str, list[Text]] = {}
    for text in texts:
        by_owner.setdefault(text.owner, []).append(text)
    parts = tuple(parts)
    named = {part.name for part in parts}
    others = [Licensed(name=name, version="", licence="") for name in sorted(by_owner.keys() - named)]
    seen: dict[str, str] = {}
    sections = [_section(part, by_owner.get(part.name, []), seen) for part in (*parts, *others)]
    head = f"Licences of what is in the layer {layer}\n\n"
    contents = "".join(f"  {_title(part)}\n" for part in (*parts, *others))
    return f"{head}{contents}\n" + "\n".join(sections)


def _title(part: Licensed) -> str:
    name = f"{part.name or 'other files'} {part.version}".rstrip()
    return f"{name}: {part.licence or 'no licence is named'}"


def _section(part: Licensed, texts: Iterable[Text], seen: dict[str, str]) -> str:
    lines = ["=" * 100, _title(part), "=" * 100, ""]
    for text in sorted(texts, key=lambda text: text.place):
        key = digest.sha256(text.text.strip().encode())
        if key in seen:
            lines += [f"--- {text.place}: the same text as {seen[key]}", ""]
        else:
            lines += [f"--- {text.place}", "", text.text.strip("\n").replace("\r\n", "\n"), ""]
            seen[key] = text.place
    return "\n".join(lines if len(lines) > 4 else [*lines, "No text of a licence came with it.", ""])
