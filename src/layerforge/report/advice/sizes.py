"""Advice that saves bytes: each function looks at a layer and proposes what could go, with the bytes of each file."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from layerforge.core import globs
from layerforge.core.paths import site_dir
from layerforge.core.text import megabytes
from layerforge.examine.examination import Kind, Member
from layerforge.layer import candidates, pyc
from layerforge.layer.distributions import Distribution, placed, recorded
from layerforge.layer.passes import strip
from layerforge.layer.pyc import PycState
from layerforge.report.advice import sources
from layerforge.report.advice.evidence import LayerEvidence, Proposal, Saving, info, whole
from layerforge.resolve import excluding
from layerforge.resolve.catalogue import Catalogue, catalogue
from layerforge.resolve.recipe import BytecodeMode, Library, Recipe

SMALLEST_PROVIDED = 1_000_000
"""Bytes from which on what the runtime has too is worth a line: small ones are there because another package needs
that very version."""

_USED = {PycState.VALID, PycState.CHECKED}

FAMILIES = {
    "OpenBLAS": ("lib*openblas*",),
    "the OpenMP run-time": ("libgomp*", "libomp*", "libiomp5*"),
    "the Fortran run-time": ("libgfortran*", "libquadmath*"),
    "OpenSSL": ("libcrypto*", "libssl*"),
    "the C++ run-time": ("libstdc++*",),
}
"""Libraries of which one copy would serve all, by globs of their file names."""

_STEM = re.compile(r"([^-.]+?)[_\d]*[-.].*?(?:\.so\.(\d+).*)?")
"""Name and major version of a library, whatever hash or size of integers its file name tells of."""


def provided(evidence: LayerEvidence) -> Iterator[Proposal]:
    """What the runtime has itself. Which of the two a function should use is a choice, unless a package that stays asks
    for versions that the runtime's need not be: aiobotocore takes few versions of botocore. What goes may ask for some
    of what stays, since the layer's own copy comes first, and is one that will do.
    """
    has = evidence.target.runtime.packages
    own = {name for name, tops in evidence.tops.items() if tops and tops <= has}
    names = set(own)
    while held := {need for name in evidence.capped.keys() - names for need in evidence.capped[name]} & names:
        names -= held
    found = [member for member in evidence.examination.members if member.package in names]
    if sum(member.size for member in found) >= SMALLEST_PROVIDED:
        words = [excluding.RUNTIME] if names == own else _roots(evidence, names)
        staying = f", beside the layer's own {', '.join(sorted(own - names))}" if names != own else ""
        yield Proposal(
            kind="runtime-has-it",
            what=f"the runtime has its own {', '.join(sorted(names))}",
            how=f"`{excluding.options(words)}` leaves them out if the runtime's versions will do{staying}; they change "
            "when AWS updates it",
            savings=whole(found),
        )


def _roots(evidence: LayerEvidence, names: Collection[str]) -> list[str]:
    """Those of ``names`` that do not go by themselves when the others are left out."""
    askers = {name: {one for one, needs in evidence.needs.items() if name in needs - {one}} for name in names}
    return sorted(
        name for name in names if name in evidence.requested or not askers[name] or not askers[name] <= set(names)
    )


def for_graphics(evidence: LayerEvidence) -> Iterator[Proposal]:
    """Libraries for graphics processors, which no function has, each with who asks for it."""
    for name in sorted(filter(candidates.is_for_graphics, evidence.tops)):
        askers = sorted(one for one, needs in evidence.needs.items() if name in needs)
        asked = f", which {', '.join(askers)} {'asks' if len(askers) == 1 else 'ask'} for" if askers else ""
        yield Proposal(
            kind="no-graphics",
            what=f"Lambda has no graphics processor for {name}{asked}",
            how=f"`{excluding.options([name])}` leaves it out; the build then shows whether the rest works without it",
            savings=whole(member for member in evidence.examination.members if member.package == name),
        )


def twice(evidence: LayerEvidence) -> Iterator[Proposal]:
    """Distributions that are there more than once: in two folders of ``sys.path``, or in two versions."""
    by_name: dict[str, list[Distribution]] = {}
    for one in evidence.examination.distributions:
        by_name.setdefault(one.name, []).append(one)
    for name, many in sorted(by_name.items()):
        if len(many) > 1 and (shadowed := _shadowed(evidence, name, many)):
            yield Proposal(
                kind="package-twice",
                what=f"{name} is there {len(many)} times ({', '.join(one.info for one in many)})",
                how="install into an empty folder, once",
                savings=whole(shadowed),
            )


def _shadowed(evidence: LayerEvidence, name: str, many: list[Distribution]) -> list[Member]:
    """Files of all copies but one: what lies later on ``sys.path``, else what only those list that were overwritten."""
    sites = sorted({site_dir(f"{one.info}/") for one in many}, key=len, reverse=True)
    own = [member for member in evidence.examination.members if member.package == name]
    if len(sites) > 1:
        # The interpreter's own site-packages of a layer come first on Lambda's sys.path.
        return [member for member in own if site_dir(member.path) != sites[0]]
    digests = {member.path: member.sha256 for member in own}
    there = max(many, key=lambda one: (_truth(one, digests), one.info))
    lost = {path for one in many if one is not there for path in recorded(one)} - set(recorded(there))
    others = {one.info for one in many} - {there.info}
    return [member for member in own if member.path in lost or info(member.path) in others]


def _truth(one: Distribution, digests: Mapping[str, str]) -> float:
    """Which part of its RECORD is true: all of it for the copy that was installed last."""
    told = [digests.get(path) == row.sha256 for path, row in placed(one) if row.sha256]
    return sum(told) / len(told) if told else 0.0


def copies(evidence: LayerEvidence) -> Iterator[Proposal]:
    """Shared libraries of equal bytes, which the loader knows by their soname."""
    groups: dict[str, list[Member]] = {}
    for one in evidence.examination.members:
        if one.elf and one.elf.soname and not one.elf.init and not one.link:
            groups.setdefault(one.sha256, []).append(one)
    others = [one for group in groups.values() for one in sorted(group, key=lambda one: (len(one.path), one.path))[1:]]
    if others:
        yield Proposal(
            kind="library-copies",
            what="shared libraries are there again, byte for byte",
            how="make them symbolic links, as `layerforge build` does, and pack links as links (`zip --symlinks`)",
            savings=whole(others),
        )


def dead_weight(evidence: LayerEvidence) -> Iterator[Proposal]:
    """What the default rules of layerforge would drop. Of its own layers, a recipe chose to keep what is left."""
    if evidence.manifest:
        return
    doomed = sources.judged(evidence).droppable
    found = list(evidence.members(doomed))
    if found:
        yield Proposal(
            kind="dead-weight",
            what=f"no function needs {_reasons(doomed, found)}",
            how="`layerforge build` drops them, but nothing that a module of the layer imports or names",
            savings=whole(found),
        )


def _reasons(doomed: Mapping[str, str], found: Iterable[Member], most: int = 4) -> str:
    sizes: Counter[str] = Counter()
    for member in found:
        sizes[doomed[member.path]] += member.size
    return ", ".join(f"{reason} ({megabytes(size)})" for reason, size in sizes.most_common(most))


def unused_bytecode(evidence: LayerEvidence) -> Iterator[Proposal]:
    """Bytecode that Lambda's Python never uses: stale, broken or made by another one."""
    found = [one for one in evidence.examination.members if one.pyc is not None and one.pyc.state not in _USED]
    if found:
        yield Proposal(
            kind="unused-bytecode",
            what="every cold start compiles modules again whose bytecode is stale or for another Python",
            how="compile with unchecked-hash bytecode, as `layerforge build` does, or leave the .pyc files out",
            savings=whole(found),
        )


