"""Times the split of twenty functions, and holds small splits against the best of all partitions.

    python benchmarks/split.py [--output benchmarks/results]

Functions and packages are drawn by chance from numbers that are always the same. The best partition of a small case is
found by trying every partition of its packages; that code shares nothing with layerforge's. Takes no network, and
writes ``split.json``. Exits 1 where a goal is missed.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from layerforge.resolve.errors import RecipeError
from layerforge.resolve.split.asked import Function, Question, Weighed
from layerforge.resolve.split.blocks import problem
from layerforge.resolve.split.greedy import greedy
from layerforge.resolve.split.groups import grouped
from layerforge.resolve.split.split import split

HERE = Path(__file__).parent
FUNCTIONS, PACKAGES = 20, 150
LARGE, SMALL = 30, 200
"""Cases of either kind."""

MOST_PACKAGES = 8
"""Of a small case: they have 4,140 partitions."""

LIMIT, LAYERS = 262_144_000, 5
MOST_SECONDS, MOST_WASTE = 2.0, 0.05


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A large case."""

    seed: int
    groups: int
    layers: int
    seconds: float
    waste: float
    """Share of the bytes that functions carry which they do not need."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A small case. Waste is bytes of all functions that they carry and do not need."""

    seed: int
    needed: int
    best: int
    """Waste of the best partition."""
    split: int
    greedy: int | None
    """Waste of what the search for many groups finds; ``None`` where it finds nothing."""

    def over(self, waste: int) -> float:
        """Waste above the best, as a share of what functions carry at best."""
        return (waste - self.best) / (self.needed + self.best)


def large(seed: int) -> Question:
    """Twenty functions over a hundred and fifty packages; a few packages are everybody's, most are few ones'."""
    dice = random.Random(seed)
    packages = []
    for place in range(PACKAGES):
        requires = {f"p{int(place * dice.random() ** 3)}" for _ in range(dice.choice((0, 0, 1, 2)))}
        size = int(10 ** dice.uniform(4, 7.2))
        own = f"p{place}"
        packages.append(Weighed(name=own, version="1", bytes=size, requires=tuple(sorted(requires - {own}))))
    functions = [
        Function(
            name=f"f{place}",
            roots=tuple(f"p{int(PACKAGES * dice.random() ** 1.5)}" for _ in range(dice.randint(2, 12))),
            room=dice.randrange(10_000_000),
            own_layers=dice.choice((0, 0, 0, 1)),
        )
        for place in range(FUNCTIONS)
    ]
    return Question(packages=tuple(packages), functions=tuple(functions))


def small(seed: int) -> Question:
    """A few functions, most of which can have few layers, over so few packages that every partition can be tried."""
    dice = random.Random(seed)
    count = dice.randint(4, MOST_PACKAGES)
    packages = tuple(
        Weighed(name=f"p{place}", version="1", bytes=int(10 ** dice.uniform(5, 7.8))) for place in range(count)
    )
    functions = tuple(
        Function(
            name=f"f{place}",
            roots=tuple(f"p{one}" for one in dice.sample(range(count), dice.randint(1, min(count, 6)))),
            room=dice.randrange(60_000_000),
            own_layers=dice.choice((1, 2, 3, 3, 4)),
        )
        for place in range(dice.randint(2, 6))
    )
    ties = (frozenset(f"p{one}" for one in dice.sample(range(count), 2)),) if dice.random() < 0.3 else ()
    return Question(packages=packages, functions=functions, ties=ties)


# --- the best of all partitions, tried one by one


def partitions(items: Sequence[str]) -> Iterator[list[list[str]]]:
    """Every way to put items into boxes."""
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for boxes in partitions(rest):
        yield [[first], *boxes]
        for place in range(len(boxes)):
            yield [*boxes[:place], [first, *boxes[place]], *boxes[place + 1 :]]


def best_waste(question: Question) -> tuple[int, int] | None:
    """Bytes that all functions need, and that they carry beyond it at best; ``None`` where no partition will do."""
    sizes = {one.name: one.bytes for one in question.packages}
    wants = {one.name: set(one.roots) for one in question.functions}
    used = sorted(set().union(*wants.values()))
    needed = {name: set(roots) for name, roots in wants.items()}
    for _ in used:  # ties of ties
        for tie in question.ties:
            there = tie & set(used)
            for mine in needed.values():
                if mine & there:
                    mine |= there
    whole = sum(sizes[one] for mine in needed.values() for one in mine)
    found = [carried for boxes in partitions(used) if (carried := _carried(boxes, question, wants, sizes)) is not None]
    return (whole, min(found) - whole) if found else None


