"""Gives temporary files the same names every time, in every Python that a source step starts. Python 3.10 to 3.14.

Cython writes the path of its generated sources into what it compiles, and some of those lie in temporary folders.
"""

import hashlib
import sys
import tempfile
from collections.abc import Iterator


def names() -> Iterator[str]:
    """Names that depend on the command alone, whatever runs beside it."""
    command = hashlib.sha256("\0".join(sys.orig_argv).encode("utf-8", "replace")).hexdigest()[:8]
    number = 0
    while True:
        yield f"{command}{number}"
        number += 1


# There is no public way.
vars(tempfile)["_name_sequence"] = names()
