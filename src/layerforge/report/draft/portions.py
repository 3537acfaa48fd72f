"""Parts of a package that are large, or that look as if no function needed them."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from layerforge.core.paths import below_site
from layerforge.layer.tree import File

MOST = 6
"""Files, folders, variables and the like that are told of each."""

SMALLEST = 1000
"""Bytes from which on it is worth a line that something could go."""

_SPARE = re.compile(
    r"tests?|testing|_tests?|test_?data|docs?|examples?|demos?|tutorials?|benchmarks?|include|headers?|src|cmake|pkgconfig"
    r"|datasets|sample_?data|notebooks|man|locale",
    re.IGNORECASE,
)
"""Folders that no function may need."""

_SPARE_ENDINGS = (
    ".h",
    ".hpp",
    ".hh",
    ".c",
    ".cc",
    ".cpp",
    ".pyx",
    ".pxd",
    ".pyi",
    ".a",
    ".cmake",
    ".pc",
    ".ipynb",
    ".md",
    ".rst",
)


@dataclass(frozen=True, kw_only=True)
class Portion:
    """A part of a package, by the glob of its files, and their bytes."""

    glob: str
    files: int
    bytes: int


def inside(files: Iterable[File]) -> Iterator[tuple[str, File]]:
    """Files with their paths below the folder on ``sys.path``, without those that tell of the package."""
    for file in files:
        path = below_site(file.path)
        if path and ".dist-info/" not in path and path.isprintable() and not re.search(r"[*?\[\]{}]", path):
            yield path, file


def largest(own: Iterable[File]) -> Iterator[Portion]:
    """The largest folders, each told apart from those inside it that are told too, and files."""
    files = dict(inside(own))
    total = sum(file.size for file in files.values())
    sizes: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for path, file in files.items():
        parts = path.split("/")
        places = [f"{'/'.join(parts[:depth])}/**" for depth in range(2, min(len(parts), 5))]
        for place in (*places, path):
            sizes[place] += file.size
            numbers[place] += 1
    for place, size in sizes.most_common(MOST):
        if size * 50 >= total and (numbers[place] > 1 or not place.endswith("/**")):
            yield Portion(glob=place, files=numbers[place], bytes=size)


def spare(own: Iterable[File]) -> Iterator[Portion]:
    """What looks like tests, data, documents or headers: the outermost folder that does, else files of one ending."""
    sizes: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for path, file in inside(own):
        if glob := _spare_glob(path):
            sizes[glob] += file.size
            numbers[glob] += 1
    for glob, size in sizes.most_common(2 * MOST):
        if size >= SMALLEST:
            yield Portion(glob=glob, files=numbers[glob], bytes=size)


def _spare_glob(path: str) -> str:
    parts = path.split("/")
    depth = next((at for at, part in enumerate(parts[:-1], 1) if at > 1 and _SPARE.fullmatch(part)), 0)
    if depth:
        return f"{'/'.join(parts[:depth])}/**"
    ending = posixpath.splitext(path)[1]
    return f"{parts[0]}/**/*{ending}" if len(parts) > 1 and ending in _SPARE_ENDINGS else ""
