"""What each package takes of a finished tree, and which packages have to lie in the same layer."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from layerforge.build.plan import SYSTEM, LibraryStep, PackageStep, Plan, SystemStep, name_of, needs_of
from layerforge.core import elf, elf_layout
from layerforge.layer.assemble import layer_path
from layerforge.layer.distributions import rows
from layerforge.layer.loader import follow, searched
from layerforge.layer.tree import File, Link, Tree, holds_elf
from layerforge.resolve import markers

KIND = "package-sizes"
"""Kind of the store's values that tell sizes, by the key of the plan that they were measured with."""


@dataclass(frozen=True, kw_only=True)
class PackageSize:
    """A package, or a library that a recipe compiles, as it is in a layer."""

    name: str
    version: str
    bytes: int
    """Unzipped, of all its files, once the passes have been there."""
    requires: tuple[str, ...] = ()
    """What its METADATA asks for, with extras and markers."""
    libraries: tuple[str, ...] = ()
    """Names of others whose native code its own cannot do without."""


@dataclass(frozen=True, kw_only=True)
class PackageSizes:
    """The packages of a tree, and what ties them."""

    packages: tuple[PackageSize, ...]
    ties: tuple[tuple[str, ...], ...]
    """Names that have to lie in one layer: those of one file, of a library and of what needs it."""


def package_sizes(installed: Tree, finished: Tree, plan: Plan, shipping: tuple[str, ...] = ()) -> PackageSizes:
    """Sizes and ties of a tree as it was ``installed``, which the passes have ``finished``.

    ``shipping`` are packages whose recipes take libraries out of the image: these lie beside them.
    """
    needs = {*_needed_natively(finished), *_compiled_with(plan, shipping)}
    sizes = _sizes(finished)
    names = [(one.name, one.version, one.info) for one in finished.packages]
    if SYSTEM in sizes and all(name != SYSTEM for name, _, _ in names):
        names.append((SYSTEM, "", ""))
    known = {name for name, _, _ in names}
    found = [
        PackageSize(
            name=name,
            version=version,
            bytes=sizes.get(name, 0),
            requires=tuple(str(one) for one in markers.declared(installed.read(f"{info}/METADATA") or b"")),
            libraries=tuple(sorted(other for one, other in needs if one == name and other in known)),
        )
        for name, version, info in sorted(names)
    ]
    ties = {*_sharing(installed, finished), *(tuple(sorted(pair)) for pair in needs if known.issuperset(pair))}
    return PackageSizes(packages=tuple(found), ties=tuple(sorted(ties)))


def _sizes(tree: Tree) -> dict[str, int]:
    """Bytes by package. A link into another package counts as the file: there it would be one."""
    links = {entry.path: entry.target for entry in tree.entries if isinstance(entry, Link)}
    sizes: dict[str, int] = {}
    for entry in tree.entries:
        size = entry.size
        if isinstance(entry, Link):
            reached = tree.by_path.get(follow(links, entry.path) or "")
            size = reached.size if reached is not None and reached.package != entry.package else size
        sizes[entry.package] = sizes.get(entry.package, 0) + size
    return sizes


def _sharing(installed: Tree, finished: Tree) -> Iterator[tuple[str, ...]]:
    """Packages that bring the same file, such as the ``__init__.py`` of a namespace, if the passes left one there."""
    owners: dict[str, set[str]] = {}
    for one in installed.packages:
        for row in rows(installed.read(f"{one.info}/RECORD") or b""):
            owners.setdefault(layer_path(posixpath.normpath(row.path)), set()).add(one.name)
    for path, names in owners.items():
        if len(names) > 1 and (path in finished.paths or f"{path}c" in finished.paths):
            yield tuple(sorted(names))


def _needed_natively(tree: Tree) -> Iterator[tuple[str, str]]:
    """Pairs of packages of which the first's native code needs a library of the second's."""
    links = {entry.path: entry.target for entry in tree.entries if isinstance(entry, Link)}
    for file in tree.files:
        if file.package and holds_elf(file.blob):
            for other in _owners_of_needs(file, tree, links):
                if other and other != file.package:
                    yield file.package, other


def _owners_of_needs(file: File, tree: Tree, links: Mapping[str, str]) -> Iterator[str]:
    try:
        facts = elf.facts(file.blob.read())
    except elf_layout.Damaged:
        return
    for name in facts.needed:
        places = (follow(links, posixpath.join(folder, name)) for folder in searched(file.path, facts.runpath))
        yield from [tree.by_path[place].package for place in places if place and place in tree.by_path][:1]


def _compiled_with(plan: Plan, shipping: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Pairs of which the first is compiled with the second, or ships it."""
    for step in plan.steps:
        match step:
            case LibraryStep() | PackageStep():
                yield from ((name_of(step), need) for need in needs_of(step))
            case SystemStep():
                yield from ((name, SYSTEM) for name in shipping)
