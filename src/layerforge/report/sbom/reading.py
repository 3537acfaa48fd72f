"""The parts of an SBOM that the page shows, from any CycloneDX document in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from layerforge.core import guarded

PATH = "layerforge:path"
"""Property that names the file of the layer which a component is."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One component. Those that it consists of follow it, one deeper."""

    ref: str
    """The document's own ``bom-ref``."""
    name: str
    version: str
    purl: str
    licences: tuple[str, ...]
    sha256: str
    path: str
    """File of the layer; empty where the document names none."""
    depth: int


@dataclass(frozen=True, kw_only=True)
class Sbom:
    """An SBOM and the bytes that it speaks of."""

    name: str
    """Of its file."""
    sha256: str
    """Of the zip that it describes; empty where it does not say."""
    components: tuple[Component, ...]


class _Hash(msgspec.Struct, frozen=True):
    alg: str
    content: str


class _Named(msgspec.Struct, frozen=True):
    id: str = ""
    name: str = ""


class _Licence(msgspec.Struct, frozen=True):
    expression: str = ""
    license: _Named = _Named()


class _Property(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class _Row(msgspec.Struct, frozen=True):
    """A component as CycloneDX writes it, of which this is a part."""

    bom_ref: str = msgspec.field(default="", name="bom-ref")
    name: str = ""
    version: str = ""
    purl: str = ""
    scope: str = ""
    licenses: tuple[_Licence, ...] = ()
    hashes: tuple[_Hash, ...] = ()
    properties: tuple[_Property, ...] = ()
    components: tuple[_Row, ...] = ()


class _Metadata(msgspec.Struct, frozen=True):
    component: _Row = _Row()


class _Document(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()
    components: tuple[_Row, ...] = ()


def read_sbom(name: str, text: str) -> Sbom:
    """An SBOM from its file, called ``name``. Raises ``guarded.Unreadable`` where it is none."""
    document = guarded.json_as(text, _Document)
    return Sbom(
        name=name, sha256=_sha256(document.metadata.component), components=tuple(_components(document.components, 0))
    )


def _components(rows: Iterable[_Row], depth: int) -> Iterator[Component]:
    for row in (one for one in rows if one.scope != "excluded"):
        yield Component(
            ref=row.bom_ref,
            name=row.name,
            version=row.version,
            purl=row.purl,
            licences=tuple(one.expression or one.license.id or one.license.name for one in row.licenses),
            sha256=_sha256(row),
            path=next((one.value for one in row.properties if one.name == PATH), ""),
            depth=depth,
        )
        yield from _components(row.components, depth + 1)


def _sha256(row: _Row) -> str:
    return next((one.content for one in row.hashes if one.alg == "SHA-256"), "")
