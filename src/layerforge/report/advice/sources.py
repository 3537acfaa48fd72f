"""Imports as they stand in sources, read without parsing them: a zip may hold a source that takes gigabytes to parse.

What is found is more than what is really imported, since words in texts count too. So what nothing names is safe to
be called so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import partial

from layerforge.core.paths import site_dir
from layerforge.examine.examination import Kind, Member
from layerforge.layer.passes import naming, prune
from layerforge.report.advice.evidence import LayerEvidence, Proposal, whole

_STATEMENT = re.compile(rb"\b(?:from|import)[ \t][^\n]*(?:(?<=\\)\n[^\n]*)*")
_FROM = re.compile(rb"\bfrom[ \t]+([.\w]+)[ \t]+import\b[ \t]*(\([^)]{0,4000}\)|[^\n]*)")
_IMPORT = re.compile(rb"\bimport[ \t]+([.\w][^\n]*)")
_DOTTED = re.compile(rb"[.\w]+")
MOST_PACKAGES = 500
"""Packages that a layer may have to be judged at all; the largest layers have about 150."""

BY_RUNTIME = frozenset({"tzdata"})
"""Packages that the standard library imports."""


def unused(ground: LayerEvidence) -> Iterator[Proposal]:
    """Packages that are neither what the layer is for nor named by the code of any other package."""
    candidates = _candidates(ground) if len(ground.tops) <= MOST_PACKAGES else set()
    for name in sorted(candidates - _named(ground, candidates)):
        askers = sorted(one for one, needs in ground.needs.items() if name in needs)
        asked = f", though {', '.join(askers)} asks for it" if askers else ""
        yield Proposal(
            kind="unused-package",
            what=f"no code of another package names {name}{asked}",
            how="leave it out if your function does not import it either, and no plug-in does",
            savings=whole(member for member in ground.examination.members if member.package == name),
        )


def _candidates(ground: LayerEvidence) -> set[str]:
    """Packages of which it can be told whether something imports them."""
    counts = Counter(top for names in ground.tops.values() for top in names)
    plugins = {member.package for member in ground.examination.members if _is_plugin(ground, member)}
    judged = {name for name, names in ground.tops.items() if names and all(counts[top] == 1 for top in names)}
    return judged - ground.requested - BY_RUNTIME - plugins


def _is_plugin(ground: LayerEvidence, member: Member) -> bool:
    """Whether a file names entry points, by which other packages find its own without naming it."""
    if not member.path.endswith(".dist-info/entry_points.txt"):
        return False
    groups = re.findall(rb"^\[([^\]\r\n]+)\]", ground.read(member.path), re.MULTILINE)
    return any(group.strip() not in {b"console_scripts", b"gui_scripts"} for group in groups)


def _named(ground: LayerEvidence, candidates: Collection[str]) -> set[str]:
    """Those ``candidates`` that a file of another package names: in an import, in quotes, in compiled code, or as a
    library that it needs.
    """
    sonames: dict[str, set[str]] = {name: set() for name in candidates}
    for member in ground.examination.members:
        if member.elf and member.package in sonames:
            sonames[member.package].add(member.elf.soname)
    waiting = {name: ground.tops[name] for name in candidates}
    found: set[str] = set()
    # Sources first: they tell most, and cost least.
    for member in sorted(ground.examination.members, key=_cost):
        if not waiting or _cost(member) == _OTHER:
            break
        others = {name: tops for name, tops in waiting.items() if name != member.package}
        if others:
            found |= set(_names_in(ground, member, others))
            found |= {name for name in others if member.elf and sonames[name] & set(member.elf.needed)}
            waiting = {name: tops for name, tops in waiting.items() if name not in found}
    return found


_SOURCE, _BYTECODE, _NATIVE, _OTHER = range(4)


def _cost(member: Member) -> int:
    if member.link:
        return _OTHER
    if member.path.endswith(".py"):
        return _SOURCE
    return {Kind.BYTECODE: _BYTECODE, Kind.NATIVE: _NATIVE}.get(member.kind, _OTHER)


def _names_in(ground: LayerEvidence, member: Member, others: dict[str, frozenset[str]]) -> Iterator[str]:
    data = ground.read(member.path)
    held = {name: tops for name, tops in others.items() if any(top.encode() in data for top in tops)}
    if held and member.path.endswith(".py"):
        words = b"|".join(re.escape(top.encode()) for tops in held.values() for top in tops)
        quoted = re.compile(rb"[\"'](" + words + rb")[\"'.]")
        statements = b"\n".join(_STATEMENT.findall(data))
        hits = {*re.findall(rb"\b(" + words + rb")\b", statements), *quoted.findall(data)}
        yield from (name for name, tops in held.items() if any(top.encode() in hits for top in tops))
    else:
        yield from held


def doomed(ground: LayerEvidence) -> dict[str, str]:
    """Rule by path, of the files that a default rule may drop."""
    found: dict[str, str] = {}
    for folder, members in _by_site(ground).items():
        rules = prune.by_default([member.path.removeprefix(folder) for member in members])
        found |= {folder + name: rule for name, rule in rules.items()}
    return found


def kept_by_name(ground: LayerEvidence, doomed: Mapping[str, str]) -> frozenset[str]:
    """Of ``doomed`` files, with the rule of each, those that the code which stays names."""
    found: set[str] = set()
    for folder, members in _by_site(ground).items():
        owners = {
            one.path.removeprefix(folder): one.package for one in members if doomed.get(one.path) in prune.guarded()
        }
        code = (
            naming.Source(name=one.path.removeprefix(folder), package=one.package, read=partial(ground.read, one.path))
            for one in members
            if one.path not in doomed and one.path.endswith(naming.ENDINGS)
        )
        found.update(folder + name for name in naming.named(owners, code))
    return frozenset(found)


def _by_site(ground: LayerEvidence) -> Mapping[str, list[Member]]:
    """Files by the folder on ``sys.path`` that they lie in."""
    found: dict[str, list[Member]] = {}
    for member in ground.examination.members:
        if folder := site_dir(member.path):
            found.setdefault(folder, []).append(member)
    return found


def kept_as_stubs(ground: LayerEvidence, doomed: Collection[str]) -> frozenset[str]:
    """Of ``doomed`` files, the stubs that the module beside them reads at run time, to load its names lazily."""
    beside = {path.removesuffix("i") for path in doomed if path.endswith(".pyi")}
    return frozenset(f"{one.path}i" for one in ground.members(beside) if prune.ATTACHES in ground.read(one.path))


def kept_by_imports(ground: LayerEvidence, doomed: Mapping[str, str]) -> frozenset[str]:
    """Of ``doomed`` files, with the rule of each, those that a source which stays may import.

    Only modules are. What is imported keeps all of its folder that the rule matches, which
    is more than a build keeps: the bytes that are promised are those that go for sure.
    """
    units = {path: _unit(path) for path in doomed if path.endswith(".py")}
    words = {unit.rpartition("/")[2].encode() for unit in units.values()}
    if not words:
        return frozenset()
    telling = re.compile(rb"\b(?:" + b"|".join(map(re.escape, sorted(words))) + rb")\b")
    imported: set[str] = set()
    for member in ground.examination.members:
        if member.path.endswith(".py") and not member.link and member.path not in doomed:
            data = ground.read(member.path)
            if telling.search(data):
                imported.update(_imported(member.path, data))
    return frozenset(path for path, unit in units.items() if unit in imported)


def _unit(path: str) -> str:
    """What an import would name of a doomed module: the topmost folder of tests around it, else the module."""
    head, mark, _ = path.partition("/tests/")
    return f"{head}/tests" if mark else path.removesuffix(".py")


def _imported(path: str, data: bytes) -> Iterator[str]:
    """Paths of every module and package that the source at ``path`` may import, without a suffix."""
    root = site_dir(path)
    here = path.removeprefix(root).split("/")[:-1]
    for module, names in _modules(data):
        level = len(module) - len(module.lstrip("."))
        start = here[: max(0, len(here) - level + 1)] if level else []
        parts = [*start, *filter(None, module.split("."))]
        yield from (root + "/".join(parts[:count]) for count in range(1, len(parts) + 1))
        yield from (root + "/".join([*parts, name]) for name in names)


def _modules(data: bytes) -> Iterator[tuple[str, list[str]]]:
    """Module and names of each import statement. Words that are neither may be among them, such as ``as``."""
    for module, names in _FROM.findall(data):
        yield module.decode("ascii", "replace"), [name.decode("ascii", "replace") for name in _DOTTED.findall(names)]
    for modules in _IMPORT.findall(data):
        yield from ((module.decode("ascii", "replace"), []) for module in _DOTTED.findall(modules))
