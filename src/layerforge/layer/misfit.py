"""The error for a layer that fits with no settings: what was tried, and what to take out of it, with the bytes."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence

from layerforge.build.plan import Plan
from layerforge.core.errors import VerificationError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.text import megabytes
from layerforge.layer import fit_search
from layerforge.layer.candidates import Candidate, candidates, enough, requested
from layerforge.layer.fit_search import Fitted
from layerforge.layer.tree import Tree
from layerforge.resolve import excluding
from layerforge.resolve.fit import ROOM

_LEAST_SHARE = 0.02
"""Of the layer: what is smaller is not worth a line."""

_MOST_NAMED = 5
_UNIT = 100_000
"""Bytes to which a limit that is named is rounded up."""

_HEADERS = 30 + 46
"""Bytes of a zip that belong to each file besides its stream and twice its name."""


def refusal(found: Fitted, plan: Plan, tree: Tree, zipped: bytes | None) -> VerificationError:
    """The error. ``plan``, ``tree`` and ``zipped`` are those of the smallest that was made; ``zipped`` is ``None``
    where it was not packed, since it takes too much unzipped.
    """
    sizes = _zipped_by_package(zipped, tree) if zipped is not None else None
    size, limit = (len(zipped), found.fit.zipped or 0) if zipped is not None else (tree.size, found.fit.unzipped)
    least = int(size * _LEAST_SHARE)
    useless = candidates(tree, plan, sizes, least)
    named = {word for one in useless for word in one.words}
    asked = [one for one in requested(tree, plan, sizes) if not named & {*one.words}]
    # What certain versions are asked of is for a person to leave out.
    idle = [one for one in useless if not (found.refused and excluding.RUNTIME in one.words)]
    options, names = _ways(idle, asked, size - limit)
    return VerificationError(
        f"the layer {plan.spec.name} does not fit {_where(found)}: the smallest that was made of it "
        f"takes {megabytes(size)}, {megabytes(size - limit)} too much",
        hint=_hint(options, names, found, size),
        details=(
            *(line for line in fit_search.told(found) if line.startswith(" ")),
            *_told([*useless, *(one for one in asked if one.bytes >= least)], packed=zipped is not None),
        ),
    )


def _where(found: Fitted) -> str:
    """What it is too large for: its own limit, or Lambda's, which comes first."""
    if found.fit.zipped is not None and found.smallest.zipped is None:
        return f"Lambda, {megabytes(found.fit.unzipped)} unzipped"
    return found.fit.told


def _ways(useless: Sequence[Candidate], asked: Sequence[Candidate], excess: int) -> tuple[str, str]:
    """The options with which the rest would fit, first of what is of no use, then of as little as will do of what is
    asked for, the names of these; empty where nothing would be left.
    """
    if options := enough(useless, excess):
        return options, ""
    rest = excess - sum(one.bytes for one in useless)
    sufficient = [one for one in reversed(asked) if one.bytes >= rest]
    chosen = sufficient[:1] or asked[:-1]
    options = enough(chosen, excess) or enough([*useless, *chosen], excess)
    return options, ", ".join(word for one in chosen for word in one.words)


def _hint(options: str, names: str, found: Fitted, size: int) -> str:
    more = math.ceil(size / _UNIT) * _UNIT
    room = (LAMBDA_UNZIPPED_LIMIT - size) // _UNIT * _UNIT
    if found.smallest.zipped is not None:
        allowed = f"allow more with `--fit {more / 10**6:g}MB`"
    elif room >= 0:
        allowed = f"leave the function less with `--fit {ROOM}={room / 10**6:g}MB`"
    else:
        allowed = "split it over two functions"
    other = f", and make {names} a layer of its own" if names else ""
    return f"add `{options}` to the command{other}; or {allowed}" if options else allowed


def _told(found: Sequence[Candidate], *, packed: bool) -> Iterator[str]:
    what = "of the zip" if packed else "unzipped"
    for one in found[:_MOST_NAMED]:
        yield f"`{excluding.options(one.words)}` takes {megabytes(one.bytes)} {what} away: {one.why}"


def _zipped_by_package(data: bytes, tree: Tree) -> Mapping[str, int]:
    sizes: dict[str, int] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        for one in opened.infolist():
            package = tree.by_path[one.filename].package
            size = one.compress_size + _HEADERS + 2 * len(one.filename.encode())
            sizes[package] = sizes.get(package, 0) + size
    return sizes
