"""Modules that are imported from memory, some with imports that wait, and a list of what was loaded in which order."""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType

from layerforge.data import defer_imports


def rewritten(source: str, *modules: str, module: str = "pkg.mod", is_package: bool = False) -> ast.Module:
    """The tree of a source whose imports of ``modules`` wait."""
    tree = ast.parse(textwrap.dedent(source))
    return defer_imports.deferred(tree, modules, module=module, is_package=is_package)


class Memory(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and loads modules from their sources."""

    def __init__(self, sources: Mapping[str, str], waiting: Mapping[str, Sequence[str]]) -> None:
        self.sources = {name: textwrap.dedent(text) for name, text in sources.items()}
        self.waiting = waiting
        self.loaded: list[str] = []

    def __repr__(self) -> str:
        return "memory"

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.sources:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=self.is_package(fullname))

    def is_package(self, name: str) -> bool:
        return any(one.startswith(f"{name}.") for one in self.sources)

    def submodules(self, name: str) -> set[str]:
        return {one[len(name) + 1 :].partition(".")[0] for one in self.sources if one.startswith(f"{name}.")}

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        self.loaded.append(name)
        tree = ast.parse(self.sources[name])
        if name in self.waiting:
            package = self.is_package(name)
            inside = self.submodules(name) if package else None
            tree = defer_imports.deferred(tree, self.waiting[name], module=name, is_package=package, submodules=inside)
        exec(compile(tree, f"{name}.py", "exec", dont_inherit=True), vars(module))


@contextmanager
def importable(sources: Mapping[str, str], waiting: Mapping[str, Sequence[str]] | None = None) -> Iterator[Memory]:
    """Makes modules importable, of which ``waiting`` names imports that wait, by the module that makes them."""
    memory = Memory(sources, waiting or {})
    before = set(sys.modules)
    sys.meta_path.insert(0, memory)
    try:
        yield memory
    finally:
        sys.meta_path.remove(memory)
        for name in set(sys.modules) - before:
            del sys.modules[name]


def fetched(name: str) -> ModuleType:
    """The module, imported."""
    return importlib.import_module(name)
