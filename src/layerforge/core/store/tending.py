"""What is done to stores as a whole: two are made alike, one is looked through, or cleared of what is old."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from layerforge.core import digest, guarded
from layerforge.core.progress import Progress
from layerforge.core.store import far, records
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.far import Entry, FarStore, blob_name
from layerforge.core.store.objects import ForeignObjectError, Listed
from layerforge.core.store.records import NewerError, Record, UnusableError
from layerforge.core.store.upkeep import Kept
from layerforge.core.text import counted, megabytes

THREADS = 8
"""How many values are on their way at once."""

_BLOBS = "cas/sha256/"
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Value:
    """A value that is somewhere."""

    kind: str
    key: str
    size: int
    """Bytes."""


@dataclass(frozen=True, kw_only=True)
class Damage:
    """Something in a store that is not what it has to be."""

    name: str
    """Of the value or object."""
    why: str
    far: bool = True
    """Whether it lies in the store that a team shares."""


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What came from one store into another."""

    count: int = 0
    size: int = 0
    """Bytes."""
    there: int = 0
    """How many values were there already."""


def in_threads(work: Callable[[T], R], over: Iterable[T]) -> Iterator[R]:
    """The result of ``work`` for each of ``over``, in their order, ``THREADS`` at a time. What fails ends the rest."""
    pool = ThreadPoolExecutor(max_workers=THREADS)
    try:
        yield from pool.map(work, over)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def of_near(near: DiskStore) -> list[Value]:
    """What lies near and may go far."""
    return [Value(kind=kind, key=key, size=size) for kind, key, size in near.entries() if far.goes(kind)]


def of_far(store: FarStore) -> list[Value]:
    """What a far store has by a record of a trusted key."""
    believed = {key.id for key in store.believed}
    keys = {(one.kind, one.key) for one in far.entries(store.objects) if one.signer in believed}
    found = in_threads(lambda one: store.record(*one), sorted(keys))
    return [Value(kind=one.kind, key=one.key, size=one.size) for one in found if one]


def push(near: DiskStore, store: FarStore, chosen: Callable[[str], bool], progress: Progress) -> Moved:
    """Puts what lies near into a far store that lacks it. Raises ``ConflictError`` where that has something else."""
    believed = {key.id for key in store.believed}
    there = {(one.kind, one.key) for one in far.entries(store.objects) if one.signer in believed}
    wanted = [one for one in of_near(near) if chosen(one.kind)]

    def send(value: Value) -> bool:
        data = near.near(value.kind, value.key)
        if data is not None:
            store.put(value.kind, value.key, data, near.made(value.kind, value.key))
        return data is not None

    # What has to be the same for all is held against what is there: putting it does that.
    for _ in in_threads(send, [one for one in wanted if one.kind in far.SAME and (one.kind, one.key) in there]):
        pass
    return _moved("push", send, wanted, there, progress)


def pull(near: DiskStore, store: FarStore, chosen: Callable[[str], bool], progress: Progress) -> Moved:
    """Keeps near what a far store has by a record of a trusted key."""
    wanted = [one for one in of_far(store) if chosen(one.kind)]
    there = {(one.kind, one.key) for one in wanted if near.lies_near(one.kind, one.key)}

    def fetch(value: Value) -> bool:
        data = store.get(value.kind, value.key)
        if data is not None:
            near.keep(value.kind, value.key, data)
        return data is not None

    return _moved("pull", fetch, wanted, there, progress)


def _moved(
    title: str,
    move: Callable[[Value], bool],
    wanted: list[Value],
    there: set[tuple[str, str]],
    progress: Progress,
) -> Moved:
    lacking = [one for one in wanted if (one.kind, one.key) not in there]
    with progress.step(title) as step:
        step.expect(sum(one.size for one in lacking))
        size = count = 0
        for one, done in zip(lacking, in_threads(move, lacking), strict=True):
            step.advance(one.size)
            size, count = size + one.size * done, count + done
        step.note(f"{counted(count, 'value')}, {megabytes(size)}")
    return Moved(count=count, size=size, there=len(wanted) - len(lacking))


def damaged_near(near: DiskStore) -> list[Damage]:
    """Values that lie near and are damaged. Reading one takes it away, so that it is made again."""
    found = [(kind, key) for kind, key, _ in near.entries()]
    lost = in_threads(lambda one: near.near(*one) is None and one, found)
    return [
        Damage(name=f"{one[0]} {one[1]}", why="is damaged; it was removed and is made again") for one in lost if one
    ]


