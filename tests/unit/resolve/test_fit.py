import pytest

from layerforge.core.errors import UsageError
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT, LAMBDA_UNZIPPED_LIMIT
from layerforge.resolve.fit import Fit, parse_fit, wrong


@pytest.mark.parametrize(
    ("value", "fit"),
    [
        ("direct", Fit(zipped=DIRECT_UPLOAD_LIMIT)),
        (" Direct ", Fit(zipped=DIRECT_UPLOAD_LIMIT)),
        ("60MB", Fit(zipped=60_000_000)),
        ("60 mib", Fit(zipped=60 * 2**20)),
        ("room=40MB", Fit(room=40_000_000)),
        ("room = 40 MB", Fit(room=40_000_000)),
        ("Room=0MB", Fit()),
        ({"room": "60 MB"}, Fit(room=60_000_000)),
        ({"room": 60_000_000}, Fit(room=60_000_000)),
        (60_000_000, Fit(zipped=60_000_000)),
    ],
)
def test_what_a_layer_has_to_fit_into_is_read_from_words_and_from_tables(value: object, fit: Fit) -> None:
    assert wrong(value) == ""
    assert parse_fit(value) == fit


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "must be direct, a size"),
        ("60", "must be direct, a size"),
        ("large", "must be direct, a size"),
        (True, "must be direct, a size"),
        (-1, "must be direct, a size"),
        (None, "must be direct, a size"),
        (["direct"], "must be direct, a size"),
        (60, "is 60 bytes, less than any layer takes: was MB meant?"),
        ("60 bytes", "is 60 bytes"),
        ("room", "has a room that is no size"),
        ("room=", "has a room that is no size"),
        ("room=40", "has a room that is no size"),
        ({}, "has a room that is no size"),
        ({"room": "much"}, "has a room that is no size"),
        ({"room": "40MB", "zip": "60MB"}, "has zip: it takes room alone"),
        ("room=262144000 bytes", "leaves no room for a layer"),
        ({"room": "1 GB"}, "leaves no room for a layer"),
    ],
)
def test_whatever_else_is_an_error_that_says_what_would_do(value: object, why: str) -> None:
    assert why in wrong(value)
    with pytest.raises(UsageError) as caught:
        parse_fit(value)
    assert why in caught.value.message
    told = caught.value.message + caught.value.hint
    assert told.count("direct, a size such as 60MB") == told.count("room=40MB for what") == 1


def test_both_sizes_are_held_against_it() -> None:
    zipped, room = Fit(zipped=10), Fit(room=LAMBDA_UNZIPPED_LIMIT - 10)
    assert zipped.allows(1_000, 10)
    assert not zipped.allows(1_000, 11)
    assert not zipped.allows(1_000, None), "what was not packed is not known to fit"
    assert not zipped.allows(LAMBDA_UNZIPPED_LIMIT + 1, 10), "Lambda's own limit counts in any case"
    assert room.allows(10, None)
    assert not room.allows(11, 1)


def test_it_is_told_in_words_of_a_sentence() -> None:
    assert Fit(zipped=DIRECT_UPLOAD_LIMIT).told == "a direct upload, 52.4 MB zipped"
    assert Fit(zipped=60_000_000).told == "60.0 MB zipped"
    assert Fit(room=40_000_000).told == "222.1 MB unzipped, beside 40.0 MB of the function's own"
