from __future__ import annotations

from dataclasses import replace

import pytest

from layerforge.resolve.errors import RecipeError
from layerforge.resolve.split.asked import Function, Layer, Question, Weighed
from layerforge.resolve.split.blocks import problem
from layerforge.resolve.split.exact import MOST_GROUPS, exact
from layerforge.resolve.split.greedy import greedy
from layerforge.resolve.split.groups import grouped
from layerforge.resolve.split.split import split

MB = 1_000_000


def package(name: str, size: int, *requires: str, version: str = "1") -> Weighed:
    return Weighed(name=name, version=version, bytes=size * MB, requires=requires)


def function(name: str, *roots: str, room: int = 0, own_layers: int = 0) -> Function:
    return Function(name=name, roots=roots, room=room * MB, own_layers=own_layers)


PACKAGES = (
    package("numpy", 40),
    package("pandas", 60, "numpy"),
    package("requests", 2, "idna"),
    package("idna", 1),
    package("jinja2", 3),
)
THREE = (
    function("api", "requests", "jinja2"),
    function("report", "pandas", "jinja2"),
    function("train", "pandas", "requests"),
)


def layers(question: Question) -> dict[str, tuple[str, ...]]:
    return {layer.name: layer.packages for layer in split(question).layers}


def test_packages_that_the_same_functions_need_are_one_layer() -> None:
    found = split(Question(packages=PACKAGES, functions=THREE))
    assert {layer.name: layer.packages for layer in found.layers} == {
        "shared-pandas": ("numpy", "pandas"),
        "shared-requests": ("idna", "requests"),
        "shared-jinja2": ("jinja2",),
    }
    assert found.functions["report"] == ("shared-pandas", "shared-jinja2")
    assert found.waste == 0


def test_what_one_function_alone_needs_is_called_after_it() -> None:
    found = layers(Question(packages=PACKAGES, functions=(*THREE[:1], function("slow", "pandas"))))
    assert found == {"api": ("idna", "jinja2", "requests"), "slow": ("numpy", "pandas")}


def test_a_function_that_is_called_like_a_shared_layer_changes_no_other_name() -> None:
    more = (*PACKAGES, package("own", 1))
    found = layers(Question(packages=more, functions=(*THREE, function("shared-pandas", "own"))))
    assert found["shared-pandas"] == ("numpy", "pandas")
    assert found["shared-pandas-only"] == ("own",)


def test_layers_are_merged_where_wasting_least_until_a_function_has_few_enough() -> None:
    """Of its three layers `b` may have two: the two smallest become one, of which `c` carries some for nothing."""
    packages = (package("large", 50), package("small", 2), package("tiny", 1))
    many = function("b", "large", "small", "tiny", own_layers=3)
    functions = (function("a", "large"), many, function("c", "tiny"), function("d", "large"))
    found = split(Question(packages=packages, functions=functions))
    assert {layer.packages for layer in found.layers} == {("large",), ("small", "tiny")}
    assert found.carried["c"] - found.needed["c"] == 2 * MB


def test_a_pair_is_not_merged_where_a_function_would_have_too_many_bytes() -> None:
    packages = (package("one", 150), package("two", 120), package("three", 10), package("four", 1))
    functions = (
        function("a", "one", "three"),
        function("b", "two", "four"),
        function("c", "one", "three", "four", own_layers=3),
    )
    found = split(Question(packages=packages, functions=functions))
    assert all(size <= 262_144_000 for size in found.carried.values())
    assert found.functions["c"] == tuple(layer.name for layer in found.layers if {"one", "four"} & {*layer.packages})


def test_what_is_tied_comes_along_without_what_it_requires() -> None:
    packages = (package("cloud-a", 1), package("cloud-b", 1, "heavy"), package("heavy", 100))
    functions = (function("a", "cloud-a"), function("b", "cloud-b"))
    found = split(Question(packages=packages, functions=functions, ties=(frozenset({"cloud-a", "cloud-b"}),)))
    assert found.carried == {"a": 2 * MB, "b": 102 * MB}
    assert found.waste == 0  # what nobody can avoid is none


def test_a_function_that_needs_nothing_has_no_layer() -> None:
    found = split(Question(packages=PACKAGES, functions=(*THREE, function("plain"))))
    assert found.functions["plain"] == ()
    assert found.carried["plain"] == 0


