"""Variants: parts of packages go, and stubs take the place of their modules, before any pass sees them."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from layerforge.core import globs, guarded, resources
from layerforge.core.paths import SITE
from layerforge.core.progress import Progress
from layerforge.core.text import counted, megabytes
from layerforge.layer import tree as trees
from layerforge.layer.imports import imported, module_name, statements
from layerforge.layer.passes.setting import PassResult
from layerforge.layer.tree import Edit, Entry, File, Tree, add, drop, swap
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.variant import Variant, Without

TITLE = "variant"
"""What the edits are told under, beside those of passes."""

HELPER = "_left_out_of_this_layer"
"""Module in a package's own folder that its stubs import."""

_MOST_NAMED = 5

_STUB = '''"""Left out of the layer {name}: {what}. layerforge put this in the place of the module."""

from {top} import {helper}

{helper}.stand_in(globals(), {names!r}, {why!r})
'''


def without_parts(tree: Tree, variant: Variant | None, progress: Progress) -> tuple[Tree, tuple[PassResult, ...]]:
    """The tree without what a variant leaves out, and the edits.

    Raises ``RecipeError`` where it names a module or files that a package of the layer does not have.
    """
    if variant is None:
        return tree, ()
    with progress.step(TITLE) as step:
        found = [_Found.of(tree, one) for one in variant.without]
        _refuse_missing(tree, variant, found)
        gone = {path for one in found for path in one.paths}
        _refuse_imported(tree, variant, found, gone)
        names = _names_imported(tree, variant, gone)
        edits = [edit for one in found for edit in one.edits(tree, variant, names)]
        edits += _helpers(found)
        saved = sum(edit.saved for edit in edits)
        step.note(f"{megabytes(saved)} saved in {counted(len(gone), 'file')}")
    return trees.apply(tree, edits), (PassResult(name=TITLE, edits=tuple(edits)),)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What the layer holds of what a variant leaves out."""

    without: Without
    modules: Mapping[str, tuple[Entry, ...]]
    """By name."""
    files: Mapping[str, tuple[Entry, ...]]
    """By glob; without those of modules."""

    @classmethod
    def of(cls, tree: Tree, without: Without) -> _Found:
        own = [one for one in tree.entries if one.package == without.package and one.path.startswith(f"{SITE}/")]
        modules = {name: tuple(one for one in own if _is_of(one.path, name)) for name in without.modules}
        taken = {one.path for entries in modules.values() for one in entries}
        files = {
            glob: tuple(one for one in own if one.path not in taken and globs.matches(_below(one.path), (glob,)))
            for glob in without.files
        }
        return cls(without=without, modules=modules, files=files)

    @property
    def paths(self) -> frozenset[str]:
        """Of all that goes."""
        groups = (*self.modules.values(), *self.files.values())
        return frozenset(entry.path for entries in groups for entry in entries)

    def edits(self, tree: Tree, variant: Variant, names: Mapping[str, Collection[str]]) -> Iterator[Edit]:
        """What has it gone. A stub stands where the module or the package's own did."""
        what = self.without.what
        places = {name: _place(name, entries) for name, entries in self.modules.items()}
        for path in sorted(self.paths - set(places.values())):
            yield drop(tree.by_path[path], what)
        for name, path in places.items():
            text = _stub(variant, self.without, name, sorted(names.get(name, ())))
            stub = File(path=path, blob=trees.blob(text.encode()), package=self.without.package)
            old = tree.by_path.get(path)
            yield add(stub, what) if old is None else swap(old, stub, what)


def _stub(variant: Variant, without: Without, module: str, names: Collection[str]) -> str:
    why = (
        f"{variant.name} is {variant.says}, and without {without.what}; "
        f"a layer of {variant.of} has it (layerforge build {variant.of})"
    )
    top = module.partition(".")[0]
    return _STUB.format(name=variant.name, what=without.what, top=top, helper=HELPER, names=tuple(names), why=why)


def _helpers(found: Collection[_Found]) -> Iterator[Edit]:
    """What the stubs import, once in each package that has some."""
    packages = {name.partition(".")[0]: one.without.package for one in found for name in one.without.modules}
    for top, package in sorted(packages.items()):
        path = f"{SITE}/{top}/{HELPER}.py"
        blob = trees.blob(resources.path("variant_stub.py").read_bytes())
        yield add(File(path=path, blob=blob, package=package), "what tells of parts that are left out")


def _place(name: str, entries: Collection[Entry]) -> str:
    """Where the stub of a module stands: what was a package stays one."""
    plain = f"{SITE}/{name.replace('.', '/')}"
    inside = any(one.path.startswith(f"{plain}/") for one in entries)
    return f"{plain}/__init__.py" if inside else f"{plain}.py"


