"""Advice that saves time at a cold start, from what is known of its imports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from layerforge.core.text import counted, megabytes
from layerforge.report.advice.evidence import Imported, LayerEvidence, Proposal
from layerforge.verify.bytecode_and_metadata import uncompiled

SMALLEST_US = 20_000
"""Microseconds from which on the import of a package is worth a line."""

SMALLEST_SHARE = 0.05
"""The same as a share of all imports."""

SMALLEST_SOURCES = 100_000


def missing_bytecode(evidence: LayerEvidence) -> Iterator[Proposal]:
    """Modules that every cold start compiles. What that takes is not measured, so it is told in bytes of source."""
    bad = evidence.manifest.uncompilable if evidence.manifest else frozenset()
    bare = [one for one in uncompiled(evidence.examination, evidence.target) if one.path not in bad]
    size = sum(member.size for member in bare)
    if size >= SMALLEST_SOURCES:
        yield Proposal(
            kind="missing-bytecode",
            what=f"{counted(len(bare), 'module')} ({megabytes(size)} of source) have no bytecode, "
            "so every cold start compiles those that it imports",
            how="`layerforge build --bytecode beside`, or `only` without the sources",
        )


def slow_import(evidence: LayerEvidence) -> Iterator[Proposal]:
    """Packages that a function could import later or do without, if they take a good part of the imports' time."""
    avoidable = _avoidable(evidence)
    owners = _owners(evidence, avoidable)
    spent: Counter[str] = Counter()
    importers: dict[str, str] = {}
    for name, importer, own_us in _imports(evidence.imports, owners):
        spent[name] += own_us
        importers.setdefault(name, importer)
    for name in avoidable:
        if spent[name] >= max(SMALLEST_US, SMALLEST_SHARE * spent.total()):
            yield _slow(evidence, name, importers[name], spent)


def _slow(evidence: LayerEvidence, name: str, importer: str, spent: Counter[str]) -> Proposal:
    by = next((one for one, tops in evidence.tops.items() if importer.partition(".")[0] in tops), "")
    how = "import it inside the function that needs it"
    if by:
        how = f"leave it out if your function can do without it: {by} imports it because it is there"
    return Proposal(
        kind="slow-import",
        what=f"{name}{f', which {importer} imports,' if importer else ''} takes {spent[name] / 1000:,.0f} "
        f"of the {spent.total() / 1000:,.0f} ms of the imports",
        how=how,
        ms=spent[name] / 1000,
    )


def _avoidable(evidence: LayerEvidence) -> Mapping[str, frozenset[str]]:
    """Packages that no other one asks for, each with those that nothing else asks for either.

    Without the one that the layer is for, where it is for a single one: that has to be imported.
    """
    roots = frozenset(evidence.tops) - {need for name, needs in evidence.needs.items() for need in needs - {name}}
    return {
        name: evidence.needed_by([name]) - evidence.needed_by(roots - {name})
        for name in sorted(roots)
        if evidence.requested != {name}
    }


def _owners(evidence: LayerEvidence, avoidable: Mapping[str, frozenset[str]]) -> Mapping[str, str]:
    """Whose time a module counts as, by its top-level name: empty for what is imported in any case, or may be."""
    groups = {member: name for name, members in avoidable.items() for member in members}
    counts = Counter(top for tops in evidence.tops.values() for top in tops)
    return {
        top: groups.get(name, "") if counts[top] == 1 else "" for name, tops in evidence.tops.items() for top in tops
    }


def _imports(
    nodes: Iterable[Imported], owners: Mapping[str, str], inside: str = "", importer: str = ""
) -> Iterator[tuple[str, str, int]]:
    """Whose time each module's own counts as, which module of the layer imported it, and the microseconds.

    A module of the standard library counts as the time of what imported it first.
    """
    for node in nodes:
        top = node.name.partition(".")[0]
        name = owners.get(top, inside)
        yield name, importer, node.total_us - sum(child.total_us for child in node.children)
        yield from _imports(node.children, owners, name, node.name if top in owners else importer)
