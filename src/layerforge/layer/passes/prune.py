"""Prune: what no Lambda function needs goes, by the rules of ``data/prune.toml`` and the recipe's own."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from layerforge.core import globs, resources
from layerforge.core.paths import SITE
from layerforge.layer import programs
from layerforge.layer.imports import imported, module_name, statements
from layerforge.layer.passes import naming
from layerforge.layer.passes.naming import Source
from layerforge.layer.passes.setting import LeftAlone, Setting
from layerforge.layer.tree import Edit, Tree, drop, holds_elf
from layerforge.resolve.recipe import Prune

RECIPE = "the rules of its recipe"
_NOTHING = Prune()
UNSTARTABLE = "programs that nothing on Lambda can start"
CALLS_NOTHING = "programs of modules that their recipe removes"
_PROGRAMS = f"../{programs.BIN}"
"""Where programs lie as seen from the folder on ``sys.path``."""

_INIT = re.compile(r"(?:^|/)__init__\.py$")
_TEST = re.compile(r"(?:test_\w*|\w*_test|conftest)\.py")
_NO_PACKAGES = (["share"], ["etc"], ["include"], ["lib"], ["bin"])
"""Folders beside the packages that hold data."""

_ATTACHES = b"attach_stub"
"""What a module calls that loads its names lazily, by lazy_loader, as the stub beside it lists them."""


@dataclass(frozen=True, kw_only=True)
class PruneRule:
    """A default rule: why it is safe, and what it matches."""

    id: str
    why: str
    globs: tuple[str, ...]
    only: str = ""
    """Which of the files that it matches it drops; all of them where it is empty."""


@cache
def rules() -> tuple[PruneRule, ...]:
    """The default rules, first match first."""
    return tuple(PruneRule(**{**row, "globs": tuple(row["globs"])}) for row in resources.table("prune.toml")["rule"])


def prune(tree: Tree, setting: Setting) -> Iterator[Edit | LeftAlone]:
    """Drops what a rule matches, but nothing that the recipe keeps, nor what a module of the layer needs of it."""
    doomed = _doomed(tree, setting)
    # Programs are code too, but for native ones, which may be very large.
    files = [
        Source(name=_name(file.path), package=file.package, read=file.blob.read)
        for file in tree.files
        if not (file.path.startswith(programs.BIN) and holds_elf(file.blob))
    ]
    spared = needed(files, {_name(path): rule for path, rule in doomed.items()})
    for entry in tree.entries:
        name = _name(entry.path)
        if name in spared:
            how, by = spared[name]
            yield LeftAlone(path=entry.path, reason=f"{how} by {posixpath.normpath(f'{SITE}/{by}')}")
        elif entry.path in doomed:
            yield drop(entry, doomed[entry.path])
    gone = {module_name(name) for path in doomed if (name := _name(path)) not in spared}
    yield from (
        drop(tree.by_path[path], CALLS_NOTHING) for path, module in programs.called(tree).items() if module in gone
    )


def _name(path: str) -> str:
    """A path of the layer as seen from the folder on ``sys.path``: ``../bin/x`` for what lies beside that."""
    return posixpath.relpath(path, SITE)


def needed(files: Iterable[Source], doomed: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Of the ``doomed`` files, rule by name, those that code which stays needs: each with how, in a word, and the name
    of that code. ``files`` are all of a layer.
    """
    found = {file.name: file for file in files}
    spared = {name: ("named", by) for name, by in _named(found, doomed).items()}
    spared |= {name: ("read", by) for name, by in _read_lazily(found, doomed).items()}
    return spared | {name: ("imported", by) for name, by in _imported(found, doomed, spared).items()}


def _is_code(name: str) -> bool:
    """Whether a file by its name on ``sys.path`` is a module, or a program of those beside it."""
    return name.endswith(".py") or name.startswith(_PROGRAMS)


def _doomed(tree: Tree, setting: Setting) -> dict[str, str]:
    """Name of the rule that wants an entry gone, by path."""
    root = f"{SITE}/"
    default = by_default(
        [path.removeprefix(root) for path in (one.path for one in tree.entries) if path.startswith(root)]
    )
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
        elif name in default:
            doomed[entry.path] = default[name]
    return doomed


@cache
def _any_rule() -> re.Pattern[str]:
    """All rules in one expression, each in a group of its own."""
    return re.compile("|".join("(" + "|".join(globs.pattern(g).pattern for g in r.globs) + ")" for r in rules()), re.S)


def by_default(names: Collection[str]) -> dict[str, str]:
    """Id of the default rule that may drop a file, by its name: ``names`` are all paths below one folder on
    ``sys.path``. What code imports or names is among them.
    """
    around = _Around.of(names)
    found = ((name, _rule_for(name, around)) for name in names)
    return {name: rule for name, rule in found if rule}


def _rule_for(name: str, around: _Around) -> str:
    # What a dist-info folder holds is the package's own record and licences, whatever the files are called.
    match = _any_rule().fullmatch(name)
    if match is None or match.lastindex is None:
        return ""
    rule = rules()[match.lastindex - 1]
    if ".dist-info/" in name and not rule.globs[0].startswith("*.dist-info/"):
        return ""
    fits = {"test modules": around.is_test_module, "stubs": around.is_stub}.get(rule.only)
    return rule.id if fits is None or fits(name) else ""


