"""Which files the rules of ``data/prune.toml`` may drop, and which look like dead weight that no rule may take."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from layerforge.core import globs, resources
from layerforge.layer import programs

_PROGRAMS = f"../{programs.BIN}"
"""Where programs lie as seen from the folder on ``sys.path``."""

RECIPE = "the rules of its recipe"
_INIT = re.compile(r"(?:^|/)__init__\.py$")
_NO_PACKAGES = (["share"], ["etc"], ["include"], ["lib"], ["bin"])
"""Folders beside the packages that hold data."""

_LIBRARY = re.compile(r"\.so(?:\.|$)")
_PYTEST = re.compile(r"(?:test_\w*|\w*_test|conftest)\.py")
_TEST = re.compile(r"(?:test\w*|\w*tests?|conftest)\.py")

_TESTS = re.compile(rb"\bpytest|\bunittest\b|\bTestCase\b|\bdef[ \t]+test")
"""What a module of tests says somewhere."""

NAMED = "named"
NO_TESTS = "no module there is one of tests"
READ = "reads them"


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


def matches_a_rule(name: str) -> bool:
    """Whether a rule speaks of a file of that name below the folder on ``sys.path``."""
    return _any_rule().fullmatch(name) is not None


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
def guarded_rules() -> frozenset[str]:
    """Ids of the rules that spare what code names."""
    return frozenset(rule.id for rule in rules() if rule.only)


def is_code(name: str) -> bool:
    """Whether a file by its name on ``sys.path`` is a module, or a program of those beside it."""
    return name.endswith(".py") or name.startswith(_PROGRAMS)
