"""From a plan to the tree of a layer, as its wheels bring it."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from layerforge.build.plan import SYSTEM, Built, LibraryStep, PackageStep, Plan, SystemStep, WheelStep
from layerforge.core.errors import StepError
from layerforge.core.paths import SITE
from layerforge.core.progress import Step
from layerforge.core.text import counted, megabytes
from layerforge.layer import collisions, programs
from layerforge.layer.distributions import distributions, rows
from layerforge.layer.tree import Blob, Entry, File, Link, Package, Tree
from layerforge.resolve import excluding, lock, uv_install, wheels
from layerforge.resolve.errors import LockError
from layerforge.resolve.sources import Search

_DOWNLOAD = re.compile(r"^\s*(Downloading|Downloaded) (\S+)(?: \(([\d.]+)\s*([KMG]?i?B)\))?")
_YANKED = re.compile(r"warning: `([^`]+)` is yanked")
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_LEFT_BEHIND = ".lock"
"""What uv itself leaves at the top of the folder that it installs into; further down such a file is a package's own."""

_LARGE = 1_000_000
"""Bytes from which on a file is not read whole for its digest."""

_SHARE = 50
"""Files that a thread reads at a time: most are small, and to hand one over takes as long as to read it."""

_UNSIGNED = (".dist-info/RECORD", ".dist-info/RECORD.jws", ".dist-info/RECORD.p7s")
"""The only files that a RECORD lists without a digest."""


def assemble(plan: Plan, built: Built, workspace: Path, search: Search) -> Tree:
    """Installs the plan's wheels below ``workspace`` and reads them, and what its libraries ship, as a tree.

    The folder must outlive the tree, and so must those of ``built``.
    """
    folder = workspace / "wheels"
    folder.mkdir()
    progress = search.progress
    with progress.step("install") as step:
        pins = [one.pin for one in plan.steps if isinstance(one, WheelStep)]
        pins += [lock.local_pin(name, wheel) for name, wheel in built.wheels.items()]
        shelf = wheels.shelved(pins, plan.target, search, plan.indexes, step)
        downloads = Downloads(step)
        install = partial(
            uv_install.install,
            target=plan.target,
            on_line=downloads.read,
            indexes=plan.indexes,
            shelf=shelf,
        )
        install(
            lock.render(pins),
            into=folder,
            with_dependencies=not plan.spec.exact,
            excludes=sorted(excluding.names(plan.spec, plan.target.runtime)),
        )
        wheels.keep(shelf, search)

        def alone(name: str) -> Path:
            own = workspace / "alone" / name
            install(lock.render([pin for pin in pins if pin.name == name]), into=own, with_dependencies=False)
            return own

        installed = programs.for_runtime(read(folder, alone, progress.say), plan.target)
        tree = with_shipped(installed, plan, built)
        for line in programs.told(programs.unstartable(tree, plan.target.runtime)):
            progress.say(line)
        yanked = f"; withdrawn by their authors: {', '.join(downloads.yanked)}" if downloads.yanked else ""
        step.note(f"{counted(len(tree.packages), 'package')}, {megabytes(tree.size)}{yanked}")
    return tree


def with_shipped(tree: Tree, plan: Plan, built: Built) -> Tree:
    """The tree with what the compiled libraries ship, and with its compiled packages marked as such."""
    entries = dict(tree.by_path)
    packages = [replace(one, origin="compiled") if one.name in built.wheels else one for one in tree.packages]
    for step in plan.steps:
        match step:
            case LibraryStep():
                name, folder, globs = step.library.name, built.shipped[step.library.name], step.library.ship
                packages.append(Package(name=name, version=step.library.version, info="", origin="compiled"))
            case SystemStep():
                name, folder, globs = SYSTEM, built.shipped[SYSTEM], ("lib/*",)
            case WheelStep() | PackageStep():
                continue
        entries |= {entry.path: entry for entry in _shipped(folder, globs, name)}
    ordered = tuple(sorted(packages, key=lambda package: package.name))
    return Tree(entries=tuple(entries[path] for path in sorted(entries)), packages=ordered)


def _shipped(folder: Path, globs: Iterable[str], package: str) -> Iterator[Entry]:
    """Files and links below a library's prefix that its recipe ships; they keep their place."""
    paths = {path for glob in globs for path in folder.glob(glob) if path.is_symlink() or path.is_file()}
    root = folder.resolve()
    for path in sorted(paths):
        name = path.relative_to(folder).as_posix()
        # The parent, since a link itself is shipped as one. Where it leads to is held against the layer's root.
        if ".." in path.parts or not path.parent.resolve().is_relative_to(root) or _leads_out(path, root):
            raise StepError(
                f"{package} ships {name}, which lies outside of what it installed",
                hint="`ship` names files below $PREFIX, and links stay below it",
            )
        if path.is_symlink():
            yield Link(path=name, target=str(path.readlink()), package=package)
        else:
            yield on_disk(name, path, package)


def _leads_out(path: Path, root: Path) -> bool:
    """Whether a link is absolute or climbs out of its folder."""
    if not path.is_symlink():
        return False
    target = str(path.readlink())
    reached = os.path.normpath(path.parent.resolve() / target)
    return target.startswith("/") or not Path(reached).is_relative_to(root)


