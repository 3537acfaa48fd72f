"""What is begun before it is asked for: modules that are certain to stay are compiled while their tree is pruned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from layerforge.layer.compiler import Compiled, Module

A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """Modules that are being compiled, or were."""

    modules: tuple[Module, ...]
    results: Future[list[Compiled]]

    def compiled(self) -> Mapping[Module, Compiled]:
        """What became of each, once all are done. Raises what compiling them raised."""
        return dict(zip(self.modules, self.results.result(), strict=True))


def begun(modules: Sequence[Module], compile_all: Callable[[Sequence[Module]], list[Compiled]]) -> Ahead:
    """Has modules compiled in a thread of its own, which ends with them whether or not anybody asks for them."""
    return Ahead(modules=tuple(modules), results=beside(compile_all, modules))


def beside(work: Callable[[A], T], about: A) -> Future[T]:
    """What becomes of a piece of work that is done in a thread of its own."""
    pool = ThreadPoolExecutor(1)
    result = pool.submit(work, about)
    pool.shutdown(wait=False)
    return result
