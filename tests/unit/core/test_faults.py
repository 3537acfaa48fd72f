import errno
import os
from pathlib import Path

import pytest

from layerforge.core import faults
from layerforge.core.errors import StepError, UsageError


@pytest.mark.parametrize(
    ("number", "kind", "says", "hint"),
    [
        (errno.ENOSPC, StepError, "no space is left for /there", "larger disk"),
        (errno.EDQUOT, StepError, "no space is left for /there", "larger disk"),
        (errno.EFBIG, StepError, "larger than /there takes", "ulimit -f"),
        (errno.EACCES, UsageError, "/there cannot be written", "you may write to"),
        (errno.EPERM, UsageError, "/there cannot be written", "you may write to"),
        (errno.EROFS, UsageError, "can only be read", "another disk"),
        (errno.EEXIST, UsageError, "/there cannot be written", "move away what is named"),
        (errno.EISDIR, UsageError, "/there cannot be written", "move away what is named"),
        (errno.ENOTDIR, UsageError, "/there cannot be written", "move away what is named"),
        (errno.ENAMETOOLONG, UsageError, "a name is too long", "shorter"),
        (errno.ENOENT, UsageError, "went away", "run the same again"),
        (errno.EMFILE, StepError, "no more files can be opened", "ulimit -n 1024"),
        (errno.ENFILE, StepError, "no more files can be opened", "ulimit -n 1024"),
        (errno.ENOMEM, StepError, "no memory", "other programs"),
        (errno.EIO, StepError, "the disk failed", "dmesg"),
        (errno.EXDEV, UsageError, "/there cannot be written", "the reason below"),
    ],
)
def test_an_errors_hint_fits_its_number(number: int, kind: type[Exception], says: str, hint: str) -> None:
    found = faults.of(OSError(number, os.strerror(number)), Path("/there"), "name")
    assert type(found) is kind
    assert says in found.message
    assert hint in found.hint
    assert "{" not in found.message + found.hint
    assert os.strerror(number) in found.details[0]
    # Rights are named only where they are what lacks.
    assert ("may write" in found.hint) is (number in {errno.EACCES, errno.EPERM})


def test_only_what_the_machine_lacks_is_no_matter_of_the_file() -> None:
    assert faults.scarce(OSError(errno.EMFILE, "x")) is not None
    assert faults.scarce(OSError(errno.ENOENT, "x")) is None
    assert faults.scarce(ValueError("x")) is None
    assert faults.scarce(None) is None


@pytest.mark.parametrize(
    ("log", "says"),
    [
        ("Traceback\n  more\nOSError: [Errno 24] Too many open files: 'x'\n", "no more files"),
        ("error: Failed to open file\n  Caused by: No space left on device (os error 28)\n", "no space is left"),
        ("OSError: [Errno 5] Input/output error", "the disk failed"),
        ("error: connection refused (os error 111)", ""),
        ("OSError: [Errno 28] was long ago\n" + "line\n" * 20, ""),
        ("", ""),
    ],
)
def test_what_a_program_said_last_tells_what_the_machine_lacks(log: str, says: str) -> None:
    found = faults.told(log)
    assert (found is not None and says in found.message) if says else found is None
