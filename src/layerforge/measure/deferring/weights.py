"""What each module costs with all that is loaded for it alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from layerforge.measure.deferring.graph import ROOT, Graph, parents


def weights(graph: Graph) -> dict[str, float]:
    """Milliseconds of each module, with what lies below it, and all that would not be loaded without these."""
    links = {name: sorted(graph.asked_by(name)) for name in (ROOT, *graph.names)}
    order = _order(links)
    over = _dominators(links, order)
    alone = {name: graph.costs.get(name, 0.0) for name in order}
    for name in reversed(order[1:]):
        alone[over[name]] += alone[name]
    found = dict.fromkeys(order[1:], 0.0)
    for name in found:
        for one in (name, *parents(name)):
            if one in found and not any(_lies_in(other, one) for other in _above(over, name)):
                found[one] += alone[name]
    return found


def _order(links: Mapping[str, list[str]]) -> list[str]:
    """The modules that are loaded, each after one that asks for it: the reverse of the order in which they are done."""
    done: list[str] = []
    seen, ahead = {ROOT}, [(ROOT, iter(links[ROOT]))]
    while ahead:
        name, rest = ahead[-1]
        new = next((one for one in rest if one not in seen), None)
        if new is None:
            done.append(name)
            ahead.pop()
        else:
            seen.add(new)
            ahead.append((new, iter(links[new])))
    return done[::-1]


def _dominators(links: Mapping[str, list[str]], order: list[str]) -> dict[str, str]:
    """Of each module the nearest that every way to it goes through (Cooper, Harvey and Kennedy, 2001)."""
    number = {name: at for at, name in enumerate(order)}
    asking: dict[str, list[str]] = {name: [] for name in order}
    for name in order:
        for one in links[name]:
            asking[one].append(name)
    over = {ROOT: ROOT}
    changed = True
    while changed:
        changed = False
        for name in order[1:]:
            known = [one for one in asking[name] if one in over]
            nearest = known[0]
            for other in known[1:]:
                nearest = _common(over, number, nearest, other)
            changed |= over.get(name) != nearest
            over[name] = nearest
    return over


def _common(over: Mapping[str, str], number: Mapping[str, int], one: str, other: str) -> str:
    while one != other:
        while number[one] > number[other]:
            one = over[one]
        while number[other] > number[one]:
            other = over[other]
    return one


def _above(over: Mapping[str, str], name: str) -> Iterator[str]:
    """What every way to a module goes through, itself apart."""
    while over[name] != name:
        name = over[name]
        yield name


def _lies_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")
