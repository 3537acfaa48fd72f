"""What a layer has to load before a snapshot: the module ``layerforge_prime``, and a table for each package.

A table says, as JSON, which modules are to be imported once another one is loaded: those that a recipe has wait in it,
and the warm-up of the package. The tables and warm-ups of two layers lie beside one another in a function, and the
module has the same bytes in both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from layerforge.core import resources
from layerforge.core.errors import StepError
from layerforge.core.paths import PRIME, PRIMING, SITE
from layerforge.core.runtimes import Target
from layerforge.layer.imports import module_name
from layerforge.layer.passes.deferring import deferrals
from layerforge.layer.pyc import source_path
from layerforge.layer.tree import File, Tree, blob, make
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import BytecodeMode

FOLDER = f"{SITE}/{PRIME}"

Table = Mapping[str, tuple[str, ...]]
"""Modules to import, by the module that has to be loaded before."""


def with_priming(tree: Tree, spec: LayerSpec, target: Target) -> Tree:
    """The tree with what there is to load before a snapshot; the same where there is nothing.

    Raises ``StepError`` where a package brings a module of that name.
    """
    tables = _tables(tree, spec, target)
    if not tables:
        return tree
    _refuse_taken(tree)
    infos = {one.name: one.info for one in tree.packages}
    # Of several RECORDs that list a file, whoever reads the layer takes the last one.
    files = [_file(PRIMING, resources.text(f"{PRIME}.py"), max(tables, key=lambda name: infos[name]))]
    for package, table in tables.items():
        files.append(_file(f"{_stem(package)}.json", json.dumps(table, indent=1, sort_keys=True) + "\n", package))
    files += [_file(f"{_stem(one.package)}.py", one.text, one.package) for one in spec.prime if one.package in tables]
    return make([*tree.entries, *files], tree)


def is_shared(path: str) -> bool:
    """Whether a path is that of the module, which is each primed package's, or of its bytecode."""
    return (source_path(path) if path.endswith(".pyc") else path) == PRIMING


def is_primed(package: str, tree: Tree) -> bool:
    """Whether a package has a table in a layer."""
    return f"{_stem(package)}.json" in tree.by_path


def _stem(package: str) -> str:
    return f"{FOLDER}/{package.replace('-', '_')}"


def _file(path: str, text: str, package: str) -> File:
    return File(path=path, blob=blob(text.encode()), package=package)


def _tables(tree: Tree, spec: LayerSpec, target: Target) -> dict[str, Table]:
    """The tables by package, in the order of names. Python itself knows what it imports lazily."""
    there = {one.name for one in tree.packages}
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    if target.has_lazy_imports and spec.bytecode.mode is not BytecodeMode.NONE:
        found |= {name: {} for name, rules in spec.bytecode.packages.items() if rules.lazy and name in there}
    for one in deferrals(spec.bytecode):
        if one.package in there:
            found.setdefault(one.package, {})[module_name(one.file)] = one.modules
    for warm_up in spec.prime:
        if warm_up.package in there:
            table = found.setdefault(warm_up.package, {})
            name = f"{PRIME}.{warm_up.package.replace('-', '_')}"
            table |= {module: (*table.get(module, ()), name) for module in _outermost(tree, warm_up.package)}
    return dict(sorted(found.items()))


def _outermost(tree: Tree, package: str) -> Iterator[str]:
    """The modules of a package that lie in no other one: ``google.cloud.storage``, not what is in it."""
    own = (file.path for file in tree.files if file.package == package and file.path.startswith(f"{SITE}/"))
    names = {name for path in own if (name := module_name(path.removeprefix(f"{SITE}/")))}
    for name in sorted(names):
        parts = name.split(".")
        if not any(".".join(parts[:count]) in names for count in range(1, len(parts))):
            yield name


def _refuse_taken(tree: Tree) -> None:
    """Raises ``StepError`` where the module's name is another one's."""
    taken = [one for one in tree.entries if one.path == f"{FOLDER}.py" or one.path.startswith(f"{FOLDER}/")]
    if taken:
        raise StepError(
            f"{taken[0].package or 'the layer'} brings {taken[0].path}, where layerforge's own module is to lie",
            hint=f"a layer's modules cannot be called {PRIME}: leave that package out with --leave-out",
        )
