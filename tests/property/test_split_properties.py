"""Whatever functions need, their layers hold all of it once, within Lambda's limits, and stay as they are."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from hypothesis import assume, given
from hypothesis import strategies as st

from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.split.asked import MOST_LAYERS, Function, Question, Split, Weighed
from layerforge.resolve.split.groups import closure
from layerforge.resolve.split.split import TOLERATED, split

NAMES = tuple(f"p{place}" for place in range(12))
T = TypeVar("T")
SIZES = st.integers(0, 60_000_000)


@st.composite
def packages(draw: st.DrawFn) -> tuple[Weighed, ...]:
    """Packages of which each requires some of those before it, and now and then one after it."""
    found = []
    for place, name in enumerate(NAMES):
        requires = draw(st.frozensets(st.sampled_from(NAMES[: place + 1]), max_size=2)) - {name}
        found.append(Weighed(name=name, version="1", bytes=draw(SIZES), requires=tuple(sorted(requires))))
    return tuple(found)


@st.composite
def functions(draw: st.DrawFn) -> tuple[Function, ...]:
    """Functions that ask for some packages."""
    return tuple(
        Function(
            name=f"f{place}",
            roots=tuple(sorted(draw(st.frozensets(st.sampled_from(NAMES), max_size=4)))),
            room=draw(st.integers(0, 40_000_000)),
            own_layers=draw(st.integers(0, 4)),
        )
        for place in range(draw(st.integers(1, 5)))
    )


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """What a split may be asked for."""
    ties = draw(st.lists(st.frozensets(st.sampled_from(NAMES), min_size=2, max_size=3), max_size=2))
    return Question(packages=draw(packages()), functions=draw(functions()), ties=tuple(ties))


def answered(question: Question) -> Split:
    """The split, for a question that has one."""
    try:
        return split(question)
    except RecipeError:
        assume(False)
        raise


def needs(question: Question, function: Function) -> frozenset[str]:
    """Names of all that a function needs."""
    return closure(function.roots, {one.name: one for one in question.packages})


def layers_of(found: Split, name: str) -> Iterator[frozenset[str]]:
    """What each layer of a function holds."""
    held = {layer.name: frozenset(layer.packages) for layer in found.layers}
    return (held[layer] for layer in found.functions[name])


@given(questions())
def test_a_function_has_its_whole_closure_in_its_layers(question: Question) -> None:
    found = answered(question)
    for function in question.functions:
        assert needs(question, function) <= frozenset().union(*layers_of(found, function.name))


@given(questions())
def test_every_package_that_is_needed_lies_in_exactly_one_layer_and_no_other_in_any(question: Question) -> None:
    found = answered(question)
    laid = [name for layer in found.layers for name in layer.packages]
    assert len(set(laid)) == len(laid)
    assert set(laid) == {name for function in question.functions for name in needs(question, function)}


@given(questions())
def test_what_is_tied_lies_in_one_layer(question: Question) -> None:
    found = answered(question)
    place = {name: layer.name for layer in found.layers for name in layer.packages}
    for tie in question.ties:
        assert len({place[name] for name in tie if name in place}) <= 1


@given(questions())
def test_no_function_has_more_layers_or_bytes_than_lambda_takes(question: Question) -> None:
    found = answered(question)
    sizes = {one.name: one.bytes for one in question.packages}
    for function in question.functions:
        mine = list(layers_of(found, function.name))
        assert len(mine) + function.own_layers <= MOST_LAYERS
        carried = sum(sizes[name] for layer in mine for name in layer)
        assert carried + function.room <= LAMBDA_UNZIPPED_LIMIT
        assert carried == found.carried[function.name] >= found.needed[function.name]


@given(questions())
def test_a_function_has_no_layer_of_which_it_needs_nothing(question: Question) -> None:
    found = answered(question)
    for function in question.functions:
        needed = needs(question, function)
        tied = needed.union(*(tie for tie in question.ties if tie & needed))
        assert all(layer & tied for layer in layers_of(found, function.name))


@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_what_is_asked_does_not_matter(question: Question, shuffled: random.Random) -> None:
    found = answered(question)

    def mixed(items: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(shuffled.sample(items, len(items)))

    other = Question(
        packages=mixed(tuple(replace(one, requires=mixed(one.requires)) for one in question.packages)),
        functions=mixed(tuple(replace(one, roots=mixed(one.roots)) for one in question.functions)),
        ties=mixed(question.ties),
    )
    assert split(other) == found


@given(questions(), st.integers(0, 50_000_000))
def test_a_function_that_shares_nothing_changes_no_layer(question: Question, size: int) -> None:
    found = answered(question)
    stranger = Weighed(name="stranger", version="1", bytes=size)
    more = Function(name="aaa", roots=("stranger",))
    other = split(replace(question, packages=(*question.packages, stranger), functions=(more, *question.functions)))
    assert {layer.name: layer for layer in other.layers if "stranger" not in layer.packages} == {
        layer.name: layer for layer in found.layers
    }
    assert {name: layers for name, layers in other.functions.items() if name != "aaa"} == found.functions


@given(questions())
def test_layers_have_names_of_their_own_that_lambda_and_every_disk_take(question: Question) -> None:
    names = [layer.name.casefold() for layer in answered(question).layers]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").replace("_", "").isalnum() and len(name) <= 100 for name in names)


@given(questions())
def test_the_same_split_again_changes_no_layer(question: Question) -> None:
    found = answered(question)
    assert split(replace(question, last=found.layers)) == found


@given(questions(), functions())
def test_layers_that_stay_cost_no_more_than_is_tolerated(question: Question, others: tuple[Function, ...]) -> None:
    """What is kept of a split for other functions is worth it: nobody carries more than a twentieth beyond the best."""
    last = answered(replace(question, functions=others))
    best = answered(question)
    found = split(replace(question, last=last.layers))
    assert sum(found.carried.values()) <= sum(best.carried.values()) * (1 + TOLERATED) + 1


@given(questions())
def test_a_layer_whose_package_has_another_version_does_not_stand_in_for_it(question: Question) -> None:
    found = answered(question)
    newer = tuple(replace(one, version="2") for one in question.packages)
    other = split(replace(question, packages=newer, last=found.layers))
    assert all(set(layer.versions.values()) == {"2"} for layer in other.layers)
