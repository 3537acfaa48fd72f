"""Files that a command writes because its user names them: checked first, then written whole."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from layerforge.core import filing
from layerforge.core.errors import UsageError
from layerforge.core.faults import writing

_CHOOSE = "name a file in"


def check(file: Path, example: str) -> None:
    """Raises ``UsageError`` where ``file`` must not or cannot be written, before time is spent on what it is to hold.

    ``example`` is a name that it could have.
    """
    with writing(file.parent, choose=_CHOOSE):
        place = _reached(file)
        if place.is_dir():
            raise UsageError(f"{file} is a folder", hint=f"name a file, such as {file / example}")
        # A link such as /dev/stdout may lead to a pipe, which has no path of its own.
        if str(file) == "-" or (file.exists() and not file.is_file()):
            raise UsageError(f"{file} is no plain file", hint=f"name one that may be written anew, such as {example}")
        if file.suffix.lower() == ".zip" or zipfile.is_zipfile(place):
            raise UsageError(f"{file} would take the place of a zip", hint=f"name it something like {example}")
        if not place.parent.is_dir():
            raise UsageError(f"there is no folder {file.parent} for {file.name}", hint=f"mkdir -p {file.parent}")
        with tempfile.TemporaryFile(dir=place.parent):
            pass


def check_folder(output: Path) -> None:
    """Makes the output folder. Raises ``UsageError`` where it cannot take files, before anything is built."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise UsageError(
            f"nothing can be written to {output}",
            hint="name a folder of yours with --output",
            details=(str(error),),
        ) from error


def _reached(file: Path) -> Path:
    """The file itself, or what it is a link to."""
    try:
        return file.resolve()
    except RuntimeError as error:  # what Python before 3.13 raises for links in a circle
        raise UsageError(f"{file} is a link that leads nowhere", hint="name another file") from error


def write(file: Path, data: bytes) -> None:
    """Writes ``data`` to ``file``, or to what it is a link to, so that nobody ever sees less than all of it.

    Raises ``UsageError`` where that may not be, ``StepError`` where no space is left.
    """
    with writing(file.parent, choose=_CHOOSE):
        filing.write_atomically(_reached(file), data)


def write_together(files: Mapping[Path, bytes]) -> None:
    """The same for several; those of one folder appear at once."""
    by_folder: dict[Path, dict[str, bytes]] = {}
    for file, data in files.items():
        place = _reached(file)
        by_folder.setdefault(place.parent, {})[place.name] = data
    for folder, contents in by_folder.items():
        filing.write_together(folder, contents)