@dataclass(frozen=True, kw_only=True)
class _Around:
    """What stands around a file in the folder on ``sys.path``."""

    packages: frozenset[str]
    """Folders with an ``__init__.py``."""
    modules: frozenset[str]
    """Modules, compiled ones too, and packages, without a suffix."""

    @classmethod
    def of(cls, names: Collection[str]) -> _Around:
        inits = frozenset(name.removesuffix("__init__.py").rstrip("/") for name in names if _INIT.search(name))
        stems = (name.partition(".")[0] for name in names if name.endswith((".py", ".so")))
        return cls(packages=inits, modules=frozenset(stems) | inits)

    def is_stub(self, name: str) -> bool:
        return name.removesuffix(".pyi") in self.modules

    def is_test_module(self, name: str) -> bool:
        """Whether it can be imported, and lies in a package of tests or is pytest's. A folder of templates or of data
        that is called so is no package.
        """
        folder, _, file = name.rpartition("/")
        if not file.removesuffix(".py").isidentifier():
            return False
        above, _, last = folder.rpartition("/")
        if last == "tests" and folder not in self.packages and _TEST.fullmatch(file):
            folder = above  # pytest needs no __init__.py
        return self._is_package(folder)

    def _is_package(self, folder: str) -> bool:
        """Whether an import finds the folder: below a package that has an ``__init__.py`` each has one."""
        parts = folder.split("/") if folder else []
        if not all(part.isidentifier() for part in parts) or parts[:1] in _NO_PACKAGES:
            return False
        inside = [("/".join(parts[:count]) in self.packages) for count in range(1, len(parts) + 1)]
        return all(inside[inside.index(True) :]) if True in inside else not parts


@cache
def _guarded() -> frozenset[str]:
    """Ids of the rules that spare what code names."""
    return frozenset(rule.id for rule in rules() if rule.only)


def _imported(files: Mapping[str, Source], doomed: Mapping[str, str], safe: Collection[str]) -> dict[str, str]:
    """Doomed files that a kept module or one of the ``safe`` ones imports, each with the module's name; what those
    import in turn included.
    """
    modules = [name for name, rule in doomed.items() if rule in _guarded() and name.endswith(".py")]
    by_module = {module_name(name): name for name in modules if name not in safe}
    queue = [name for name in files if _is_code(name) and (name not in doomed or name in safe)]
    words = _telling_words(modules, [name for name in queue if name not in safe])
    spared: dict[str, str] = {}
    while queue and by_module:
        name = queue.pop()
        # What is spared may import its neighbours by relative names, which tell nothing.
        for module in _modules_imported(files[name], None if name in doomed else words):
            for wanted in _with_parents(module, by_module):
                if wanted not in spared:
                    spared[wanted] = spared.get(name, name)
                    queue.append(wanted)
    return spared


def _named(files: Mapping[str, Source], doomed: Mapping[str, str]) -> dict[str, str]:
    """Doomed files that the code which stays names, each with the code's name."""
    owners = {name: file.package for name, file in files.items() if doomed.get(name) in _guarded()}
    kept = (file for name, file in files.items() if name not in doomed)
    return naming.named(owners, (file for file in kept if _is_code(file.name) or file.name.endswith(naming.ENDINGS)))


def _read_lazily(files: Mapping[str, Source], doomed: Mapping[str, str]) -> dict[str, str]:
    """Doomed stubs, but for those that the recipe removes, that the module beside them reads, with its name."""
    beside = {name: name[:-1] for name, rule in doomed.items() if name.endswith(".pyi") and rule != RECIPE}
    there = ((stub, name) for stub, name in beside.items() if name in files and name not in doomed)
    return {stub: name for stub, name in there if _ATTACHES in files[name].read()}


def _telling_words(doomed: Iterable[str], kept: Iterable[str]) -> re.Pattern[bytes]:
    """Words of which an import of a doomed module must hold one, so that most sources need no parsing.

    It is the name of the topmost folder that holds nothing kept, such as ``tests``, else the module's own.
    """
    alive = {folder for path in kept for folder in _folders(path)}
    words = {_first_word(path, alive) for path in doomed}
    return re.compile(rb"\b(?:" + b"|".join(map(re.escape, sorted(words))) + rb")\b")


def _folders(path: str) -> list[str]:
    """``a/b/c.py`` lies in ``a`` and ``a/b``."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _first_word(path: str, alive: Collection[str]) -> bytes:
    dead = [folder for folder in _folders(path) if folder not in alive]
    name = dead[0].rpartition("/")[2] if dead else path.rpartition("/")[2].partition(".")[0]
    return name.encode()


def _with_parents(module: str, by_module: Mapping[str, str]) -> Iterator[str]:
    """Importing ``a.tests.b`` runs ``a/tests/__init__.py`` first."""
    while module:
        if module in by_module:
            yield by_module[module]
        module = module.rpartition(".")[0]


def _modules_imported(file: Source, words: re.Pattern[bytes] | None) -> Iterator[str]:
    """Absolute names that ``file`` imports; none where no word is in an import statement of it."""
    source = file.read()
    if words is None or (words.search(source) and words.search(statements(source))):
        yield from imported(source, file.name)
