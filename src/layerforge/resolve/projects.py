"""Requests of projects, and of the locks that other tools write for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.core.errors import UsageError
from layerforge.core.text import fitting_name
from layerforge.resolve import file_kinds, folders, own_code, poetry_project, project_extras, pythons
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.errors import LockError, RecipeError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.listed import Listed, sorted_out
from layerforge.resolve.other_locks import formats, pipfile_lock, uv_lock
from layerforge.resolve.other_locks.formats import Format
from layerforge.resolve.other_locks.other_lock import OtherLock, command_in, names_of
from layerforge.resolve.project_file import PROJECT, of_project, project
from layerforge.resolve.recipe import LONGEST_NAME
from layerforge.resolve.request import Request
from layerforge.resolve.wanted import NOTHING, Wanted, refuse_unknown, wanted

_WITH_EXTRAS = re.compile(r"(?P<path>.+?)\[(?P<extras>[\w.,\s-]+)\]")


@dataclass(frozen=True, kw_only=True)
class Named:
    """A file that asks for a layer, and how it was asked for."""

    path: Path
    word: str
    asked: Wanted
    known: Catalogue


def split(word: str) -> tuple[str, Wanted]:
    """A path apart from the extras in brackets behind it: ``.[ml]``."""
    match = _WITH_EXTRAS.fullmatch(word)
    if match is None or Path(word).exists():
        return word, NOTHING
    return match["path"], wanted(match["extras"].split(","))


def file_in(folder: Path) -> Path | None:
    """The file that speaks for a project's folder; ``None`` where none does."""
    locks = formats.beside(folder)
    names = (folder / PROJECT, folder / "Pipfile", *locks)
    return next((one for one in names if one.is_file()), None)


def is_one(path: Path) -> bool:
    """Whether a file is a project's, or another tool's lock."""
    return path.suffix == ".toml" or formats.format_of(path) is not None or path.name == "Pipfile"


def request(named: Named) -> Request:
    """The layer that a project's file, or a lock, asks for.

    Raises ``RecipeError``, ``UsageError`` or ``LockError`` where the file, or the lock beside it, cannot be used.
    """
    if named.path.name == pipfile_lock.PIPFILE:
        named = replace(named, path=pipfile_lock.lock_of(named.path))
    form = formats.format_of(named.path)
    if form is not None:
        return _of_lock_file(named, form)
    locks = _locks_of(named.path)
    return _of_project(named, locks[0] if locks else None)


def _locks_of(path: Path) -> list[Path]:
    """The locks that count for a project: those beside it, else uv's of the workspace that it is a member of."""
    return formats.beside(path.parent) or uv_lock.above(path.parent)


def _of_lock_file(named: Named, form: Format) -> Request:
    beside = named.path.parent / form.project
    if not form.project or not beside.is_file():
        return _of_lock(named, form)
    return _of_project(replace(named, path=beside), named.path)


def _of_lock(named: Named, form: Format) -> Request:
    """The layer of a lock that stands alone: all that it holds."""
    other = form.read(named.path, named.asked, "")
    texts = names_of(other.lock.pins)
    facts = file_kinds.facts(beside) if (beside := named.path.parent / PROJECT).is_file() else None
    name = other.name or (facts.name if facts else "") or _folder_name(named.path)
    return Request(
        spec=LayerSpec(name=fitting_name(name, LONGEST_NAME), requires=other.requires or texts, exact=other.exact),
        text="\n".join(texts),
        files=(named.path,),
        catalogue=named.known,
        given=(named.word,),
        listed=_listed(other),
        requires_python=other.requires_python,
        lock=named.path,
        other=other,
        taken=named.asked.within(other.offered),
        offered=other.offered,
        texts=(named.path,),
        untaken=file_kinds.not_taken(other.offered, named.asked),
    )


def _folder_name(path: Path) -> str:
    return path.resolve().parent.name


def _listed(other: OtherLock, listed: Listed | None = None) -> Listed:
    """What a lock lists beside its pins. Of a project, which names it itself, it stands in for what is named there."""
    found, made = listed or Listed(), tuple(one.text for one in other.locals)
    return replace(
        found,
        refused=(),
        unread=(),
        local=() if listed else made,
        instead=made if listed else (),
        indexes=(*found.indexes, *other.indexes),
    )


