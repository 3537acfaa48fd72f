"""``layerforge inspect``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from layerforge import examine, report, verify
from layerforge.cli import options as shared
from layerforge.cli import screen
from layerforge.examine import Share, Summary
from layerforge.model import LAMBDA_UNZIPPED_LIMIT, Examination, Finding, Member, Target
from layerforge.progress import megabytes


@click.command("inspect")
@click.argument("zip_file", metavar="ZIP", type=click.Path(path_type=Path))
@click.option("--python", help="Python of the function.  [default: what the files point to]")
@click.option("--arch", help="Processor of the function.  [default: what the files point to]")
@shared.json_option
def command(zip_file: Path, python: str | None, arch: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Show what is in a layer's ZIP, whoever built it: sizes, native code, bytecode, and what is wrong with it."""
    target, examination = look(zip_file, python, arch)
    expect = verify.Expect(target=target)
    findings, notes = verify.judge(examination, expect), verify.notes(examination, expect)
    summary = examine.summarize(examination)
    if as_json:
        screen.print_json(as_data(target, examination, summary, findings, notes))
    else:
        show(screen.console(), target, examination, summary)
        screen.verdict(screen.console(), findings, notes)


def look(zip_file: Path, python: str | None, arch: str | None) -> tuple[Target, Examination]:
    """What is in a zip, and the target it is for: as told, else as its files suggest."""
    known = shared.target(python, arch) if python and arch else None
    examination = examine.examine(zip_file, known)
    guess = examine.guess_target(examination)
    target = known or shared.target(python or guess.python, arch or str(guess.arch))
    if target != guess:
        examination = examine.examine(zip_file, target)
    return target, examination


def show(out: Console, target: Target, seen: Examination, summary: Summary) -> None:
    """The tables for people."""
    share = seen.unzipped / LAMBDA_UNZIPPED_LIMIT
    out.print(f"[bold]{seen.path.name}[/]: for Python {target.python} on {target.arch}", soft_wrap=True)
    out.print(f"  zip {megabytes(seen.zipped)} · unzipped {megabytes(seen.unzipped)}, {share:.0%} of what Lambda takes")
    out.print(f"  sha256 {seen.sha256}\n  content_sha256 {seen.content_sha256}\n", soft_wrap=True)
    versions = {one.name: one.version for one in seen.distributions}
    out.print(_shares("package", summary.packages, versions))
    out.print()
    out.print(_shares("kind", summary.kinds, {}))
    out.print()
    rows = [(one.path, megabytes(one.size), megabytes(one.zipped)) for one in summary.largest[:10]]
    out.print(screen.table("", ("largest files", "unzipped", "zipped"), rows))
    out.print()
    for line in (*native(seen.members), *bytecode(seen.members), *duplicates(summary)):
        out.print(f"  {line}", markup=False, soft_wrap=True)
    out.print()


def _shares(title: str, shares: Iterable[Share], versions: dict[str, str]) -> Any:
    rows = [
        (
            f"{one.name or '(no package)'} {versions.get(one.name, '')}".strip(),
            f"{one.files:,}",
            megabytes(one.unzipped),
            megabytes(one.zipped),
        )
        for one in shares
    ]
    return screen.table("", (title, "files", "unzipped", "zipped"), rows)


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


def newest_symbols(versions: Iterable[Any]) -> dict[str, str]:
    """Highest symbol version by family, ``{"GLIBC": "GLIBC_2.28"}``."""
    newest: dict[str, tuple[tuple[int, ...], str]] = {}
    for name in (name for by_library in versions for names in by_library.values() for name in names):
        family, _, number = name.rpartition("_")
        if all(part.isdecimal() for part in number.split(".")):
            key = tuple(int(part) for part in number.split("."))
            newest[family] = max(newest.get(family, ((), "")), (key, name))
    wanted = ("GLIBC", "GLIBCXX", "CXXABI", "GCC")
    return {family: newest[family][1] for family in wanted if family in newest}


def bytecode(members: Iterable[Member]) -> Iterable[str]:
    """How many modules are compiled, and in which state."""
    members = tuple(members)
    sources = sum(one.path.endswith(".py") for one in members)
    states = Counter(str(one.pyc.state) for one in members if one.pyc is not None)
    told = ", ".join(f"{count:,} {state}" for state, count in states.most_common()) or "none"
    yield f"bytecode: {told}, for {sources:,} sources"


def duplicates(summary: Summary) -> Iterable[str]:
    """The copies that cost most."""
    for one in sorted(summary.duplicates, key=lambda one: -one.wasted)[:5]:
        yield f"{megabytes(one.wasted)} in copies of {one.paths[0]}: {', '.join(one.paths[1:])}"


def as_data(
    target: Target, seen: Examination, summary: Summary, findings: Iterable[Finding], notes: Iterable[str]
) -> dict[str, Any]:
    """Everything for ``--json``."""
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
        "symbols": newest_symbols(one.elf.versions for one in elves if one.elf),
        "native": [{"path": one.path, **asdict(one.elf)} for one in elves if one.elf],
        "bytecode": dict(Counter(str(one.pyc.state) for one in seen.members if one.pyc is not None)),
        "findings": report.findings_json(findings),
        "notes": list(notes),
    }


def _share(share: Share, seen: Examination) -> dict[str, Any]:
    versions = {one.name: one.version for one in seen.distributions}
    row = {"name": share.name, "files": share.files, "unzipped": share.unzipped, "zipped": share.zipped}
    return row | ({"version": versions[share.name]} if share.name in versions else {})
