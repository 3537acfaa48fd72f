"""Patches: changes that recipes make to the installed files of their packages, before any pass sees them.

A hunk counts where it says that it does, or at the only place where its lines stand; nothing is guessed. Where the new
lines stand already, that is no success: a patch that a version does not need any more is to go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from layerforge.core import digest, guarded
from layerforge.core.errors import StepError
from layerforge.core.paths import SITE, folders
from layerforge.core.progress import Progress
from layerforge.core.text import counted, visible
from layerforge.layer import tree as trees
from layerforge.layer.passes.setting import PassResult
from layerforge.layer.tree import Edit, File, Tree, add, drop, swap
from layerforge.resolve import patch_file
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.patch_file import FileChange, Hunk
from layerforge.resolve.recipe import Patch

TITLE = "patch"
"""What the edits are told under, beside those of passes."""

_SHOWN = 100
_THERE = "its new lines are there already"
_ENDED = b"\n"


@dataclass(frozen=True, kw_only=True)
class AppliedPatch:
    """A patch that a layer was made with."""

    package: str
    name: str
    sha256: str
    """Of its text in UTF-8."""
    files: tuple[str, ...]
    """Paths in the layer that it changed, added or removed."""


class Mismatch(ValueError):  # noqa: N818 - says where a hunk does not fit
    """A hunk does not fit the file. The text says why; ``again`` where it was applied already."""

    def __init__(self, hunk: Hunk, why: str, *, again: bool = False, details: tuple[str, ...] = ()) -> None:
        super().__init__(f"hunk {hunk.number}, line {hunk.line}: {why}")
        self.again = again
        self.details = details


def patched(
    tree: Tree, patches: Sequence[Patch], progress: Progress
) -> tuple[Tree, tuple[PassResult, ...], tuple[AppliedPatch, ...]]:
    """The tree with all patches applied, one after another by package and name; the edits, and what was applied.

    Raises ``StepError`` where one does not apply, ``RecipeError`` for what is no patch, or is one of files that its
    package does not own.
    """
    if not patches:
        return tree, (), ()
    edits: list[Edit] = []
    done: list[AppliedPatch] = []
    with progress.step(TITLE) as step:
        for patch in sorted(patches, key=lambda one: (one.package, one.name)):
            tree, own = _with(tree, patch)
            edits += own
            files = tuple(sorted({edit.path for edit in own}))
            sha256 = digest.sha256(patch.text.encode())
            done.append(AppliedPatch(package=patch.package, name=patch.name, sha256=sha256, files=files))
        files_of_all = counted(len({edit.path for edit in edits}), "file")
        step.note(f"{len(done)} applied to {files_of_all}")
    return tree, (PassResult(name=TITLE, edits=tuple(edits)),), tuple(done)


def _with(tree: Tree, patch: Patch) -> tuple[Tree, list[Edit]]:
    try:
        changes = patch_file.read(patch.text)
    except guarded.Unreadable as error:
        raise RecipeError(
            f"the patch {patch.name} of {patch.package} cannot be applied: {error}",
            hint="make it anew with `diff -u` or `git diff`; docs/recipes.md says how",
        ) from error
    edits: list[Edit] = []
    for change in changes:
        edit = _edit(tree, patch, change)
        tree = trees.apply(tree, [edit])
        edits.append(edit)
    return tree, edits


def _edit(tree: Tree, patch: Patch, change: FileChange) -> Edit:
    path = f"{SITE}/{change.path}"
    entry = tree.by_path.get(path)
    if entry is None and not change.creates:
        raise _refused(patch, change.path, "there is no such file", _missing_hint(tree, patch, change.path))
    if entry is None:
        return _created(tree, patch, change)
    _refuse_foreign(patch, change.path, entry.package)
    if not isinstance(entry, File):
        raise _refused(patch, change.path, "it is a link", "patch the file that it leads to")
    if change.creates:
        again = entry.blob.read() == b"".join(line for hunk in change.hunks for line in hunk.new)
        why = "the file is there already" + (", as the patch would make it" if again else "")
        raise _refused(patch, change.path, why, _AGAIN if again else _ANEW)
    if path.endswith(".dist-info/RECORD"):
        raise _refused(patch, change.path, "RECORD is written anew from what there is", "leave it out of the patch")
    new = _changed(entry, patch, change)
    if not change.deletes:
        return swap(entry, replace(entry, blob=trees.blob(new)), _reason(patch))
    if new:
        raise _refused(patch, change.path, "the patch removes the file, which has more lines than it names", _ANEW)
    return drop(entry, _reason(patch))


def _reason(patch: Patch) -> str:
    return f"{patch.name} of {patch.package}"


def _changed(entry: File, patch: Patch, change: FileChange) -> bytes:
    data = entry.blob.read()
    if b"\0" in data:
        raise _refused(patch, change.path, "it is a binary file", "only texts can be patched")
    try:
        return apply(data, change.hunks)
    except Mismatch as error:
        hint = _AGAIN if error.again else _ANEW
        raise _refused(patch, change.path, str(error), hint, error.details) from error


_AGAIN = "this version has the change already: take the patch away, or say in `versions` which ones need it"
_ANEW = "make the patch anew from the files of the version that is installed, or say in `versions` which ones it is for"


def _refused(patch: Patch, path: str, why: str, hint: str, details: tuple[str, ...] = ()) -> StepError:
    return StepError(
        f"the patch {patch.name} of {patch.package} does not apply to {path}: {why}", hint=hint, details=details
    )


def _missing_hint(tree: Tree, patch: Patch, path: str) -> str:
    """Where the file could be meant to be: a patch of a project's sources has paths of its own."""
    own = (entry.path.partition("/")[2] for entry in tree.entries if entry.package == patch.package)
    near = max((name for name in own if path.endswith(f"/{name}")), key=len, default="")
    return (
        f"paths are those below python/: perhaps it is {near}"
        if near
        else "paths are those below python/, as installed"
    )


