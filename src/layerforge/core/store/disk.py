"""The store: what is expensive to make, kept on disk by the digest of all that made it.

A value lies in one file, after the SHA-256 of its kind, its key and itself. It is written under a temporary name and
renamed into place, so a reader sees a whole value or none, whoever else writes and whenever a process is killed. What
does not match, or is no plain file, is deleted and reads as absent. Only this user may write there.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import platformdirs

from layerforge.core import digest, faults, guarded
from layerforge.core.errors import LayerforgeError, StepError
from layerforge.core.faults import writing
from layerforge.core.filing import ALIVE, clear_dead, clear_partial, own_folder, remove, write_atomically
from layerforge.core.progress import Progress
from layerforge.core.store import bundles
from layerforge.core.store.ownership import make_private, refuse_shared
from layerforge.core.store.protocol import BY_CONTENT, Made, Store

FOLDER = "store-v2"
"""Everything lies in this folder below the root, which may be a folder that the user has other things in."""

TAG = "CACHEDIR.TAG"

_SIGNATURE = (
    "Signature: 8a477f597d28d172789f06886806bc55\n# A store of layerforge. `layerforge cache clear` empties it.\n"
)

_DIGEST = 32
WORK = "work"
WORKSPACE = "tmp"
MOST = 2 * 2**30
"""Bytes that a value may have. The largest, what a step has compiled, are some hundred million."""

_LOOKS, _LOOK_SECONDS = 20, 0.1
"""How long it is waited for that whoever removes a workspace comes to its end."""


MADE = "made"
"""Kind of what says how a value came to be, for whoever shares it later."""


def default_root() -> Path:
    """``$LAYERFORGE_CACHE``, else the platform's own folder for caches."""
    return Path(os.environ.get("LAYERFORGE_CACHE") or platformdirs.user_cache_dir("layerforge"))


def pythons() -> Path:
    """Where interpreters lie that layerforge had uv get."""
    return default_root() / "pythons"


