"""The result of a step as one archive, and back, without anything that leads out of its folder."""

from __future__ import annotations

import io
import posixpath
import tarfile
from pathlib import Path, PurePosixPath

from layerforge.build.compiler_flags import PREFIX
from layerforge.core import tars
from layerforge.core.errors import StepError


def one_wheel(folder: Path, name: str) -> Path:
    """The one wheel that a step made. Raises ``StepError`` where there are more or none."""
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise StepError(f"{name} made {len(wheels)} wheels instead of one", hint="is it the right package?")
    return wheels[0]


def pack(folder: Path, name: str) -> bytes:
    """A folder as an archive without dates and owners, the same for the same files.

    Links to the folder's place in the container become relative. Raises ``StepError`` for what is neither a file nor a
    folder nor a link.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            info = tar.gettarinfo(path, path.relative_to(folder).as_posix())
            if info is None or not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
                raise _unsupported_entry(name, f"{path.relative_to(folder)} is neither a file nor a folder nor a link")
            place = PurePosixPath(PREFIX, name)
            if info.issym() and PurePosixPath(info.linkname).is_relative_to(place):
                target = PurePosixPath(info.linkname).relative_to(place)
                info.linkname = posixpath.relpath(target, posixpath.dirname(info.name) or ".")
            info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
            info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
            if info.isreg():
                # Hard links would name a file by whichever came first.
                info.type, info.linkname, info.size = tarfile.REGTYPE, "", path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)
    return buffer.getvalue()


def unpack(data: bytes, into: Path, name: str) -> None:
    """Unpacks a step's result. Raises ``StepError`` where a link in it leads out of the folder."""
    into.mkdir()
    try:
        tars.extract(io.BytesIO(data), into)
    except tars.REFUSED as error:
        raise _unsupported_entry(name, str(error)) from error


def _unsupported_entry(name: str, what: str) -> StepError:
    return StepError(
        f"{name} made something that no layer may hold",
        hint="links have to stay below $PREFIX, and there may be no sockets, pipes and devices",
        details=(what,),
    )
