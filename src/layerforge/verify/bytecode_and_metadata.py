"""Rules about modules, their bytecode and the metadata of their distributions."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from layerforge.core.findings import Finding
from layerforge.core.paths import OPT, SITE, below_site, site_dir
from layerforge.core.runtimes import Target
from layerforge.core.text import counted, megabytes
from layerforge.examine.examination import Examination, Member
from layerforge.layer import pyc
from layerforge.layer.distributions import Distribution, placed
from layerforge.layer.imports import module_parts, top_level
from layerforge.layer.pyc import PycFacts, PycState
from layerforge.resolve.recipe import BytecodeMode
from layerforge.verify.layout import Index, index, reached
from layerforge.verify.rules_table import ERROR, WARNING, Expect, finding, named

_ON_LAMBDA = f"{OPT}{SITE}/"
_CACHE = "__pycache__"


def without_bytecode(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF201: modules that every cold start compiles; those that the build found not to compile are left out."""
    if expect.bytecode is BytecodeMode.NONE:
        return
    bare = [one for one in uncompiled(examination, expect.target) if one.path not in expect.uncompilable]
    if bare:
        size = megabytes(sum(member.size for member in bare))
        count = counted(len(_modules(examination)), "module")
        message = f"{len(bare):,} of {count} ({size}) have no bytecode: {_names(bare)}"
        yield finding("LF201", "", message, severity=WARNING if expect.bytecode is None else ERROR)


def uncompiled(examination: Examination, target: Target) -> list[Member]:
    """Modules whose bytecode is nowhere in the layer."""
    paths, beside = examination.by_path, BytecodeMode.BESIDE
    return [one for one in _modules(examination) if pyc.pyc_path(one.path, target.cache_tag, beside) not in paths]


def _modules(examination: Examination) -> list[Member]:
    """Sources that an import finds. Empty ones cost nothing to compile."""
    sources = (one for one in examination.members if one.size and one.path.endswith(".py"))
    return [one for one in sources if module_parts(below_site(one.path))]


def _bytecode(examination: Examination) -> Iterator[tuple[Member, PycFacts]]:
    for member in examination.members:
        if member.pyc is not None:
            yield member, member.pyc


def _names(members: Iterable[Member]) -> str:
    return named(tuple(member.path for member in members))


