"""An SBOM as a document in CycloneDX 1.6."""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Iterator, Mapping

from cyclonedx.model import (
    AttachedText,
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import (
    Component,
    ComponentScope,
    ComponentType,
    Diff,
    Patch,
    PatchClassification,
    Pedigree,
)
from cyclonedx.model.license import DisjunctiveLicense, LicenseAcknowledgement, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_supported_id
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from layerforge import __version__
from layerforge.core import digest
from layerforge.report.provenance import Origin
from layerforge.report.sbom.parts import DataFile, Document, Inside, SbomPart, SharedLibrary, pypi
from layerforge.resolve.left_out import LeftOut

_LAYER = "layer"
_SHARED = "lib/"
"""Folder of a layer where the loader finds libraries for every package."""


def text(document: Document) -> str:
    """The document as JSON."""
    refs: set[str] = set()
    layer = Component(
        name=document.name, type=ComponentType.APPLICATION, bom_ref=_ref(_LAYER, refs), hashes=[_hash(document.sha256)]
    )
    bom = Bom(serial_number=uuid.UUID(int=0))
    bom.metadata.component = layer
    # The date would differ between two builds of the same bytes; the format can do without one.
    bom.metadata.timestamp = None  # type: ignore[assignment]
    bom.metadata.tools.components.add(Component(name="layerforge", version=__version__, type=ComponentType.APPLICATION))
    facts = {"content_sha256": document.content_sha256, **document.facts}
    bom.metadata.properties.update(_properties(facts))
    parts = [_component(part, refs) for part in document.parts]
    loose = [_library(one, refs) for one in document.loose]
    data = [_data_file(one, refs) for one in document.data]
    every = [*parts, *loose, *data]
    bom.components.update([*every, *(_absent(one, refs) for one in document.left_out)])
    bom.register_dependency(layer, every)
    for number, needed in _needs(document):
        bom.register_dependency(every[number], [every[one] for one in needed])
    # A serial number names what a document says: another document on the same bytes has another.
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_OID, JsonV1Dot6(bom).output_as_string())
    return str(JsonV1Dot6(bom).output_as_string(indent=1)) + "\n"


def _ref(plain: str, taken: set[str]) -> str:
    """A reference that no other component has, the same in every run: one package can be there twice."""
    ref, number = plain, 1
    while ref in taken:
        number += 1
        ref = f"{plain}#{number}"
    taken.add(ref)
    return ref


def _needs(document: Document) -> Iterator[tuple[int, list[int]]]:
    """By number, parts first, then loose libraries and data, which ones each requires, is linked to or reads."""
    places = {part.name: number for number, part in reversed(list(enumerate(document.parts)))}
    groups = [part.libraries for part in document.parts] + [(one,) for one in document.loose]
    linked = [part.sonames for part in document.parts] + [frozenset(one.needed) for one in document.loose]
    required = [part.requires for part in document.parts] + [frozenset[str]() for _ in document.loose]
    data = list(enumerate((one.package for one in document.data), len(groups)))
    shared = {
        name: number
        for number, group in enumerate(groups)
        for one in group
        if one.path.startswith(_SHARED)
        for name in _names(one)
    }
    for number, group in enumerate(groups):
        own = {name for one in group for name in _names(one)}
        needed = {shared[name] for name in linked[number] - own if name in shared}
        needed |= {places[name] for name in required[number] if name in places}
        needed |= {place for place, name in data if places.get(name) == number}
        yield number, sorted(needed - {number})


def _names(one: SharedLibrary) -> tuple[str, str]:
    """What the loader may know a library by."""
    return one.soname, posixpath.basename(one.path)


def _component(part: SbomPart, refs: set[str]) -> Component:
    ref = _ref(str(part.purl) if part.purl else f"python:{part.name}", refs)
    archive = part.archive
    component = Component(
        name=part.name,
        version=part.version or None,
        type=ComponentType.LIBRARY,
        purl=part.purl,
        cpe=part.cpe or None,
        bom_ref=ref,
        licenses=_licences(part.licence),
        hashes=[_hash(archive.sha256)] if archive and not archive.compiled else (),
        external_references=_references(archive) if archive else (),
        pedigree=_pedigree(part) if part.patches or part.deferred else None,
        properties=_properties(
            {
                "origin": part.origin,
                "source_sha256": archive.sha256 if archive and archive.compiled else "",
                "content_sha256": part.content,
                "record_sha256": part.record,
                "left_out": ", ".join(part.left_out),
            }
        ),
    )
    component.components.update(_library(one, refs) for one in part.libraries)
    component.components.update(_inside(one, ref, refs) for one in part.inside)
    return component


