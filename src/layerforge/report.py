"""What stands beside a finished layer: its manifest, its SBOM, and both as JSON."""

from __future__ import annotations

import json
import posixpath
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from layerforge import __version__
from layerforge.model import (
    Arch,
    Archive,
    Bytecode,
    BytecodeMode,
    Compression,
    Docstrings,
    EditGroup,
    Finding,
    Left,
    Manifest,
    Package,
    PassResult,
    Plan,
    Tree,
    Verdict,
)


def manifest(plan: Plan, tree: Tree, passes: tuple[PassResult, ...], archive: Archive, engine: str) -> Manifest:
    """The manifest of a layer."""
    return Manifest(
        name=plan.recipe.name,
        python=plan.target.python,
        arch=plan.target.arch,
        engine=engine,
        interpreter=plan.interpreter,
        compression=plan.compression,
        bytecode=plan.recipe.bytecode,
        requires=plan.recipe.requires,
        sha256=archive.sha256,
        content_sha256=archive.content_sha256,
        zip_bytes=archive.zipped,
        unzipped_bytes=archive.unzipped,
        packages=tree.packages,
        edits=tuple(group for result in passes for group in groups(result)),
        left=tuple(left for result in passes for left in result.left),
        key=plan.key,
        layerforge=__version__,
    )


def groups(result: PassResult) -> Iterator[EditGroup]:
    """The edits of a pass by their reason, the one that saves most first."""
    by_reason: dict[str, list[tuple[str, int]]] = {}
    for edit in result.edits:
        by_reason.setdefault(edit.reason, []).append((edit.path, edit.saved))
    for reason, edits in sorted(by_reason.items(), key=lambda item: -sum(saved for _, saved in item[1])):
        paths = tuple(sorted(path for path, _ in edits))
        yield EditGroup(name=result.name, reason=reason, bytes=sum(saved for _, saved in edits), files=paths)


def saved(made: Manifest) -> list[dict[str, Any]]:
    """Bytes and files by pass, in the order of the passes."""
    totals: dict[str, dict[str, Any]] = {}
    for group in made.edits:
        row = totals.setdefault(group.name, {"pass": group.name, "bytes": 0, "files": 0})
        row["bytes"] += group.bytes
        row["files"] += len(group.files)
    return list(totals.values())


def manifest_json(made: Manifest, verdict: Verdict | None = None) -> str:
    """The manifest as a file. ``verdict`` is ``None`` where nothing was verified."""
    data = {"schema": 1, **asdict(made), "saved": saved(made), "verified": verdict and verdict_json(verdict)}
    return json.dumps(data, indent=1, sort_keys=True) + "\n"


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as data for JSON."""
    return {"engine": verdict.engine, "skipped": verdict.skipped, "findings": findings_json(verdict.findings)}


def findings_json(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Findings as data for JSON."""
    return [{key: str(value) for key, value in asdict(finding).items()} for finding in findings]


def read_manifest(text: str) -> Manifest:
    """A manifest from its file. Raises ``ValueError``, ``KeyError`` or ``TypeError`` where it is none."""
    data: Mapping[str, Any] = json.loads(text)
    plain = {key: data[key] for key in Manifest.__dataclass_fields__}
    code = data["bytecode"]
    plain |= {
        "arch": Arch(data["arch"]),
        "compression": Compression(data["compression"]),
        "bytecode": Bytecode(
            mode=BytecodeMode(code["mode"]),
            docstrings=Docstrings(code["docstrings"]),
            keep_docstrings=tuple(code["keep_docstrings"]),
            optimize=code["optimize"],
        ),
        "requires": tuple(data["requires"]),
        "packages": tuple(Package(**row) for row in data["packages"]),
        "edits": tuple(EditGroup(**{**row, "files": tuple(row["files"])}) for row in data["edits"]),
        "left": tuple(Left(**row) for row in data["left"]),
    }
    return Manifest(**plain)


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
