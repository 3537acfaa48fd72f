"""What an SBOM says, before it is written in anybody's format."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from packageurl import PackageURL
from packaging.utils import is_normalized_name

from layerforge.layer.passes.deferring import Deferral
from layerforge.report.provenance import Origin
from layerforge.resolve.left_out import LeftOut
from layerforge.resolve.recipe import Patch


@dataclass(frozen=True, kw_only=True)
class SharedLibrary:
    """A shared library in the layer."""

    path: str
    sha256: str
    soname: str
    origin: str = ""
    """``image`` where it was taken out of the build image."""
    needed: tuple[str, ...] = ()
    """Sonames of the libraries that it is linked to."""


@dataclass(frozen=True, kw_only=True)
class Inside:
    """Something that a package says it carries: a library in its wheel, a crate in its native code, a vendored copy."""

    name: str
    version: str = ""
    purl: PackageURL | None = None
    licence: str = ""
    said_in: str = ""
    """The file of the layer that says so; empty where a recipe does."""
    linked_into: tuple[str, ...] = ()
    """Files that hold it, where it is an archive that was linked in."""


@dataclass(frozen=True, kw_only=True)
class SbomPart:
    """A package or a compiled library of a layer."""

    name: str
    version: str = ""
    purl: PackageURL | None = None
    cpe: str = ""
    licence: str = ""
    origin: str = ""
    """``wheel``, ``compiled`` or ``image``; empty where that is not known."""
    archive: Origin | None = None
    content: str = ""
    """Digest over digest and path of its files in the layer; empty where it has none."""
    record: str = ""
    """Digest of its RECORD."""
    libraries: tuple[SharedLibrary, ...] = ()
    inside: tuple[Inside, ...] = ()
    requires: frozenset[str] = frozenset()
    """Names of the parts that it needs; some may not be there."""
    sonames: frozenset[str] = frozenset()
    """Libraries that its native code is linked to, wherever they are."""
    patches: tuple[Patch, ...] = ()
    """What its recipe changes of its files."""
    left_out: tuple[str, ...] = ()
    """Modules and files of it that the layer is without, which is a variant."""
    deferred: tuple[Deferral, ...] = ()
    """Imports that its recipe has wait."""


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """A file that a recipe brought, as it was fetched."""

    name: str
    package: str
    """Whose recipe it was."""
    origin: Origin
    path: str
    """In the layer; empty for an archive, of which the layer has files."""
    into: str
    """Folder of the layer."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """What an SBOM says."""

    name: str
    sha256: str
    content_sha256: str
    parts: tuple[SbomPart, ...]
    loose: tuple[SharedLibrary, ...] = ()
    """Libraries that belong to no part."""
    left_out: tuple[LeftOut, ...] = ()
    """What parts require and the layer does not hold on purpose."""
    data: tuple[DataFile, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    """More about the layer as a whole."""


_MODULE = re.compile(r"\.(?:cpython-\d+|abi3)[^/]*\.so$")


def is_library(path: str) -> bool:
    """Whether the name of a file is that of a shared library, rather than of an extension module."""
    name = posixpath.basename(path)
    return name.startswith("lib") and ".so" in name and not _MODULE.search(name)


def pypi(name: str, version: str) -> PackageURL | None:
    """The address of a package of the index; ``None`` for a name that no index could have."""
    return PackageURL("pypi", None, name, version) if is_normalized_name(name) else None
