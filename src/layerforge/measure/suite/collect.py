"""Trees to test: a layer, or what the index's wheels give, with the tests of the source distribution at their places.

Nothing that a tree holds is ever replaced. Tests lie in the package itself (``numpy/linalg/tests``), or else beside it
(``tests`` at the top of the sources).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from layerforge.core.errors import UsageError
from layerforge.layer.imports import imported, module_name

BESIDE = "tests"
"""Folder below ``/opt`` for tests that lie outside of the package."""

_FOLDERS = frozenset({"tests", "test"})
_OUTER = ("tests", "test", "Tests", "testing")
_SOURCES = ("", "src", "lib", "python")
_TEST = re.compile(r"(?:test_.*|.*_test|conftest)\.py")
_NAMED = re.compile(r"(?:^|_)c?y?tests?(?:_|$)")
"""Names of modules that are there for tests: ``_umath_tests``, ``_test_ccallback``, ``_ctest``."""


@dataclass(frozen=True, kw_only=True)
class Tests:
    """The tests of a package and what they alone need."""

    files: Mapping[str, Path]
    """By their place below the folder of ``/opt`` that they belong to."""
    beside: bool
    """Whether that folder is ``tests`` rather than the one that packages lie in."""
    roots: tuple[str, ...]
    """What to collect, below that folder."""


def is_test(path: str) -> bool:
    """Whether a file of a package is there for its tests."""
    parts = PurePosixPath(path).parts
    return bool(_TEST.fullmatch(parts[-1])) or not _FOLDERS.isdisjoint(parts[:-1])


def _tested(path: str) -> str:
    """The folder that the tests in a file are about. One that no wheel has, of vendored C code, is not installed."""
    parts = PurePosixPath(path).parts[:-1]
    first = next((count for count, part in enumerate(parts) if part in _FOLDERS), len(parts))
    return "/".join(parts[:first])


def tops(paths: Iterable[str]) -> tuple[str, ...]:
    """Top-level packages and modules among the files of a distribution, below its site folder."""
    code = (PurePosixPath(path).parts for path in paths if path.endswith((".py", ".so")))
    names = {parts[0] for parts in code if ".libs" not in parts[0] and parts[0] not in {"..", *_OUTER}}
    return tuple(sorted(names))


def tests_of(sources: Path, wheel: Path, recorded: Iterable[str], name: str) -> Tests:
    """The tests of a distribution, from its unpacked ``sources`` and from its installed ``wheel``.

    ``recorded`` are its files below the site folder ``wheel``. Raises ``UsageError`` where there are no tests.
    """
    own = tops(recorded)
    files = {path: wheel / path for path in recorded if is_test(path) and (wheel / path).is_file()}
    for top in own:
        for place in (sources / folder / top for folder in _SOURCES):
            here = ((f"{top}/{path}", file) for path, file in _below(place) if is_test(f"{top}/{path}"))
            files |= {path: file for path, file in here if (wheel / _tested(path)).is_dir()}
    if any(_TEST.fullmatch(PurePosixPath(path).name) for path in files):
        return Tests(files=files, beside=False, roots=tuple(top for top in own if (wheel / top).is_dir()))
    outer = [sources / folder for folder in _OUTER if (sources / folder).is_dir()]
    if not outer:
        raise UsageError(
            f"neither the sources nor the wheel of {name} hold tests", hint="its check.py has to be the proof then"
        )
    found = {f"{place.name}/{path}": file for place in outer for path, file in _below(place)}
    found |= {file.name: file for file in (sources / "conftest.py",) if file.is_file()}
    return Tests(files=found, beside=True, roots=tuple(place.name for place in outer))


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if file.is_file() and not file.is_symlink():
            yield file.relative_to(folder).as_posix(), file


def add(files: Mapping[str, Path], folder: Path) -> int:
    """Copies files to their places below ``folder`` unless something is there. Returns how many."""
    added = 0
    for path, file in files.items():
        place = folder / path
        if not place.exists() and not _compiled(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
            place.chmod(0o644)
            added += 1
    return added


def _compiled(place: Path) -> bool:
    """Whether a module is there as bytecode alone, which a source beside it would hide; tests have to be sources."""
    return place.suffix == ".py" and place.with_suffix(".pyc").exists() and not _TEST.fullmatch(place.name)


def helpers(tests: Tests, wheel: Path, recorded: Iterable[str], layer: Path) -> dict[str, Path]:
    """Modules of the wheel that the layer lacks and that no module of the layer imports, but its tests do.

    ``layer`` is the layer's site folder. Modules with a public name are not among them: a layer without them is another
    package, and its tests should say so.
    """
    code = {path: module for path in recorded if (module := module_name(path))}
    lacking = {code[path]: path for path in code if not is_test(path) and not _held(layer / path)}
    if not lacking:
        return {}
    leaves = frozenset(name.rpartition(".")[2] for name in lacking)

    def used(paths: Iterable[str], read: Callable[[str], Path]) -> set[str]:
        return {name for path in paths if path.endswith(".py") for name in _names(read(path), path, leaves)}

    real = used((path for path in code if not is_test(path) and _held(layer / path)), lambda path: wheel / path)
    free = {name for name in lacking if _private(name) and name not in real}
    found = {name for name in lacking if _NAMED.search(name.rpartition(".")[2])}
    found |= free & used(tests.files, lambda path: tests.files[path])
    while more := (free & used([lacking[name] for name in found], lambda path: wheel / path)) - found:
        found |= more
    found |= {parent for name in found for parent in _parents(name)} & lacking.keys()
    return {lacking[name]: wheel / lacking[name] for name in sorted(found)}


def _held(place: Path) -> bool:
    if place.suffix == ".so":
        return any(place.parent.glob(f"{place.name.partition('.')[0]}.*so"))
    return place.exists() or place.with_suffix(".pyc").exists()


def _private(module: str) -> bool:
    return any(part.startswith("_") for part in module.split("."))


def _parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    yield from (".".join(parts[:count]) for count in range(1, len(parts)))


def _names(file: Path, path: str, leaves: frozenset[str]) -> Iterable[str]:
    """Dotted names that the source at ``path`` imports or spells out, where any word of it is among ``leaves``."""
    source = file.read_bytes()
    words = re.findall(r"\w+", source.decode("utf-8", "replace"))
    return () if leaves.isdisjoint(words) else imported(source, path, texts=True)
