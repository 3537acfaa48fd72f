"""Layers that are made twice, each time from nothing, and delivered only if both are the same to the byte."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from layerforge import pipeline
from layerforge.build import durations
from layerforge.build.graph import Done, Runner
from layerforge.build.plan import BUILT
from layerforge.build.work import LackingError, layer_key, sources_of
from layerforge.core.errors import LayerforgeError
from layerforge.core.faults import writing
from layerforge.core.filing import write_together
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.downloads import Downloads
from layerforge.pipeline import Delivered, Ended, NotBegunError
from layerforge.planning import Graph, Prepared
from layerforge.report import reproduced
from layerforge.report.delivery import BuiltLayer, carried_out, files_of, keep, kept_digest, recall, stem
from layerforge.report.reproduced import Differences
from layerforge.resolve import sdists, wheels

TAKEN = frozenset({"source", sdists.CHOSEN, wheels.KIND, wheels.CHOSEN, durations.KIND})
"""Kinds that both makings take from the user's store and put there: downloads by hash, and how long steps take."""

PLACES = ("first", "made-again/second")
"""Where the two stores lie. The paths differ in more than a letter, for what writes down where it was made."""


def layers(
    prepared: Sequence[Prepared], runner_of: Callable[[Graph], Runner], *, fail_fast: bool = False
) -> Generator[tuple[Prepared, Ended], None, None]:
    """Each layer with its end: what was made twice and delivered, or why nothing was; see ``pipeline.layers``.

    A layer of which the two differ ends with ``NotReproducibleError``, and both lie where they can be looked at.
    """
    made: dict[str, float] = {}
    same: list[Prepared] = []
    with closing(_compared(prepared, runner_of, fail_fast=fail_fast)) as compared:
        for one, ended in compared:
            if isinstance(ended, LayerforgeError):
                yield one, ended
            else:
                same.append(one)
                made[layer_key(one.plan)] = ended
    if fail_fast and len(same) < len(prepared):
        yield from ((one, _not_delivered(one)) for one in same)
        return
    with closing(pipeline.layers(same, runner_of, fail_fast=fail_fast)) as results:
        for one, result in results:
            seconds = made[layer_key(one.plan)]
            yield one, replace(result, kept=False, seconds=seconds) if isinstance(result, Delivered) else result


def _not_delivered(one: Prepared) -> NotBegunError:
    return NotBegunError(
        f"{one.plan.spec.name} was not delivered, since something else failed",
        hint="without --fail-fast the others go on",
    )


def _compared(
    prepared: Sequence[Prepared], runner_of: Callable[[Graph], Runner], *, fail_fast: bool
) -> Generator[tuple[Prepared, float | LayerforgeError], None, None]:
    """Each layer with the seconds that it took to make it, twice; the user's store has it then."""
    if not prepared:
        return
    store, progress = prepared[0].session.store, prepared[0].session.progress
    with store.workspace() as workspace:
        first, second = (_empty(store, workspace / place) for place in PLACES)
        progress.say("the first time, in an empty store:")
        begun = [_there(one, first, one.options.jobs) for one in prepared]
        ended = _made(begun, runner_of, fail_fast=fail_fast)
        progress.say("the second time, in another empty store:")
        # What depends on how much goes on beside it comes out differently.
        left = [one for one in prepared if not isinstance(ended[layer_key(one.plan)], LayerforgeError)]
        again = [_there(one, second, 1 if one.options.jobs > 1 else 2) for one in left]
        others = _made(again, runner_of, fail_fast=fail_fast) if len(left) == len(prepared) or not fail_fast else {}
        for one in prepared:
            key = layer_key(one.plan)
            yield one, _both(one, ended[key], others.get(key, _not_delivered(one)), first, second)


def _both(
    one: Prepared, before: float | LayerforgeError, after: float | LayerforgeError, first: DiskStore, second: DiskStore
) -> float | LayerforgeError:
    if isinstance(before, LayerforgeError):
        return before
    if isinstance(after, LayerforgeError):
        return after
    try:
        _settle(one, first, second)
    except LayerforgeError as error:
        return error
    return before + after


