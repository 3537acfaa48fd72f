"""Patches: unified diffs, read to the letter. What ``unidiff`` passes over in silence is refused here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from layerforge.core.guarded import Unreadable

if TYPE_CHECKING:
    from unidiff import patch as unidiff

_NOWHERE = "/dev/null"
_HEAD = re.compile(r"^@@", re.M)
_CONVERTED = re.compile(r"^@@[^\n]*\r$", re.M)
_EPOCH = ("1970-01-01", "1969-12-31")
_QUOTED = re.compile(r'"(.*)"')
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2}|[\\\"])")
_MARKER = "\\ No newline at end of file"
_LINK, _SUBMODULE, _PROGRAM = "120000", "160000", "100755"


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """Lines of a file and what they become. Every line has its ending, but for the last one of some files."""

    number: int
    """In its file, from 1."""
    line: int
    """Where it says that it begins, from 1."""
    at: int
    """Index of its first line in the old file."""
    new_at: int
    """The same in the new one."""
    old: tuple[bytes, ...]
    new: tuple[bytes, ...]
    leading: int
    """Lines before the first change."""
    trailing: int
    """Lines behind the last change. Fewer than ``leading`` only where the file ends with them."""


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """What a patch does to one file."""

    path: str
    """Below ``python/``."""
    hunks: tuple[Hunk, ...]
    creates: bool = False
    deletes: bool = False
    executable: bool = False
    """Of a file that it creates."""


def read(text: str) -> tuple[FileChange, ...]:
    """The changes of a patch, in its order. Raises ``Unreadable`` where it is none, or does what cannot be done to a
    package's files.
    """
    # It takes 20 ms to load, and most builds have no patch.
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    if not text.strip():
        raise Unreadable("it is empty")
    if _CONVERTED.search(text):
        raise Unreadable("its own lines end with CRLF: take it as it was made, without conversion of line endings")
    try:
        found = PatchSet(text if text.endswith("\n") else f"{text}\n")
    except (UnidiffParseError, ValueError) as error:
        raise Unreadable(f"it is no sound unified diff: {_shortened(error)}") from error
    if sum(map(len, found)) != len(_HEAD.findall(text)):
        raise Unreadable("it is no sound unified diff: a line with @@ tells no lines of an old and a new file")
    lines = text.split("\n")
    changes = tuple(_change(one, lines) for one in found)
    if not changes:
        raise Unreadable("it is no unified diff: no lines with ---, +++ and @@ are in it")
    return changes


def _shortened(error: Exception) -> str:
    return " ".join(str(error).split())[:100]


def _change(found: unidiff.PatchedFile, lines: Sequence[str]) -> FileChange:
    path = _path(_name(found.source_file), _name(found.target_file))
    _refuse_kind(found, path, whole=_NOWHERE in (found.source_file, found.target_file))
    hunks = tuple(_hunk(one, number, path, lines) for number, one in enumerate(found, 1))
    creates = _is_nowhere(found.source_file, found.source_timestamp, [line for one in hunks for line in one.old])
    deletes = _is_nowhere(found.target_file, found.target_timestamp, [line for one in hunks for line in one.new])
    for before, after in pairwise(hunks):
        if before.at + len(before.old) > after.at:
            raise Unreadable(f"{path}, hunk {after.number}: it lies before the end of the one above")
    if (creates and any(one.old for one in hunks)) or (deletes and any(one.new for one in hunks)):
        raise Unreadable(f"{path}: a file that comes has no old lines, and one that goes no new ones")
    program = found.target_mode == _PROGRAM
    return FileChange(path=path, hunks=hunks, creates=creates, deletes=deletes, executable=creates and program)


def _is_nowhere(name: str, dated: str | None, lines: Sequence[bytes]) -> bool:
    """Whether one side of a change is no file: ``diff -N`` names it as if it were one, and dates it 1970."""
    return name == _NOWHERE or (not lines and (dated or "").startswith(_EPOCH))


def _refuse_kind(found: unidiff.PatchedFile, path: str, *, whole: bool) -> None:
    """Raises ``Unreadable`` for what is no change of a text's lines. ``whole`` are files that come or go."""
    modes = {found.source_mode, found.target_mode} - {None}
    if any(line.startswith(("rename from ", "copy from ")) for line in found.patch_info or ()):
        raise Unreadable(f"{path}: it renames or copies a file; write the old one's removal and the new one's addition")
    if found.is_binary_file:
        raise Unreadable(f"{path}: it changes a binary file; only texts can be patched")
    if modes & {_LINK, _SUBMODULE}:
        raise Unreadable(f"{path}: it is about a link; only files can be patched")
    if len(modes) > 1 and not whole:
        raise Unreadable(f"{path}: it changes the mode of a file; only lines can be patched")
    if not found and not whole:
        raise Unreadable(f"{path}: it changes no line")


