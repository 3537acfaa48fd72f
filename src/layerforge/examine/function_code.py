"""A function's own code, as it would lie below ``/var/task``: from a folder, or from a zip."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from layerforge.core import guarded
from layerforge.core.errors import UsageError
from layerforge.core.faults import writing
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.text import counted, megabytes
from layerforge.examine import unpack as unpacking
from layerforge.examine import zip_content, zip_directory
from layerforge.examine.examination import Examination

LEFT_OUT = frozenset(
    {
        ".aws-sam",
        ".git",
        ".hg",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".serverless",
        ".svn",
        ".terraform",
    }
    | {".tox", ".venv", "cdk.out", "node_modules"}
)
"""Folders of a project that no tool sends to Lambda."""

MOST_FILES = 100_000
"""Of a folder. What more it holds is no function."""

_ENVIRONMENT = "pyvenv.cfg"
"""What an environment of Python holds, whatever its folder is called."""

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class CodeFile:
    """One file of a function's code."""

    path: str
    """Below ``/var/task``."""
    size: int
    """Bytes; of a link, 0."""
    link: str = ""
    """Target of a symbolic link; empty for a file."""
    executable: bool = False


@dataclass(frozen=True, kw_only=True)
class FunctionCode:
    """A function's code. What can be read of it goes through ``folder``, where a copy lies that nobody else changes."""

    name: Path
    """The folder or zip that it comes from."""
    folder: Path
    """Where it lies, so that every user can read it."""
    files: Mapping[str, CodeFile]
    """By path, sorted."""
    left_out: tuple[str, ...] = field(default=())
    """Folders that were not taken, by their paths."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.files.values())

    @property
    def paths(self) -> Collection[str]:
        """Every path, as ``Contents`` has it."""
        return self.files.keys()

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; ``None`` where there is none, or no sound one."""
        if path not in self.files:
            return None
        try:
            return guarded.data(self.folder / path, guarded.MOST_JSON)
        except guarded.Unreadable:
            return None


def function_code(name: Path, into: Path, layers: Sequence[Examination] = ()) -> FunctionCode:
    """The code in the folder or zip called ``name``, copied below ``into``, which must not be there yet.

    Links stay links and have to stay inside. Raises ``UsageError`` where there is no such code, where it leads out of
    its folder, or where it takes more than Lambda has room for beside ``layers``; ``VerificationError`` where a zip is
    damaged or dangerous to read.
    """
    if name.is_dir():
        return _of_folder(name, into, layers)
    if not name.exists():
        raise UsageError(f"--code {name} is not there", hint="name the folder that holds the handler's file, or a zip")
    if not name.is_file() or not zipfile.is_zipfile(name):
        hint = f"name the folder that it lies in: --code {name.parent}" if name.suffix == ".py" else ""
        raise UsageError(
            f"--code {name} is neither a folder nor a zip", hint=hint or "name one that holds your function"
        )
    return _of_zip(name, into, layers)


def no_code(into: Path) -> FunctionCode:
    """The code of a function that has none of its own, since its handler lies in a layer."""
    with writing(into):
        into.mkdir()
    return FunctionCode(name=into, folder=into, files={})


def _of_zip(name: Path, into: Path, layers: Sequence[Examination]) -> FunctionCode:
    with zip_content.opened(name) as data:
        entries = zip_directory.entries(data, name)
    declared = (CodeFile(path=one.name, size=one.size) for one in entries if not one.is_folder and not one.is_link)
    require_room(name, declared, layers)
    with writing(into):
        unpacking.unpack(name, into)
    files = {one.path: one for one in sorted(_files(into, []), key=lambda one: one.path)}
    return FunctionCode(name=name, folder=into, files=files)


def _of_folder(name: Path, into: Path, layers: Sequence[Examination]) -> FunctionCode:
    left_out: list[str] = []
    try:
        files = {one.path: one for one in sorted(_files(name, left_out), key=lambda one: one.path)}
    except OSError as error:
        raise UsageError(f"--code {name} cannot be read: {error}", hint="name a folder that you may read") from error
    _refuse_builds(name, files)
    _refuse_links(name, files.values())
    require_room(name, files.values(), layers)
    with writing(into):
        _copy(name, files.values(), into)
    return FunctionCode(name=name, folder=into, files=files, left_out=tuple(sorted(left_out)))


