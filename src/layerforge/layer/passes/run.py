"""Passes: functions that look at a tree and propose edits that make the layer smaller or faster to start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from layerforge.build.interpreters import Interpreter
from layerforge.build.plan import Plan
from layerforge.core.progress import Progress
from layerforge.core.store.protocol import Store
from layerforge.core.text import counted, megabytes
from layerforge.layer.ahead import Ahead
from layerforge.layer.passes import (
    compile,  # noqa: A004 - named after its pass
    links,
    own_files,
    prune,
    records,
    strip,
)
from layerforge.layer.passes.setting import LeftAlone, PassResult, Setting
from layerforge.layer.tree import Edit, Tree, apply

Pass = Callable[[Tree, Setting], Iterable[Edit | LeftAlone]]

Passes = tuple[tuple[str, Pass], ...]

CONTENTS: Passes = (
    ("prune", prune.prune),
    ("link", links.link_duplicates),
    ("strip", strip.strip),
)
"""What no setting of modules changes."""

MODULES: Passes = (
    ("bytecode", compile.compile_modules),
    ("record", records.rewrite_records),
)

PASSES: Passes = (*CONTENTS, *MODULES)
"""In this order: each pass sees the tree that the one before left."""


def optimize(
    tree: Tree,
    plan: Plan,
    interpreter: Interpreter | None,
    store: Store,
    progress: Progress,
    passes: Passes = PASSES,
    ahead: Ahead | None = None,
) -> tuple[Tree, tuple[PassResult, ...]]:
    """Runs every pass, or some; ``ahead`` are modules that need not be compiled any more. Returns the tree that they
    leave, and what each of them did.

    Raises ``RecipeError`` where a recipe speaks of files that its package does not own, and what the passes raise.
    """
    own_files.refuse_foreign_globs(tree, plan.spec)
    results: list[PassResult] = []
    for name, run in passes:
        with progress.step(name) as step:
            setting = Setting(
                spec=plan.spec,
                target=plan.target,
                interpreter=interpreter,
                store=store,
                step=step,
                progress=progress,
                ahead=ahead,
            )
            result = _run(name, run, tree, setting)
            tree = apply(tree, result.edits)
            step.note(describe(result))
        results.append(result)
    return tree, tuple(results)


def _run(name: str, run: Pass, tree: Tree, setting: Setting) -> PassResult:
    said = list(run(tree, setting))
    return PassResult(
        name=name,
        edits=tuple(item for item in said if isinstance(item, Edit)),
        left=tuple(replace(item, bytes=tree.by_path[item.path].size) for item in said if isinstance(item, LeftAlone)),
    )


def describe(result: PassResult) -> str:
    """``11.9 MB saved in 96 files; 2 files left alone``."""
    if not result.edits and not result.left:
        return "nothing to do"
    verb = "saved" if result.saved >= 0 else "added"
    left = f"; {counted(len(result.left), 'file')} left alone" if result.left else ""
    return f"{megabytes(abs(result.saved))} {verb} in {counted(len(result.edits), 'file')}{left}"
