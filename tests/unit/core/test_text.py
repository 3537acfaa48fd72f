from __future__ import annotations

import pytest

from layerforge.core.text import fitting_name


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
