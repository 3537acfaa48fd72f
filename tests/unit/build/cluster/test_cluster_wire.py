from __future__ import annotations

import json
import pickle

import pytest

from layerforge.build.cluster import wire
from layerforge.build.errors import ClusterError, EngineError
from layerforge.build.graph import Done, Failed
from layerforge.core.errors import LayerforgeError, StepError, StoreError
from layerforge.core.guarded import Unreadable
from layerforge.resolve.errors import LockError


def test_a_result_comes_back_as_it_was() -> None:
    done = Done(key="k", where="w", seconds=1.5, note="15.5 MB")
    assert wire.ended(wire.of_done(done)) == (done, False)


@pytest.mark.parametrize("kind", [StepError, EngineError, StoreError, ClusterError, LockError])
def test_a_failure_comes_back_as_the_same_error(kind: type[LayerforgeError]) -> None:
    error = kind("it failed", hint="do this", details=("a", "b"))
    back, passing = wire.ended(wire.of_failure(Failed(key="k", error=error, where="w", seconds=2.0), passing=True))
    assert isinstance(back, Failed)
    assert type(back.error) is kind
    assert (back.error.message, back.error.hint, back.error.details) == ("it failed", "do this", ("a", "b"))
    assert (back.key, back.where, back.seconds, passing) == ("k", "w", 2.0, True)


def test_evidence_is_sent_within_bounds() -> None:
    error = StepError("it failed", details=tuple("x" * 10**6 for _ in range(500)))
    assert len(wire.of_failure(Failed(key="k", error=error), passing=False)) < 100_000


@pytest.mark.parametrize("kind", ["os:system", "layerforge.build.graph:Done", "layerforge.core.errors:Nothing", ""])
def test_an_error_of_another_kind_is_one_of_the_plain_ones(kind: str) -> None:
    sent = json.loads(wire.of_failure(Failed(key="k", error=StepError("it failed")), passing=False))
    sent["failed"]["error"] = json.dumps({**json.loads(sent["failed"]["error"]), "kind": kind})
    back, _ = wire.ended(json.dumps(sent))
    assert isinstance(back, Failed)
    assert type(back.error) is StepError


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"done": {"where": "w"}}', '{"failed": {}}', pickle.dumps(1).hex()]
)
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        wire.ended(text)
