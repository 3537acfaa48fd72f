"""``layerforge inspect``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from layerforge.cli import (
    code_options,
    comparison,
    helping,
    ingredients,
    inspect_against,
    inspect_code,
    output_files,
    terminal,
)
from layerforge.cli import options as shared
from layerforge.cli.screen import Screen
from layerforge.core.errors import UsageError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.runtimes import Target
from layerforge.core.text import megabytes
from layerforge.examine import examine, zip_content
from layerforge.examine.examination import Examination, Member
from layerforge.examine.guess import guess_target
from layerforge.examine.summary import Share, Summary, summarize
from layerforge.report import beside as beside_zip
from layerforge.report import diff_data
from layerforge.report.advice import advise as advice
from layerforge.report.advice.advise import Advice, advise, smallest
from layerforge.report.advice.evidence import LayerEvidence
from layerforge.report.beside import target_of
from layerforge.report.growth import GrowthLimit
from layerforge.report.page.page import page
from layerforge.report.page.page_data import InspectedLayer, newest_symbols
from layerforge.verify import verdict
from layerforge.verify.notes import notes
from layerforge.verify.rules import judge
from layerforge.verify.rules_table import Expect


@click.command("inspect", cls=helping.Grouped)
@click.argument("zip_file", metavar="ZIP", type=click.Path(path_type=Path))
@shared.function_options(shared.FILES)
@click.option(
    "--html", "html_file", metavar="FILE", type=click.Path(path_type=Path), help="Write it as a page for a browser."
)
@code_options.code_option
@inspect_against.options
@shared.json_option
def command(
    zip_file: Path,
    python: str | None,
    arch: str | None,
    html_file: Path | None,
    code: Path | None,
    older: Path | None,
    limit: GrowthLimit | None,
    markdown: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Show what is in a layer's ZIP, whoever built it: sizes, native code, bytecode, and what is wrong with it.

    With --against, show what changed since an older ZIP instead.
    """
    inspect_against.refuse_alone(older, limit, markdown, as_json=as_json)
    if html_file:
        output_files.check(html_file, "page.html")
    if markdown and markdown != inspect_against.STANDARD_OUTPUT:
        output_files.check(markdown, "changes.md")
        if html_file and html_file.resolve() == markdown.resolve():
            raise UsageError(f"--html and --markdown both name {markdown}", hint="give each a file of its own")
    subject, out = known(zip_file, python, arch), terminal.report(taken=markdown == inspect_against.STANDARD_OUTPUT)
    old = known(older, python, arch) if older else None
    for line in (*subject.beside.refused, *(old.beside.refused if old else ())):
        terminal.notes().line(("!", "yellow"), f" {line}")
    pair = comparison.pair(old, subject) if old else None
    own = inspect_code.beside(code, subject.examination) if code else None
    found = () if pair and not (html_file or as_json) else advice_on(subject)
    changes = diff_data.as_data(pair.changes) if pair else None
    if html_file:
        write_page(terminal.notes(), html_file, subject, found, changes)
    if as_json:
        more = {"changes": changes} if pair else {}
        terminal.print_json(as_data(subject, found) | more | ({"code": inspect_code.as_data(own)} if own else {}))
    elif pair:
        inspect_against.show(out, pair)
    else:
        show(out, subject)
        show_advice(out, subject, found)
    if own and not as_json:
        inspect_code.show(out, own)
    if pair:
        inspect_against.tell_ci(pair, limit, markdown)


def known(zip_file: Path, python: str | None, arch: str | None) -> InspectedLayer:
    """All that is known of a layer without running it. Python and processor are guessed unless given."""
    target, examination = look(zip_file, python, arch)
    expect = Expect(target=target)
    return InspectedLayer(
        target=target,
        examination=examination,
        summary=summarize(examination),
        findings=judge(examination, expect),
        notes=notes(examination, expect),
        beside=beside_zip.beside(zip_file, examination.sha256),
    )


def write_page(
    out: Screen, html_file: Path, subject: InspectedLayer, found: Iterable[Advice], changes: dict[str, Any] | None
) -> None:
    """Writes the page."""
    data = page(subject, advice=advice.as_data(found), changes=changes).encode()
    output_files.write(html_file, data)
    out.line(f"page: {html_file}, {megabytes(len(data))}; open it in a browser, it needs no network\n")


def look(zip_file: Path, python: str | None, arch: str | None) -> tuple[Target, Examination]:
    """What is in a zip, and the target it is for: as told, else as its files suggest."""
    known = shared.target(python, arch) if python and arch else None
    examination = examine.examine(zip_file, known)
    target = known or target_of(examination, None, python, arch)
    if target != guess_target(examination):
        examination = examine.examine(zip_file, target)
    return target, examination


def show(out: Screen, subject: InspectedLayer) -> None:
    """The tables for people, then what is wrong and what is worth knowing."""
    tables(out, subject.target, subject.examination, subject.summary)
    lines = list(ingredients.told(subject.beside.manifest)) if subject.beside.manifest else []
    for line in lines:
        out.line(f"  {line}")
    if lines:
        out.line()
    terminal.verdict(out, subject.findings, subject.notes)


def advice_on(subject: InspectedLayer) -> tuple[Advice, ...]:
    """What would help a layer most, measured of its own files."""
    beside = subject.beside
    with zip_content.reader(subject.examination.path) as read:
        evidence = LayerEvidence(
            target=subject.target,
            examination=subject.examination,
            read=read,
            manifest=beside.manifest,
            imports=beside.coldstart.imports if beside.coldstart else (),
        )
        return advise(evidence)


