"""The parts of an SBOM that the page shows, from any CycloneDX document in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

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


def read_sbom(name: str, text: str) -> Sbom:
    """An SBOM from its file, called ``name``. Where it is none, raises ``ValueError``, ``KeyError``, ``TypeError`` or
    ``AttributeError``.
    """
    data: Mapping[str, Any] = json.loads(text)
    subject = data.get("metadata", {}).get("component", {})
    return Sbom(name=name, sha256=_sha256(subject), components=tuple(_components(data, 0)))


def _components(parent: Mapping[str, Any], depth: int) -> Iterator[Component]:
    for row in parent.get("components", ()):
        properties = {one["name"]: one.get("value", "") for one in row.get("properties", ())}
        yield Component(
            ref=_text(row, "bom-ref"),
            name=_text(row, "name"),
            version=_text(row, "version"),
            purl=_text(row, "purl"),
            licences=tuple(_licence(one) for one in row.get("licenses", ())),
            sha256=_sha256(row),
            path=_text(properties, PATH),
            depth=depth,
        )
        yield from _components(row, depth + 1)


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key, "")
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


def _licence(row: Mapping[str, Any]) -> str:
    licence = row.get("license", {})
    return str(row.get("expression") or licence.get("id") or licence.get("name") or "")


def _sha256(row: Mapping[str, Any]) -> str:
    return next((str(one["content"]) for one in row.get("hashes", ()) if one["alg"] == "SHA-256"), "")