def on_disk(name: str, path: Path, package: str = "") -> File:
    """The file at ``path`` as one of a layer, called ``name`` there."""
    with path.open("rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        # Of a large one no more than a part is held at a time: fresh memory costs more than the digest.
        large = found.st_size > _LARGE
        sha256 = hashlib.file_digest(file, "sha256") if large else hashlib.sha256(file.readall())
    blob = Blob(sha256=sha256.hexdigest(), size=found.st_size, source=path)
    return File(path=name, blob=blob, executable=bool(found.st_mode & stat.S_IXUSR), package=package)


class Downloads:
    """Follows what uv says of its downloads."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._sizes: dict[str, int] = {}
        self.yanked: list[str] = []
        """Releases that their authors have withdrawn, ``name==version``."""

    def read(self, line: str) -> None:
        """Takes one line of uv's standard error."""
        match _DOWNLOAD.match(line):
            case re.Match() as found if found[1] == "Downloading" and found[3]:
                self._sizes[found[2]] = int(float(found[3]) * _UNITS.get(found[4], 1))
                self._step.expect(self._sizes[found[2]])
            case re.Match() as found:
                self._step.advance(self._sizes.pop(found[2], 0))
            case None if yanked := _YANKED.match(line):
                self.yanked.append(yanked[1])
            case None:
                pass


def read(folder: Path, alone: Callable[[str], Path], say: Callable[[str], None]) -> Tree:
    """The tree of an installed folder. Raises ``LockError`` where a file leaves it, belies its wheel's RECORD, or is
    code that another package brings with other contents.

    ``alone`` installs a package, by its name, into a folder of its own: where others have files in the same places, it
    is held against its RECORD there.
    """
    merged = _entries(folder)
    installed = Tree(entries=tuple(merged.values()))
    packages = tuple(sorted(_packages(installed), key=lambda package: package.name))
    claims = {one.name: dict(_claims(installed.read(f"{one.info}/RECORD") or b"")) for one in packages}
    places = collisions.contested(claims)
    brought = {name: _entries(alone(name)) for name in sorted({name for names in places.values() for name in names})}
    for one in packages:
        _refuse_lies(one, claims[one.name], brought.get(one.name, merged))
    winners = collisions.settled(places, brought)
    for line in collisions.told(winners, places):
        say(line)
    owners = {path: name for name, paths in claims.items() for path in paths} | winners
    merged |= {path: brought[name][path] for path, name in winners.items()}
    owned = (_owned(entry, owners.get(path, "")) for path, entry in merged.items())
    return Tree(entries=tuple(sorted(owned, key=lambda entry: entry.path)), packages=packages)


def _entries(folder: Path) -> dict[str, Entry]:
    left_behind = folder / _LEFT_BEHIND
    paths = [path for path in walk(folder) if path != left_behind]
    shares = [paths[at : at + _SHARE] for at in range(0, len(paths), _SHARE)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        read = pool.map(lambda share: [_entry(folder, path) for path in share], shares)
        return {entry.path: entry for entries in read for entry in entries}


def walk(folder: Path) -> Iterator[Path]:
    """Files and links below ``folder``; a link to a folder is one of them."""
    for base, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(base) / name).is_symlink()]
        yield from (Path(base) / name for name in (*files, *links))


def layer_path(installed: str) -> str:
    """Where a file of the installed folder stands in a layer: programs in ``bin/``, all else in ``python/``."""
    return installed if installed.startswith("bin/") else f"{SITE}/{installed}"


def _entry(folder: Path, path: Path) -> Entry:
    relative = str(path)[len(str(folder)) + 1 :]
    if path.is_symlink():
        return _link(relative, str(path.readlink()))
    return on_disk(layer_path(relative), path)


def _link(relative: str, target: str) -> Link:
    reached = posixpath.normpath(posixpath.join(posixpath.dirname(relative), target))
    if target.startswith("/") or reached.startswith("../"):
        raise LockError(
            f"a wheel brings the symbolic link {relative}, which leads out of the layer to {target}",
            hint="do not use that wheel: no sound package does this",
        )
    return Link(path=layer_path(relative), target=target)


def _packages(installed: Tree) -> Iterator[Package]:
    for one in distributions(installed):
        if posixpath.dirname(one.info) == SITE and installed.read(f"{one.info}/METADATA") is not None:
            yield Package(name=one.name, version=one.version, info=one.info, licence=one.licence)


def _refuse_lies(package: Package, rows: Mapping[str, str], entries: Mapping[str, Entry]) -> None:
    """Holds a RECORD against the files that its own wheel brought."""
    lies = [lie for path, digest in rows.items() for lie in _lies(path, digest, entries)]
    if lies:
        raise LockError(
            f"the wheel of {package.name} {package.version} does not hold what its RECORD says",
            hint="the wheel is damaged or was changed after it was made; take another version",
            details=tuple(lies[:20]),
        )


def _claims(record: bytes) -> Iterator[tuple[str, str]]:
    """Path in the layer and hexadecimal SHA-256 (or nothing) of each line of an installed RECORD."""
    return ((layer_path(posixpath.normpath(row.path)), row.sha256) for row in rows(record))


def _lies(path: str, digest: str, entries: Mapping[str, Entry]) -> Iterator[str]:
    """What is untrue of one line. uv adds the files that a wheel holds but does not list, without a digest."""
    entry = entries.get(path)
    if entry is None:
        yield f"{path} is listed but not there"
    elif not digest and not path.endswith(_UNSIGNED):
        yield f"{path} is there but not listed"
    elif isinstance(entry, File) and digest and digest != entry.blob.sha256:
        yield f"{path} has other contents"


def _owned(entry: Entry, package: str) -> Entry:
    match entry:
        case File():
            return File(path=entry.path, blob=entry.blob, executable=entry.executable, package=package)
        case Link():
            return Link(path=entry.path, target=entry.target, package=package)
