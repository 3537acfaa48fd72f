"""Imports that recipes have wait: which file each is in, and what is said where one cannot."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from layerforge.core.paths import SITE
from layerforge.core.text import counted
from layerforge.data.module_uses import place
from layerforge.layer.compiler import Compiled
from layerforge.layer.tree import File, Tree
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode

_MODULES = (".py", ".pyc", ".so")

_STAR = re.compile(rb"^[ \t]*from[ \t]*(\.*)[ \t]*([\w.]*)[ \t]+import[ \t]*\*", re.MULTILINE)

_STARRED = re.compile(rb"import[ \t]*\*")

DOCS = "docs/recipes.md, Imports that wait, says what can"


@dataclass(frozen=True, kw_only=True)
class Deferral:
    """Imports of one file that wait."""

    package: str
    file: str
    """Below ``python/``."""
    modules: tuple[str, ...]


def deferrals(bytecode: Bytecode) -> tuple[Deferral, ...]:
    """What the recipes of a layer's packages have wait, by package and file; nothing where nothing is compiled."""
    return () if bytecode.mode is BytecodeMode.NONE else _named(bytecode)


def _named(bytecode: Bytecode) -> tuple[Deferral, ...]:
    return tuple(
        Deferral(package=package, file=file, modules=modules)
        for package, rules in sorted(bytecode.packages.items())
        for file, modules in sorted(rules.defer.items())
    )


def refuse_strangers(layer: Tree, spec: LayerSpec) -> None:
    """Raises ``RecipeError`` where imports are to wait in files that are none of the package's, or not there."""
    owners = {file.path: file.package for file in layer.files}
    wrong: dict[str, list[str]] = {}
    for one in deferrals(spec.bytecode):
        owner = owners.get(f"{SITE}/{one.file}")
        if owner is None:
            wrong.setdefault(one.package, []).append(f"{one.file} is not there{_near(layer, one)}")
        elif owner != one.package:
            whose = f"is a file of {owner}" if owner else "is a file that no package lists in its RECORD"
            wrong.setdefault(one.package, []).append(f"{one.file} {whose}")
    _raise(
        wrong, "in files that are none of its package's", "paths are those below python/, of the recipe's own package"
    )


def refuse_starred(layer: Tree, spec: LayerSpec) -> None:
    """Raises ``RecipeError`` where another module takes all names of one that has imports wait, and no
    ``__all__`` that would bring them.
    """
    sources = {file.path: file for file in layer.files}
    bare = {place(one.file)[0]: one for one in deferrals(spec.bytecode) if _lists_nothing(sources, one)}
    wrong: dict[str, list[str]] = {}
    for file in layer.files if bare else ():
        below = file.path.removeprefix(f"{SITE}/")
        for line, module in _stars(below, file) if below.endswith(".py") else ():
            if module in bare:
                told = f"{below}, line {line}: import * of {module}, which has no __all__, would not bring what waits"
                wrong.setdefault(bare[module].package, []).append(told)
    _raise(wrong, "that cannot", f"take them out of [defer]: {DOCS}")


def _lists_nothing(sources: Mapping[str, File], one: Deferral) -> bool:
    return not re.search(rb"^__all__\b", sources[f"{SITE}/{one.file}"].blob.read(), re.MULTILINE)


def _stars(path: str, file: File) -> Iterator[tuple[int, str]]:
    """Line and absolute name of every module that a source takes all names of."""
    data = file.blob.read()
    if not _STARRED.search(data):
        return
    module, is_package = place(path)
    package = (module if is_package else module.rpartition(".")[0]).split(".")
    for match in _STAR.finditer(data):
        dots, name = len(match[1]), match[2].decode()
        parts = package[: len(package) - dots + 1] if dots else []
        yield data.count(b"\n", 0, match.start(1)) + 1, ".".join([*parts, *([name] if name else [])])


def submodules(file: File, layer: Tree) -> tuple[str, ...] | None:
    """What modules a package has, by their own names, if the file is its ``__init__.py``; ``None`` if it is not."""
    folder, _, name = file.path.rpartition("/")
    if name != "__init__.py":
        return None
    below = (one.path.removeprefix(f"{folder}/") for one in layer.files if one.path.startswith(f"{folder}/"))
    modules = (path for path in below if path.endswith(_MODULES))
    return tuple(sorted({path.partition("/")[0].partition(".")[0] for path in modules} - {"__init__", "__pycache__"}))


def _near(layer: Tree, one: Deferral) -> str:
    own = [file.path.removeprefix(f"{SITE}/") for file in layer.files if file.package == one.package]
    near = difflib.get_close_matches(one.file, [path for path in own if path.endswith(".py")], 1)
    return f"; perhaps it is {near[0]}" if near else ""


def refuse_unwilling(results: Iterable[tuple[File, Compiled]]) -> None:
    """Raises ``RecipeError`` with every import that is to wait and cannot."""
    wrong: dict[str, list[str]] = {}
    for file, compiled in results:
        told = (f"{file.path.removeprefix(f'{SITE}/')}, {why}" for why in compiled.refused)
        wrong.setdefault(file.package, []).extend(told)
    _raise(wrong, "that cannot", f"take them out of [defer]: {DOCS}")


def _raise(wrong: Mapping[str, list[str]], what: str, hint: str) -> None:
    told = {package: lines for package, lines in sorted(wrong.items()) if lines}
    if told:
        names = ", ".join(told)
        who = f"the recipe {names} has" if len(told) == 1 else f"the recipes {names} have"
        raise RecipeError(
            f"{who} imports wait {what}",
            hint=hint,
            details=tuple(line for lines in told.values() for line in lines),
        )


def told(bytecode: Bytecode) -> Iterator[str]:
    """``9 imports wait in 7 files (scikit-learn)``, where recipes have any wait."""
    named = _named(bytecode)
    if named:
        imports = counted(sum(len(one.modules) for one in named), "import")
        files, packages = counted(len(named), "file"), ", ".join(sorted({one.package for one in named}))
        where = f"in {files} ({packages})"
        if bytecode.mode is BytecodeMode.NONE:
            yield f"no import waits, since nothing is compiled: {imports} would {where}"
        else:
            yield f"{imports} {'waits' if imports == '1 import' else 'wait'} {where}"
