"""Whatever a text holds that should be work, it is work or an error that says so."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from builders import IMAGE, a_library
from fakes import target
from layerforge.build import wire
from layerforge.build.plan import Toolchain, plan
from layerforge.build.work import LayerWork, StepWork, layer_work_of, sources_of, work_of
from layerforge.core.errors import LayerforgeError, UsageError, VerificationError
from layerforge.core.findings import Finding, Severity
from layerforge.resolve.fit import Fit, Goal, Way
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Compression, Settings, SourcePackage

NAMES = st.sampled_from(["a", "b", "numpy", "x-y"])
TEXTS = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**30) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

GOALS = st.builds(
    Goal,
    fit=st.builds(Fit, zipped=st.none() | st.integers(1, 2**40), room=st.integers(0, 2**27)),
    ways=st.sets(st.sampled_from(list(Way))).map(lambda chosen: tuple(way for way in Way if way in chosen)),
    required=st.booleans(),
)


@st.composite
def works(draw: st.DrawFn) -> StepWork | LayerWork:
    """A layer, or one of its steps, with texts of every kind in its recipe."""
    settings = Settings(
        env=draw(st.dictionaries(TEXTS, TEXTS, max_size=2)), config={draw(TEXTS): (draw(TEXTS), draw(TEXTS))}
    )
    package = SourcePackage(name="p", needs=("l",), settings=settings, build_requires=(draw(TEXTS),))
    library = a_library("l", script=draw(TEXTS))
    spec = LayerSpec(
        name=draw(NAMES),
        requires=(draw(TEXTS),),
        libraries=(library,),
        packages=(package,),
        env=draw(st.dictionaries(TEXTS, TEXTS, max_size=2)),
        system=("libgomp.so.1",),
    )
    pins = (Pin(name="p", version=draw(TEXTS), hashes=("sha256:" + "a" * 64,)),)
    planned = plan(
        spec,
        target(),
        pins,
        draw(st.sampled_from(Compression)),
        None,
        draw(st.integers(0, 2**33)),
        Toolchain(image=IMAGE, build_pins={"p": pins}),
        draw(st.none() | GOALS),
    )
    if planned.goal and Way.RUNTIME in planned.goal.ways:
        planned = replace(planned, without=plan(spec, target(), (), Compression.FAST, None, 0))
    step = draw(st.sampled_from([None, *sources_of(planned).values()]))
    if step is None:
        return layer_work_of(planned, draw(TEXTS), verify=draw(st.booleans()), made=(draw(TEXTS),))
    return work_of(planned, step, None, draw(TEXTS))


@given(works())
def test_work_is_the_same_behind_the_wire(work: StepWork | LayerWork) -> None:
    assert wire.work_of(wire.text_of(work)) == work


@given(works(), st.data())
def test_work_with_anything_in_the_place_of_a_part_is_work_or_an_error(
    work: StepWork | LayerWork, data: st.DataObject
) -> None:
    document = json.loads(wire.text_of(work))
    changed: Any = copy.deepcopy(document)
    place = changed
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    try:
        found = wire.work_of(json.dumps(changed))
    except UsageError:
        return
    assert isinstance(found, StepWork | LayerWork)


@given(st.text(max_size=50) | JSON.map(json.dumps))
def test_any_text_is_an_error_that_says_so(text: str) -> None:
    try:
        wire.work_of(text)
    except UsageError:
        pass
    else:
        raise AssertionError(text)
    assert isinstance(wire.error_of(text), LayerforgeError)


@given(st.sampled_from(sorted(wire.ERRORS)), TEXTS, TEXTS, st.lists(TEXTS, max_size=3))
def test_errors_are_the_same_behind_the_wire(kind: str, message: str, hint: str, details: list[str]) -> None:
    error = wire.ERRORS[kind](message, hint=hint, details=tuple(details))
    if isinstance(error, VerificationError):
        error.findings = (Finding(rule=message, severity=Severity.ERROR, path=hint, message=message, hint=hint),)
    found = wire.error_of(wire.told(error))
    assert type(found) is type(error)
    assert vars(found) == vars(error)