@dataclass(frozen=True, kw_only=True)
class DiskStore:
    """A store below ``root``, and what a team shares ``behind`` it: what one lacks the other is asked for."""

    root: Path
    progress: Progress
    behind: Store | None = None
    alone: bool = False
    """Whether what is behind it is no team's, so that nothing is done for others' sake."""
    private: set[Path] = field(default_factory=set, repr=False, compare=False)
    """Folders that this process has made sure of, so that it need not for each of the thousand values of a layer."""

    @property
    def shared(self) -> bool:
        """Whether others read from it too."""
        return self.behind is not None and not self.alone

    def get(self, kind: str, key: str) -> bytes | None:
        """The value, or ``None`` where there is none or it was damaged. What comes from behind is kept here."""
        value = self.near(kind, key)
        if value is None and self.behind and (value := self.behind.get(kind, key)) is not None and not _passes(kind):
            self.keep(kind, key, value)
        return value

    def near(self, kind: str, key: str) -> bytes | None:
        """The value, if it lies here."""
        self.refuse_shared()
        path = self._path(kind, key)
        try:
            found = guarded.data(path, MOST, follow=False)
        except guarded.Unreadable as error:
            if isinstance(error.__cause__, FileNotFoundError | PermissionError):
                return None
            if lacking := faults.scarce(error.__cause__):
                raise lacking from error
            self._damaged(path, f"the stored {kind} {key[:12]} is no value ({error})")
            return None
        with suppress(OSError):
            os.utime(path, follow_symlinks=False)  # it was used
        value = found[_DIGEST:]
        if found[:_DIGEST] != _header(kind, key, value) or (kind in BY_CONTENT and digest.sha256(value) != key):
            self._damaged(path, f"the stored {kind} {key[:12]} was damaged")
            return None
        return value

    def holds(self, kind: str, key: str) -> bool:
        """Whether there is a value, without reading it: it may turn out to be damaged."""
        return self.lies_near(kind, key) or (self.behind is not None and self.behind.holds(kind, key))

    def lies_near(self, kind: str, key: str) -> bool:
        """Whether there is a value here."""
        return self._path(kind, key).is_file()

    def has_any(self, kind: str) -> bool:
        """Whether values of a kind were ever kept here."""
        return (self.folder / "values" / kind).is_dir()

    def _damaged(self, path: Path, why: str) -> None:
        self.progress.warn(f"{why}; it is made again")
        _removed(path)

    def put(self, kind: str, key: str, value: bytes, made: Made | None = None) -> None:
        """Keeps a value, here and behind. Raises ``StepError`` where the disk is full or cannot be written."""
        # What nobody else will have may be shared later.
        if not (_passes(kind) and self.behind and self.behind.shared):
            self.keep(kind, key, value)
        if made is not None:
            self.keep(MADE, _made_key(kind, key), json.dumps(asdict(made)).encode())
        if self.behind:
            self.behind.put(kind, key, value, made)

    def made(self, kind: str, key: str) -> Made | None:
        """How a value came to be, where that is known here."""
        value = self.near(MADE, _made_key(kind, key))
        try:
            return guarded.json_as(value, Made) if value is not None else None
        except guarded.Unreadable:
            return None

    def keep(self, kind: str, key: str, value: bytes) -> None:
        """Keeps a value here. Raises ``StepError`` where the disk is full or the folder cannot be written."""
        path = self._path(kind, key)
        head = _header(kind, key, value)
        with writing(self.root):
            try:
                self._write(path, head, value)
            except (FileNotFoundError, NotADirectoryError):  # somebody clears the store
                self.private.clear()
                self._write(path, head, value)

    def _write(self, path: Path, head: bytes, value: bytes) -> None:
        self.refuse_shared()
        work = self.folder / WORK
        for folder in {path.parent, work} - self.private:
            self._make(folder)
            self.private.add(folder)
        try:
            write_atomically(path, value, 0o600, by=work, head=head)
        except IsADirectoryError:
            _removed(path)
            write_atomically(path, value, 0o600, by=work, head=head)

    def _make(self, folder: Path) -> None:
        """Makes a folder of the store, and what it lies in, for this user alone."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        below = folder.relative_to(self.folder).parts
        for count in range(len(below) + 1):
            make_private(self.folder.joinpath(*below[:count]))
        self.refuse_shared()

    def refuse_shared(self) -> None:
        """Raises ``StoreError`` where somebody else could have put values here."""
        refuse_shared(self.root, ours=False)
        refuse_shared(self.folder, ours=True)

    @property
    def folder(self) -> Path:
        """Where the values lie, and whatever else is kept between builds."""
        return self.root / FOLDER

    def _path(self, kind: str, key: str) -> Path:
        return self.folder / "values" / kind / key[:2] / key

    def place(self, name: str) -> Path:
        """A folder for files that people look at: ``logs``, ``refused``."""
        with writing(self.root):
            self._make(self.folder / name)
        return self.folder / name

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A private folder beside the values, gone afterwards. Those of dead processes are cleared first.

        Raises ``StepError`` where somebody removes it meanwhile, whatever went wrong for that reason.
        """
        place = self.place(WORK)
        with writing(self.root):
            self._tag()
            clear_dead(place, WORKSPACE)
            clear_partial(place)
            folder, alive = own_folder(place, WORKSPACE)
        try:
            yield folder
        except Exception as error:
            if _is_gone(folder, error):
                raise _gone(folder, error) from error
            raise
        finally:
            remove(folder)
            os.close(alive)

    def _tag(self) -> None:
        """Marks the folder as ours, and as one that no backup needs."""
        if not (self.folder / TAG).exists():
            write_atomically(self.folder / TAG, _SIGNATURE.encode(), 0o600)

    def entries(self) -> Iterator[tuple[str, str, int]]:
        """Kind, key and bytes of each value that lies here."""
        for path in sorted(self.folder.glob("values/*/*/*")):
            with suppress(OSError):
                yield path.parent.parent.name, path.name, path.lstat().st_size - _DIGEST


def _is_gone(folder: Path, error: Exception) -> bool:
    """Whether somebody has removed a workspace, or is about to: a missing file may be the first that they took."""
    for _ in range(_LOOKS if _misses(folder, error) else 0):
        if not os.path.lexists(folder / ALIVE):
            return True
        time.sleep(_LOOK_SECONDS)
    return not os.path.lexists(folder / ALIVE)


def _misses(folder: Path, error: BaseException | None) -> bool:
    """Whether an error, what it came of, or what a program said of it, is about a missing file below ``folder``."""
    if error is None:
        return False
    below = f"{folder}{os.sep}"
    if isinstance(error, FileNotFoundError) and str(error.filename).startswith(below):
        return True
    lines = error.details if isinstance(error, LayerforgeError) else ()
    return any(below in line and "No such file" in line for line in lines) or _misses(folder, error.__cause__)


def _gone(folder: Path, error: Exception) -> StepError:
    """The error for a workspace that was removed, with the first line of what came of it."""
    return StepError(
        f"{folder}, where the work was going on, was removed meanwhile",
        hint="run the same again, and leave that folder out of whatever cleans up",
        details=tuple(str(error).splitlines()[:1]),
    )


def _passes(kind: str) -> bool:
    """Whether values of a kind are kept on this machine in another form: one by one, or as files that uv knows."""
    return kind == "wheel" or bundles.is_taken_apart(kind)


def _made_key(kind: str, key: str) -> str:
    return digest.of_json([kind, key])


def _header(kind: str, key: str, value: bytes) -> bytes:
    """The digest of a value together with where it belongs: under another key it is nothing."""
    bound = hashlib.sha256(f"{kind}\0{key}\0".encode())
    bound.update(value)
    return bound.digest()


def _removed(path: Path) -> None:
    """Takes away whatever stands at a value's place, if that can be done."""
    with suppress(OSError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
