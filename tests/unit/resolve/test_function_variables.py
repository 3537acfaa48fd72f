from __future__ import annotations

import pytest

from layerforge.resolve import function_variables
from layerforge.resolve.function_variables import Disagreement


def test_the_variables_of_all_come_together_by_name() -> None:
    wanted = [("b", {"Z": "1", "Y": "2"}), ("a", {"X": "3", "Z": "1"})]
    found = function_variables.together(wanted)
    assert list(found.items()) == [("X", "3"), ("Y", "2"), ("Z", "1")]
    assert function_variables.together([]) == {}


def test_who_wants_what_is_told_where_two_disagree() -> None:
    wanted = [("first", {"HOME": "/tmp"}), ("second", {}), ("third", {"HOME": "/var"}), ("last", {"HOME": "/opt"})]
    with pytest.raises(Disagreement, match="HOME is /tmp for first and /var for third") as refused:
        function_variables.together(wanted)
    assert (refused.value.name, refused.value.owners) == ("HOME", "first and third")
    assert refused.value.details == ("first: /tmp", "third: /var")
