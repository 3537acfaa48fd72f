"""Files that several packages of a layer bring to the same place."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence

from layerforge.core import guarded
from layerforge.core.paths import SITE
from layerforge.core.text import counted
from layerforge.layer.tree import Entry, File
from layerforge.resolve.errors import LockError

Brought = Mapping[str, Mapping[str, Entry]]
"""Each package's own files by their path in the layer, by the package's name."""

_DOCUMENT = re.compile(
    r"(?:.*/)?(?:(?:LICEN[CS]E|COPYING|NOTICE|AUTHORS|README|CHANGE(?:S|LOG)|HISTORY|NEWS|CONTRIBUTING|SECURITY)[^/]*"
    r"|[^/]+\.(?:md|rst|pyi)|py\.typed)",
    re.I,
)

_NO_CODE = re.compile(r"bin/.*|python/(?:tests?|docs?|examples?|benchmarks?|licen[cs]es?|share)/.*", re.I)
"""Scripts that installing makes, and folders that some wheels bring beside their package, by mistake."""

_CODE = re.compile(r".*\.(?:pyc?|so)", re.I)
_LONGEST = 10_000
"""Bytes of a module that may only say that it is a namespace: what is longer does more."""


def contested(claims: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    """Names of the packages, sorted, by each path that several claim with other bytes. ``claims`` are paths with their
    digests, by the package's name.
    """
    found: dict[str, dict[str, str]] = {}
    for name in sorted(claims):
        for path, digest in claims[name].items():
            found.setdefault(path, {})[name] = digest
    return {path: tuple(digests) for path, digests in found.items() if len(set(digests.values())) > 1}


def settled(places: Mapping[str, Sequence[str]], brought: Brought) -> dict[str, str]:
    """Which package's file stays, by path: of documents and of a namespace's modules the last one's, in the order of
    names, so that a layer never depends on which was installed first. Raises ``LockError`` for what code needs.
    """
    wrong: dict[str, Sequence[str]] = {}
    winners: dict[str, str] = {}
    for path, names in places.items():
        entries = [brought[name][path] for name in names]
        if _is_document(path):
            winners[path] = names[-1]
        elif path.endswith("/__init__.py") and all(map(_is_namespace, entries)):
            winners[path] = max(names, key=lambda name: (brought[name][path].size > 0, name))
        else:
            wrong[path] = names
    if wrong:
        raise _refused(wrong)
    return winners


def _is_document(path: str) -> bool:
    return bool(_NO_CODE.fullmatch(path) or (_DOCUMENT.fullmatch(path) and not _CODE.fullmatch(path)))


def _is_namespace(entry: Entry) -> bool:
    """Whether a module does nothing but say that its package is spread over several folders, or nothing at all."""
    if not isinstance(entry, File):
        return False
    try:
        body = guarded.python(entry.blob.read()).body if entry.size <= _LONGEST else None
    except guarded.Unreadable:
        return False
    return body is not None and all(map(_says_namespace, body))


def _says_namespace(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return True
        case ast.ImportFrom(module="__future__" | "pkgutil"):
            return True
        case ast.Import(names=names):
            return all(one.name in {"pkgutil", "pkg_resources"} for one in names)
        case ast.Assign(targets=[ast.Name(id="__path__")]):
            return "extend_path" in ast.unparse(statement.value)
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="declare_namespace"))):
            return True
        case ast.Try():
            handlers = (one for handler in statement.handlers for one in handler.body)
            return all(map(_says_namespace, [*statement.body, *handlers, *statement.orelse, *statement.finalbody]))
    return False


def _refused(wrong: Mapping[str, Sequence[str]]) -> LockError:
    names = sorted({name for names in wrong.values() for name in names})
    what = "files" if len(wrong) > 1 else "file"
    return LockError(
        f"{_listed(names)} bring other contents of the same {what}, so one would overwrite the other's code",
        hint=f"a layer can hold one of them: require only {_either(names)}",
        details=tuple(f"{path} ({_listed(wrong[path])})" for path in sorted(wrong)[:20]),
    )


def told(winners: Mapping[str, str], places: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """A line for each group of packages with documents in the same places."""
    groups: dict[tuple[Sequence[str], str], list[str]] = {}
    for path in sorted(winners):
        if _is_document(path):
            groups.setdefault((tuple(places[path]), winners[path]), []).append(path)
    said = ((_listed(names), _some(paths), last) for (names, last), paths in groups.items())
    return tuple(f"{names} bring other contents of {paths}: {last}'s stays" for names, paths, last in said)


def _some(paths: Sequence[str]) -> str:
    first = posixpath.relpath(paths[0], SITE)
    return first if len(paths) == 1 else f"{first} and {counted(len(paths) - 1, 'other file')}"


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
