"""Prune: what no Lambda function needs goes, by the rules of ``data/prune.toml`` and the recipe's own."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from layerforge.core import globs, resources
from layerforge.core.guarded import MOST_PYTHON, Unreadable
from layerforge.core.guarded import python as parsed
from layerforge.core.paths import SITE
from layerforge.layer.passes import naming
from layerforge.layer.passes.setting import Left, Setting
from layerforge.layer.tree import Edit, Entry, File, Tree, drop

RECIPE = "the recipe's own rules"
SCRIPT = "scripts that start the build machine's interpreter"
_IMPORTS = re.compile(rb"^[ \t]*(?:from|import)\b[^\n(\\]*(?:\\\r?\n[^\n(\\]*)*(?:\([^)]*\))?", re.MULTILINE)
"""Import statements, those included that go on over several lines."""

_INIT = re.compile(r"(?:^|/)__init__\.py$")
_TEST = re.compile(r"(?:test_\w*|\w*_test|conftest)\.py")
_NO_PACKAGES = (["share"], ["etc"], ["include"], ["lib"], ["bin"])
"""Folders beside the packages that hold data."""

ATTACHES = b"attach_stub"
"""What a module calls that loads its names lazily, by lazy_loader, as the stub beside it lists them."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A default rule: why it is safe, and what it matches."""

    id: str
    why: str
    globs: tuple[str, ...]
    only: str = ""
    """Which of the files that it matches it drops; all of them where it is empty."""


@cache
def rules() -> tuple[Rule, ...]:
    """The default rules, first match first."""
    return tuple(Rule(**{**row, "globs": tuple(row["globs"])}) for row in resources.table("prune.toml")["rule"])


def guarded() -> frozenset[str]:
    """Ids of the rules that spare what code names."""
    return frozenset(rule.id for rule in rules() if rule.only)


def prune(tree: Tree, setting: Setting) -> Iterator[Edit | Left]:
    """Drops what a rule matches, but nothing that the recipe keeps, nor what a module of the layer needs of it."""
    doomed = _doomed(tree, setting)
    spared = {path: f"named by {by}" for path, by in _named(tree, doomed).items()}
    spared |= {path: f"read by {by}" for path, by in _read_lazily(tree, doomed).items()}
    # What is spared may import more.
    left = {path: reason for path, reason in doomed.items() if path not in spared}
    spared |= {path: f"imported by {by}" for path, by in _imported(tree, left).items()}
    for entry in tree.entries:
        if entry.path in spared:
            yield Left(path=entry.path, reason=spared[entry.path])
        elif entry.path in doomed:
            yield drop(entry, doomed[entry.path])


def _doomed(tree: Tree, setting: Setting) -> dict[str, str]:
    """Name of the rule that wants an entry gone, by path."""
    wishes = setting.recipe.prune
    root = f"{SITE}/"
    default = by_default(
        [path.removeprefix(root) for path in (one.path for one in tree.entries) if path.startswith(root)]
    )
    doomed: dict[str, str] = {}
    for entry in tree.entries:
        below, _, name = entry.path.partition("/")
        if below == "bin" and _is_script(entry):
            doomed[entry.path] = SCRIPT
        elif below != SITE or globs.matches(name, wishes.keep):
            continue
        elif globs.matches(name, wishes.remove):
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


def _is_script(entry: Entry) -> bool:
    return isinstance(entry, File) and entry.blob.read()[:2] == b"#!"


def _imported(tree: Tree, doomed: Mapping[str, str]) -> dict[str, str]:
    """Doomed files that a kept module imports, each with the module's path; what those import in turn included."""
    modules = (path for path, reason in doomed.items() if reason in guarded() and path.endswith(".py"))
    by_module = {_module(path): path for path in modules}
    files = {file.path: file for file in tree.files}
    queue = [path for path in files if path.endswith(".py") and path not in doomed]
    words = _telling_words(by_module.values(), queue)
    spared: dict[str, str] = {}
    while queue and by_module:
        path = queue.pop()
        # What is spared may import its neighbours by relative names, which tell nothing.
        for module in _modules_imported(files[path], None if path in doomed else words):
            for wanted in _with_parents(module, by_module):
                if wanted not in spared:
                    spared[wanted] = spared.get(path, path)
                    queue.append(wanted)
    return spared


def _named(tree: Tree, doomed: Mapping[str, str]) -> dict[str, str]:
    """Doomed files that the code which stays names, each with the path that names it."""
    files = [file for file in tree.files if file.path.startswith(f"{SITE}/")]
    owners = {_name(file): file.package for file in files if doomed.get(file.path) in guarded()}
    sources = (
        naming.Source(name=_name(file), package=file.package, read=file.blob.read)
        for file in files
        if file.path not in doomed and file.path.endswith(naming.ENDINGS)
    )
    return {f"{SITE}/{name}": f"{SITE}/{by}" for name, by in naming.named(owners, sources).items()}


def _name(file: File) -> str:
    return file.path.removeprefix(f"{SITE}/")


def _read_lazily(tree: Tree, doomed: Mapping[str, str]) -> dict[str, str]:
    """Doomed stubs, but for those that the recipe removes, that the module beside them reads, with its path."""
    stubs = {path.removesuffix("i") for path, rule in doomed.items() if path.endswith(".pyi") and rule != RECIPE}
    beside = (file for file in tree.files if file.path in stubs and file.path not in doomed)
    return {f"{file.path}i": file.path for file in beside if ATTACHES in file.blob.read()}


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


def _module(path: str) -> str:
    """``python/a/b/__init__.py`` is ``a.b``; ``python/a/c.cpython-313-x86_64-linux-gnu.so`` is ``a.c``."""
    folder, _, name = path.removeprefix(f"{SITE}/").rpartition("/")
    stem = name.partition(".")[0]
    dotted = folder.replace("/", ".")
    return dotted if stem == "__init__" else f"{dotted}.{stem}".lstrip(".")


def _modules_imported(file: File, words: re.Pattern[bytes] | None) -> Iterator[str]:
    """Absolute names that ``file`` imports, wherever in it the statement stands; none where no word is in one."""
    source = file.blob.read()
    if words and not (words.search(source) and words.search(b"\n".join(_IMPORTS.findall(source)))):
        return
    package = _module(file.path) if file.path.endswith("/__init__.py") else _module(file.path).rpartition(".")[0]
    for node in _nodes(source):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                base = _absolute(node, package)
                yield from (f"{base}.{alias.name}".strip(".") for alias in node.names)


def _nodes(source: bytes) -> Iterator[ast.AST]:
    """Everything in a source, nothing of one that makes no sense; of a very long one, what is in its imports."""
    long = len(source) > MOST_PYTHON
    for part in (match[0].strip() for match in _IMPORTS.finditer(source)) if long else (source,):
        with suppress(Unreadable):
            yield from ast.walk(parsed(part))


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    kept = parts[: len(parts) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)
