"""The programs of a layer that are scripts: what starts them, and how those in Python find the layer's packages.

Lambda puts ``/opt/bin`` on PATH. Its layers are on ``sys.path`` in the function's own process alone, though: what that
process starts gets a PYTHONPATH without them.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace

from layerforge.core import shebang
from layerforge.core.paths import OPT, SITE
from layerforge.core.runtimes import Runtime, Target
from layerforge.core.text import visible
from layerforge.layer import tree as trees
from layerforge.layer.tree import Entry, File, Tree

BIN = "bin/"
_FUNCTION = "/var/task/"
"""The function's own code, of which a layer knows nothing."""

_PATH = ("/var/lang/bin", "/usr/local/bin", "/usr/bin", "/bin", "/opt/bin")
_SCRIPTS = frozenset({"console_scripts", "gui_scripts"})
_OBJECT = re.compile(r"\s*([\w.]+)\s*:\s*([\w.]+)\s*(?:\[.*\])?")
_MOST_NAMED = 5

_TEXT = (
    rb"[rRuU]?(?:\"{3}(?:(?!\"{3})[^\\]|\\.)*\"{3}|'{3}(?:(?!'{3})[^\\]|\\.)*'{3}"
    rb"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')"
)
_END = rb"[ \t\f\r;]*(?:\#[^\n]*)?(?:\n|\Z)"
_FUTURE = rb"from[ \t]+__future__[ \t]+import\b(?:[ \t]*\([^)]*\)|[^\n(;\\#]*)"
_HEAD = re.compile(rb"(?:%b)*(?:%b%b)?(?:%b)*(?:%b%b(?:%b)*)*" % (_END, _TEXT, _END, _END, _FUTURE, _END, _END), re.S)
"""What stands before the first statement of a source that does anything: comments, its docstring, and imports from
``__future__``, which nothing may come before.
"""
_UNCLEAR = re.compile(rb"\A[rRuUbBfF]{0,2}[\"']|^[ \t]*from[ \t]+__future__\b", re.M)
"""What tells that the first statement was not found: a text may go on in the next one, or an import follow it."""


def for_runtime(tree: Tree, target: Target) -> Tree:
    """The tree with its programs in Python as they would have been installed on Lambda, whatever installed them here.

    Those of entry points are written anew; of others the lines change that start them, and one more is added, by which
    they find the layer's packages. So no path of this machine is left in them.
    """
    points = dict(_entry_points(tree))
    entries = (_installed(entry, points.get((entry.package, entry.path)), target) for entry in tree.entries)
    return replace(tree, entries=tuple(entries))


def _installed(entry: Entry, point: tuple[str, str] | None, target: Target) -> Entry:
    if not isinstance(entry, File) or not is_script(entry):
        return entry
    started = shebang.start(entry.blob.read())
    if started is None or not (point or shebang.is_python(started.program)):
        return entry
    body = _call(*point, target) if point else _with_path(started.body, target)
    first = f"{target.program} {'' if point else started.options.rstrip()}".rstrip()
    return replace(entry, blob=trees.blob(b"#!%b\n%b" % (first.encode(), body)), executable=True)


def is_script(file: File) -> bool:
    """Whether a file is a program that something else starts."""
    return file.path.startswith(BIN) and trees.head(file.blob, len(shebang.MARK)) == shebang.MARK


def _entry_points(tree: Tree) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Module and function, by package and path, of each script that a package's entry points ask for."""
    for package in tree.packages:
        text = tree.read(f"{package.info}/entry_points.txt") or b""
        section = ""
        for line in map(str.strip, text.decode("utf-8", "replace").splitlines()):
            name, _, value = line.partition("=")
            if line.startswith("[") and line.endswith("]"):
                section = line[1:-1].strip()
            elif section in _SCRIPTS and (found := _OBJECT.fullmatch(value)) and _is_name(f"{found[1]}.{found[2]}"):
                yield (package.name, BIN + name.rstrip()), (found[1], found[2])


def called(tree: Tree) -> Mapping[str, str]:
    """The module that each program of an entry point calls, by its path."""
    points = dict(_entry_points(tree))
    both = ((file.path, points.get((file.package, file.path))) for file in tree.files if is_script(file))
    return {path: point[0] for path, point in both if point}


def _is_name(dotted: str) -> bool:
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in dotted.split("."))


def _call(module: str, function: str, target: Target) -> bytes:
    """The script of an entry point."""
    name = function.partition(".")[0]
    call = f'from {module} import {name}\nif __name__ == "__main__":\n    sys.exit({function}())\n'
    return _path_line(target) + call.encode()


def _path_line(target: Target) -> bytes:
    """Has a process look for modules where Lambda's own does."""
    folders = f'"{OPT}{SITE}/lib/python{target.python}/site-packages", "{OPT}{SITE}"'
    return f"import sys; sys.path[:0] = [path for path in ({folders}) if path not in sys.path]\n".encode()


def _with_path(body: bytes, target: Target) -> bytes:
    """A script with that line before its first statement; as it is where that is not plain to see."""
    head = _HEAD.match(body)
    at = head.end() if head else 0
    line = _path_line(target)
    if line in body or b"\0" in body or _UNCLEAR.search(body[at:]) or (at and not body[:at].endswith(b"\n")):
        return body
    return body[:at] + line + body[at:]


def lacks(program: str, runtime: Runtime, paths: Container[str]) -> bool:
    """Whether neither Lambda nor the layer with these ``paths`` has what starts a script."""
    places = [program] if "/" in program else [f"{folder}/{program}" for folder in _PATH]
    here = (place.removeprefix(OPT) for place in places if place.startswith(OPT))
    there = any(place in runtime.programs or place.startswith(_FUNCTION) for place in places)
    return not there and not any(path in paths for path in here)


def unstartable(tree: Tree, runtime: Runtime) -> Mapping[str, str]:
    """What starts them, by path, of those scripts in ``bin/`` for which Lambda has nothing that does."""
    scripts = ((entry.path, shebang.start(entry.blob.read())) for entry in tree.files if is_script(entry))
    return {path: one.program for path, one in scripts if one and lacks(one.program, runtime, tree.paths)}


def told(gone: Mapping[str, str]) -> Iterator[str]:
    """A line for people about programs that are left out."""
    if gone:
        names = [visible(f"{path} ({program})") for path, program in sorted(gone.items())]
        more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
        yield f"left out, since Lambda lacks what starts them: {', '.join(names[:_MOST_NAMED])}{more}"
