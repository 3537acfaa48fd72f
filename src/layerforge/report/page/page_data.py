"""What the page shows, as data: pure functions over what is known of a layer. Every byte is counted once.

The shapes are those of ``data/page/types.d.ts``, which the page's own program is written against.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core.elf import ElfFacts
from layerforge.core.findings import Finding
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT, LAMBDA_UNZIPPED_LIMIT
from layerforge.core.runtimes import Target
from layerforge.examine.examination import Examination, Kind, Member
from layerforge.examine.summary import Share, Summary
from layerforge.layer.passes.setting import LeftAlone
from layerforge.layer.pyc import PycState
from layerforge.layer.tree import Package
from layerforge.measure import importtime
from layerforge.report.beside import NOTHING, Beside
from layerforge.report.manifest import Manifest, saved
from layerforge.report.page import rules
from layerforge.report.page.start_data import start_data
from layerforge.report.sbom.reading import Component
from layerforge.verify.verdict import Verdict, findings_json

_FAMILIES = ("GLIBC", "GLIBCXX", "CXXABI", "GCC")


@dataclass(frozen=True, kw_only=True)
class InspectedLayer:
    """Everything that is known of a layer."""

    target: Target
    examination: Examination
    summary: Summary
    findings: tuple[Finding, ...]
    """Of the static rules."""
    notes: tuple[str, ...]
    beside: Beside = NOTHING


def page_data(
    subject: InspectedLayer, *, advice: Sequence[Mapping[str, Any]] = (), changes: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The data of a page, for JSON. Sums, packages, kinds, findings and notes are those of ``inspect --json``.

    ``advice`` and ``changes``, since an older layer, come as they stand there.
    """
    seen, summary, beside = subject.examination, subject.summary, subject.beside
    packages = [share.name for share in summary.packages]
    findings = _all_findings(subject.findings, beside.verdict)
    return {
        "name": seen.path.name,
        "python": subject.target.python,
        "arch": str(subject.target.arch),
        "os": subject.target.runtime.os,
        "zip_bytes": seen.zipped,
        "unzipped_bytes": seen.unzipped,
        "overhead_bytes": summary.overhead,
        "sha256": seen.sha256,
        "content_sha256": seen.content_sha256,
        "unzipped_limit": LAMBDA_UNZIPPED_LIMIT,
        "upload_limit": DIRECT_UPLOAD_LIMIT,
        "kinds": [str(kind) for kind in Kind],
        "kind_sums": [asdict(share) for share in summary.kinds],
        "packages": [_package(share, subject) for share in summary.packages],
        "files": list(_files(seen.members, packages)),
        "findings": [_finding(one, ran=one not in subject.findings) for one in findings],
        "rules": {one.rule: asdict(rules.explained(one.rule)) for one in findings},
        "notes": list(subject.notes),
        "advice": list(advice),
        "changes": changes,
        "made": _made(beside.manifest),
        "ran": _ran(beside.verdict),
        "sbom": _sbom(beside),
        "coldstart": _coldstart(beside, seen),
    }


def _package(share: Share, subject: InspectedLayer) -> dict[str, Any]:
    found = {one.name: one for one in subject.examination.distributions}.get(share.name)
    manifest, sbom = subject.beside.manifest, subject.beside.sbom
    known: Mapping[str, Package] = {one.name: one for one in manifest.packages} if manifest else {}
    components = sbom.components if sbom else ()
    listed: Mapping[str, Component] = {canonicalize_name(one.name): one for one in components if not one.depth}
    package, component = known.get(share.name), listed.get(share.name)
    return {
        **asdict(share),
        "version": found.version if found else "",
        "origin": package.origin if package else "",
        "licence": (package.licence if package else "") or _licence(component) or (found.licence if found else ""),
        "ref": component.ref if component else "",
    }


def _licence(component: Component | None) -> str:
    return " AND ".join(component.licences) if component else ""


def _files(members: Iterable[Member], packages: list[str]) -> Iterator[list[Any]]:
    """A row a file: path, unzipped and zipped bytes, kind, package, and what else there is to say of it."""
    kinds = {kind: number for number, kind in enumerate(Kind)}
    numbers = {name: number for number, name in enumerate(packages)}
    for member in members:
        row = [member.path, member.size, member.zipped, kinds[member.kind], numbers[member.package]]
        more = dict(_more(member))
        yield [*row, more] if more else row


