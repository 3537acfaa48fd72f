from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from layerforge.resolve.lock import Pin
from layerforge.resolve.lock import applies as pin_applies
from layerforge.resolve.other_locks import lambdas

TARGETS = lambdas.targets()
LABELS = [one.label for one in TARGETS]


@given(st.sets(st.sampled_from(LABELS)))
def test_a_marker_holds_for_the_targets_that_it_was_made_of_and_for_no_other(labels: set[str]) -> None:
    marker = lambdas.where(lambda target: target.label in labels)
    if marker is None:
        assert not labels
        return
    pin = Pin(name="demo", version="1", hashes=(), marker=marker)
    assert {one.label for one in TARGETS if pin_applies(pin, one)} == labels


@given(st.sets(st.sampled_from("abc")), st.sampled_from("abc"), st.sampled_from("abc"))
def test_extras_count_as_a_set_however_a_marker_names_them(wanted: set[str], one: str, other: str) -> None:
    for marker, holds in (
        (f'extra == "{one}"', one in wanted),
        (f"'{one}' == extra", one in wanted),
        (f'extra != "{one}"', one not in wanted),
        (f'extra == "{one}" and extra != "{other}"', one in wanted and other not in wanted),
        (f'"{one}" in extras', one in wanted),
    ):
        assert lambdas.applies(marker, TARGETS[0], wanted) is holds
