"""The SBOM of a layer that was just built."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from packageurl import PackageURL

from layerforge.build.plan import SYSTEM
from layerforge.core import digest, elf, elf_layout, globs, runtimes
from layerforge.core.elf import ElfFacts
from layerforge.core.paths import SITE
from layerforge.layer.tree import File, Package, Tree, holds_elf
from layerforge.report.manifest import Manifest
from layerforge.report.provenance import Origin, Origins, Taken, public
from layerforge.report.sbom.cyclonedx import text
from layerforge.report.sbom.parts import DataFile, Document, Inside, SbomPart, SharedLibrary, is_library, pypi
from layerforge.report.sbom.vendored import declared_components, is_metadata, is_sbom, requires
from layerforge.resolve import markers
from layerforge.resolve.recipe import Data, Linked


def of_build(manifest: Manifest, tree: Tree, origins: Origins | None = None) -> str:
    """The SBOM of a layer that was just built."""
    origins = origins or Origins()
    files: dict[str, list[File]] = {}
    for file in tree.files:
        files.setdefault(file.package, []).append(file)
    environment = markers.environment(runtimes.target(manifest.python, manifest.arch))
    # Without a library that several packages share there is nothing to be linked to, and no need to look.
    linked = any(file.path.startswith("lib/") for file in tree.files)
    parts = [_part(one, files.pop(one.name, []), origins, environment, linked=linked) for one in manifest.packages]
    parts = [
        replace(
            part,
            left_out=_left_out(part.name, manifest),
            deferred=tuple(waits for waits in manifest.deferred if waits.package == part.name),
        )
        for part in parts
    ]
    loose = [library for group in files.values() for library in _libraries(group)]
    taken = [_taken(package, loose) for package in origins.taken]
    named = {library.path for part in taken for library in part.libraries}
    document = Document(
        name=manifest.name,
        sha256=manifest.sha256,
        content_sha256=manifest.content_sha256,
        parts=(*parts, *(part for part in taken if part.libraries)),
        loose=tuple(library for library in loose if library.path not in named),
        data=tuple(_data_file(one) for one in origins.data),
        left_out=manifest.left_out,
        facts=_facts(manifest, origins),
    )
    return text(document)


def _data_file(data: Data) -> DataFile:
    origin = Origin(sha256=data.source.sha256, url=public(data.source.url))
    path = "" if data.unpack else f"{data.into}/{data.name}"
    return DataFile(name=data.name, package=data.package, origin=origin, path=path, into=data.into)


def _part(
    package: Package, files: Sequence[File], origins: Origins, environment: Mapping[str, str], *, linked: bool
) -> SbomPart:
    archive = origins.archives.get(package.name)
    by_path = {file.path: file for file in files}
    record, metadata = (by_path.get(f"{package.info}/{name}") for name in ("RECORD", "METADATA"))
    required = requires(metadata.blob.read(), environment) if metadata else frozenset[str]()
    part = SbomPart(
        name=package.name,
        version=package.version,
        licence=package.licence,
        origin=package.origin,
        archive=archive,
        content=digest.of_contents((0, file.blob.sha256, file.path) for file in files) if files else "",
        record=record.blob.sha256 if record else "",
        libraries=tuple(_libraries(files)),
        inside=(*_inside(package, files), *_linked(package, files, origins.linked)),
        requires=required.union(origins.needs.get(package.name, ())),
        sonames=_sonames(files) if linked else frozenset(),
        patches=origins.patches.get(package.name, ()),
    )
    if package.info:
        return replace(part, purl=pypi(package.name, package.version))
    return replace(part, purl=_generic(package, archive), cpe=_cpe(package))


def _left_out(package: str, manifest: Manifest) -> tuple[str, ...]:
    """What a variant is without of a package."""
    rows = manifest.variant.without if manifest.variant else ()
    return tuple(name for row in rows if row.package == package for name in (*row.modules, *row.files))


def _generic(package: Package, archive: Origin | None) -> PackageURL:
    more = {"checksum": f"sha256:{archive.sha256}"} if archive else {}
    more |= {"download_url": archive.url} if archive and archive.url else {}
    return PackageURL("generic", None, package.name, package.version, more)


def _cpe(package: Package) -> str:
    """What scanners look up libraries by, from any vendor: which one it is in the dictionary, a recipe does not say."""
    name, version = (re.sub(r"([^\w.-])", r"\\\1", part, flags=re.A) for part in (package.name, package.version))
    return f"cpe:2.3:a:*:{name.lower()}:{version}:*:*:*:*:*:*:*"


def _inside(package: Package, files: Iterable[File]) -> Iterator[Inside]:
    for file in files:
        vendored = is_metadata(file.path) and not file.path.startswith(f"{package.info}/")
        if vendored or is_sbom(file.path):
            yield from declared_components(file.path, file.blob.read(), package.name)


def _linked(package: Package, files: Sequence[File], linked: Iterable[Linked]) -> Iterator[Inside]:
    """Archives that are linked into files of a package, where these do not ask for the library instead."""
    for one in (one for one in linked if one.package == package.name):
        matching = [file for file in files if globs.matches(file.path.removeprefix(f"{SITE}/"), (one.into,))]
        holding = [file.path for file in matching if (facts := _elf(file)) and one.unless not in facts.needed]
        if holding:
            yield Inside(name=one.name, licence=one.licence, linked_into=tuple(holding))


def _libraries(files: Iterable[File]) -> Iterator[SharedLibrary]:
    for file in files:
        if is_library(file.path):
            origin = "image" if file.package == SYSTEM else ""
            facts = _elf(file)
            yield SharedLibrary(
                path=file.path,
                sha256=file.blob.sha256,
                soname=facts.soname if facts else "",
                origin=origin,
                needed=facts.needed if facts else (),
            )


def _sonames(files: Iterable[File]) -> frozenset[str]:
    return frozenset(soname for file in files if (facts := _elf(file)) for soname in facts.needed)


def _elf(file: File) -> ElfFacts | None:
    """``None`` where it is no ELF file, or a damaged one."""
    try:
        return elf.facts(file.blob.read()) if holds_elf(file.blob) else None
    except elf_layout.Damaged:
        return None


def _taken(package: Taken, loose: Iterable[SharedLibrary]) -> SbomPart:
    """A package of the build image, with the libraries of the layer that are its."""
    more = {"arch": package.arch, "distro": package.distro, "upstream": package.upstream}
    libraries = tuple(one for one in loose if posixpath.basename(one.path) in package.sonames)
    return SbomPart(
        name=package.name,
        version=package.version,
        purl=PackageURL(package.kind, package.distro.partition("-")[0], package.name, package.version, more),
        licence=package.licence,
        origin="image",
        libraries=libraries,
        sonames=frozenset(soname for one in libraries for soname in one.needed),
    )


def _facts(manifest: Manifest, origins: Origins) -> dict[str, str]:
    facts = {
        "python": manifest.python,
        "arch": str(manifest.arch),
        "engine": manifest.engine,
        "interpreter": manifest.interpreter,
        **{f"env:{name}": value for name, value in manifest.env.items()},
    }
    if manifest.variant:
        facts |= {"variant": manifest.variant.told}
    if origins.image:
        facts |= {"image": origins.image.reference}
        # The digest of one that was made here is no other machine's, and the same layer has the same SBOM everywhere.
        made_of = origins.image.made_of
        facts |= {"image_made_of": made_of} if made_of else {"image_digest": origins.image.digest}
    return facts | {f"compiler:{line.partition(': ')[0]}": line.partition(": ")[2] for line in origins.compilers}
