"""Prune: what no Lambda function needs goes, by the rules of ``data/prune.toml`` and the recipe's own."""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from layerforge.core import globs, resources
from layerforge.core.paths import SITE
from layerforge.layer import programs
from layerforge.layer.imports import imported, module_name, statements
from layerforge.layer.passes import naming
from layerforge.layer.passes.naming import Source
from layerforge.layer.passes.setting import LeftAlone, Setting
from layerforge.layer.tree import Edit, Entry, Tree, drop, holds_elf
from layerforge.resolve.recipe import Prune

RECIPE = "the rules of its recipe"
_NOTHING = Prune()
UNSTARTABLE = "programs that nothing on Lambda can start"
CALLS_NOTHING = "programs of modules that their recipe removes"
_PROGRAMS = f"../{programs.BIN}"
"""Where programs lie as seen from the folder on ``sys.path``."""

_INIT = re.compile(r"(?:^|/)__init__\.py$")
_LIBRARY = re.compile(r"\.so(?:\.|$)")
_PYTEST = re.compile(r"(?:test_\w*|\w*_test|conftest)\.py")
_TEST = re.compile(r"(?:test\w*|\w*tests?|conftest)\.py")
_TESTS = re.compile(rb"\bpytest|\bunittest\b|\bTestCase\b|\bdef[ \t]+test")
"""What a module of tests says somewhere."""

NAMED = "named"
NO_TESTS = "no module there is one of tests"
READ = "reads them"
_FOR_GOOD = (NO_TESTS, READ)
"""Ends of reasons for which no recipe is to remove a file either."""
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
    readers: tuple[str, ...] = ()
    """Modules of programs that read such files of any package: where one is in the layer, all of them stay."""


@cache
def rules() -> tuple[PruneRule, ...]:
    """The default rules, first match first."""
    return _rows("rule")


@cache
def suspects() -> tuple[PruneRule, ...]:
    """What looks like dead weight and stays: no rule can know that nothing reads it, so it is told."""
    return _rows("suspect")


def _rows(kind: str) -> tuple[PruneRule, ...]:
    lists = ("globs", "readers")
    rows = resources.table("prune.toml")[kind]
    return tuple(PruneRule(**row | {key: tuple(row[key]) for key in lists if key in row}) for row in rows)


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
    return posixpath.relpath(path, SITE)


def _is_code(name: str) -> bool:
    """Whether a file by its name on ``sys.path`` is a module, or a program of those beside it."""
    return name.endswith(".py") or name.startswith(_PROGRAMS)


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


def _any_of(found: Iterable[PruneRule]) -> re.Pattern[str]:
    """All rules in one expression, each in a group of its own."""
    return re.compile("|".join("(" + "|".join(globs.pattern(g).pattern for g in r.globs) + ")" for r in found), re.S)


@cache
def _any_rule() -> re.Pattern[str]:
    return _any_of(rules())


@cache
def _any_suspect() -> re.Pattern[str]:
    return _any_of(suspects())


@dataclass(frozen=True, kw_only=True)
class ByDefault:
    """What the default rules say of files, by their names below the folder on ``sys.path``."""

    doomed: Mapping[str, str]
    """Id of the rule that may drop it. What code imports or names is among them."""
    left: Mapping[str, str]
    """Why it stays, of what else a rule looked at."""
    suspected: Mapping[str, str]
    """Why it looks like dead weight, of what else does."""


def by_default(names: Collection[str], read: Callable[[str], bytes]) -> ByDefault:
    """What the default rules say of ``names``, which are all paths below one folder on ``sys.path``."""
    around = _Around.of(names)
    doomed: dict[str, str] = {}
    left: dict[str, str] = {}
    for name in names:
        rule = _first(_any_rule(), rules(), name)
        if rule is None or (".dist-info/" in name and not rule.globs[0].startswith("*.dist-info/")):
            continue  # What a dist-info folder holds is the package's own record and licences, whatever it is called.
        if why := around.against(rule, name):
            left[name] = why
        else:
            doomed[name] = rule.id
    for name in _not_of_tests([name for name, rule in doomed.items() if rule in _of_tests()], read):
        left[name] = f"{doomed.pop(name)}: {NO_TESTS}"
    return ByDefault(doomed=doomed, left=left, suspected=_suspected(names, {*doomed, *left}))


def _suspected(names: Iterable[str], judged: Collection[str]) -> dict[str, str]:
    others = (name for name in names if name not in judged and ".dist-info/" not in name)
    found = ((name, _first(_any_suspect(), suspects(), name)) for name in others)
    return {name: suspect.why for name, suspect in found if suspect}


def _first(pattern: re.Pattern[str], found: Sequence[PruneRule], name: str) -> PruneRule | None:
    match = pattern.fullmatch(name)
    return found[match.lastindex - 1] if match and match.lastindex else None


@cache
def _of_tests() -> frozenset[str]:
    return frozenset(rule.id for rule in rules() if rule.only == "test modules")