def bytecode_only(evidence: LayerEvidence) -> Iterator[Proposal]:
    """Sources whose bytecode stands beside them."""
    tag = evidence.target.cache_tag
    valid = {one.path for one in evidence.examination.members if one.pyc is not None and one.pyc.state in _USED}
    found = [
        member
        for member in evidence.examination.members
        if member.path.endswith(".py") and pyc.pyc_path(member.path, tag, BytecodeMode.BESIDE) in valid
    ]
    if found:
        yield Proposal(
            kind="bytecode-only",
            what="bytecode can stand in the place of the sources",
            how="`layerforge build --bytecode only`; tracebacks then show no source, nor does `inspect.getsource`",
            savings=whole(found),
        )


def several_libraries(evidence: LayerEvidence) -> Iterator[Proposal]:
    """Several builds of one library, each with the package that brings it."""
    native = [one for one in evidence.examination.members if one.kind is Kind.NATIVE and not one.link]
    for name, patterns in FAMILIES.items():
        family = [one for one in native if globs.matches(posixpath.basename(one.path), patterns)]
        for group in _builds(family):
            largest = max(group, key=lambda one: (one.size, one.path))
            others = [one for one in group if one.path != largest.path]
            sizes = ", ".join(f"{one.path} {megabytes(one.size)}" for one in group)
            yield Proposal(
                kind="several-libraries",
                what=f"{name} is there {len(group)} times: {sizes}; one copy would do",
                how=_recipe_for(patterns, {one.package for one in group}),
                savings=whole(others),
            )


