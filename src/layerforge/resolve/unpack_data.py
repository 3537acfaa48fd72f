"""Archives of data unpacked as they are: what leads out of the folder, or is no file, is refused, never put right."""

from __future__ import annotations

import stat
import tarfile
from pathlib import Path
from zipfile import ZipFile

from layerforge.core import faults
from layerforge.core.errors import StepError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.tars import TooMuch
from layerforge.resolve.unpack_source import DAMAGED, Bounds, Count, Meter, extract

BOUNDS = Bounds(bytes=4 * LAMBDA_UNZIPPED_LIMIT, files=100_000, deepest=50)
"""Of one archive: what a layer holds several times over, since a few of its files may be all that is wanted."""

_UNIX = 3
"""Of a zip's entry: that it was made where files have modes."""


class Refused(ValueError):  # noqa: N818 - says what an archive holds
    """A member of an archive that is sound, but not harmless."""


def unpack(data: bytes, what: str, workspace: Path, bounds: Bounds = BOUNDS) -> Path:
    """Unpacks a zip or tar below ``workspace``, which is empty; returns the folder with its files.

    Raises ``StepError``, in which ``what`` is what it is called, where it is neither, holds what must not be written,
    or more than ``bounds``, or where the disk is full.
    """
    archive, into = workspace / "archive", workspace / "unpacked"
    try:
        archive.write_bytes(data)
        into.mkdir()
        _extract(archive, into, bounds)
        archive.unlink()
    except (*DAMAGED, RuntimeError) as error:  # zipfile's for one that is encrypted or packed in an odd way
        raise StepError(
            f"{what} cannot be unpacked", hint=_hint(error, workspace), details=(_told(error, into),)
        ) from error
    return into


def _told(error: Exception, into: Path) -> str:
    """What went wrong, without the folder of this machine that an archive is unpacked in."""
    return str(error).replace(f"{into}/", "")


def _hint(error: Exception, workspace: Path) -> str:
    if lacking := faults.scarce(error, workspace):
        return f"{lacking.message}: {lacking.hint}"
    if isinstance(error, TooMuch):
        return "no layer holds that much; find out what the archive is, or pack what is wanted anew"
    if isinstance(error, Refused | tarfile.FilterError):
        return "do not use that archive, or pack its files anew: nothing of it may lead out of its folder"
    if isinstance(error, NotADirectoryError | IsADirectoryError | FileExistsError):
        return "one of its names is a file's and a folder's too: pack its files anew"
    return "is it a tar or zip archive? A file that is wanted as it is needs no `unpack`"


def _extract(archive: Path, into: Path, bounds: Bounds) -> None:
    meter = Meter(bounds, archive.stat().st_size)

    def count(name: str, size: int) -> None:
        _refuse_name(name)
        meter.count(name, size)

    extract(archive, into, count, _unzip)


def _unzip(archive: ZipFile, into: Path, count: Count) -> None:
    members = [(info, info.external_attr >> 16 if info.create_system == _UNIX else 0) for info in archive.infolist()]
    for info, mode in members:
        count(info.filename, info.file_size)
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise Refused(f"{info.filename!r} is a link or a device, which is not unpacked from a zip")
    for info, mode in members:
        place = Path(archive.extract(info, into))
        if mode & stat.S_IXUSR and not info.is_dir():
            place.chmod(0o755)


def _refuse_name(name: str) -> None:
    """Raises ``Refused`` for a name that no file of a layer may have, or that would be written elsewhere."""
    if name.startswith("/") or ".." in name.split("/"):
        raise Refused(f"{name!r} leads out of its folder")
    if not name.isprintable() or "\\" in name:
        raise Refused(f"{name!r} is no name of a file on Lambda")
