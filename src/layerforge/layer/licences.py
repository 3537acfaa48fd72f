"""Licences: what a distribution's metadata declares, and the texts that come with it or with a library's sources."""

from __future__ import annotations

import codecs
import io
import posixpath
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from layerforge.core import digest
from layerforge.core.metadata import fields_of
from layerforge.core.tars import Bounded
from layerforge.core.text import visible
from layerforge.layer.tree import Tree
from layerforge.resolve.unpack_source import DAMAGED

LONGEST = 1 << 20
"""Bytes of a licence's text that are shown; what is longer is named."""

_NAME = re.compile(
    r"(?:.*[-_.]|(?:3rd|third)-?party)?"
    r"(?:LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE|EULA)S?(?:v?\d+)?(?:[-_. ].*)?",
    re.I,
)

_IN_INFO = re.compile(
    r".*\.dist-info/(?:(?:licen[cs]es|license_files)/.+|(?:LICEN[CS]E|COPYING|NOTICE|[^/]*AUTHORS)[^/]*)", re.I
)
"""Where metadata has its licences, whatever they are called."""

_REUSE = re.compile(r"(?:.*/)?licen[cs]es/[^/]+", re.I)

_CODE = re.compile(
    r".*\.(?:c|cc|cmake|cpp|css|go|h|hpp|in|java|js|json|pxd|py|pyc|pyi|pyx|rs|sh|so|svg|toml|ts|ya?ml)", re.I
)

_PREFIX = "License :: "

SPDX = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mit no attribution license (mit-0)": "MIT-0",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "the mit license": "MIT",
    "the unlicense (unlicense)": "Unlicense",
    "zlib/libpng license": "Zlib",
}
"""Identifiers of the licences that a classifier or a common name means beyond doubt, by the name in lower case."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """One licence's text."""

    owner: str
    """Package or library that it came with."""
    place: str
    """Path in the layer, in the archive of sources or in the build image."""
    text: str
    left_out: str = ""
    """Why the text is not here; empty where it is."""


def declared(metadata: bytes) -> str:
    """The licence that a METADATA file declares: an SPDX expression, else a name; empty where it tells none."""
    fields = fields_of(metadata)
    if expression := " ".join(str(fields.get("License-Expression", "")).split()):
        return expression
    if named := _short(str(fields.get("License", ""))):
        return SPDX.get(named.lower(), named)
    rows = [str(row) for row in fields.get_all("Classifier", []) if str(row).startswith(_PREFIX)]
    names = dict.fromkeys(row.rpartition(" :: ")[2] for row in rows if row.count(" :: ") > 1 or "OSI" not in row)
    # Whether one may choose among several, classifiers do not say, so they are no expression.
    return ", ".join(names) if len(names) > 1 else "".join(SPDX.get(name.lower(), name) for name in names)


def _short(licence: str) -> str:
    """Some METADATA holds a licence's whole text where its name is meant; that is no name."""
    return licence if "\n" not in licence and len(licence) <= 80 and licence.upper() != "UNKNOWN" else ""


def is_licence(path: str) -> bool:
    """Whether the file at ``path`` of a layer or an archive is a licence's text, by its name."""
    if _IN_INFO.fullmatch(path):
        return True
    named = _REUSE.fullmatch(path) or _NAME.fullmatch(posixpath.basename(path))
    return bool(named) and not _CODE.fullmatch(path)


def of_tree(tree: Tree) -> tuple[Text, ...]:
    """Every licence's text that a layer's packages brought, in their metadata or beside vendored code."""
    files = (file for file in tree.files if is_licence(file.path))
    return tuple(text(file.package, file.path, file.size, file.blob.read) for file in files)


def of_archive(data: bytes, owner: str) -> tuple[Text, ...]:
    """The texts in an archive of sources, tar or zip, those nearest to its top first; none where it is no archive.

    Nothing is unpacked to a disk, and no member is read that has more than ``LONGEST`` bytes.
    """
    try:
        found = list(_members(data, owner))
    except (*DAMAGED, RuntimeError):  # zipfile's for one that is encrypted or packed in an odd way
        return ()
    return tuple(sorted(found, key=lambda one: (one.place.count("/"), one.place)))


def _members(data: bytes, owner: str) -> Iterator[Text]:
    file = io.BytesIO(data)
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if is_licence(info.filename) and not info.is_dir():
                    yield text(owner, info.filename, info.file_size, partial(archive.read, info))
        return
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r|*", tarinfo=Bounded) as tar:
        for member in tar:
            if is_licence(member.name) and member.isfile():
                opened = tar.extractfile(member)
                yield text(owner, member.name, member.size, opened.read if opened else bytes)


def text(owner: str, place: str, size: int, read: Callable[[], bytes]) -> Text:
    """A licence of ``size`` bytes, in whichever of the usual encodings they are. What is too long is not read."""
    if size > LONGEST:
        return Text(owner=owner, place=place, text="", left_out=f"{size:,} bytes, more than are shown")
    plain = _decoded(read())
    if plain is None:
        return Text(owner=owner, place=place, text="", left_out=f"{size:,} bytes that are no plain text")
    return Text(owner=owner, place=place, text=_CONTROLS.sub("\ufffd", _ENDINGS.sub("\n", plain)).strip("\n"))


_ENDINGS = re.compile(r"\r\n?")
_CONTROLS = re.compile(r"[\0-\x08\x0b\x0e-\x1f\x7f-\x9f]")
"""What a terminal would obey; a form feed is common."""


def _decoded(data: bytes) -> str | None:
    """``None`` for what is no plain text."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    if b"\0" in data or data.startswith(b"%PDF"):
        return None
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
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
    for one in texts:
        by_owner.setdefault(one.owner, []).append(one)
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
    return visible(f"{name}: {part.licence or 'no licence is named'}")


def _section(part: Licensed, texts: Iterable[Text], seen: dict[str, str]) -> str:
    lines = ["=" * 100, _title(part), "=" * 100, ""]
    for one in sorted(texts, key=lambda one: (one.place, one.text)):
        key, place = digest.sha256(one.text.strip().encode()), visible(one.place)
        if one.left_out:
            lines += [f"--- {place}: not shown here ({one.left_out})", ""]
        elif key in seen:
            lines += [f"--- {place}: the same text as {seen[key]}", ""]
        else:
            lines += [f"--- {place}", "", one.text, ""]
            seen[key] = place
    return "\n".join(lines if len(lines) > 4 else [*lines, "No text of a licence came with it.", ""])
