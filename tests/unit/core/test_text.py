from __future__ import annotations

import pytest

from layerforge.core.text import duration, fitting_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("numpy", "numpy"),
        ("my layer (new)", "my-layer-new"),
        ("--x--", "x"),
        ("\u00fc", "layer"),
        ("", "layer"),
        ("a" * 20, "a" * 12),
        ("a" * 11 + " b", "a" * 11),
        ("-" + "a" * 12, "a" * 12),
    ],
)
def test_a_name_is_made_fit_for_a_layer(text: str, name: str) -> None:
    assert fitting_name(text, 12) == name


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (99.4, "99 s"),
        (99.6, "2 min"),
        (1500, "25 min"),
        (5900, "98 min"),
        (6000, "1 h 40 min"),
        (7190, "2 h"),
        (14_400, "4 h"),
    ],
)
def test_a_span_of_time_is_as_exact_as_people_want_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text
