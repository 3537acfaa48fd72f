"""Packages that a layer above Lambda's limit could do without: what is large, and perhaps of no use there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from packaging.utils import canonicalize_name

from layerforge.build.plan import Plan
from layerforge.core import guarded
from layerforge.core.errors import VerificationError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.paths import below_site
from layerforge.core.text import megabytes
from layerforge.layer import archive
from layerforge.layer.imports import top_level
from layerforge.layer.tree import File, Tree
from layerforge.resolve import excluding, markers

SMALLEST = 5_000_000
"""Bytes from which on a package is worth naming."""

MOST_NAMED = 3
_GRAPHICS = "nvidia-"
_CODE = (".py", ".pyc", ".so")


def is_for_graphics(name: str) -> bool:
    """Whether a package holds libraries for graphics processors, which no function has."""
    return name.startswith(_GRAPHICS)


class Candidate(NamedTuple):
    """A package, or several, that could stay out."""

    words: tuple[str, ...]
    """As ``--leave-out`` takes them."""
    bytes: int
    """Of all that would go."""
    why: str


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """What is asked of a tree, worked out once."""

    needs: Mapping[str, frozenset[str]]
    """Names of the packages that each asks for."""
    sizes: Mapping[str, int]
    requested: frozenset[str]

    @property
    def whole(self) -> int:
        """Bytes of all packages."""
        return sum(size for name, size in self.sizes.items() if name in self.needs)

    def saved(self, names: Collection[str]) -> int:
        """Bytes of packages and of what only they need."""
        asked = {need for needs in self.needs.values() for need in needs}
        waiting = {*self.requested, *(self.needs.keys() - asked)} - set(names)
        kept: set[str] = set()
        while waiting:
            kept |= waiting
            waiting = {need for name in waiting for need in self.needs.get(name, ())} - kept - set(names)
        return sum(size for name, size in self.sizes.items() if name in self.needs and name not in kept)


def check_limit(tree: Tree, plan: Plan) -> None:
    """Raises ``VerificationError`` for a tree above Lambda's limit, with what could stay out of it."""
    try:
        archive.check_limit(tree)
    except VerificationError as error:
        found = candidates(tree, plan)
        way = enough(found, tree.size - LAMBDA_UNZIPPED_LIMIT)
        hint = f"add `{way}` to the command; else {error.hint}" if way else error.hint
        raise VerificationError(error.message, hint=hint, details=(*error.details, *told(found))) from error


def candidates(
    tree: Tree, plan: Plan, sizes: Mapping[str, int] | None = None, least: int = SMALLEST
) -> list[Candidate]:
    """What could stay out of a layer, the largest first, with the reason; of at least so many bytes.

    ``sizes`` are those of the packages where they are to be others than what they take unzipped.
    """
    layer = _layer(tree, plan, sizes)
    own = excluding.distributions(plan.target.runtime) & layer.needs.keys()
    graphics = [name for name in layer.needs if is_for_graphics(name)]
    found = [
        Candidate((name,), layer.saved([name]), f"{_askers(layer, name)}, and Lambda has no graphics processor")
        for name in graphics
    ]
    if own:
        found.append(Candidate((excluding.RUNTIME,), layer.saved(own), "Lambda's own Python has them"))
    others = [name for name in layer.needs if name not in own and name not in graphics and name not in layer.requested]
    large = [name for name in others if layer.sizes.get(name, 0) >= least]
    found += [
        Candidate((name,), layer.saved([name]), f"{_askers(layer, name)}, and no code of another package names it")
        for name in _unnamed(tree, large)
    ]
    worth = [one for one in found if least <= one.bytes < layer.whole]
    return sorted(worth, key=lambda one: (-one.bytes, one.words))


def requested(tree: Tree, plan: Plan, sizes: Mapping[str, int] | None = None) -> list[Candidate]:
    """Each package that a layer is asked for, with what only it needs, the largest first; ``sizes`` as above.

    One without which nothing would be left is none of them.
    """
    layer = _layer(tree, plan, sizes)
    names = sorted(layer.requested & layer.needs.keys())
    found = [Candidate((name,), layer.saved([name]), f"{name} is asked for") for name in names]
    return sorted((one for one in found if one.bytes < layer.whole), key=lambda one: (-one.bytes, one.words))


def told(found: Sequence[Candidate]) -> tuple[str, ...]:
    """A line on each of the largest."""
    lines = [f"`{excluding.options(one.words)}` takes {megabytes(one.bytes)} away: {one.why}" for one in found]
    return tuple(lines[:MOST_NAMED])


def enough(found: Sequence[Candidate], excess: int) -> str:
    """The options with which a layer would fit that has so many bytes too many; empty where none do."""
    words: list[str] = []
    for one in found:
        words += one.words
        excess -= one.bytes
        if excess <= 0:
            return excluding.options(words)
    return ""


def _layer(tree: Tree, plan: Plan, given: Mapping[str, int] | None = None) -> _Layer:
    environment = markers.environment(plan.target)
    texts = {one.name: tree.read(f"{one.info}/METADATA") or b"" for one in tree.packages if one.info}
    sizes: dict[str, int] = {}
    for entry in tree.entries:
        sizes[entry.package] = sizes.get(entry.package, 0) + entry.size
    return _Layer(
        needs={
            name: frozenset(canonicalize_name(one.name) for one in markers.asked(text, environment))
            for name, text in texts.items()
        },
        sizes=given if given is not None else sizes,
        requested=frozenset(canonicalize_name(guarded.requirement(text).name) for text in plan.spec.requires),
    )


def _askers(layer: _Layer, name: str) -> str:
    askers = sorted(one for one, needs in layer.needs.items() if name in needs and one != name)
    if not askers:
        return "nothing else asks for it"
    return f"{', '.join(askers)} {'asks' if len(askers) == 1 else 'ask'} for it"


def _unnamed(tree: Tree, names: Collection[str]) -> Iterator[str]:
    """Those packages whose modules are named nowhere in the code of another one."""
    tops = {name: _tops(tree, name) for name in names}
    waiting = {name for name, found in tops.items() if found}
    for entry in tree.entries:
        if not waiting:
            return
        if isinstance(entry, File) and entry.path.endswith(_CODE):
            data = entry.blob.read()
            waiting -= {name for name in waiting if name != entry.package and any(top in data for top in tops[name])}
    yield from sorted(waiting)


def _tops(tree: Tree, name: str) -> frozenset[bytes]:
    found = {top_level(below_site(entry.path)) for entry in tree.entries if entry.package == name}
    return frozenset(top.encode() for top in found if top)