def stale(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF202: bytecode bound to a date or a source that it does not match; in a layer of our own, to any source."""
    unwanted = {PycState.STALE} if expect.bytecode is None else {PycState.STALE, PycState.CHECKED}
    found = [member for member, facts in _bytecode(examination) if facts.state in unwanted]
    if found:
        size = megabytes(sum(member.size for member in found))
        message = f"{counted(len(found), '.pyc file')} ({size}) not used as they are: {_names(found)}"
        yield finding("LF202", "", message, severity=WARNING if expect.bytecode is None else ERROR)


def unusable(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF203: bytecode of another Python, broken bytecode, and cached bytecode whose source is gone.

    In place of a source, or broken, it makes the import fail; in ``__pycache__`` it only takes space.
    """
    tag = f".{expect.target.cache_tag}."
    paths = examination.by_path
    failing: list[Member] = []
    useless: list[Member] = []
    for member, facts in _bytecode(examination):
        source, cached = pyc.source_path(member.path), f"/{_CACHE}/" in member.path
        if facts.state not in {PycState.FOREIGN, PycState.BROKEN}:
            useless += [member] if cached and source not in paths else []
        elif source in paths or cached:
            broken = facts.state is PycState.BROKEN and cached and tag in member.path and source in paths
            (failing if broken else useless).append(member)
        else:
            failing.append(member)
    if failing:
        message = f"{counted(len(failing), 'module')} cannot be imported from bytecode like this: {_names(failing)}"
        yield finding("LF203", "", message, severity=ERROR)
    if useless:
        size = megabytes(sum(member.size for member in useless))
        yield finding("LF203", "", f"{counted(len(useless), '.pyc file')} ({size}) never read: {_names(useless)}")


def foreign_paths(examination: Examination, expect: Expect) -> Iterator[Finding]:  # noqa: ARG001 - a rule takes both
    """LF204: bytecode whose tracebacks name files of the machine that compiled it."""
    found = [
        (member, facts)
        for member, facts in _bytecode(examination)
        if facts.filename and not facts.filename.startswith(_ON_LAMBDA) and site_dir(member.path)
    ]
    if found:
        member, facts = found[0]
        files = counted(len(found), ".pyc file")
        yield finding("LF204", "", f"{files} with a source outside {_ON_LAMBDA}: {member.path} says {facts.filename}")


def metadata(examination: Examination, expect: Expect) -> Iterator[Finding]:  # noqa: ARG001 - a rule takes both
    """LF205: distributions without METADATA or RECORD, and packages whose ``.dist-info`` is gone."""
    layer = index(examination)
    for one in examination.distributions:
        if f"{one.info}/METADATA" not in layer.members:
            message = f"has no METADATA, so importlib.metadata does not know {one.name}"
            yield finding("LF205", one.info, message, severity=ERROR)
        elif one.record is None:
            yield finding("LF205", one.info, f"has no RECORD, so importlib.metadata knows no file of {one.name}")
    orphans = sorted({_package(member.path) for member in examination.members if not member.package} - {""})
    if orphans:
        message = f"{counted(len(orphans), 'package')} without .dist-info: {named(tuple(orphans), 5)}"
        yield finding("LF205", "", message)


def _package(path: str) -> str:
    """The top-level package that a module or extension module lies in; empty for any other file."""
    inner = below_site(path)
    return top_level(inner) if "/" in inner else ""


def lying_records(examination: Examination, expect: Expect) -> Iterator[Finding]:  # noqa: ARG001 - a rule takes both
    """LF206: RECORDs that list what is not there, or other bytes, or not all; one finding a distribution."""
    layer = index(examination)
    listed = {path for one in examination.distributions for path, _ in placed(one)}
    unlisted: dict[str, list[str]] = {}
    for member in examination.members:
        if member.path not in listed and not _is_cache(member.path, listed):
            unlisted.setdefault(member.package, []).append(member.path)
    for one in examination.distributions:
        lies = [*_lies(one, layer), *(f"{path} is not listed" for path in _own(one, unlisted.get(one.name, [])))]
        if one.record is not None and lies:
            yield finding("LF206", f"{one.info}/RECORD", f"{counted(len(lies), 'row')} wrong: {named(tuple(lies))}")


def _lies(one: Distribution, layer: Index) -> Iterator[str]:
    for path, row in placed(one):
        member = reached(layer, path)
        if not path or (member is None and not row.sha256 and f"{_CACHE}/" in path):
            continue  # outside the layer, as pip writes of programs, or bytecode that may come and go
        if member is None:
            yield f"{path} is missing"
        elif row.sha256 and row.sha256 != member.sha256:
            yield f"{path} has another hash"
        elif row.size is not None and row.size != member.size:
            yield f"{path} has another size"


def _is_cache(path: str, listed: set[str]) -> bool:
    return f"/{_CACHE}/" in path and pyc.source_path(path) in listed


def _own(one: Distribution, unlisted: list[str]) -> list[str]:
    """Of ``unlisted``, what lies in a folder that the RECORD has other files in: its own, beyond doubt."""
    folders = {posixpath.dirname(path) for path, _ in placed(one)} - {posixpath.dirname(one.info), "bin", "python/bin"}
    return [path for path in unlisted if posixpath.dirname(path) in folders]


def path_files(examination: Examination, expect: Expect) -> Iterator[Finding]:  # noqa: ARG001 - a rule takes both
    """LF207: ``.pth`` files, which Python reads in site folders only, and ``/opt/python`` is none."""
    for member in examination.members:
        if member.path.endswith(".pth") and site_dir(member.path) == posixpath.dirname(member.path) + "/":
            yield finding("LF207", member.path, "is not processed: /opt/python is on sys.path, but is no site folder")
