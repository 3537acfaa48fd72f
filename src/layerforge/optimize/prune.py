"""Prune: what no Lambda function needs goes, by the rules of ``data/prune.toml`` and the recipe's own."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from layerforge import globs
from layerforge.model import SITE, Edit, Entry, File, Left, Setting, Tree
from layerforge.tree import drop

RECIPE = "the recipe's own rules"
SCRIPT = "scripts that start the build machine's interpreter"

_IMPORTS = re.compile(rb"^[ \t]*(?:from|import)\b[^\n(\\]*(?:\\\r?\n[^\n(\\]*)*(?:\([^)]*\))?", re.MULTILINE)
"""Import statements, those included that go on over several lines."""

ATTACHES = b"attach_stub"
"""What a module calls that loads its names lazily, by lazy_loader, as the stub beside it lists them."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A default rule: why it is safe, and what it matches."""

    id: str
    why: str
    globs: tuple[str, ...]
    unless_imported: bool = False
    """Whether a module of the layer that imports what the rule matches saves it."""


@cache
def rules() -> tuple[Rule, ...]:
    """The default rules, first match first."""
    data = tomllib.loads(resources.files("layerforge").joinpath("data/prune.toml").read_text("utf-8"))
    return tuple(Rule(**{**row, "globs": tuple(row["globs"])}) for row in data["rule"])


def prune(tree: Tree, setting: Setting) -> Iterator[Edit | Left]:
    """Drops what a rule matches, but nothing that the recipe keeps, nor what a module of the layer needs of it."""
    doomed = {entry.path: reason for entry in tree.entries if (reason := _reason(entry, setting))}
    imported, read = _imported(tree, doomed), _read_lazily(tree, doomed)
    for entry in tree.entries:
        if entry.path in imported:
            yield Left(path=entry.path, reason=f"imported by {imported[entry.path]}")
        elif entry.path in read:
            yield Left(path=entry.path, reason=f"read by {read[entry.path]}")
        elif entry.path in doomed:
            yield drop(entry, doomed[entry.path])


def _reason(entry: Entry, setting: Setting) -> str:
    """Name of the rule that wants ``entry`` gone; empty where none does."""
    wishes = setting.recipe.prune
    below, _, name = entry.path.partition("/")
    if below == "bin":
        return SCRIPT if _is_script(entry) else ""
    if below != SITE or globs.matches(name, wishes.keep):
        return ""
    if globs.matches(name, wishes.remove):
        return RECIPE
    return by_default(name)


@cache
def _any_rule() -> re.Pattern[str]:
    """All rules in one expression, each in a group of its own."""
    return re.compile("|".join("(" + "|".join(globs.pattern(g).pattern for g in r.globs) + ")" for r in rules()), re.S)


def by_default(name: str) -> str:
    """Id of the default rule that matches ``name``, a path below the folder on ``sys.path``; empty where none does."""
    # What a dist-info folder holds is the package's own record and licences, whatever the files are called.
    match = _any_rule().fullmatch(name)
    if match is None or match.lastindex is None:
        return ""
    rule = rules()[match.lastindex - 1]
    return "" if ".dist-info/" in name and not rule.globs[0].startswith("*.dist-info/") else rule.id


def _is_script(entry: Entry) -> bool:
    return isinstance(entry, File) and entry.blob.read()[:2] == b"#!"


def _imported(tree: Tree, doomed: Mapping[str, str]) -> dict[str, str]:
    """Doomed files that a kept module imports, each with the module's path; what those import in turn included."""
    saved = {rule.id for rule in rules() if rule.unless_imported}
    modules = (path for path, reason in doomed.items() if reason in saved and path.endswith((".py", ".so")))
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
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in nodes:
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                base = _absolute(node, package)
                yield from (f"{base}.{alias.name}".strip(".") for alias in node.names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    kept = parts[: len(parts) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)