def _of_project(named: Named, lock_file: Path | None) -> Request:
    """The layer of a project: what it depends on, in the versions of a lock where it has one."""
    path, data = named.path, project(named.path)
    offered = project_extras.offered(data)
    taken = named.asked.within(offered)
    form = formats.format_of(lock_file) if lock_file else None
    facts = file_kinds.facts(path, taken)
    other = form.read(lock_file, taken, facts.name) if form and lock_file else None
    if other is None and not taken and (built := _of_build(named)):
        return replace(built, requires_python=facts.requires_python, offered=offered)
    own, of_uv = _own(path, data, other, chosen=bool(taken))
    by_uv = project_extras.by_uv(data, taken) if of_uv else NOTHING
    more, rest, left = (
        sorted_out(project_extras.required(path, data, wishes)) for wishes in (taken, taken.without(by_uv), by_uv)
    )
    requires = tuple(dict.fromkeys((*own.requires, *more.requires)))
    listed = replace(own, requires=requires, refused=(*own.refused, *more.refused))
    return Request(
        spec=LayerSpec(
            name=fitting_name(facts.name or _folder_name(path), LONGEST_NAME),
            requires=requires,
            exact=other is not None and other.exact,
        ),
        text="\n".join(rest.requires if of_uv else requires),
        files=(path,),
        catalogue=named.known,
        given=(named.word,),
        listed=_listed(other, listed) if other else listed,
        requires_python=pythons.together((facts.requires_python, other.requires_python if other else "")),
        untaken=facts.untaken,
        lock=lock_file if other else None,
        other=other,
        taken=taken,
        offered=offered,
        by_uv=by_uv,
        by_uv_text="\n".join(left.requires),
        texts=() if of_uv else (path,),
        own_code=(path.parent,) if path.name == PROJECT and not own_code.lacking(path.parent) else (),
        own_packages=(canonicalize_name(facts.name),) if facts.name else (),
    )


def _of_build(named: Named) -> Request | None:
    """The layer of a project whose requirements a wheel of it tells alone; ``None`` for one that says them."""
    data = project(named.path)
    try:
        told = not poetry_project.alternatives(data) if poetry_project.is_one(data) else of_project(named.path, data)
    except UsageError:
        told = None
    return None if told else folders.of_build(named.path, named.word, named.known)


def _own(path: Path, data: dict[str, Any], other: OtherLock | None, *, chosen: bool) -> tuple[Listed, bool]:
    """What a project always depends on, and whether uv reads it in the file. Where a lock tells, or groups are chosen,
    the file need not say it.
    """
    if poetry_project.is_one(data):
        if other is None and (several := poetry_project.alternatives(data)):
            raise RecipeError(
                f"{path} has versions that only Poetry understands",
                hint=f"`{command_in(path.parent, 'poetry lock')}` chooses among them; its poetry.lock is then taken",
                details=tuple(several),
            )
        return sorted_out([(f"{path.name}: {one}", one) for one in poetry_project.required(data)]), False
    try:
        return of_project(path, data), True
    except UsageError:
        if other is not None:
            return Listed(requires=names_of(other.lock.pins)), False
        if chosen and "project" not in data:
            return Listed(), False
        raise


def with_lock(found: Request, path: Path) -> Request:
    """The request built from a lock that is named. Raises ``LockError`` where that is another tool's and is unsound."""
    form = formats.format_of(path)
    if form is None:
        file_kinds.refuse_kind(path)
        return replace(found, lock=path, other=None)
    whole = bool(found.projects or found.texts) and len(found.files) == len(found.given) == 1
    other = form.read(path, found.taken, found.spec.name if whole else "")
    if not whole and other.offered:
        other = _everything(form, other)
    if not whole:
        _refuse_local(found, other)
    return replace(
        found,
        spec=replace(found.spec, exact=other.exact),
        lock=path,
        other=other,
        partly=not whole,
        listed=_listed(other if whole else replace(other, locals=()), found.listed),
        requires_python=pythons.together((found.requires_python, other.requires_python)),
    )


def _everything(form: Format, other: OtherLock) -> OtherLock:
    """A lock with all its extras and groups, where these go together."""
    try:
        return form.read(other.path, other.offered, "")
    except LockError:
        return other


def _refuse_local(found: Request, other: OtherLock) -> None:
    """Raises ``LockError`` for what is required and is a project of the lock's own."""
    own = {one.name for one in other.locals}
    asked = [text for text in found.spec.requires if canonicalize_name(re.split(r"[^\w.-]", text)[0]) in own]
    if asked:
        raise LockError(
            f"{', '.join(asked)} is no release: {other.path} has it as a project, an archive or a repository",
            hint="name the project that the lock is of, whose layer has it",
        )


def refuse_unknown_wishes(found: Iterable[Request], options: Wanted) -> None:
    """Raises ``UsageError`` for extras and groups that none of the layers' projects has."""
    offered, where = NOTHING, []
    for one in found:
        offered = offered | one.offered
        where += [str(file) for file in one.files if file in one.projects or file in one.texts]
    if options and not where:
        raise UsageError(
            f"{options.told} can be of a project alone, and none is named", hint="name its folder: `layerforge build .`"
        )
    refuse_unknown(options, offered, " and ".join(where))
