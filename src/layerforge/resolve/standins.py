"""Packages that have no wheel, resolved without building them: that would run their code on this machine.

What such a release requires stands in its source distribution, in the PKG-INFO that was written when it was made. Out
of it a wheel is made that holds metadata and nothing else, and uv resolves with that beside its index. Where the
PKG-INFO is wrong, the wheel that the container builds tells, and installing it says what the lock lacks.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

from layerforge.core import digest, guarded
from layerforge.core.errors import LayerforgeError
from layerforge.core.metadata import fields_of
from layerforge.core.runtimes import Target
from layerforge.resolve import sources, unpack_source, uv
from layerforge.resolve.errors import LockError
from layerforge.resolve.sources import Search
from layerforge.resolve.uv import Asked, Release

_KEPT = ("Requires-Python", "Requires-Dist", "Provides-Extra")
_MOST = 4 * 2**20
"""Bytes of a PKG-INFO that are read."""

_SECTION = re.compile(r"\[(?P<extra>[^:\]]*)(?::(?P<marker>[^\]]*))?\]")


def compile_lock(
    asked: Asked, where: Target | str, compiled: Iterable[str], search: Search, requires: Sequence[str] = ()
) -> str:
    """Resolves as ``uvtool.compile_lock`` does, with source distributions for the packages ``compiled``.

    ``requires`` are the requirements that say which versions of these are wanted. The lock has the hash of such a
    package's source distribution. Raises ``LayerforgeError``.
    """
    releases = [found for name in compiled if (found := _without_wheel(own(name, requires), asked, where))]
    with _wheels(releases, search) as (options, hashes):
        text = uv.compile_lock(replace(asked, indexes=(*asked.indexes, *options)), where)
    for wheel, source in hashes.items():
        text = text.replace(f"sha256:{wheel}", f"sha256:{source}")
    return text


def _without_wheel(requirement: str, asked: Asked, where: Target | str) -> Release | None:
    """The newest source distribution of what is required, where it is newer than all its wheels."""
    try:
        found = uv.newest_sdist(requirement, where, asked)
    except LayerforgeError:
        return None  # without any, the resolution says what is wrong
    wheel = next(iter(uv.newest(asked.instead(requirement), where, wheels=True).values()), "")
    return found if found and (not wheel or Version(wheel) < Version(found.version)) else None


def own(name: str, requires: Iterable[str]) -> str:
    """What requirements say of a package's versions; its name alone where they do not, or name an address."""
    for line in requires:
        try:
            requirement = guarded.requirement(line)
        except guarded.Unreadable:
            continue
        if canonicalize_name(requirement.name) == canonicalize_name(name) and not requirement.url:
            requirement.marker, requirement.extras = None, set()
            return str(requirement)
    return name


@contextmanager
def _wheels(releases: Iterable[Release], search: Search) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Options with which uv finds a wheel of metadata for each release, and the hash of each beside the release's."""
    with tempfile.TemporaryDirectory(prefix="layerforge-") as name:
        folder, hashes = Path(name), {}
        for release in releases:
            wheel = _wheel(release, _metadata(release, search), folder)
            hashes[digest.of_file(wheel)] = release.source.sha256
        yield ((f"--find-links {folder}",) if hashes else ()), hashes


def _wheel(release: Release, metadata: str, folder: Path) -> Path:
    stem = f"{release.name.replace('-', '_')}-{release.version}"
    path = folder / f"{stem}-py3-none-any.whl"
    tags = "Wheel-Version: 1.0\nGenerator: layerforge\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", metadata)
        archive.writestr(f"{stem}.dist-info/WHEEL", tags)
        archive.writestr(f"{stem}.dist-info/RECORD", "")
    return path


def _metadata(release: Release, search: Search) -> str:
    """METADATA of a release, of what its source distribution says of itself."""
    data = sources.fetch(release.source, search)
    with tempfile.TemporaryDirectory(prefix="layerforge-") as name:
        folder = unpack_source.unpack(data, release.name, Path(name))
        fields = fields_of(_read(folder / "PKG-INFO", release))
        rows = [(key, str(value)) for key in _KEPT for value in fields.get_all(key, ())]
        if not any(key == "Requires-Dist" for key, _ in rows):
            rows += [("Requires-Dist", text) for text in _egg_requires(folder)]
    lines = [f"{key}: {' '.join(value.split())}" for key, value in rows]
    head = ["Metadata-Version: 2.1", f"Name: {release.name}", f"Version: {release.version}"]
    return "\n".join([*head, *lines, "", ""])


def _read(file: Path, release: Release) -> str:
    try:
        return guarded.data(file, _MOST, follow=False).decode("utf-8", "replace")
    except guarded.Unreadable as error:
        raise LockError(
            f"the source distribution of {release.name} {release.version} does not say what it requires",
            hint="it would have to be built to find out: build a wheel of it, and name the wheel",
            details=(f"PKG-INFO: {error}",),
        ) from error


def _egg_requires(folder: Path) -> Iterator[str]:
    """Requirements as setuptools wrote them before PKG-INFO had them; nothing where there are none."""
    for file in sorted([*folder.glob("*.egg-info/requires.txt"), *folder.glob("*/*.egg-info/requires.txt")])[:1]:
        try:
            lines = guarded.data(file, _MOST, follow=False).decode("utf-8", "replace").splitlines()
        except guarded.Unreadable:
            return
        condition = ""
        for line in filter(None, map(str.strip, lines)):
            if section := _SECTION.fullmatch(line):
                condition = _condition(section["extra"], section["marker"] or "")
            else:
                yield f"{line} ; {condition}" if condition else line


def _condition(extra: str, marker: str) -> str:
    parts = [f"({marker})"] if marker else []
    return " and ".join([*parts, *([f'extra == "{extra}"'] if extra else [])])
