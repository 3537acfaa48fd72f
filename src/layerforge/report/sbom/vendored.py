"""What a package's own files say that it requires and carries.

Wheels may bring SBOMs (PEP 770): auditwheel lists the libraries that it copied, maturin the crates. Others vendor whole
packages, ``.dist-info`` and all. Scanners find neither by the package's name. All of it is untrusted input.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from packageurl import PackageURL
from packaging.utils import canonicalize_name

from layerforge.core import guarded
from layerforge.layer import licences
from layerforge.layer.distributions import identity
from layerforge.report.sbom.parts import Inside, pypi
from layerforge.resolve import markers

MOST_COMPONENTS = 5_000
"""Components of an SBOM inside a package that are told of; the largest that wheels carry has some hundred."""

LONGEST = 16 << 20
"""Bytes of an SBOM that is read; they are a hundredth of it."""

_SBOM = re.compile(r".*\.dist-info/sboms/[^/]+\.json", re.I)


def is_sbom(path: str) -> bool:
    """Whether a file of a layer is an SBOM that a package brought."""
    return bool(_SBOM.fullmatch(path))


def is_metadata(path: str) -> bool:
    """Whether a file of a layer is the METADATA of a package, installed or vendored."""
    return path.endswith(".dist-info/METADATA")


def requires(metadata: bytes, environment: Mapping[str, str]) -> frozenset[str]:
    """Names of the packages that a METADATA file requires without any extra, where markers have these values."""
    return frozenset(canonicalize_name(one.name) for one in markers.asked(metadata, environment))


def declared_components(path: str, data: bytes, owner: str) -> tuple[Inside, ...]:
    """What the file at ``path`` says that ``owner``, which brought it, carries: each once, sorted."""
    rows = _listed(path, data) if is_sbom(path) else _vendored(path, data)
    found = {(one.name, one.version, str(one.purl or "")): one for one in rows if not _is_owner(one, owner)}
    return tuple(found[key] for key in sorted(found))


def _vendored(path: str, data: bytes) -> Iterator[Inside]:
    name, version = identity(data, posixpath.basename(posixpath.dirname(path)).removesuffix(".dist-info"))
    if not name:
        return
    yield Inside(name=name, version=version, purl=pypi(name, version), licence=licences.declared(data), said_in=path)


def _listed(path: str, data: bytes) -> Iterator[Inside]:
    """The components of a CycloneDX document; none where it is another, none, or one of too many."""
    if len(data) > LONGEST:
        return
    try:
        document = guarded.json_value(data)
    except guarded.Unreadable:
        return
    rows = [*_rows(document, "components")]
    for row in rows:  # which grows meanwhile
        rows += _rows(row, "components")
        if len(rows) > MOST_COMPONENTS:
            return
    for row in rows:
        if _text(row, "name") and row.get("scope") != "excluded":
            yield Inside(
                name=_text(row, "name"),
                version=_text(row, "version"),
                purl=_purl(_text(row, "purl")),
                licence=_licence(row),
                said_in=path,
            )


def _rows(parent: Any, key: str) -> Iterator[dict[str, Any]]:
    value = parent.get(key) if isinstance(parent, dict) else None
    yield from (row for row in (value if isinstance(value, list) else ()) if isinstance(row, dict))


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    # JSON can spell half a character, which no file can hold.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _purl(text: str) -> PackageURL | None:
    try:
        return PackageURL.from_string(text)
    except ValueError:
        return None


def _licence(row: Mapping[str, Any]) -> str:
    """The one expression or licence of a component. What several together mean is not said."""
    rows = list(_rows(row, "licenses"))
    if len(rows) != 1:
        return ""
    licence = rows[0].get("license")
    named = licence if isinstance(licence, dict) else {}
    return _text(rows[0], "expression") or _text(named, "id") or _text(named, "name")


def _is_owner(one: Inside, owner: str) -> bool:
    """Whether it is the package itself, or a module of it: auditwheel lists the wheel too."""
    return bool(one.purl and one.purl.type == "pypi" and canonicalize_name(one.purl.name) == owner)