def damaged_far(store: FarStore, progress: Progress) -> list[Damage]:
    """Everything in a far store that is not what it has to be: each blob is read, and each record of a trusted key."""
    blobs = list(store.objects.listed(_BLOBS))
    sound = {one.name for one in blobs}
    with progress.step("verify") as step:
        step.expect(sum(one.size for one in blobs))
        found: list[Damage] = []
        for one, damage in zip(blobs, in_threads(lambda one: _damaged_blob(store, one), blobs), strict=True):
            step.advance(one.size)
            found += [damage] if damage else []
        sound -= {one.name for one in found}
        rows = list(far.entries(store.objects))
        found += [damage for damage in in_threads(lambda row: _damaged_record(store, row, sound), rows) if damage]
        step.note(f"{counted(len(blobs), 'blob')}, {counted(len(rows), 'record')}")
    return found


def _damaged_blob(store: FarStore, one: Listed) -> Damage | None:
    try:
        data = store.objects.read(one.name)
    except ForeignObjectError as error:
        return Damage(name=one.name, why=f"cannot be read: {error.message}")
    named = one.name.rpartition("/")[2]
    if data is None or digest.sha256(data) == named:
        return None
    return Damage(name=one.name, why=f"its bytes have the digest {digest.sha256(data)}")


def _damaged_record(store: FarStore, row: Entry, sound: set[str]) -> Damage | None:
    believed = {key.id: key for key in store.believed}.get(row.signer)
    name = row.object.name
    try:
        data = store.objects.read(name, records.MOST) if believed else None
        if believed is None or data is None:
            return None  # another project may trust that key
        record = records.read(data, row.kind, row.key, believed)
    except NewerError:
        return None  # others can use it, and would miss it
    except ForeignObjectError as error:
        return Damage(name=name, why=f"cannot be read: {error.message}")
    except UnusableError as error:
        return Damage(name=name, why=str(error))
    if blob_name(record.sha256) not in sound:
        return Damage(name=name, why=f"names the blob {record.sha256}, which is not there or damaged")
    return None


def usage(store: FarStore) -> dict[str, Kept]:
    """What a far store holds, by kind, whoever signed it; ``bytes`` is all the blobs."""
    by_kind: dict[str, list[Listed]] = {}
    for one in far.entries(store.objects):
        by_kind.setdefault(one.kind, []).append(one.object)
    return {
        **{f"{kind} records": _kept(rows) for kind, rows in sorted(by_kind.items())},
        "blobs": _kept(list(store.objects.listed(_BLOBS))),
    }


def _kept(rows: list[Listed]) -> Kept:
    times = [one.modified for one in rows] or [0.0]
    return Kept(count=len(rows), size=sum(one.size for one in rows), oldest=min(times), newest=max(times))


def clear_far(store: FarStore, before: float | None) -> int:
    """Removes what was put before a moment (seconds since 1970), or all there is. Returns the bytes that were freed.

    First the records, then the blobs that none of those left names; so no record is left that names nothing. What marks
    the place as a store stays: who puts something there meanwhile has seen it.
    """
    rows = list(far.entries(store.objects))
    old = [one for one in rows if before is None or one.object.modified < before]
    freed = _remove(store, [one.object for one in old])
    kept = {one.object.name for one in rows} - {one.object.name for one in old}
    named = {blob_name(sha256) for sha256 in in_threads(lambda name: _named(store, name), sorted(kept)) if sha256}
    blobs = [one for one in store.objects.listed(_BLOBS) if before is None or one.modified < before]
    freed += _remove(store, [one for one in blobs if one.name not in named])
    return freed


def _named(store: FarStore, name: str) -> str:
    """The digest that a record names, whoever signed it; empty where it cannot be read."""
    try:
        return guarded.json_as(store.objects.read(name, records.MOST) or b"", Record).sha256
    except (guarded.Unreadable, ForeignObjectError):
        return ""


def remove_damaged(store: FarStore, found: Iterable[Damage]) -> None:
    """Removes what is damaged there, so that it can be put again."""
    store.objects.remove([one.name for one in found if one.far])


def _remove(store: FarStore, gone: list[Listed]) -> int:
    store.objects.remove(one.name for one in gone)
    return sum(one.size for one in gone)