def _carried(
    boxes: Sequence[Sequence[str]], question: Question, wants: dict[str, set[str]], sizes: dict[str, int]
) -> int | None:
    """Bytes of all functions' layers; ``None`` where one has too many, or a tie is broken."""
    used = {name for box in boxes for name in box}
    if any(0 < len(tie & used & set(box)) < len(tie & used) for tie in question.ties for box in boxes):
        return None
    total = 0
    for one in question.functions:
        mine = [box for box in boxes if wants[one.name].intersection(box)]
        bytes_ = sum(sizes[name] for box in mine for name in box)
        if len(mine) + one.own_layers > LAYERS or bytes_ + one.room > LIMIT:
            return None
        total += bytes_
    return total


# --- the runs


def timed(seed: int) -> Timed | None:
    """How long a large case takes; ``None`` where its functions have no split."""
    question = large(seed)
    started = time.perf_counter()
    try:
        found = split(question)
    except RecipeError:
        return None
    seconds = time.perf_counter() - started
    functions = sorted(question.functions, key=lambda one: one.name)
    return Timed(
        seed=seed,
        groups=len(grouped(question, functions)),
        layers=len(found.layers),
        seconds=round(seconds, 3),
        waste=round(found.waste / sum(found.carried.values()), 4),
    )


def compared(seed: int) -> Compared | None:
    """A small case; ``None`` where it has no split, or where nothing has to be merged, so that any will do."""
    question = small(seed)
    best = best_waste(question)
    if best is None or not best[1]:
        return None
    functions = sorted(question.functions, key=lambda one: one.name)
    asked = problem(grouped(question, functions), functions)
    quick = greedy(asked)
    cost = sum(map(asked.cost, quick)) - best[0] if quick is not None else None
    return Compared(seed=seed, needed=best[0], best=best[1], split=split(question).waste, greedy=cost)


def drawn(make: Any, count: int) -> list[Any]:
    """The first so many cases that ``make`` makes something of."""
    found: list[Any] = []
    seed = 0
    while len(found) < count:
        if (one := make(seed)) is not None:
            found.append(one)
        seed += 1
    return found


def summary(speed: Sequence[Timed], small_ones: Sequence[Compared]) -> dict[str, Any]:
    """The figures, and whether the goals are reached."""
    seconds = [one.seconds for one in speed]
    exact = [one.over(one.split) for one in small_ones]
    quick = [one.over(one.greedy) for one in small_ones if one.greedy is not None]
    return {
        "seconds": {"median": statistics.median(seconds), "most": max(seconds), "goal": MOST_SECONDS},
        "waste_over_best": {
            "mean": statistics.mean(exact),
            "most": max(exact),
            "at_best": sum(one.split == one.best for one in small_ones),
            "goal": MOST_WASTE,
        },
        "waste_over_best_of_the_search_for_many": {
            "mean": statistics.mean(quick),
            "most": max(quick),
            "at_best": sum(one.greedy == one.best for one in small_ones),
            "none_found": len(small_ones) - len(quick),
        },
        "reached": max(seconds) <= MOST_SECONDS and max(exact) <= MOST_WASTE,
    }


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=HERE / "results", show_default=True)
@click.option("--large", "large_count", default=LARGE, show_default=True, help="Large cases.")
@click.option("--small", "small_count", default=SMALL, show_default=True, help="Small cases.")
def main(output: Path, large_count: int, small_count: int) -> None:
    """Time large splits, and hold small ones against the best."""
    speed, small_ones = drawn(timed, large_count), drawn(compared, small_count)
    found = summary(speed, small_ones)
    facts = {"functions": FUNCTIONS, "packages": PACKAGES, "cpus": os.cpu_count(), "python": sys.version.split()[0]}
    output.mkdir(parents=True, exist_ok=True)
    rows = {"large": [asdict(one) for one in speed], "small": [asdict(one) for one in small_ones]}
    (output / "split.json").write_text(json.dumps({"facts": facts, "summary": found, **rows}, indent=1) + "\n")
    click.echo(json.dumps(found, indent=1))
    if not found["reached"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