def test_the_base_is_not_published_anew_for_a_function_that_needs_a_little_of_it() -> None:
    """Alone, the split would take jinja2 out of the base: it is small, so the base stays and the new one carries it."""
    first = Question(
        packages=PACKAGES, functions=(function("a", "pandas", "jinja2"), function("b", "pandas", "jinja2"))
    )
    last = split(first).layers
    assert [layer.packages for layer in last] == [("jinja2", "numpy", "pandas")]
    more = replace(first, functions=(*first.functions, function("c", "pandas", "requests")))
    assert len(split(more).layers) == 3
    found = split(replace(more, last=last))
    assert last[0] in found.layers
    assert found.functions["c"] == (last[0].name, "c")


def test_a_base_that_would_cost_a_lot_is_not_kept() -> None:
    first = Question(
        packages=PACKAGES, functions=(function("a", "pandas", "jinja2"), function("b", "pandas", "jinja2"))
    )
    more = replace(first, functions=(*first.functions, function("c", "jinja2")))
    found = split(replace(more, last=split(first).layers))
    assert found.waste == 0


def test_a_layer_with_another_version_of_a_package_is_not_kept() -> None:
    last = (Layer(name="base", packages=("idna", "requests"), versions={"idna": "0", "requests": "1"}),)
    assert "base" not in layers(Question(packages=PACKAGES, functions=THREE, last=last))
    same = (replace(last[0], versions={"idna": "1", "requests": "1"}),)
    assert layers(Question(packages=PACKAGES, functions=THREE, last=same))["base"] == ("idna", "requests")


def test_a_function_that_is_too_large_is_refused_with_its_largest_packages() -> None:
    packages = (package("torch", 200), package("scipy", 80), package("tiny", 1))
    with pytest.raises(RecipeError) as caught:
        split(Question(packages=packages, functions=(function("train", "torch", "scipy", "tiny", room=10),)))
    assert "the function train needs packages of 281.0 MB unzipped, which is 28.9 MB too many" in caught.value.message
    assert [line.split() for line in caught.value.details] == [
        ["200.0", "MB", "torch"],
        ["80.0", "MB", "scipy"],
        ["1.0", "MB", "tiny"],
    ]


def test_what_is_tied_counts_for_what_a_function_can_hold() -> None:
    packages = (package("one", 200), package("other", 100))
    ties = (frozenset({"one", "other"}),)
    with pytest.raises(RecipeError, match="needs packages of 300"):
        split(Question(packages=packages, functions=(function("a", "one"), function("b", "other")), ties=ties))


def test_functions_without_any_split_are_named() -> None:
    """With one layer each, all that they need is one layer, and that is too large."""
    packages = (package("shared", 100), package("left", 90), package("right", 90))
    functions = (function("a", "shared", "left", own_layers=4), function("b", "shared", "right", own_layers=4))
    with pytest.raises(RecipeError, match="no layers were found that 2 functions can share within their limits: a, b"):
        split(Question(packages=packages, functions=functions))


def test_a_function_with_five_layers_of_its_own_is_refused() -> None:
    with pytest.raises(RecipeError, match="has 5 layers of its own"):
        split(Question(packages=PACKAGES, functions=(function("a", "idna", own_layers=5),)))


def test_more_groups_than_are_tried_one_by_one_are_split_too() -> None:
    names = [f"p{place:02}" for place in range(MOST_GROUPS + 3)]
    packages = tuple(package(name, 1 + place) for place, name in enumerate(names))
    functions = (function("all", *names), *(function(f"f{name}", name) for name in names))
    found = split(Question(packages=packages, functions=functions))
    assert len(found.functions["all"]) == 5
    assert found.carried["all"] == sum(one.bytes for one in packages)


def test_the_best_of_all_partitions_is_no_worse_than_a_good_one() -> None:
    names = [f"p{place}" for place in range(8)]
    packages = tuple(package(name, 1 + place * place) for place, name in enumerate(names))
    functions = (function("all", *names, own_layers=2), *(function(f"f{name}", name) for name in names))
    asked = problem(grouped(Question(packages=packages, functions=functions), functions), functions)
    good = greedy(asked)
    best = exact(asked, None)
    assert good is not None
    assert best is not None
    assert sum(map(asked.cost, best)) <= sum(map(asked.cost, good))
