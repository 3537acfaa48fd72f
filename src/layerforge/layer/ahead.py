"""Modules that are compiled while their tree is still being pruned: those that are certain to stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from layerforge.layer.compiler import Compiled, Module


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
    pool = ThreadPoolExecutor(1)
    results = pool.submit(compile_all, modules)
    pool.shutdown(wait=False)
    return Ahead(modules=tuple(modules), results=results)
