"""What starts a script: its first line, or the one below it where the path of an interpreter is too long for that."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

MARK = b"#!"
_LONG = re.compile(rb"#![ \t]*/bin/sh[ \t]*\n'''exec' ([^\n]+) \"\$0\" \"\$@\"\n' '''\n")
"""How installers start Python by a path that is longer than a kernel takes, or has blanks in it."""

_ENV = frozenset({"/bin/env", "/usr/bin/env"})
_SPLIT = re.compile(r"(?:-\w*S|--split-string[= ])[ \t]*")
"""The option with which ``env`` takes several words from a first line, which gives it but one."""

_SETTING = re.compile(r"-.*|\w+=.*")
"""Words before the program that ``env`` starts: its own options, and variables."""

_PYTHON = re.compile(r"pythonw?(?:3(?:\.\d+)*t?)?")


@dataclass(frozen=True, kw_only=True)
class Start:
    """How a script is started."""

    program: str
    """Path of its interpreter, or the bare name by which ``env`` looks for it in the folders of PATH."""
    options: str
    """What the interpreter gets before the script's own path, as the one argument that a first line can hold."""
    body: bytes
    """The script without what starts it."""


def start(data: bytes) -> Start | None:
    """How a script is started; ``None`` for what is none, or names nothing."""
    if not data.startswith(MARK):
        return None
    if long := _LONG.match(data):
        return _start(_words(long[1].decode("utf-8", "replace")), data[long.end() :])
    line, _, body = data.partition(b"\n")
    program, _, options = line[2:].decode("utf-8", "replace").strip(" \t").replace("\t", " ").partition(" ")
    if program in _ENV and options.strip():
        split = _SPLIT.match(options.strip())
        return _start(_started(_words(options.strip()[split.end() :])) if split else [options.strip()], body)
    # What is no path is one all the same, below the folder that the script is started in.
    path = program if "/" in program else f"./{program}"
    return Start(program=path, options=options.strip(" "), body=body) if program else None


def is_python(program: str) -> bool:
    """Whether a program is a Python of version 3, or of none that its name tells."""
    return bool(_PYTHON.fullmatch(posixpath.basename(program.rstrip("\r"))))


def _start(words: Sequence[str], body: bytes) -> Start | None:
    return Start(program=words[0], options=_joined(words[1:]), body=body) if words else None


def _started(words: Sequence[str]) -> Sequence[str]:
    """What ``env`` starts: what is left behind its options and variables."""
    first = next((at for at, word in enumerate(words) if not _SETTING.fullmatch(word)), len(words))
    return words[first:]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _joined(options: Sequence[str]) -> str:
    """Options as one argument, ``-uE`` for ``-u -E``."""
    return "".join(option if at == 0 else option.removeprefix("-") for at, option in enumerate(options))