def _more(member: Member) -> Iterator[tuple[str, Any]]:
    if member.link:
        yield "link", member.link
    if member.elf:
        yield "elf", _elf(member.elf)
    if trouble := member.damaged or member.foreign or member.unsafe:
        yield "trouble", trouble
    if member.pyc and member.pyc.state is not PycState.VALID:
        yield "pyc", str(member.pyc.state)


def _elf(elf: ElfFacts) -> dict[str, Any]:
    return {
        "machine": elf.machine,
        "bits": elf.bits,
        "soname": elf.soname,
        "needed": list(elf.needed),
        "runpath": list(elf.runpath),
        "stripped": elf.stripped,
        "symbols": newest_symbols([elf.versions]),
    }


def newest_symbols(versions: Iterable[Mapping[str, tuple[str, ...]]]) -> dict[str, str]:
    """Highest symbol version by family, ``{"GLIBC": "GLIBC_2.28"}``, of those that files need by library."""
    newest: dict[str, tuple[tuple[int, ...], str]] = {}
    for name in (name for by_library in versions for names in by_library.values() for name in names):
        family, _, number = name.rpartition("_")
        if all(part.isdecimal() for part in number.split(".")):
            key = tuple(int(part) for part in number.split("."))
            newest[family] = max(newest.get(family, ((), "")), (key, name))
    return {family: newest[family][1] for family in _FAMILIES if family in newest}


def _all_findings(static: tuple[Finding, ...], verdict: Verdict | None) -> tuple[Finding, ...]:
    """What the rules find, then what only the build found, which knew the recipe and ran the layer."""
    known = {(one.rule, one.path) for one in static}
    built = verdict.findings if verdict else ()
    return (*static, *(one for one in built if (one.rule, one.path) not in known))


def _finding(finding: Finding, *, ran: bool) -> dict[str, Any]:
    row = findings_json([finding])[0]
    return {**row, "message": row["message"].split("\n"), "ran": ran}


def _made(manifest: Manifest | None) -> dict[str, Any] | None:
    """How the layer was made, with the ledger: what each pass did for which reason, and what it left."""
    if manifest is None:
        return None
    return {
        "by": manifest.layerforge,
        "engine": manifest.engine,
        "interpreter": manifest.interpreter,
        "compression": str(manifest.compression),
        "bytecode": str(manifest.bytecode.mode),
        "docstrings": manifest.bytecode.told,
        "columns": manifest.bytecode.told_of_columns,
        "requires": list(manifest.requires),
        "left_out": [{"name": one.name, "version": one.version, "why": str(one.why)} for one in manifest.left_out],
        "env": dict(manifest.env),
        "budget": asdict(manifest.budget),
        "saved": saved(manifest),
        "edits": [
            {"pass": one.name, "reason": one.reason, "bytes": one.bytes, "files": list(one.files)}
            for one in manifest.edits
        ],
        "left": list(_by_reason(manifest.left)),
    }


def _by_reason(left: Iterable[LeftAlone]) -> Iterator[dict[str, Any]]:
    """What was left, by the reason, with the most bytes first."""
    groups: dict[str, list[LeftAlone]] = {}
    for one in left:
        groups.setdefault(one.reason, []).append(one)
    rows = [(sum(one.bytes for one in many), reason, many) for reason, many in groups.items()]
    for size, reason, many in sorted(rows, key=lambda row: -row[0]):
        yield {"reason": reason, "bytes": size, "files": [one.path for one in many]}


def _ran(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {"engine": verdict.engine, "skipped": verdict.skipped, "figures": asdict(verdict.figures)}


def _sbom(beside: Beside) -> dict[str, Any] | None:
    if beside.sbom is None:
        return None
    return {"file": beside.sbom.name, "components": [asdict(one) for one in beside.sbom.components]}


def _coldstart(beside: Beside, seen: Examination) -> dict[str, Any] | None:
    measured = beside.coldstart
    if measured is None:
        return None
    return {
        "imports": importtime.as_data(measured.imports),
        "runs": [asdict(one) for one in (*measured.runs, *measured.against)],
        "start": start_data(measured, seen),
    }