def show_advice(out: Screen, subject: InspectedLayer, found: Iterable[Advice]) -> None:
    """Advice, a line each and how to follow it."""
    found = tuple(found)
    if not found:
        least = megabytes(smallest(subject.examination.unzipped))
        out.line(f"\nnothing was found that would save {least} or more")
        return
    out.line("\n", ("what would help most", "bold"))
    for one in found:
        out.line(f"  {one.message}")
        out.line(f"      → {one.how}")


def tables(out: Screen, target: Target, seen: Examination, summary: Summary) -> None:
    """Where the bytes are, and what the files are."""
    share = seen.unzipped / LAMBDA_UNZIPPED_LIMIT
    out.line((seen.path.name, "bold"), f": for Python {target.python} on {target.arch}")
    out.line(f"  zip {megabytes(seen.zipped)} · unzipped {megabytes(seen.unzipped)}, {share:.0%} of what Lambda takes")
    out.line(f"  sha256 {seen.sha256}\n  content_sha256 {seen.content_sha256}\n")
    versions = {one.name: one.version for one in seen.distributions}
    _shares(out, "package", summary.packages, versions)
    out.line()
    _shares(out, "kind", summary.kinds, {})
    out.line()
    rows = [(one.path, megabytes(one.size), megabytes(one.zipped)) for one in summary.largest[:10]]
    out.table("", ("largest files", "unzipped", "zipped"), rows)
    out.line()
    for line in (*native(seen.members), *bytecode(seen.members), *duplicates(summary, out.fitting)):
        out.line(f"  {line}")
    out.line()


def _shares(out: Screen, title: str, shares: Iterable[Share], versions: dict[str, str]) -> None:
    rows = [
        (
            f"{one.name or '(no package)'} {versions.get(one.name, '')}".strip(),
            f"{one.files:,}",
            megabytes(one.unzipped),
            megabytes(one.zipped),
        )
        for one in shares
    ]
    out.table("", (title, "files", "unzipped", "zipped"), rows)


def native(members: Iterable[Member]) -> Iterable[str]:
    """What the ELF files have in common."""
    elves = [one.elf for one in members if one.elf is not None]
    if not elves:
        return
    machines = Counter(one.machine for one in elves)
    stripped = sum(one.stripped for one in elves)
    yield f"native code: {len(elves)} files for {', '.join(machines)}; {stripped} of them stripped"
    newest = newest_symbols(elf.versions for elf in elves)
    yield "highest versions needed: " + (", ".join(newest.values()) or "none")
    own = {elf.soname for elf in elves if elf.soname} | {Path(one.path).name for one in members}
    yield f"libraries needed from outside: {', '.join(sorted({n for elf in elves for n in elf.needed} - own))}"


def bytecode(members: Iterable[Member]) -> Iterable[str]:
    """How many modules are compiled, and in which state."""
    members = tuple(members)
    sources = sum(one.path.endswith(".py") for one in members)
    states = Counter(str(one.pyc.state) for one in members if one.pyc is not None)
    told = ", ".join(f"{count:,} {state}" for state, count in states.most_common()) or "none"
    yield f"bytecode: {told}, for {sources:,} sources"


def duplicates(summary: Summary, fitting: Callable[[str], str]) -> Iterable[str]:
    """The copies that cost most."""
    for one in sorted(summary.duplicates, key=lambda one: -one.wasted)[:5]:
        first, *others = map(fitting, one.paths)
        yield f"{megabytes(one.wasted)} in copies of {first}: {', '.join(others)}"


def as_data(subject: InspectedLayer, found: Iterable[Advice]) -> dict[str, Any]:
    """Everything for ``--json``."""
    target, seen, summary = subject.target, subject.examination, subject.summary
    elves = [one for one in seen.members if one.elf is not None]
    return {
        "path": str(seen.path),
        "python": target.python,
        "arch": str(target.arch),
        "zip_bytes": seen.zipped,
        "unzipped_bytes": seen.unzipped,
        "sha256": seen.sha256,
        "content_sha256": seen.content_sha256,
        "packages": [_share(one, seen) for one in summary.packages],
        "kinds": [_share(one, seen) for one in summary.kinds],
        "largest": [{"path": one.path, "unzipped": one.size, "zipped": one.zipped} for one in summary.largest],
        "duplicates": [{"bytes": one.size, "wasted": one.wasted, "paths": one.paths} for one in summary.duplicates],
        "overhead_bytes": summary.overhead,
        **ingredients.as_data(subject.beside.manifest),
        "symbols": newest_symbols(one.elf.versions for one in elves if one.elf),
        "native": [{"path": one.path, **asdict(one.elf)} for one in elves if one.elf],
        "bytecode": dict(Counter(str(one.pyc.state) for one in seen.members if one.pyc is not None)),
        "findings": verdict.findings_json(subject.findings),
        "notes": list(subject.notes),
        "advice": advice.as_data(found),
    }


def _share(share: Share, seen: Examination) -> dict[str, Any]:
    versions = {one.name: one.version for one in seen.distributions}
    row = {"name": share.name, "files": share.files, "unzipped": share.unzipped, "zipped": share.zipped}
    return row | ({"version": versions[share.name]} if share.name in versions else {})
