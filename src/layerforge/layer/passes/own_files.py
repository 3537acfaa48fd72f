"""Holds the globs of recipes against what their packages own: a recipe speaks of its own package's files alone."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator

from packaging.utils import canonicalize_name

from layerforge.core import globs
from layerforge.core.paths import SITE
from layerforge.layer.distributions import rows
from layerforge.layer.tree import Tree
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import EVERY_FILE

MOST_NAMES = 10
"""Names of a package's files and folders that an error shows."""

_LIBS = ".libs"


def refuse_foreign_globs(tree: Tree, spec: LayerSpec) -> None:
    """Raises ``RecipeError`` where a glob of a recipe begins with what is no file or folder of its package.

    ``tree`` is that of the installed packages, before any pass. Such a glob would match nothing, since it counts for
    the package's own files only, and whoever wrote it would not know.
    """
    named = list(_globs(spec))
    owned = _owned(tree, {package for package, _, _ in named})
    foreign = [(package, where, glob) for package, where, glob in named if not _own(glob, package, owned[package])]
    if foreign:
        names = sorted({package for package, _, _ in foreign})
        which = f"recipe {names[0]} speaks" if len(names) == 1 else f"recipes {', '.join(names)} speak"
        raise RecipeError(
            f"the {which} of files that are another package's, or nobody's",
            hint="a recipe's globs begin with a file or folder that its own package has below python/",
            details=tuple(
                f"{package}: {where} names {glob}, and {package} has {_shown(owned[package])}"
                for package, where, glob in foreign
            ),
        )


def _globs(spec: LayerSpec) -> Iterator[tuple[str, str, str]]:
    """Package, key and text of every glob of a recipe that is about installed files."""
    for package, prune in sorted(spec.prune.items()):
        yield from ((package, "prune.remove", glob) for glob in prune.remove)
        yield from ((package, "prune.keep", glob) for glob in prune.keep)
    for package, rules in sorted(spec.bytecode.packages.items()):
        yield from ((package, "bytecode.keep_docstrings", glob) for glob in rules.keep_docstrings)
        yield from ((package, "bytecode.lazy", glob) for glob in rules.lazy if glob != EVERY_FILE)


def _owned(tree: Tree, packages: Collection[str]) -> dict[str, set[str]]:
    """What each of these packages has at the top of ``python/``: by the tree and by its RECORD, which lists what
    another package won, too.
    """
    owned: dict[str, set[str]] = {name: set() for name in packages}
    for entry in tree.entries:
        if entry.package in owned and entry.path.startswith(f"{SITE}/"):
            owned[entry.package].add(entry.path.split("/")[1])
    for one in tree.packages:
        if one.name in owned:
            listed = (posixpath.normpath(row.path) for row in rows(tree.read(f"{one.info}/RECORD") or b""))
            owned[one.name] |= {path.partition("/")[0] for path in listed if not path.startswith(("../", "/", "bin/"))}
    return owned


def _own(glob: str, package: str, owned: Collection[str]) -> bool:
    first = glob.partition("/")[0]
    # Only repaired wheels have that folder, and recipes count for what is compiled too.
    if first.endswith(_LIBS) and canonicalize_name(first.removesuffix(_LIBS)) == package:
        return True
    return any(globs.matches(name, (first,)) for name in owned)


def _shown(names: Collection[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return (", ".join(sorted(names)[:MOST_NAMES]) or "nothing") + more
