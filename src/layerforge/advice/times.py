"""Advice that saves time at a cold start, from what is known of its imports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from layerforge import bytecode
from layerforge.advice.ground import Ground, Imported, Proposal
from layerforge.model import BytecodeMode
from layerforge.progress import counted, megabytes
from layerforge.verify.layout import importable

SMALLEST_MS = 20.0
"""Milliseconds from which on the import of a package is worth a line."""

SMALLEST_SHARE = 0.05
"""The same as a share of all imports."""

SMALLEST_SOURCES = 100_000


def missing_bytecode(ground: Ground) -> Iterator[Proposal]:
    """Modules that every cold start compiles. What that takes is not measured, so it is told in bytes of source."""
    paths = {member.path for member in ground.examination.members}
    tag, bad = ground.target.cache_tag, ground.manifest.uncompilable if ground.manifest else frozenset()
    bare = [
        member
        for member in ground.examination.members
        if member.size
        and member.path.endswith(".py")
        and importable(member.path)
        and member.path not in bad
        and bytecode.pyc_path(member.path, tag, BytecodeMode.BESIDE) not in paths
    ]
    size = sum(member.size for member in bare)
    if size >= SMALLEST_SOURCES:
        yield Proposal(
            kind="missing-bytecode",
            what=f"{counted(len(bare), 'module')} ({megabytes(size)} of source) have no bytecode, "
            "so every cold start compiles those that it imports",
            how="`layerforge build --bytecode beside`, or `only` without the sources",
        )


def slow_import(ground: Ground) -> Iterator[Proposal]:
    """The package that takes most of the imports' time, of those that the layer is not for."""
    whole_ms = sum(node.total_us for node in ground.imports) / 1000
    owners = {top: name for name, tops in ground.tops.items() for top in tops}
    times: dict[str, float] = {}
    importers: dict[str, str] = {}
    for package, node, importer in _entries(ground.imports, owners, "", ""):
        times[package] = times.get(package, 0.0) + node.total_us / 1000
        importers.setdefault(package, importer)
    others = {name: ms for name, ms in times.items() if name not in ground.requested}
    heaviest = max(others, key=lambda name: (others[name], name), default="")
    if heaviest and others[heaviest] >= max(SMALLEST_MS, SMALLEST_SHARE * whole_ms):
        by = f", which {importers[heaviest]} imports" if importers[heaviest] else ""
        yield Proposal(
            kind="slow-import",
            what=f"{heaviest}{by}, takes {others[heaviest]:,.0f} of the {whole_ms:,.0f} ms of the imports",
            how="import it inside the function that needs it, or leave it out if it is optional",
            ms=others[heaviest],
        )


def _entries(
    nodes: Iterable[Imported], owners: Mapping[str, str], inside: str, importer: str
) -> Iterator[tuple[str, Imported, str]]:
    """Where the imports enter a package from outside of it: the package, the module, and who imports that.

    What is imported from inside a package belongs to its time, so no millisecond counts for one package twice.
    """
    for node in nodes:
        package = owners.get(node.name.partition(".")[0], "")
        if package and package != inside:
            yield package, node, importer
        yield from (
            (name, child, by)
            for name, child, by in _entries(node.children, owners, package or inside, node.name)
            if name != package
        )