def _files(top: Path, left_out: list[str]) -> Iterator[CodeFile]:
    """Files and links below a folder; what is not taken is added to ``left_out``. Raises ``OSError``."""
    count = 0
    for folder, names, files in os.walk(top, onerror=_raised):
        here = Path(folder)
        for name in sorted(names):
            if name in LEFT_OUT or (here / name / _ENVIRONMENT).exists():
                left_out.append((here / name).relative_to(top).as_posix())
                names.remove(name)
        count += len(names) + len(files)
        if count > MOST_FILES:
            raise UsageError(
                f"--code {top} holds more than {MOST_FILES:,} files",
                hint="name the folder of the function alone",
            )
        links = [name for name in names if (here / name).is_symlink()]
        yield from (one for name in (*files, *links) if (one := _file(top, here / name)))


def _raised(error: OSError) -> None:
    raise error


def _file(top: Path, place: Path) -> CodeFile | None:
    """One file or link; ``None`` for pipes, devices and the like, which no zip holds."""
    facts, path = place.lstat(), place.relative_to(top).as_posix()
    if stat.S_ISLNK(facts.st_mode):
        return CodeFile(path=path, size=0, link=str(place.readlink()))
    if not stat.S_ISREG(facts.st_mode):
        return None
    return CodeFile(path=path, size=facts.st_size, executable=bool(facts.st_mode & 0o111))


def _refuse_builds(name: Path, files: Mapping[str, CodeFile]) -> None:
    """Raises ``UsageError`` for SAM's folder of several functions, which is the code of none."""
    functions = sorted({path.partition("/")[0] for path in files if "/" in path})
    if name.resolve().parent.name == ".aws-sam" and "template.yaml" in files and functions:
        raise UsageError(
            f"--code {name} holds what SAM has built of several functions",
            hint=f"name one: --code {name / functions[0]}",
            details=tuple(str(name / one) for one in functions),
        )


def _refuse_links(name: Path, files: Iterable[CodeFile]) -> None:
    """Raises ``UsageError`` for links that lead out of the folder: on Lambda nothing would be there."""
    top = name.resolve()
    leaving = [f"{one.path} → {one.link}" for one in files if one.link and not _inside(name, one, top)]
    if leaving:
        raise UsageError(
            f"{counted(len(leaving), 'link')} of --code {name} {'leads' if len(leaving) == 1 else 'lead'} out of it",
            hint="copy what is linked to into the folder, or name the zip that you deploy",
            details=tuple(leaving[:10]),
        )


def _inside(name: Path, one: CodeFile, top: Path) -> bool:
    return not one.link.startswith("/") and Path(os.path.realpath(name / one.path)).is_relative_to(top)


def require_room(name: Path, files: Iterable[CodeFile], layers: Sequence[Examination]) -> None:
    """Raises ``UsageError`` where code and layers together take more than Lambda unpacks."""
    own = {one.path: one.size for one in files}
    parts = {f"--code {name}": sum(own.values()), **{str(one.path): one.unzipped for one in layers}}
    total = sum(parts.values())
    if total <= LAMBDA_UNZIPPED_LIMIT:
        return
    largest = Counter[str]()
    for path, size in own.items():
        largest[path.partition("/")[0]] += size
    rows = [f"{megabytes(size)}  {part}" for part, size in parts.items()]
    raise UsageError(
        f"code and layers take {total:,} bytes unpacked, and Lambda takes {LAMBDA_UNZIPPED_LIMIT:,} together",
        hint="leave out of the code what a layer has, or what the function does not need; "
        "`layerforge inspect` says what takes the room in a layer",
        details=(*rows, *(f"{megabytes(size)}  {name / path}" for path, size in largest.most_common(_SHOWN))),
    )


def _copy(name: Path, files: Iterable[CodeFile], into: Path) -> None:
    into.mkdir(parents=True)
    for one in files:
        place = into / one.path
        place.parent.mkdir(parents=True, exist_ok=True)
        if one.link:
            place.symlink_to(one.link)
            continue
        try:
            shutil.copyfile(name / one.path, place, follow_symlinks=False)
        except PermissionError as error:
            raise UsageError(f"{name / one.path} cannot be read", hint="let its owner make it readable") from error
        # Bytecode that knows its source by the date stays valid.
        facts = (name / one.path).lstat()
        os.utime(place, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        place.chmod(0o755 if one.executable else 0o644)
    for folder, _, _ in os.walk(into):
        Path(folder).chmod(0o755)
