"""The pass that gives every module bytecode which Lambda's Python uses as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from layerforge.build import interpreters
from layerforge.build.interpreters import Interpreter
from layerforge.core import globs
from layerforge.core.paths import OPT, SITE
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store.protocol import Store
from layerforge.layer import ahead as compiling
from layerforge.layer import compiler, tree
from layerforge.layer.ahead import Ahead
from layerforge.layer.compiler import Compiled, Module
from layerforge.layer.passes import deferring, priming, prune
from layerforge.layer.passes.setting import UNCOMPILABLE, LeftAlone, Setting
from layerforge.layer.pyc import pyc_path, source_path
from layerforge.layer.tree import Edit, Entry, File, Tree
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode, CodeRules, Docstrings

OUTDATED = "bytecode that came with the wheels"
ADDED = "bytecode"
REPLACED = "sources replaced by bytecode"


def compile_modules(layer: Tree, setting: Setting) -> Iterator[Edit | LeftAlone]:
    """Puts bytecode beside the sources below ``python/``, or in their place, as the recipe says.

    Bytecode that is there already goes in every mode, except for modules that came without a source. A module that
    does not compile keeps its source. Raises ``UsageError`` where bytecode is wanted and there is no interpreter of
    the target's version, ``StepError`` where that interpreter fails.
    """
    done: set[str] = set()
    for file, compiled in _compile(layer, setting):
        edit = _edit(file, compiled, layer.by_path, setting)
        done.add(edit.path)
        yield edit
    yield from (_outdated(file, layer.by_path) for file in layer.files if _is(file, ".pyc") and file.path not in done)


def _compile(layer: Tree, setting: Setting) -> Iterator[tuple[File, Compiled]]:
    """Every source below ``python/`` and what became of it."""
    options = setting.spec.bytecode
    if options.mode is BytecodeMode.NONE:
        return
    if setting.interpreter is None:
        raise interpreters.missing(setting.target.python)
    deferring.refuse_strangers(layer, setting.spec)
    deferring.refuse_starred(layer, setting.spec)
    files = [file for file in layer.files if _is(file, ".py")]
    results = _compiled([_module(file, options, layer, setting.target) for file in files], setting)
    deferring.refuse_unwilling(zip(files, results, strict=True))
    yield from zip(files, results, strict=True)


def _compiled(modules: Sequence[Module], setting: Setting) -> list[Compiled]:
    """What became of each module, be it compiled ahead or now."""
    assert setting.interpreter is not None
    ahead = set(setting.ahead.modules) if setting.ahead else set()
    left = [module for module in modules if module not in ahead]
    # What was begun ahead most often goes on still, and need not be waited for.
    results = compiler.compile_all(
        left,
        interpreter=setting.interpreter,
        store=setting.store,
        advance=setting.step.advance,
        warn=setting.progress.warn,
    )
    done = {**(setting.ahead.compiled() if setting.ahead else {}), **dict(zip(left, results, strict=True))}
    setting.step.advance(len(modules) - len(left))
    return [done[module] for module in modules]


def begun(
    layer: Tree, spec: LayerSpec, target: Target, interpreter: Interpreter | None, store: Store, progress: Progress
) -> Ahead | None:
    """Has what pruning will not take compiled while that goes on; ``None`` where there is nothing to compile.

    What others read from the store comes and goes in bundles of all that a layer has, so nothing is done there before
    that is known; nor are packages whose imports wait, which need to know what modules they have left.
    """
    options = spec.bytecode
    if options.mode is BytecodeMode.NONE or interpreter is None or store.shared:
        return None
    files = (file for file in layer.files if _is(file, ".py") and not prune.may_go(file, spec))
    modules = [_module(file, options, layer, target) for file in files]
    compile_all = partial(compiler.compile_all, interpreter=interpreter, store=store, warn=progress.warn)
    return compiling.begun([module for module in modules if module.submodules is None], compile_all)


def _rules(file: File, options: Bytecode) -> CodeRules:
    """What counts for a module. One that several layers of a function share has the same bytecode in each."""
    return CodeRules() if priming.is_shared(file.path) else options.rules_of(file.package)


def _is(file: File, suffix: str) -> bool:
    return file.path.startswith(f"{SITE}/") and file.path.endswith(suffix)


def _module(file: File, options: Bytecode, layer: Tree, target: Target) -> Module:
    rules = _rules(file, options)
    below = file.path.removeprefix(f"{SITE}/")
    kept = globs.matches(below, rules.keep_docstrings)
    return Module(
        filename=f"{OPT}{file.path}",
        source=file.blob,
        drop_docstrings=rules.docstrings is Docstrings.DROP and not kept,
        drop_columns=options.drops_columns(rules),
        defer=rules.defer.get(below, ()),
        submodules=deferring.submodules(file, layer) if below in rules.defer else None,
        lazy=target.has_lazy_imports and globs.matches(below, rules.lazy),
        package=file.package,
        optimize=min(rules.optimize, 1) if kept else rules.optimize,  # level 2 leaves docstrings out
    )


def _edit(source: File, compiled: Compiled, entries: Mapping[str, Entry], setting: Setting) -> Edit | LeftAlone:
    """What to do about one source."""
    if compiled.pyc is None:
        return LeftAlone(path=source.path, reason=f"{UNCOMPILABLE}: {compiled.reason}")
    mode = setting.spec.bytecode.mode
    path = pyc_path(source.path, setting.target.cache_tag, mode)
    new = File(path=path, blob=tree.blob(compiled.pyc), package=source.package)
    if mode is BytecodeMode.ONLY:
        return tree.swap(source, new, REPLACED)
    old = entries.get(path)
    return tree.add(new, ADDED) if old is None else tree.swap(old, new, ADDED)


def _outdated(pyc: File, entries: Mapping[str, Entry]) -> Edit | LeftAlone:
    """What to do about bytecode that the layer came with and that nothing takes the place of."""
    if "/__pycache__/" in pyc.path or source_path(pyc.path) in entries:
        return tree.drop(pyc, OUTDATED)
    return LeftAlone(path=pyc.path, reason="bytecode without a source")
