"""Where the program uv lies."""

from __future__ import annotations

import threading

from uv import find_uv_bin

_finding = threading.Lock()


def uv_program() -> str:
    """The path of uv, for any thread.

    It is found by tables of Python's own, which the first that asks for them fills, and which others that ask meanwhile
    find half filled.
    """
    with _finding:
        return find_uv_bin()
