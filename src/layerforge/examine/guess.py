"""What an archive was made for, from the marks that compilers, installers and wheels leave in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from layerforge.core import runtimes
from layerforge.core.runtimes import Arch, Target
from layerforge.examine.examination import Examination

DEFAULT_PYTHON = "3.13"

# The most telling mark first: a compiled module loads on one Python only, while bytecode may be left over.
_MARKS = (
    re.compile(r".*\.cpython-3(\d+)-[^/]*\.so"),
    re.compile(r"python/lib/python3\.(\d+)/site-packages/.*"),
    re.compile(r".*/__pycache__/[^/]*\.cpython-3(\d+)(?:\.opt-\d)?\.pyc"),
)


def guess_target(examination: Examination) -> Target:
    """The runtime and processor that an archive seems to be made for; Python 3.13 on x86_64 where nothing tells."""
    members = examination.members
    python = likely_python(
        (member.path for member in members), (member.pyc.magic for member in members if member.pyc is not None)
    )
    machines = Counter(member.elf.machine for member in members if member.elf is not None)
    known = [(count, arch) for arch in Arch if (count := machines[arch])]
    return runtimes.target(python, max(known, key=lambda item: item[0])[1] if known else Arch.X86_64)


def likely_python(paths: Iterable[str], magics: Iterable[int]) -> str:
    """Minor version that ``paths`` of an archive and magic numbers of its bytecode point to; else 3.13."""
    return marked_python(paths, magics) or DEFAULT_PYTHON


def marked_python(paths: Iterable[str], magics: Iterable[int]) -> str:
    """Minor version of Lambda's that ``paths`` of an archive and magic numbers of its bytecode point to; empty where
    they point to none.
    """
    known = runtimes.runtimes()
    paths = tuple(paths)
    for mark in _MARKS:
        if found := _commonest(f"3.{match[1]}" for path in paths if (match := mark.fullmatch(path))):
            return found
    by_magic = {runtime.magic: python for python, runtime in known.items()}
    return _commonest(by_magic.get(magic, "") for magic in magics)


def _commonest(versions: Iterable[str]) -> str:
    """The version that occurs most often, of those that are Lambda runtimes; the newest of several."""
    counts = Counter(version for version in versions if version in runtimes.runtimes())
    return max(counts, key=lambda version: (counts[version], runtimes.version(version)), default="")
