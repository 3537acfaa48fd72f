"""Makes the layers of a split, proves every function's, and delivers those that are fit."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from layerforge.build.graph import Done, Runner
from layerforge.build.work import LackingError, layer_key
from layerforge.core.errors import LayerforgeError, VerificationError
from layerforge.core.filing import write_atomically
from layerforge.core.findings import Finding
from layerforge.functions.proving import MadeLayer, proved
from layerforge.pipeline import Delivered, finished
from layerforge.planning import Graph, Prepared
from layerforge.report.delivery import BuiltLayer, deliver, recall
from layerforge.resolve import left_out, lock
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.layers_lock import LockedFunction, LockedLayer, TargetSplit
from layerforge.resolve.made_wheel import MadeWheel
from layerforge.resolve.request import Request
from layerforge.verify.verdict import Verdict, describe, errors_of


@dataclass(frozen=True, kw_only=True)
class FunctionEnd:
    """What came of a function's layers."""

    function: LockedFunction
    verdict: Verdict | None = None
    """``None`` where nothing was verified, or one of its layers was not made."""
    error: LayerforgeError | None = None
    """Why it has not got all its layers."""
    held_by: str = ""
    """The function that is not fit and shares a layer with it, or with one that does, so that none was written."""

    @property
    def written(self) -> bool:
        """Whether its layers were written."""
        return self.error is None and not self.held_by


@dataclass(frozen=True, kw_only=True)
class SplitEnd:
    """What came of a split."""

    functions: tuple[FunctionEnd, ...]
    delivered: Mapping[str, Delivered]
    """By name of the layer."""
    failed: Mapping[str, LayerforgeError]
    """By name of the layer, why it was not written."""


def request(layer: LockedLayer, known: Catalogue, folder: Path, made: Iterable[MadeWheel] = ()) -> Request:
    """What asks for a layer of a split: its very versions. ``folder`` gets a lock that stays until it is planned.

    ``made`` are wheels that were made for its functions.
    """
    file = folder / f"{layer.name}.lock"
    text = left_out.lines(layer.absent) + lock.render(layer.pins)
    write_atomically(file, text.encode())
    requires = tuple(f"{pin.name}=={pin.version}" if pin.version else pin.name for pin in layer.pins)
    spec = LayerSpec(name=layer.name, requires=requires)
    hashes = {pin.name: pin.hashes for pin in layer.pins}
    mine = [one for one in made if one.name in hashes]
    # Functions that cannot have the same versions have wheels of one name.
    mine.sort(key=lambda one: f"sha256:{one.sha256}" in hashes[one.name])
    own = tuple({one.name: one for one in mine}.values())
    return Request(spec=spec, text="\n".join(requires), catalogue=known, lock=file, given=(layer.name,), made=own)


def built(
    split: TargetSplit,
    prepared: Mapping[str, Prepared | LayerforgeError],
    known: Catalogue,
    runner_of: Callable[[Graph], Runner],
    *,
    verify: bool,
) -> SplitEnd:
    """Makes the layers of a split, by name ``prepared``, and proves each function's.

    Functions that share layers stand or fall together: where one is not fit, none of their layers is written, since old
    and new ones of a function were never proved together.
    """
    made, failed = _made(split, prepared, runner_of)
    seconds = {name: took for name, (_, took) in made.items()}
    layers = {name: layer for name, (layer, _) in made.items()}
    ends = _held([_proved(one, layers, failed, known, verify=verify) for one in split.function])
    errors = {end.function.name: end.error for end in ends if end.error}
    unfit = {
        name: errors[end.held_by or end.function.name]
        for end in ends
        if not end.written
        for name in end.function.layers
        if name not in failed
    }
    delivered: dict[str, Delivered] = {}
    for name, layer in layers.items():
        if name in unfit:
            continue
        try:
            delivered[name] = _delivered(layer, ends, seconds[name])
        except LayerforgeError as error:
            failed[name] = error
    return SplitEnd(functions=tuple(ends), delivered=delivered, failed=failed | unfit)