def _not_of_tests(names: Iterable[str], read: Callable[[str], bytes]) -> list[str]:
    """Those of ``names`` that lie in packages which are called tests and hold none: they may be what a package is for,
    as ``evidently.tests`` is.
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_topmost(name), []).append(name)
    return [name for group in groups.values() if not _holds_tests(group, read) for name in group]


def _holds_tests(group: Iterable[str], read: Callable[[str], bytes]) -> bool:
    """Whether a module of the group is one of tests. Where all are empty, nothing is lost with them."""
    held = [(name, data) for name in group if (data := read(name).strip())]
    return not held or any(_TEST.fullmatch(posixpath.basename(name)) and _TESTS.search(data) for name, data in held)


def _topmost(name: str) -> str:
    """The outermost folder of tests that a module lies in; itself where there is none."""
    parts = name.split("/")
    return "/".join(parts[: parts.index("tests") + 1]) if "tests" in parts else name


@dataclass(frozen=True, kw_only=True)
class _Around:
    """What stands around a file in the folder on ``sys.path``."""

    packages: frozenset[str]
    """Folders with an ``__init__.py``."""
    modules: frozenset[str]
    """Modules, compiled ones too, and packages, without a suffix."""
    compiled: frozenset[str]
    """First parts of the paths of shared libraries."""

    @classmethod
    def of(cls, names: Collection[str]) -> _Around:
        inits = frozenset(name.removesuffix("__init__.py").rstrip("/") for name in names if _INIT.search(name))
        stems = (name.partition(".")[0] for name in names if name.endswith((".py", ".so")))
        compiled = (name.partition("/")[0].partition(".")[0] for name in names if _LIBRARY.search(name))
        return cls(packages=inits, modules=frozenset(stems) | inits, compiled=frozenset(compiled))

    def against(self, rule: PruneRule, name: str) -> str:
        """Why a rule leaves a file that its globs match; empty where it does not."""
        if readers := [one for one in rule.readers if one in self.modules]:
            return f"{rule.id}: {readers[0]} {READ}"
        match rule.only:
            case "test modules":
                return "" if self.is_test_module(name) else f"{rule.id}: in no package"
            case "stubs":
                return "" if name.removesuffix(".pyi") in self.modules else f"{rule.id}: beside no module"
            case "of compiled code":
                top = name.partition("/")[0].partition(".")[0]
                return "" if top in self.compiled else f"{rule.id}: of a package without compiled code"
            case _:
                return ""

    def is_test_module(self, name: str) -> bool:
        """Whether it can be imported, and lies in a package of tests or is pytest's. A folder of templates or of data
        that is called so is no package.
        """
        folder, _, file = name.rpartition("/")
        if not file.removesuffix(".py").isidentifier():
            return False
        above, _, last = folder.rpartition("/")
        if last == "tests" and folder not in self.packages and _PYTEST.fullmatch(file):
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


def needed(
    files: Iterable[Source], doomed: Mapping[str, str], suspected: Collection[str] = ()
) -> dict[str, tuple[str, str]]:
    """Of the ``doomed`` files, rule by name, and of the ``suspected`` ones, which stay in any case, those that code
    which stays needs: each with how, in a word, and the name of that code. ``files`` are all of a layer.
    """
    by_name = {file.name: file for file in files}
    kept = [name for name in by_name if name not in doomed]
    guarded = [name for name, rule in doomed.items() if rule in _guarded()]
    links = _Links.of(by_name, {name for name in (*guarded, *suspected) if name in by_name}, kept)
    found = {name: ("read", by) for name, by in _read_lazily(by_name, doomed).items()}
    _follow(links, [*(name for name in kept if name not in links.asked), *found], found, frozenset())
    # What only looks like dead weight is code too, but says nothing of its like.
    rest = [name for name in suspected if name in by_name and name not in found and name not in doomed]
    _follow(links, rest, found, frozenset(rest))
    return found


@dataclass(frozen=True, kw_only=True)
class _Links:
    """How code leads to the files that are asked about."""

    files: Mapping[str, Source]
    asked: Collection[str]
    """Names of the files that it is about."""
    wanted: naming.Wanted
    by_module: Mapping[str, str]
    words: re.Pattern[bytes]
    """Of which an import of these modules must hold one."""

    @classmethod
    def of(cls, files: Mapping[str, Source], asked: Collection[str], kept: Iterable[str]) -> _Links:
        modules = [name for name in asked if name.endswith(".py")]
        alive = [name for name in kept if _is_code(name) and name not in asked]
        return cls(
            files=files,
            asked=asked,
            wanted=naming.Wanted(files={name: files[name].package for name in asked}),
            by_module={module_name(name): name for name in modules},
            words=_telling_words(modules, alive),
        )

    def hits(self, name: str, *, quick: bool) -> Iterator[tuple[str, str]]:
        """What one file names and imports, each with how. ``quick`` takes a word for it that it imports nothing, and
        is for all files but those that are spared. That a test names others in a text says nothing.
        """
        file = self.files[name]
        if file.is_python or name.endswith(naming.INCLUDING) or not quick:
            hits = naming.named(self.wanted, file)
            yield from ((NAMED, hit) for hit in hits if quick or not hit.endswith(".py"))
        if _is_code(name) and self.by_module:
            # What is spared may import its neighbours by relative names, which tell nothing.
            for module in _modules_imported(file, self.words if quick else None):
                yield from (("imported", hit) for hit in _with_parents(module, self.by_module))


def _follow(
    links: _Links, names: Iterable[str], found: dict[str, tuple[str, str]], passed_over: Collection[str]
) -> None:
    """Adds to ``found`` what the files of these names need, and what that needs in turn."""
    queue = deque(names)
    while queue:
        name = queue.popleft()
        by = found[name][1] if name in found else name
        for how, hit in links.hits(name, quick=name not in found):
            if hit not in found and hit not in passed_over:
                found[hit] = (how, by)
                queue.append(hit)


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