def _builds(family: Iterable[Member]) -> Iterator[list[Member]]:
    """Members that are builds of one library: the same name and major version, but other bytes."""
    stems: dict[tuple[str, ...], dict[str, Member]] = {}
    for member in family:
        match = _STEM.fullmatch(posixpath.basename(member.path).replace("scipy_", ""))
        if match:
            stems.setdefault(match.groups(""), {}).setdefault(member.sha256, member)
    return (list(by_digest.values()) for by_digest in stems.values() if len(by_digest) > 1)


def _recipe_for(patterns: tuple[str, ...], owners: set[str]) -> str:
    """How to get by with one copy: by compiling all of ``owners``, where their recipes do."""
    known = catalogue()
    recipes = [found for name in sorted(owners) if (found := known.find(name)) and found.compiles]
    if len(recipes) < len(owners) or not all(_ships(one, patterns, known) for one in recipes):
        return "compile the packages on one copy, by recipes of your own (docs/recipes.md)"
    return "`layerforge build` compiles them on one copy where there is a container engine"


def _ships(recipe: Recipe, patterns: tuple[str, ...], known: Catalogue) -> bool:
    """Whether what a recipe compiles takes the library from its needs, or from the image."""
    names = [*recipe.system, *(soname for sonames in recipe.arch_system.values() for soname in sonames)]
    if isinstance(recipe.part, Library):
        names += [posixpath.basename(path) for path in recipe.part.ship]
    needs = [found for need in recipe.needs if (found := known.find(need.name))]
    return any(globs.matches(name, patterns) for name in names) or any(_ships(one, patterns, known) for one in needs)


def symbols(evidence: LayerEvidence) -> Iterator[Proposal]:
    """Symbol tables and debug sections: what the strip pass really takes off these very files."""
    savings: dict[str, Saving] = {}
    for member in evidence.examination.members:
        if member.elf is None or member.elf.stripped or member.link:
            continue
        try:
            shorter = strip.cut(evidence.read(member.path))
        except strip.Unsafe:
            continue
        if len(shorter) < member.size:
            savings[member.path] = Saving(unzipped=member.size - len(shorter), zipped=None)
    if savings:
        yield Proposal(
            kind="symbols",
            what="symbol tables and debug sections are never loaded",
            how="`layerforge build` cuts them off; `strip` damages wheels that were patched before",
            savings=savings,
        )
