"""Source archives: found in a folder or the store, else downloaded; their hash is always checked.

A folder of archives may hold a ``sources.toml``, which says what stands in for an archive that cannot be had::

    [[source]]
    instead_of = "…"            # the hash that the recipe names
    file = "openblas.tar.gz"    # in the same folder
    sha256 = "…"
    version = "0.3.29"          # what it really is
    reason = "…"
"""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from layerforge.core import digest, guarded
from layerforge.core.errors import StepError, UsageError
from layerforge.core.progress import Progress
from layerforge.core.store.protocol import Store
from layerforge.core.text import megabytes
from layerforge.resolve import lock
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Data, Library, Source

SUBSTITUTES = "sources.toml"
_KEYS = {"instead_of", "file", "sha256", "version", "reason"}
_CHUNK = 1 << 20
_REFUSALS = frozenset({401, 403})


@dataclass(frozen=True, kw_only=True)
class Search:
    """Where archives are looked for, and where they are kept."""

    store: Store
    folders: Sequence[Path]
    """Folders with archives that need no download."""
    progress: Progress
    wheels: Path | None = None
    """Folder for the wheels that are shared with others; ``None`` where none are."""


def substituted(spec: LayerSpec, folders: Sequence[Path], progress: Progress) -> LayerSpec:
    """The recipe with the sources that ``sources.toml`` of a folder puts in the place of its own; says each.

    What is compiled, and with it plan, manifest and SBOM, then names what it is really made of. Raises ``UsageError``
    for a file that cannot be understood.
    """
    instead = {row["instead_of"]: (row, folder) for folder in reversed(folders) for row in _substitutes(folder)}
    libraries: list[Library] = []
    for library in spec.libraries:
        if library.source.sha256 in instead:
            row, folder = instead[library.source.sha256]
            progress.say(f"{library.name}: {row['file']} instead of {library.version} ({row['reason']})")
            library = replace(library, source=_stand_in(row, folder), version=row["version"])
        libraries.append(library)
    data: list[Data] = []
    for one in spec.data:
        if one.source.sha256 in instead:
            row, folder = instead[one.source.sha256]
            progress.say(f"{one.package}: {row['file']} instead of {one.name} ({row['reason']})")
            # In the layer the file keeps its name, by which it is looked for.
            one = replace(one, source=_stand_in(row, folder))
        data.append(one)
    return replace(spec, libraries=tuple(libraries), data=tuple(data))


def _stand_in(row: Mapping[str, str], folder: Path) -> Source:
    return Source(url=(folder / row["file"]).resolve().as_uri(), sha256=row["sha256"])


def _substitutes(folder: Path) -> Sequence[Mapping[str, str]]:
    file = folder / SUBSTITUTES
    if not file.exists():
        return ()
    try:
        found = guarded.toml(guarded.text(file))
    except guarded.Unreadable as error:
        raise UsageError(f"{file} is not TOML", hint="mend the line that is named", details=(str(error),)) from error
    try:
        rows = guarded.as_(found, _Stand).source
        fits = all(set(row) == _KEYS for row in rows)
    except guarded.Unreadable:
        fits, rows = False, ()
    if not fits:
        raise UsageError(
            f"{file} cannot be understood",
            hint=f"each [[source]] has the texts {', '.join(sorted(_KEYS))} and no other",
        )
    return rows


@dataclass(frozen=True, kw_only=True)
class _Stand:
    """A ``sources.toml``."""

    source: tuple[dict[str, str], ...] = ()


def fetch(source: Source, search: Search) -> bytes:
    """The bytes of an archive with the hash that ``source`` names.

    A file of the search's folders with that hash is taken instead of a download, whatever it is called. Raises
    ``LockError`` where a download has another hash or cannot be had.
    """
    local = _local(source, search.folders)
    if local is not None:
        return local
    kept = search.store.get("source", source.sha256)
    if kept is not None:
        return kept
    name = PurePosixPath(source.url).name
    with search.progress.step("download") as step:
        data = download(source)
        step.note(f"{name}, {megabytes(len(data))}")
    if digest.sha256(data) != source.sha256:
        raise LockError(
            f"{name} does not have the hash that is asked for",
            hint="find out why it changed before you change the hash",
            details=(f"asked for {source.sha256}", f"got       {digest.sha256(data)}"),
        )
    search.store.put("source", source.sha256, data)
    return data