def _refuse_foreign(patch: Patch, path: str, owner: str) -> None:
    if owner != patch.package:
        whose = f"is a file of {owner}" if owner else "no package lists in its RECORD"
        raise RecipeError(
            f"the patch {patch.name} of {patch.package} is about {path}, which {whose}",
            hint="a recipe changes the files of its own package alone",
        )


def _created(tree: Tree, patch: Patch, change: FileChange) -> Edit:
    """The edit that adds a file, in a folder that the package has files in already."""
    path = f"{SITE}/{change.path}"
    top = change.path.partition("/")[0]
    own = any(one.package == patch.package and one.path.startswith(f"{SITE}/{top}/") for one in tree.entries)
    if not own or any(folder in tree.by_path for folder in folders(path)):
        raise RecipeError(
            f"the patch {patch.name} of {patch.package} adds {change.path}, which lies in no folder of that package",
            hint="new files go below a folder that the package brings",
        )
    data = b"".join(line for hunk in change.hunks for line in hunk.new)
    new = File(path=path, blob=trees.blob(data), executable=change.executable, package=patch.package)
    return add(new, _reason(patch))


def apply(data: bytes, hunks: Iterable[Hunk]) -> bytes:
    """The text with every hunk applied. Raises ``Mismatch`` for the first one that does not fit."""
    lines = lines_of(data)
    new: list[bytes] = []
    done = shift = 0
    for hunk in hunks:
        at = _place(lines, hunk, done, hunk.at + shift)
        new += [*lines[done:at], *hunk.new]
        done, shift = at + len(hunk.old), at - hunk.at
    return b"".join([*new, *lines[done:]])


def lines_of(data: bytes) -> list[bytes]:
    """Lines with their endings. Only a line feed ends one, as in every program that makes diffs."""
    *whole, rest = data.split(_ENDED)
    return [line + _ENDED for line in whole] + ([rest] if rest else [])