def _is_of(path: str, name: str) -> bool:
    """Whether a file is a module, or lies in the package of that name."""
    below = _below(path)
    folder = name.replace(".", "/")
    return below.startswith(f"{folder}/") or module_name(below) == name


def _below(path: str) -> str:
    return path.removeprefix(f"{SITE}/")


# --- what others import


def _names_imported(tree: Tree, variant: Variant, gone: Collection[str]) -> dict[str, set[str]]:
    """What the modules that stay import from each module that goes, wherever the statement stands in them."""
    found: dict[str, set[str]] = {name: set() for one in variant.without for name in one.modules}
    for _, name in _imports_of_others(tree, gone, found):
        module, _, taken = name.rpartition(".")
        if module in found:
            found[module].add(taken)
    listed = {name: one.names for one in variant.without for name in one.modules}
    return {module: _without_star(tree, module, names, listed[module]) for module, names in found.items()}


def _imports_of_others(tree: Tree, gone: Collection[str], modules: Collection[str]) -> Iterator[tuple[str, str]]:
    """Path below ``python/`` and imported name, in sources that stay; those that speak of none of ``modules`` are
    passed over.
    """
    last = {name.rpartition(".")[2].encode() for name in modules}
    for file in tree.files if last else ():
        if file.path in gone or not file.path.startswith(f"{SITE}/") or not file.path.endswith(".py"):
            continue
        told = statements(file.blob.read())
        if any(name in told for name in last):
            yield from ((_below(file.path), name) for name in imported(told, _below(file.path)))


def _without_star(tree: Tree, module: str, names: set[str], told: Collection[str]) -> set[str]:
    """The names with those that ``import *`` stands for, as far as a source says them."""
    if "*" not in names:
        return names
    plain = f"{SITE}/{module.replace('.', '/')}"
    source = tree.read(f"{plain}/__init__.py") or tree.read(f"{plain}.py")
    if source is None and told:
        return (names - {"*"}) | set(told)
    if source is None:
        raise RecipeError(
            f"{module} cannot be left out alone: a module of the layer takes all that is in it with import *, "
            "and no source says what that is",
            hint="say it in `names` beside `modules`, leave out what imports it too, or let it in",
        )
    return (names - {"*"}) | set(_public(source))


def _public(source: bytes) -> Iterator[str]:
    """What ``__all__`` of a source lists, else the functions, classes and variables of it that do not hide."""
    try:
        body = guarded.python(source).body
    except guarded.Unreadable:
        return
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List() | ast.Tuple() as listed):
                texts = (one.value for one in listed.elts if isinstance(one, ast.Constant))
                yield from (text for text in texts if isinstance(text, str))
            case ast.FunctionDef() | ast.ClassDef() if not node.name.startswith("_"):
                yield node.name
            case ast.Assign(targets=[ast.Name(id=name)]) if not name.startswith("_"):
                yield name
            case _:
                pass


# --- errors


def _refuse_missing(tree: Tree, variant: Variant, found: Collection[_Found]) -> None:
    absent = [
        (one.without.package, f"{one.without.package} has no module {name}{_near(tree, one, name)}")
        for one in found
        for name, entries in one.modules.items()
        if not entries
    ]
    absent += [
        (one.without.package, f"{one.without.package} has no file that {glob} matches")
        for one in found
        for glob, entries in one.files.items()
        if not entries
    ]
    if absent:
        versions = {one.name: one.version for one in tree.packages}
        named = ", ".join(sorted({f"{package} {versions.get(package, '')}".strip() for package, _ in absent}))
        raise RecipeError(
            f"the variant {variant.name} leaves out what {named} does not have",
            hint="variant.without names modules and files of that very package, as it has them",
            details=tuple(text for _, text in absent),
        )


def _refuse_imported(tree: Tree, variant: Variant, found: Collection[_Found], gone: Collection[str]) -> None:
    """Raises ``RecipeError`` where globs take a module that another one imports: no stub would stand there."""
    paths = {entry.path for one in found for entries in one.files.values() for entry in entries}
    modules = {name for path in paths if (name := module_name(_below(path)))}
    wanted = {(name, path) for path, name in _imports_of_others(tree, gone, modules) if name in modules}
    if wanted:
        raise RecipeError(
            f"the variant {variant.name} leaves out what other modules import, without a stub",
            hint="name such a module in `modules` of variant.without: a glob of `files` takes it away without a word",
            details=tuple(f"{name}, which {path} imports" for name, path in sorted(wanted)[:_MOST_NAMED]),
        )


def _near(tree: Tree, one: _Found, name: str) -> str:
    own = {module_name(_below(entry.path)) for entry in tree.entries if entry.package == one.without.package}
    close = difflib.get_close_matches(name, sorted(own - {""}), 1)
    return f"; perhaps {close[0]} is meant" if close else ""
