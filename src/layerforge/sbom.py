"""SBOMs in CycloneDX 1.6: of a layer that was just built, and of any zip from what lies in it.

Both are made of ``Part``s, so both look alike. Nothing in one depends on the date or on the machine.
"""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from layerforge import __version__, digest, elf
from layerforge.model import SYSTEM, Distribution, Examination, File, Manifest, Member, Package, Tree
from layerforge.origins import Origin, Origins

UNOWNED = ""
"""Owner of the files that no distribution lists."""


@dataclass(frozen=True, kw_only=True)
class Library:
    """A shared library in the layer."""

    path: str
    sha256: str
    soname: str
    origin: str = ""
    """``image`` where it was taken out of the build image."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A package or a compiled library of a layer."""

    name: str
    version: str = ""
    purl: PackageURL | None = None
    licence: str = ""
    origin: str = ""
    """``wheel`` or ``compiled``; empty where that is not known."""
    archive: Origin | None = None
    content: str = ""
    """Digest over digest and path of its files in the layer."""
    record: str = ""
    """Digest of its RECORD."""
    libraries: tuple[Library, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Document:
    """What an SBOM says."""

    name: str
    sha256: str
    content_sha256: str
    parts: tuple[Part, ...]
    loose: tuple[Library, ...] = ()
    """Libraries that belong to no part."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """More about the layer as a whole."""


def of_build(made: Manifest, tree: Tree, origins: Origins | None = None) -> str:
    """The SBOM of a layer that was just built."""
    origins = origins or Origins()
    files: dict[str, list[File]] = {}
    for file in tree.files:
        files.setdefault(file.package, []).append(file)
    owned = {package.name for package in made.packages}
    document = Document(
        name=made.name,
        sha256=made.sha256,
        content_sha256=made.content_sha256,
        parts=tuple(_built(package, files.get(package.name, []), origins) for package in made.packages),
        loose=tuple(one for name, group in files.items() if name not in owned for one in _tree_libraries(group)),
        facts=_facts(made, origins),
    )
    return text(document)


def of_zip(seen: Examination, licences: Mapping[str, str]) -> str:
    """The SBOM of any layer's zip. ``licences`` by path of the ``.dist-info`` folder."""
    members: dict[str, list[Member]] = {}
    for member in seen.members:
        members.setdefault(member.package, []).append(member)
    unowned = members.pop(UNOWNED, [])
    # Of a distribution that is there twice, the first has all files.
    found = [_found(one, members.pop(one.name, []), licences.get(one.info, "")) for one in seen.distributions]
    document = Document(
        name=seen.path.stem,
        sha256=seen.sha256,
        content_sha256=seen.content_sha256,
        parts=(*found, *_orphans(unowned)),
        loose=tuple(_native(unowned)),
    )
    return text(document)


# --- parts -----------------------------------------------------------------------------------------------------------


def _built(package: Package, files: Sequence[File], origins: Origins) -> Part:
    archive = origins.archives.get(package.name)
    return Part(
        name=package.name,
        version=package.version,
        purl=_purl(package, archive),
        licence=package.licence,
        origin=package.origin,
        archive=archive,
        content=digest.of_contents((0, file.blob.sha256, file.path) for file in files),
        record=next((file.blob.sha256 for file in files if file.path == f"{package.info}/RECORD"), ""),
        libraries=tuple(_tree_libraries(files)),
    )


def _purl(package: Package, archive: Origin | None) -> PackageURL:
    if package.info:
        return PackageURL("pypi", None, package.name, package.version)
    more = {"checksum": f"sha256:{archive.sha256}"} if archive else {}
    more |= {"download_url": archive.url} if archive and archive.url else {}
    return PackageURL("generic", None, package.name, package.version, more)


def _tree_libraries(files: Iterable[File]) -> Iterator[Library]:
    for file in files:
        if is_library(file.path):
            origin = "image" if file.package == SYSTEM else ""
            yield Library(path=file.path, sha256=file.blob.sha256, soname=_soname(file), origin=origin)


def _soname(file: File) -> str:
    data = file.blob.read()
    try:
        return elf.facts(data).soname if elf.is_elf(data[:16]) else ""
    except elf.Damaged:
        return ""


def is_library(path: str) -> bool:
    """Whether the name of a file is that of a shared library, rather than of an extension module."""
    name = posixpath.basename(path)
    return name.startswith("lib") and ".so" in name


def _facts(made: Manifest, origins: Origins) -> dict[str, str]:
    facts = {"python": made.python, "arch": str(made.arch), "engine": made.engine, "interpreter": made.interpreter}
    if origins.image:
        facts |= {"image": origins.image.reference, "image_digest": origins.image.digest}
    return facts | {f"compiler:{line.partition(': ')[0]}": line.partition(": ")[2] for line in origins.compilers}


def _found(one: Distribution, members: Sequence[Member], licence: str) -> Part:
    records = [member.sha256 for member in members if member.path == f"{one.info}/RECORD"]
    return Part(
        name=one.name,
        version=one.version,
        purl=PackageURL("pypi", None, one.name, one.version) if one.name else None,
        licence=licence,
        content=digest.of_contents((0, member.sha256, member.path) for member in members if not member.link),
        record=records[0] if records else "",
        libraries=tuple(one for one in _native(members) if is_library(one.path)),
    )


def _native(members: Iterable[Member]) -> Iterator[Library]:
    for member in members:
        if member.elf and not member.link:
            yield Library(path=member.path, sha256=member.sha256, soname=member.elf.soname)


def _orphans(members: Iterable[Member]) -> Iterator[Part]:
    """Top-level packages and modules without any metadata, of which only the name is known."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        if member.path.startswith("python/") and member.path.endswith((".py", ".pyc")):
            groups.setdefault(member.path.split("/")[1].partition(".")[0], []).append(member)
    for name, group in sorted(groups.items()):
        if name.isidentifier() and name not in {"lib", "bin", "__pycache__"}:
            yield Part(name=name, content=digest.of_contents((0, one.sha256, one.path) for one in group))


# --- the document ----------------------------------------------------------------------------------------------------


def text(document: Document) -> str:
    """The document as JSON."""
    layer = Component(
        name=document.name, type=ComponentType.APPLICATION, bom_ref="layer", hashes=[_hash(document.sha256)]
    )
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, document.sha256))
    bom.metadata.component = layer
    # The date would differ between two builds of the same bytes; the format can do without one.
    bom.metadata.timestamp = None  # type: ignore[assignment]
    bom.metadata.tools.components.add(Component(name="layerforge", version=__version__, type=ComponentType.APPLICATION))
    facts = {"content_sha256": document.content_sha256, **document.facts}
    bom.metadata.properties.update(_properties(facts))
    refs: set[str] = set()
    components = [*(_component(part, refs) for part in document.parts), *(_library(one) for one in document.loose)]
    bom.components.update(components)
    bom.register_dependency(layer, components)
    return str(JsonV1Dot6(bom).output_as_string(indent=1)) + "\n"


def _component(part: Part, refs: set[str]) -> Component:
    component = Component(
        name=part.name,
        version=part.version or None,
        type=ComponentType.LIBRARY,
        purl=part.purl,
        bom_ref=_ref(part, refs),
        licenses=[_licence(part.licence)] if part.licence else (),
        hashes=[_hash(part.archive.sha256)] if part.archive and not part.archive.compiled else (),
        external_references=_references(part.archive) if part.archive else (),
        properties=_properties(
            {
                "origin": part.origin,
                "source_sha256": part.archive.sha256 if part.archive and part.archive.compiled else "",
                "content_sha256": part.content,
                "record_sha256": part.record,
            }
        ),
    )
    component.components.update(_library(one) for one in part.libraries)
    return component


def _ref(part: Part, refs: set[str]) -> str:
    """A reference of its own for each part, the same in every run: one package can be there twice."""
    plain = str(part.purl) if part.purl else f"python:{part.name}"
    ref, number = plain, 1
    while ref in refs:
        number += 1
        ref = f"{plain}#{number}"
    refs.add(ref)
    return ref


def _references(archive: Origin) -> list[ExternalReference]:
    if not archive.url:
        return []
    kind = ExternalReferenceType.SOURCE_DISTRIBUTION
    return [ExternalReference(type=kind, url=XsUri(archive.url), hashes=[_hash(archive.sha256)])]


def _library(one: Library) -> Component:
    return Component(
        name=posixpath.basename(one.path),
        type=ComponentType.LIBRARY,
        bom_ref=one.path,
        hashes=[_hash(one.sha256)],
        properties=_properties({"path": one.path, "soname": one.soname, "origin": one.origin}),
    )


def _properties(facts: Mapping[str, str]) -> list[Property]:
    return [Property(name=f"layerforge:{name}", value=value) for name, value in facts.items() if value]


def _licence(licence: str) -> LicenseExpression | DisjunctiveLicense:
    try:
        return LicenseExpression(str(canonicalize_license_expression(licence)))
    except InvalidLicenseExpression:
        return DisjunctiveLicense(name=licence)


def _hash(sha256: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=sha256)
