"""The SBOM that stands beside a finished layer."""

from __future__ import annotations

import posixpath
import uuid
from collections.abc import Iterator

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from layerforge.model import Manifest, Package, Tree


def sbom(made: Manifest, tree: Tree) -> str:
    """The CycloneDX 1.6 document of a layer: its packages, and the shared libraries that their wheels carry."""
    layer = Component(name=made.name, type=ComponentType.APPLICATION, bom_ref="layer", hashes=[_hash(made.sha256)])
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, made.sha256))
    bom.metadata.component = layer
    # The date would differ between two builds of the same bytes; the format can do without one.
    bom.metadata.timestamp = None  # type: ignore[assignment]
    bom.metadata.properties.add(Property(name="layerforge:content_sha256", value=made.content_sha256))
    for package in made.packages:
        component = _component(package)
        component.components.update(_libraries(package, tree))
        bom.components.add(component)
        bom.register_dependency(layer, [component])
    return str(JsonV1Dot6(bom).output_as_string(indent=1)) + "\n"


def _component(package: Package) -> Component:
    purl = PackageURL("pypi", None, package.name, package.version)
    return Component(
        name=package.name,
        version=package.version,
        purl=purl,
        bom_ref=str(purl),
        licenses=[_licence(package.licence)] if package.licence else (),
    )


def _licence(text: str) -> LicenseExpression | DisjunctiveLicense:
    try:
        return LicenseExpression(str(canonicalize_license_expression(text)))
    except InvalidLicenseExpression:
        return DisjunctiveLicense(name=text)


def _libraries(package: Package, tree: Tree) -> Iterator[Component]:
    for file in tree.files:
        folder, name = posixpath.split(file.path)
        if file.package == package.name and name.startswith("lib") and ".so" in name:
            yield Component(
                name=name,
                type=ComponentType.LIBRARY,
                bom_ref=file.path,
                hashes=[_hash(file.blob.sha256)],
                properties=[Property(name="layerforge:path", value=posixpath.join(folder, name))],
            )


def _hash(sha256: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=sha256)