def _made(
    split: TargetSplit, prepared: Mapping[str, Prepared | LayerforgeError], runner_of: Callable[[Graph], Runner]
) -> tuple[dict[str, tuple[MadeLayer, float]], dict[str, LayerforgeError]]:
    """The layers that the store then has, each with the seconds that it took; 0 where it was there. And the others."""
    locked = {one.name: one for one in split.layer}
    failed = {name: one for name, one in prepared.items() if isinstance(one, LayerforgeError)}
    ready = {layer_key(one.plan): (name, one) for name, one in prepared.items() if isinstance(one, Prepared)}
    made: dict[str, tuple[MadeLayer, float]] = {}
    with closing(finished([one for _, one in ready.values()], runner_of, _kept)) as ends:
        for one, end in ends:
            name, _ = ready[layer_key(one.plan)]
            if isinstance(end, LayerforgeError):
                failed[name] = end
            else:
                made[name] = MadeLayer(locked=locked[name], prepared=one, built=end[0]), end[1]
    return made, failed


def _kept(one: Prepared, found: Graph, done: Done | None) -> tuple[BuiltLayer, float] | LayerforgeError:  # noqa: ARG001
    layer = recall(one.plan, one.session.store)
    if layer is None:
        return LackingError(
            f"the store has not the layer {one.plan.spec.name}, which was there a moment ago",
            hint="run the same again: what is not there is made anew",
        )
    return layer, done.seconds if done else 0.0


def _proved(
    function: LockedFunction,
    layers: Mapping[str, MadeLayer],
    failed: Mapping[str, LayerforgeError],
    known: Catalogue,
    *,
    verify: bool,
) -> FunctionEnd:
    if lacking := [name for name in function.layers if name in failed]:
        return FunctionEnd(function=function, error=failed[lacking[0]])
    if not verify or not function.layers:
        return FunctionEnd(function=function)
    try:
        verdict = proved(function, [layers[name] for name in function.layers], known)
    except LayerforgeError as error:
        return FunctionEnd(function=function, error=error)
    errors = errors_of(verdict.findings)
    return FunctionEnd(function=function, verdict=verdict, error=_unfit(function, errors) if errors else None)


def _held(ends: Sequence[FunctionEnd]) -> list[FunctionEnd]:
    """The ends, with what is held back by another function."""
    holder = {name: end.function.name for end in ends if end.error for name in end.function.layers}
    found = {end.function.name: end for end in ends}
    ahead = [end for end in ends if end.error is None]
    while touched := [end for end in ahead if not holder.keys().isdisjoint(end.function.layers)]:
        for end in touched:
            by = next(holder[name] for name in end.function.layers if name in holder)
            found[end.function.name] = replace(end, held_by=by)
            holder |= {name: by for name in end.function.layers if name not in holder}
        ahead = [end for end in ahead if end not in touched]
    return [found[end.function.name] for end in ends]


def _unfit(function: LockedFunction, errors: Sequence[Finding]) -> VerificationError:
    return VerificationError(
        f"the layers of the function {function.name} are not fit for Lambda together, so they were not written",
        hint="docs/rules.md explains each rule",
        details=tuple(describe(one) for one in errors),
        findings=tuple(errors),
    )


def _delivered(layer: MadeLayer, ends: Iterable[FunctionEnd], seconds: float) -> Delivered:
    one = layer.prepared
    verdict = _of_layer(layer, ends)
    written = deliver(one.plan, layer.built, verdict, one.options.output, one.session.progress)
    return Delivered(layer=written, kept=not seconds, seconds=seconds)


def _of_layer(layer: MadeLayer, ends: Iterable[FunctionEnd]) -> Verdict | None:
    """What the proofs of all functions that have a layer say of it: findings about what belongs to its packages."""
    mine = [one for one in ends if layer.locked.name in one.function.layers and one.verdict is not None]
    if not mine:
        return None
    verdicts = [one.verdict for one in mine if one.verdict is not None]
    with zipfile.ZipFile(io.BytesIO(layer.built.data)) as archive:
        paths = frozenset(archive.namelist())
    found = dict.fromkeys(finding for one in verdicts for finding in one.findings if finding.path in paths)
    told = f"verified with the other layers of {', '.join(one.function.name for one in mine)}"
    return Verdict(
        engine=verdicts[0].engine,
        skipped=next((one.skipped for one in verdicts if one.skipped), ""),
        findings=tuple(found),
        notes=(told,),
    )