def _name(raw: str) -> str:
    """A name as it is meant: git writes what is not ASCII in quotes, as numbers of bytes."""
    raw = raw.rstrip("\r")
    quoted = _QUOTED.fullmatch(raw)
    if not quoted:
        return raw
    try:
        return _ESCAPED.sub(_unescaped, quoted[1].encode()).decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"it names the file {raw[:80]}, which cannot be read") from error


def _unescaped(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8)]) if len(found[1]) == 3 else found[1]


def _path(source: str, target: str) -> str:
    """The file's path, without what stands before both names to tell old from new: ``a/`` and ``b/``."""
    if source == target == _NOWHERE:
        raise Unreadable("it names no file: both are /dev/null")
    if _NOWHERE in (source, target):
        path = target.removeprefix("b/") if source == _NOWHERE else source.removeprefix("a/")
    elif source == target:
        path = source
    else:
        path = next((one for one, other in _stripped(source, target) if one == other), "")
        if not path:
            raise Unreadable(f"it is about two files, {source[:80]} and {target[:80]}: none is renamed or copied")
    if path.startswith("/") or "\\" in path or not path.isprintable() or {"", ".", ".."} & set(path.split("/")):
        raise Unreadable(f"it names {path[:80]!r}, which does not lie below the folder of the packages")
    return path


def _stripped(source: str, target: str) -> Iterator[tuple[str, str]]:
    """Both names without their first parts, as long as these differ: two where git compares folders outside of it."""
    for _ in range(2):
        first, _, source = source.partition("/")
        other, _, target = target.partition("/")
        if first == other:
            return
        yield source, target


def _hunk(found: unidiff.Hunk, number: int, path: str, lines: Sequence[str]) -> Hunk:
    where = f"{path}, hunk {number}"
    _refuse_surplus(found, where, lines)
    rows = list(_rows(found))
    old = tuple(line.encode() for kind, line in rows if kind in " -")
    new = tuple(line.encode() for kind, line in rows if kind in " +")
    if any(not line.endswith(b"\n") for line in (*old[:-1], *new[:-1])):
        raise Unreadable(f"{where}: more lines follow the one without an ending")
    changed = [index for index, (kind, _) in enumerate(rows) if kind != " "]
    if not changed:
        raise Unreadable(f"{where}: it changes no line")
    return Hunk(
        number=number,
        line=found.source_start,
        at=max(found.source_start - bool(old), 0),
        new_at=max(found.target_start - bool(new), 0),
        old=old,
        new=new,
        leading=changed[0],
        trailing=len(rows) - 1 - changed[-1],
    )


def _rows(found: unidiff.Hunk) -> Iterator[tuple[str, str]]:
    """Kind and text of each line; a marker behind it has taken its ending away. Empty lines that follow a hunk are none
    of it.
    """
    told = [(line.line_type, line.value) for line in found if line.line_type]
    for index, (kind, line) in enumerate(told):
        if kind != "\\":
            bare = told[index + 1][0] == "\\" if index + 1 < len(told) else False
            yield kind, line.removesuffix("\n") if bare else line


def _refuse_surplus(found: unidiff.Hunk, where: str, lines: Sequence[str]) -> None:
    """Raises ``Unreadable`` where lines follow a hunk that look as if they were of it, which it does not count."""
    # unidiff numbers the lines that a hunk counts, from 1, and no others.
    last = max((line.diff_line_no or 0 for line in found), default=0)
    after, then = [*lines[last:], "", ""][:2]
    if after == _MARKER:
        after, then = [*lines[last + 1 :], "", ""][:2]
    if after.rstrip() == "--" or (after.startswith("--- ") and then.startswith("+++ ")):
        return  # the end of a mail, or the next file
    if after[:1] and after[0] in "+- \\":
        raise Unreadable(f"{where}: more lines follow than its line with @@ counts")
