"""Prune: what no Lambda function needs goes, by the rules of ``data/prune.toml`` and the recipe's own."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from layerforge.core import globs
from layerforge.core.paths import SITE
from layerforge.layer import programs
from layerforge.layer.imports import module_name
from layerforge.layer.passes.naming import Source
from layerforge.layer.passes.needs import needed
from layerforge.layer.passes.prune_rules import (
    NAMED,
    NO_TESTS,
    READ,
    RECIPE,
    ByDefault,
    by_default,
    matches_a_rule,
)
from layerforge.layer.passes.setting import LeftAlone, Setting
from layerforge.layer.tree import Edit, Entry, Tree, drop, holds_elf
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Prune

_NOTHING = Prune()

UNSTARTABLE = "programs that nothing on Lambda can start"
CALLS_NOTHING = "programs of modules that their recipe removes"

_FOR_GOOD = (NO_TESTS, READ)
"""Ends of reasons for which no recipe is to remove a file either."""


def prune(tree: Tree, setting: Setting) -> Iterator[Edit | LeftAlone]:
    """Drops what a rule matches, but nothing that the recipe keeps, nor what a module of the layer needs of it; tells
    what it left, so that a recipe can take that.
    """
    root = f"{SITE}/"
    below = [path.removeprefix(root) for path in tree.by_path if path.startswith(root)]
    default = by_default(below, lambda name: tree.read(root + name) or b"")
    doomed = _doomed(tree, setting, default)
    # Programs are code too, but for native ones, which may be very large.
    files = [
        Source(name=_name(file.path), package=file.package, read=file.blob.read)
        for file in tree.files
        if not (file.path.startswith(programs.BIN) and holds_elf(file.blob))
    ]
    dead = {_name(path): rule for path, rule in doomed.items()}
    found = needed(files, dead, [name for name in (*default.left, *default.suspected) if name not in dead])
    for entry in tree.entries:
        name = _name(entry.path)
        if entry.path in doomed and name not in found:
            yield drop(entry, doomed[entry.path])
        elif (told := why_left(name, default, found)) and (name in dead or not _is_kept(entry, setting)):
            yield LeftAlone(path=entry.path, reason=told.reason, removable=told.removable)
    gone = {module_name(name) for path in doomed if (name := _name(path)) not in found}
    yield from (
        drop(tree.by_path[path], CALLS_NOTHING) for path, module in programs.called(tree).items() if module in gone
    )


def may_go(entry: Entry, spec: LayerSpec) -> bool:
    """Whether a rule, or a recipe, may drop an entry, whatever becomes of that."""
    name = _name(entry.path)
    return matches_a_rule(name) or globs.matches(name, spec.prune.get(entry.package, _NOTHING).remove)


@dataclass(frozen=True, kw_only=True)
class WhyLeft:
    """Why a file that looks like dead weight stays."""

    reason: str
    removable: bool
    """Whether a recipe may remove it, who knows that no function reads it."""


def why_left(name: str, default: ByDefault, found: Mapping[str, tuple[str, str]]) -> WhyLeft | None:
    """Why a file stays that a rule looked at or that looks like dead weight; ``None`` for others, and for a module of
    the latter that code needs.
    """
    how, by = found.get(name, ("", ""))
    needs = f"{how} by {posixpath.normpath(f'{SITE}/{by}')}" if how else ""
    is_module = name.endswith(".py")
    if name in default.suspected:
        reason = "; ".join(filter(None, [default.suspected[name], needs]))
        return None if needs and is_module else WhyLeft(reason=reason, removable=True)
    reason = needs or default.left.get(name, "")
    removable = not is_module if needs else not reason.endswith(_FOR_GOOD)
    return WhyLeft(reason=reason, removable=removable and how in {"", NAMED}) if reason else None


def _is_kept(entry: Entry, setting: Setting) -> bool:
    """Whether a recipe says that a file stays."""
    return globs.matches(_name(entry.path), setting.spec.prune.get(entry.package, _NOTHING).keep)


def _name(path: str) -> str:
    """A path of the layer as seen from the folder on ``sys.path``: ``../bin/x`` for what lies beside that."""
    below = path.removeprefix(f"{SITE}/")
    return posixpath.relpath(path, SITE) if below == path else below


def _doomed(tree: Tree, setting: Setting, default: ByDefault) -> dict[str, str]:
    """Name of the rule that wants an entry gone, by path."""
    unstartable = programs.unstartable(tree, setting.target.runtime)
    doomed: dict[str, str] = {}
    for entry in tree.entries:
        below, _, name = entry.path.partition("/")
        patterns = setting.spec.prune.get(entry.package, _NOTHING)
        if entry.path in unstartable:
            doomed[entry.path] = UNSTARTABLE
        elif below != SITE or globs.matches(name, patterns.keep):
            continue
        elif globs.matches(name, patterns.remove):
            doomed[entry.path] = RECIPE
        elif name in default.doomed:
            doomed[entry.path] = default.doomed[name]
    return doomed
