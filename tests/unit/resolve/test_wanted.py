from __future__ import annotations

import pytest

from layerforge.core.errors import UsageError
from layerforge.resolve.wanted import NOTHING, refuse_unknown, wanted


def test_names_are_normalised_and_each_counts_once() -> None:
    found = wanted(["My_ML", "my-ml"], ["Dev.Tools"])
    assert (found.extras, found.groups) == (("my-ml",), ("dev-tools",))
    assert found.options == ("--extra", "my-ml", "--group", "dev-tools")
    assert found.told == "the extra my-ml, the group dev-tools"
    assert not NOTHING


@pytest.mark.parametrize(
    ("asked", "says", "hint"),
    [
        (wanted(["mll"]), "shop has no extra mll", "perhaps you meant ml"),
        (wanted([], ["lamda"]), "shop has no group lamda", "perhaps you meant lambda"),
        (wanted(["lambda"]), "shop has no extra lambda", "it is a group: --group lambda"),
        (wanted([], ["ml"]), "shop has no group ml", "it is an extra: --extra ml"),
        (wanted(["xyz"]), "shop has no extra xyz", "it has ml, web"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(asked: object, says: str, hint: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        refuse_unknown(asked, wanted(["ml", "web"], ["lambda"]), "shop")  # type: ignore[arg-type]
    assert caught.value.hint == hint


def test_where_there_is_none_at_all_that_is_said() -> None:
    with pytest.raises(UsageError) as caught:
        refuse_unknown(wanted(["ml"]), NOTHING, "shop")
    assert caught.value.hint == "it has no extras at all: leave that out"