def _place(lines: Sequence[bytes], hunk: Hunk, first: int, expected: int) -> int:
    """Index in ``lines``, not before ``first``, that a hunk counts at; it should be ``expected``."""
    if not hunk.old and lines:
        if _stands(lines, hunk.new, hunk.new_at):
            raise Mismatch(hunk, _THERE, again=True)
        raise Mismatch(
            hunk, "it adds lines and shows none around them", details=("make the diff with lines of context",)
        )
    if expected >= first and _fits(lines, hunk, expected):
        return expected
    if hunk.new and _stands(lines, hunk.new, hunk.new_at):
        raise Mismatch(hunk, _THERE, again=True)
    if hunk.leading or hunk.trailing:  # without a line around it, it may be anything elsewhere
        return _elsewhere(lines, hunk, first, expected)
    raise _unlike(lines, hunk, first, expected)


def _elsewhere(lines: Sequence[bytes], hunk: Hunk, first: int, expected: int) -> int:
    """The only other index that a hunk may count at."""
    places = (at for at in _occurrences(lines, hunk.old, first) if _fits(lines, hunk, at))
    fresh = [at for at in places if not _is_done(lines, hunk, at)]
    if len(fresh) == 1:
        return fresh[0]
    if fresh:
        told = ", ".join(str(at + 1) for at in fresh[:5])
        raise Mismatch(hunk, f"not there, and in several places elsewhere: at the lines {told}")
    if any(True for _ in _occurrences(lines, hunk.new, first)):
        raise Mismatch(hunk, _THERE, again=True)
    raise _unlike(lines, hunk, first, expected)


def _stands(lines: Sequence[bytes], wanted: Sequence[bytes], at: int) -> bool:
    return at >= 0 and tuple(lines[at : at + len(wanted)]) == tuple(wanted)


def _fits(lines: Sequence[bytes], hunk: Hunk, at: int) -> bool:
    """Whether a hunk's old lines stand at an index, and end the file where they do so by what the hunk shows."""
    at_end = hunk.trailing >= hunk.leading or at + len(hunk.old) == len(lines)
    return at_end and _stands(lines, hunk.old, at)


def _occurrences(lines: Sequence[bytes], wanted: Sequence[bytes], first: int) -> Iterator[int]:
    head = wanted[0] if wanted else b""
    places = range(first, len(lines) - len(wanted) + 1)
    return (at for at in places if lines[at] == head and _stands(lines, wanted, at))


def _is_done(lines: Sequence[bytes], hunk: Hunk, at: int) -> bool:
    """Whether the old lines at an index are a part of the new ones, which stand there: lines were added above them."""
    above = len(hunk.new) - len(hunk.old)
    return above > 0 and hunk.new[above:] == hunk.old and _stands(lines, hunk.new, at - above)


def _unlike(lines: Sequence[bytes], hunk: Hunk, first: int, expected: int) -> Mismatch:
    """Why nothing fits: by the first of these that would make it do so."""
    for less, why in _NEARLY:
        plain, wanted = [less(line) for line in lines], tuple(less(line) for line in hunk.old)
        if any(True for _ in _occurrences(plain, wanted, first)):
            return Mismatch(hunk, why)
    if _stands(lines, hunk.old, expected):
        return Mismatch(hunk, "the hunk above takes lines that this one needs")
    there = (*lines[max(expected, 0) :], *[b""] * len(hunk.old))
    off = next(number for number, line in enumerate(hunk.old) if line != there[number])
    details = (
        f"line {expected + off + 1} by the patch: {_shown(hunk.old[off])}",
        f"the same line of the file: {_shown(there[off])}",
    )
    return Mismatch(hunk, "nothing there or elsewhere is like its old lines", details=details)


_NEARLY: tuple[tuple[Callable[[bytes], bytes], str], ...] = (
    (bytes, "its old lines are there, but in another place of the file than it says"),
    (lambda line: line.rstrip(b"\n"), "its old lines are there, but the last one ends the file in another way"),
    (lambda line: line.rstrip(b"\r\n"), "its old lines are there, but lines end otherwise (CRLF and LF)"),
    (lambda line: b"".join(line.split()), "its old lines are there, but with other spaces or tabs"),
)
"""What to make of a line so that two are alike, and what it means where only then they are."""


def _shown(line: bytes) -> str:
    text = visible(line.decode("utf-8", "replace").rstrip("\n"))
    return (text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…") if line else "(the end)"
