"""What a wheel is made of, as one archive that has the same bytes wherever it is packed."""

from __future__ import annotations

import io
import os
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from layerforge.core import digest, guarded, tars
from layerforge.core.text import megabytes
from layerforge.resolve import git, lock, sources
from layerforge.resolve.errors import LockError
from layerforge.resolve.recipe import Source
from layerforge.resolve.sources import Search
from layerforge.resolve.wheel_source import Form, WheelSource

MOST = 512 * 2**20
"""Bytes that the files of a source may have. What comes into a layer has half of that at most."""

_GENERATED = frozenset(
    {"__pycache__", "node_modules", "venv", "env", "build", "dist", "site-packages", "cdk.out", "htmlcov"}
)
"""Folders that tools make anew. So are those with a dot."""

_LAYERS = re.compile(r".*-py3\d+-(?:x86_64|arm64)\.(?:zip|lock|[\w.-]*(?:json|txt|html|svg))")
"""What a build delivers."""

_COMMITS = "commit-archive"
"""Kind of the store's values that are the files of a commit, which never change."""


@dataclass(frozen=True, kw_only=True)
class SourceArchive:
    """A source as one archive."""

    data: bytes = b""
    """A tar; what a source distribution is as it came."""
    what: str
    """What it was made of, for people, without any path of this machine where others wrote it."""
    commit: str = ""

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return digest.sha256(self.data)


def archive(source: WheelSource, search: Search) -> SourceArchive:
    """A source as an archive: a folder's files, a commit, or the source distribution itself.

    Raises ``LockError`` where it cannot be had, is not what its hash says, or is too much.
    """
    match source.form:
        case Form.FOLDER:
            return SourceArchive(data=_of_folder(Path(source.place)), what=source.place)
        case Form.REPOSITORY:
            return _of_repository(source, search)
        case Form.ARCHIVE:
            return SourceArchive(data=_bytes_of(source, search), what=lock.redacted(source.place))


def _of_repository(source: WheelSource, search: Search) -> SourceArchive:
    commit = git.commit_of(source)
    key = digest.of_json([source.place, commit])
    packed = search.store.get(_COMMITS, key) if commit else None
    if packed is None:
        commit, data = git.fetched(source, commit)
        packed = _repacked(data, source)
        search.store.put(_COMMITS, digest.of_json([source.place, commit]), packed)
    ref = f"@{source.ref}" if source.ref and source.ref != commit else ""
    return SourceArchive(data=packed, what=f"{lock.redacted(source.place)}{ref}, commit {commit[:12]}", commit=commit)


def _bytes_of(source: WheelSource, search: Search) -> bytes:
    if source.place.startswith("/"):
        try:
            data = guarded.data(Path(source.place), MOST)
        except guarded.Unreadable as error:
            raise LockError(f"{source.place} cannot be read: {error}", hint="name a source distribution") from error
    else:
        known = next(iter(source.hashes), "")
        kept = search.store.get("source", known) if known else None
        data = kept or sources.download(Source(url=source.place, sha256=known or "not asked for"))
    if source.hashes and digest.sha256(data) not in source.hashes:
        raise LockError(
            f"{source.title} does not have the hash that is asked for",
            hint="find out why it changed before you change the hash",
            details=(*(f"asked for {one}" for one in source.hashes), f"got       {digest.sha256(data)}"),
        )
    if source.hashes:
        search.store.put("source", digest.sha256(data), data)
    return data


def _of_folder(folder: Path) -> bytes:
    """The files of a project: those that git tracks or would, else all of them; but not what tools make."""
    known = git.files(folder)
    found = sorted([*known.tracked, *filter(_is_source, known.new)]) if known else sorted(_walked(folder))
    own = _Own(folder=folder, root=known.root if known else folder.resolve())
    buffer, total = io.BytesIO(), 0
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in found:
            path = folder / name
            try:
                facts = path.lstat()
            except FileNotFoundError:
                continue  # git knows it still
            total += facts.st_size if stat.S_ISREG(facts.st_mode) else 0
            if total > MOST:
                raise _too_much(str(folder))
            _add(tar, own, name, facts)
    return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class _Own:
    """A folder of the person's."""

    folder: Path
    root: Path
    """What its links may lead into: the repository that it is in, else itself."""