def keep(source: Source, search: Search) -> None:
    """Has the store hold an archive, where every machine finds it; a user's folder is on one of them alone.

    Raises what ``fetch`` raises.
    """
    data = fetch(source, search)
    # What lies on this machine alone need not be what others find.
    if search.store.shared or not search.store.holds("source", source.sha256):
        search.store.put("source", source.sha256, data)


def _local(source: Source, folders: Sequence[Path]) -> bytes | None:
    for file in (file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir())):
        # What cannot be read may be anything; the folder need not hold archives alone.
        with suppress(OSError):
            if file.is_file() and digest.of_file(file) == source.sha256:
                return file.read_bytes()
    return None


def wants_credentials(error: BaseException) -> bool:
    """Whether a download failed because whoever has the file asks who it is for."""
    cause = error.__cause__
    return isinstance(cause, urllib.error.HTTPError) and cause.code in _REFUSALS


def download(source: Source) -> bytes:
    """The bytes at an address, whatever hash they have. Raises ``LockError`` where they cannot be had."""
    if lock.holds_credentials(source.url):
        raise LockError(
            f"{lock.redacted(source.url)} holds credentials, which are not sent for archives",
            hint="take them out, or put a file with that hash into a folder and name it with --sources",
            details=(f"sha256 {source.sha256}",),
        )
    try:
        with urllib.request.urlopen(source.url, timeout=60) as answer:  # noqa: S310 - the hash decides, not the scheme
            return b"".join(iter(lambda: answer.read(_CHUNK), b""))
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise _unavailable(source, error) from error


def _unavailable(source: Source, error: Exception) -> LockError:
    hint = "check the network"
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        hint = "it asks for credentials, and here uv's are not known" if error.code in _REFUSALS else hint
    return LockError(
        f"{source.url} cannot be downloaded",
        hint=f"{hint}, or put a file with that hash into a folder and name it with --sources",
        details=(str(error), f"sha256 {source.sha256}"),
    )


def build_requires(folder: Path) -> tuple[str, ...]:
    """What an unpacked source distribution declares to be compiled with (PEP 518); setuptools where it says nothing.

    Raises ``StepError`` where it cannot be understood.
    """
    declared = _build_system(folder).get("requires", ["setuptools"])
    try:
        return tuple(str(guarded.requirement(text)) for text in guarded.as_(declared, list[str]))
    except guarded.Unreadable as error:
        raise _unreadable(folder, error) from error


class _Backend(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    build_backend: str = "setuptools.build_meta:__legacy__"
    backend_path: tuple[str, ...] = ()


def build_backend(folder: Path) -> tuple[str, tuple[str, ...]]:
    """The build backend of an unpacked source distribution and where it lies itself (PEP 517)."""
    try:
        table = guarded.as_(_build_system(folder), _Backend)
    except guarded.Unreadable as error:
        raise _unreadable(folder, error) from error
    return table.build_backend, table.backend_path


def _build_system(folder: Path) -> Mapping[str, Any]:
    file = folder / "pyproject.toml"
    try:
        found = guarded.toml(guarded.text(file)).get("build-system", {}) if file.is_file() else {}
    except guarded.Unreadable as error:
        raise _unreadable(folder, error) from error
    return found if isinstance(found, dict) else {}


def _unreadable(folder: Path, error: Exception) -> StepError:
    return StepError(
        f"the pyproject.toml of {folder.name} cannot be understood",
        hint="lock another version of the package",
        details=tuple(str(error).splitlines()),
    )