def _pedigree(part: SbomPart) -> Pedigree:
    """What its recipe changes of a package; the format has no place for the names and hashes of patches but notes, and
    none for bytecode that is not made of the sources as they are.
    """
    texts = (AttachedText(content=one.text, content_type="text/x-patch") for one in part.patches)
    names = [f"{one.name} (sha256 {digest.sha256(one.text.encode())})" for one in part.patches]
    notes = [f"changed by its recipe: {', '.join(sorted(names))}"] if names else []
    notes += [f"imports wait in the bytecode of {one.file}: {', '.join(one.modules)}" for one in part.deferred]
    return Pedigree(
        patches=[Patch(type=PatchClassification.UNOFFICIAL, diff=Diff(text=text)) for text in texts],
        notes="; ".join(notes),
    )


def _absent(one: LeftOut, refs: set[str]) -> Component:
    """A package that the layer does not hold. It has no version: what is there instead is somebody else's."""
    purl = pypi(one.name, "")
    return Component(
        name=one.name,
        type=ComponentType.LIBRARY,
        scope=ComponentScope.EXCLUDED,
        purl=purl,
        bom_ref=_ref(str(purl or one.name), refs),
        properties=_properties({"left_out": one.why, "left_out_version": one.version}),
    )


def _references(archive: Origin) -> list[ExternalReference]:
    if not archive.url:
        return []
    kind = ExternalReferenceType.SOURCE_DISTRIBUTION
    return [ExternalReference(type=kind, url=XsUri(archive.url), hashes=[_hash(archive.sha256)])]


def _data_file(one: DataFile, refs: set[str]) -> Component:
    origin, kind = one.origin, ExternalReferenceType.DISTRIBUTION
    hashes = [_hash(origin.sha256)]
    where = [ExternalReference(type=kind, url=XsUri(origin.url), hashes=hashes)] if origin.url else []
    return Component(
        name=one.name,
        type=ComponentType.FILE,
        bom_ref=_ref(f"data:{one.into}/{one.name}", refs),
        hashes=hashes,
        external_references=where,
        properties=_properties({"path": one.path, "into": one.into, "origin": "data"}),
    )


def _library(one: SharedLibrary, refs: set[str]) -> Component:
    return Component(
        name=posixpath.basename(one.path),
        type=ComponentType.LIBRARY,
        bom_ref=_ref(one.path, refs),
        hashes=[_hash(one.sha256)],
        properties=_properties({"path": one.path, "soname": one.soname, "origin": one.origin}),
    )


def _inside(one: Inside, owner: str, refs: set[str]) -> Component:
    return Component(
        name=one.name,
        version=one.version or None,
        type=ComponentType.LIBRARY,
        purl=one.purl,
        bom_ref=_ref(f"{owner}/{one.purl or one.name}", refs),
        licenses=_licences(one.licence),
        properties=_properties({"said_in": one.said_in, "linked_into": ", ".join(one.linked_into)}),
    )


def _properties(facts: Mapping[str, str]) -> list[Property]:
    return [Property(name=f"layerforge:{name}", value=value) for name, value in facts.items() if value]


def _licences(licence: str) -> list[LicenseExpression | DisjunctiveLicense]:
    """A licence as the format has it: by its identifier, as an expression of several, else by any name."""
    if not licence:
        return []
    told = LicenseAcknowledgement.DECLARED
    try:
        expression = str(canonicalize_license_expression(licence))
    except InvalidLicenseExpression:
        return [DisjunctiveLicense(name=licence, acknowledgement=told)]
    if is_supported_id(expression):
        return [DisjunctiveLicense(id=expression, acknowledgement=told)]
    return [LicenseExpression(expression, acknowledgement=told)]


def _hash(sha256: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=sha256)