def _empty(store: DiskStore, root: Path) -> DiskStore:
    """A store that has nothing but the downloads of another."""
    return DiskStore(
        root=root, progress=store.progress, behind=Downloads(store=store, kinds=TAKEN), alone=not store.shared
    )


def _there(one: Prepared, store: DiskStore, jobs: int) -> Prepared:
    """The same layer, to be made and not verified, in that store."""
    session = replace(one.session, store=store, lasting=one.session.store)
    return Prepared(one.plan, replace(one.options, verify=False, jobs=jobs), session)


def _made(
    there: Sequence[Prepared], runner_of: Callable[[Graph], Runner], *, fail_fast: bool
) -> Mapping[str, float | LayerforgeError]:
    """By key of a layer's job the seconds that it took, without its steps, or why there is none."""

    def seconds(_one: Prepared, _found: Graph, done: Done | None) -> float | LayerforgeError:
        return done.seconds if done else 0.0

    with closing(pipeline.finished(there, runner_of, seconds, fail_fast=fail_fast)) as results:
        return {layer_key(one.plan): result for one, result in results}


def _settle(one: Prepared, first: DiskStore, second: DiskStore) -> None:
    """Has the user's store hold a layer and its steps, if both stores have the same. Raises ``NotReproducibleError``,
    or ``StoreError`` where a store that others read says otherwise.
    """
    planned, store, progress = one.plan, one.session.store, one.session.progress
    layer, other = _recalled(one, first), _recalled(one, second)
    files, others = (files_of(carried_out(planned, made.manifest), made) for made in (layer, other))
    found = reproduced.compare(planned, first, second, files, others)
    if found.steps or found.files:
        raise reproduced.refusal(planned, found, _set_aside(one, found, (first, second), (files, others)))
    sizes = [len(data) for data in files.values()]
    for name, step in sources_of(planned).items():
        value = first.get(BUILT, step.key)
        if value is None:
            raise _lost(one)
        sizes.append(len(value))
        _warn_of_other(store.near(BUILT, step.key), value, name, one)
        store.put(BUILT, step.key, value, first.made(BUILT, step.key))
    kept = kept_digest(planned, store)
    _warn_of_other(kept.encode() or None, layer.manifest.sha256.encode(), f"the layer {planned.spec.name}", one)
    keep(planned, layer, store)
    progress.say(f"{stem(planned)} was made twice, the same {sum(sizes):,} bytes")


def _recalled(one: Prepared, store: DiskStore) -> BuiltLayer:
    found = recall(one.plan, store)
    if found is None:
        raise _lost(one)
    return found


def _lost(one: Prepared) -> LackingError:
    return LackingError(
        f"what was made of {one.plan.spec.name} is gone from its folder",
        hint="run the same again, and leave that folder out of whatever cleans up",
    )


def _warn_of_other(had: bytes | None, made: bytes, what: str, one: Prepared) -> None:
    """Says that the user's store had something else under a key for which two makings gave the same."""
    if had is not None and had != made:
        one.session.progress.warn(f"the store had another result of {what} than was made twice now: it is replaced")


def _set_aside(
    one: Prepared,
    found: Differences,
    stores: tuple[DiskStore, DiskStore],
    files: tuple[Mapping[str, bytes], Mapping[str, bytes]],
) -> str:
    """Writes what two makings gave where it can be looked at, and returns that folder's path."""
    store = one.session.store
    aside = store.place("refused") / f"{stem(one.plan)}-twice"
    with writing(store.root):
        shutil.rmtree(aside, ignore_errors=True)  # of another time
        for name, own, layer in zip(("first", "second"), stores, files, strict=True):
            steps = {f"{part.name}.tar": own.get(BUILT, part.key) or b"" for part in found.steps}
            (aside / name).mkdir(parents=True)
            write_together(aside / name, {**steps, **layer})
    return str(aside)