def _add(tar: tarfile.TarFile, own: _Own, name: str, facts: os.stat_result) -> None:
    """Adds a file or a link of a folder. A repository inside of it, and what is no file, is passed over.

    Raises ``LockError`` for a link that would bring in a file from anywhere on this machine.
    """
    path, info = own.folder / name, tarfile.TarInfo(f"source/{name}")
    if stat.S_ISLNK(facts.st_mode):
        target = path.resolve()
        if not target.is_relative_to(own.folder.resolve()):
            if target.is_file():
                _refuse_outside(path, target, own.root)
                _add_bytes(tar, info, target)
            return
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
        tar.addfile(info)
    elif stat.S_ISREG(facts.st_mode):
        info.mode = 0o755 if facts.st_mode & 0o100 else 0o644
        _add_bytes(tar, info, path)


def _refuse_outside(path: Path, target: Path, root: Path) -> None:
    if not target.is_relative_to(root):
        raise LockError(
            f"{path} is a link to {target}, which would come into the layer",
            hint="put a copy of the file in its place, or leave the link out",
        )


def _add_bytes(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
    try:
        data = guarded.data(path, MOST)
    except guarded.Unreadable as error:
        raise LockError(
            f"{path} cannot be read: {error}", hint="a wheel is made of all files of its project"
        ) from error
    info.size = len(data)
    info.mode = info.mode or 0o644
    tar.addfile(info, io.BytesIO(data))


def _walked(folder: Path) -> Iterator[str]:
    for above, folders, names in os.walk(folder):
        here = Path(above)
        folders[:] = sorted(one for one in folders if _is_source(f"{one}/x") and not _is_venv(here / one))
        paths = ((here / name).relative_to(folder).as_posix() for name in names)
        yield from filter(_is_source, paths)


def _is_venv(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").exists()


def _is_source(path: str) -> bool:
    """Whether a file that nobody has told git of may belong to a project: no tool makes it, this one included."""
    *folders, name = path.split("/")
    made = any(one in _GENERATED or one.startswith(".") or one.endswith(".egg-info") for one in folders)
    return not (made or name.startswith(".") or name.endswith(".pyc") or _LAYERS.fullmatch(name))


def _repacked(data: bytes, source: WheelSource) -> bytes:
    """Git's own tar of a commit without dates and owners, so that every git makes the same of it."""
    buffer, total = io.BytesIO(), 0
    try:
        with (
            tarfile.open(fileobj=io.BytesIO(data), tarinfo=tars.Bounded) as whole,
            tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for member in sorted(whole.getmembers(), key=lambda one: one.name):
                if not (member.isreg() or member.issym()) or ".." in PurePosixPath(member.name).parts:
                    continue
                total += member.size
                if total > MOST:
                    raise _too_much(lock.redacted(source.place))
                info = tarfile.TarInfo(f"source/{member.name}")
                info.type, info.linkname, info.size = member.type, member.linkname, member.size
                info.mode = 0o755 if member.mode & 0o100 else 0o644
                tar.addfile(info, whole.extractfile(member) if member.isreg() else None)
    except (tarfile.TarError, tars.TooMuch, OSError, ValueError) as error:
        raise LockError(f"what git packed of {source.title} is no archive", details=(str(error),)) from error
    return buffer.getvalue()


def _too_much(what: str) -> LockError:
    return LockError(
        f"{what} has files of more than {megabytes(MOST)}, of which a wheel would be made",
        hint="a .gitignore leaves out what does not belong to the project; data goes beside the layer",
    )
