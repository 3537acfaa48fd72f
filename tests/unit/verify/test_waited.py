"""Which import that waits an error is put down to."""

from __future__ import annotations

import pytest

from layerforge.layer.passes.deferring import Deferral
from layerforge.verify import waited

STATS = Deferral(package="scikit-learn", file="sklearn/metrics/_ranking.py", modules=("scipy.stats",))
LOW = Deferral(package="demo", file="demo/__init__.py", modules=("demo.low", "os.path"))
OTHERS = tuple(Deferral(package=name, file=f"{name}/x.py", modules=("os",)) for name in "abcd")

STATS_TOLD = "scipy.stats in sklearn/metrics/_ranking.py (scikit-learn)"
LOW_TOLD = "demo.low, os.path in demo/__init__.py (demo)"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("AttributeError: module 'scipy' has no attribute 'stats'", STATS_TOLD),
        ("ImportError: cannot import name 'stats' from 'scipy' (/opt/python/scipy/__init__.py)", STATS_TOLD),
        ("ImportError: cannot import name 'x' from partially initialized module 'demo.low' (most likely …)", LOW_TOLD),
        ("AttributeError: partially initialized module 'demo' has no attribute 'low' (most likely …)", LOW_TOLD),
        ("AttributeError: module 'numpy' has no attribute 'bool'", ""),
        ("ModuleNotFoundError: No module named 'scipy.stats'", ""),
        ("AssertionError: scipy.stats", ""),
    ],
)
def test_an_error_is_put_down_to_the_imports_that_it_is_about(error: str, told: str) -> None:
    found = waited.hint(error, "", (LOW, STATS))
    assert (
        found.startswith(f"an import that waits may be the cause: {told}. Take it out of [defer]")
        if told
        else not found
    )


def test_a_cycle_of_modules_that_none_names_is_put_down_to_those_in_its_traceback_else_to_all() -> None:
    error = "ImportError: cannot import name 'x' from partially initialized module 'far.off' (most likely …)"
    trace = '  File "/opt/python/demo/__init__.py", line 3, in <module>'
    assert STATS_TOLD not in waited.hint(error, trace, (LOW, STATS))
    assert STATS_TOLD in waited.hint(error, "", (LOW, STATS))
    assert "and 1 more" in waited.hint(error, "", OTHERS)
    assert waited.hint(error, trace, ()) == ""
