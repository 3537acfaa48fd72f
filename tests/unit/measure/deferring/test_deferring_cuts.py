from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.measure.deferring.advise import Asked, Reason, advise
from layerforge.measure.deferring.cut import core, fewest, loaded, network
from layerforge.measure.deferring.graph import Graph, Wait
from layerforge.measure.deferring.weights import weights
from unit.measure.deferring.traces import a_graph

NAMES = ("a", "b", "c", "d", "e")
PAIRS = st.lists(st.tuples(st.sampled_from(("", *NAMES)), st.sampled_from(NAMES)), max_size=10, unique=True)


def reached(graph: Graph, without: frozenset[Wait], avoiding: str = "") -> set[str]:
    """What is loaded, found in the plainest way."""
    seen = {""}
    while True:
        new = set(seen)
        for name in seen:
            new |= graph.fixed.get(name, frozenset())
            for wait, targets in graph.waits.get(name, {}).items():
                new |= targets if wait not in without else frozenset()
        new.discard(avoiding or "\0")
        if new == seen:
            return seen - {""}
        seen = new


def plainly_fewest(graph: Graph, name: str) -> int | None:
    waits = [wait for found in graph.waits.values() for wait in found]
    for count in range(len(waits) + 1):
        if any(name not in reached(graph, frozenset(some)) for some in combinations(waits, count)):
            return count
    return None


@given(PAIRS, PAIRS, st.sampled_from(NAMES))
def test_no_smaller_set_of_imports_frees_a_module_than_the_one_that_is_found(
    links: list[tuple[str, str]], fixed: list[tuple[str, str]], name: str
) -> None:
    graph = a_graph(links, fixed[:3])
    net = network(graph, (), ())
    if name in core(graph, ()):
        assert plainly_fewest(graph, name) is None
        return
    cut = fewest(net, {name}, len(links))
    assert cut is not None
    assert len(cut) == plainly_fewest(graph, name)
    assert name not in reached(graph, cut)
    assert loaded(net, cut) | core(graph, ()) - {""} == reached(graph, cut)


@given(PAIRS, PAIRS)
def test_a_module_weighs_what_is_loaded_for_it_alone(
    links: list[tuple[str, str]], fixed: list[tuple[str, str]]
) -> None:
    graph = a_graph([("", "a"), *links], fixed)
    everything = reached(graph, frozenset())
    expected = {name: len(everything - reached(graph, frozenset(), avoiding=name)) for name in everything}
    assert weights(graph) == expected


def test_a_package_weighs_what_lies_in_it_too() -> None:
    graph = a_graph(
        [("", "top"), ("top", "pkg.a"), ("top", "pkg.b"), ("pkg.a", "x")], [("pkg.a", "pkg"), ("pkg.b", "pkg")]
    )
    assert weights(graph)["pkg"] == 4


def test_imports_that_wait_already_or_cannot_are_not_cut_again() -> None:
    graph = a_graph([("", "a"), ("", "b"), ("a", "x"), ("b", "x")])
    assert fewest(network(graph, {Wait("a", "x")}, ()), {"x"}, 9) == frozenset({Wait("b", "x")})
    assert fewest(network(graph, (), {Wait("a", "x")}), {"x"}, 9) == frozenset({Wait("", "a"), Wait("b", "x")})
    assert fewest(network(graph, (), ()), {"x"}, 1) is None


def nobody(_waits: object) -> dict[Wait, Reason]:
    return {}


def test_imports_that_only_free_something_together_are_one_group() -> None:
    graph = a_graph([("a", "heavy"), ("b", "heavy"), ("heavy", "one"), ("heavy", "two")], [("", "a"), ("", "b")])
    [group] = advise(graph, Asked(nobody), 1.0)
    assert group.waits == (Wait("a", "heavy"), Wait("b", "heavy"))
    assert (group.module, group.freed, group.ms) == ("heavy", ("heavy", "one", "two"), 3.0)
    assert advise(graph, Asked(nobody), 2.0) == ()


def test_a_part_that_is_worth_more_for_each_import_is_told_before_the_whole() -> None:
    links = [("a", "x"), ("a", "y"), ("b", "y"), ("c", "y"), *(("x", f"x{one}") for one in range(9)), ("x", "y")]
    graph = a_graph(links, [("", "a"), ("", "b"), ("", "c"), ("y", "z"), ("y", "w"), ("y", "v")])
    first, second = advise(graph, Asked(nobody), 1.0)
    assert (first.module, first.ms) == ("x", 10.0)
    assert (second.module, second.waits) == ("y", (Wait("a", "y"), Wait("b", "y"), Wait("c", "y")))


def test_what_cannot_wait_is_asked_once_and_never_advised() -> None:
    asked: list[Wait] = []

    def refused(waits: object) -> dict[Wait, Reason]:
        assert isinstance(waits, set)
        asked.extend(waits)
        return {wait: Reason(module="a", line=1, why="it is used") for wait in waits if wait.importer == "a"}

    graph = a_graph([("a", "x"), ("b", "y")], [("", "a"), ("", "b")])
    groups = advise(graph, Asked(refused), 0.5)
    assert [group.waits for group in groups] == [(Wait("b", "y"),)]
    assert len(asked) == len(set(asked))


def test_what_two_groups_free_together_is_counted_with_the_second() -> None:
    graph = a_graph([("", "c"), ("", "e"), ("c", "a"), ("d", "b"), ("e", "d")], [("a", "b")])
    groups = advise(graph, Asked(nobody), 0.1)
    assert sorted(name for group in groups for name in group.freed) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("least", [0.1, 1.0])
@given(links=PAIRS, fixed=PAIRS)
def test_what_is_freed_is_what_would_not_be_loaded_and_no_module_is_counted_twice(
    least: float, links: list[tuple[str, str]], fixed: list[tuple[str, str]]
) -> None:
    graph = a_graph(links, fixed)
    groups = advise(graph, Asked(nobody), least)
    freed = [name for group in groups for name in group.freed]
    waits = frozenset(wait for group in groups for wait in group.waits)
    assert len(freed) == len(set(freed))
    assert set(freed) == reached(graph, frozenset()) - reached(graph, waits)
    assert all(group.ms >= least * len(group.waits) for group in groups)
