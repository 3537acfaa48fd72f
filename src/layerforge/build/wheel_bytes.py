"""Wheels in one form: the same files give the same bytes, whatever packed them and whenever."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

from layerforge.core.errors import StepError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.core.text import megabytes

_DATE = (1980, 1, 1, 0, 0, 0)
_DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, NotImplementedError, RuntimeError)


def normal(wheel: Path) -> bytes:
    """The bytes of a wheel with its files in order, of one date, with plain rights, and not compressed.

    Nothing is compressed since not every zlib makes the same of it. Raises ``StepError`` for what is no wheel.
    """
    buffer = io.BytesIO()
    try:
        with zipfile.ZipFile(wheel) as packed, zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as plain:
            files = [one for one in packed.infolist() if not one.is_dir()]
            if sum(one.file_size for one in files) > LAMBDA_UNZIPPED_LIMIT:
                raise StepError(
                    f"the wheel {wheel.name} holds more than {megabytes(LAMBDA_UNZIPPED_LIMIT)}, which no layer may",
                    hint="leave data out of the package, and keep it beside the layer",
                )
            # Metadata last, RECORD at its end, as the format wants.
            for one in sorted(files, key=lambda one: (_rank(one.filename), one.filename)):
                info = zipfile.ZipInfo(one.filename, _DATE)
                info.create_system = 3
                info.external_attr = (0o100755 if one.external_attr >> 16 & 0o100 else 0o100644) << 16
                plain.writestr(info, packed.read(one))
    except _DAMAGED as error:
        raise StepError(f"what was made is no wheel: {wheel.name}", details=(str(error),)) from error
    return buffer.getvalue()


def _rank(name: str) -> int:
    return 2 if name.endswith(".dist-info/RECORD") else 1 if ".dist-info/" in name else 0


def metadata(data: bytes) -> str:
    """The METADATA of a wheel. Raises ``StepError`` where it has none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as wheel:
            name = next(one for one in wheel.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1)
            return wheel.read(name).decode("utf-8", "replace")
    except (*_DAMAGED, StopIteration, KeyError) as error:
        raise StepError("what was made is no wheel: it has no METADATA", details=(str(error),)) from error
