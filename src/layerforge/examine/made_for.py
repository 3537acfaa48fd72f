"""The Python and the processor that a zip tells it was made for; nothing is taken for granted."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator

from packaging.tags import parse_tag

from layerforge.core import runtimes
from layerforge.core.errors import UsageError
from layerforge.core.metadata import fields_of
from layerforge.core.runtimes import Arch, Target
from layerforge.examine.examination import Examination
from layerforge.examine.guess import marked_python

_ANY_PYTHON = re.compile(r"\.c(?:python-|p)3(\d+)[-.]")
_CPYTHON = re.compile(r"cp3(\d+)")
_MOST_COMBINED = 200
"""Tags that one line of a WHEEL file may stand for; the longest stands for about 20."""

_MOST_TAGS = 200
"""Tags of one WHEEL file that are read; the longest has about 20."""


def made_for(
    seen: Examination, read: Callable[[str], bytes], python: str | None = None, arch: str | None = None
) -> tuple[Target, tuple[str, ...]]:
    """What a zip is for, as told, else as its files and its packages' metadata say; and what of that was not certain, a
    line each.

    ``read`` gives files of the zip. Raises ``UsageError`` where Python or processor cannot be told.
    """
    pythons = (python, ()) if python else _python(seen, read)
    arches = (arch, ()) if arch else _arch(seen)
    return runtimes.target(pythons[0], arches[0]), (*pythons[1], *arches[1])


def _python(seen: Examination, read: Callable[[str], bytes]) -> tuple[str, tuple[str, ...]]:
    compiled = marked_python((one.path for one in seen.members if one.elf or one.foreign), ())
    tagged = Counter(_tagged(seen, read))
    found = compiled or (tagged.most_common(1)[0][0] if tagged else "") or _by_bytecode(seen)
    if not found:
        others = sorted({f"3.{match[1]}" for one in seen.members if (match := _ANY_PYTHON.search(one.path))})
        raise UsageError(
            f"{seen.path.name} is for Python {' and '.join(others)}, which is none of Lambda's"
            if others
            else f"nothing in {seen.path.name} tells which Python it is for",
            hint=f"name the one to build for: --python {runtimes.announced()[-1]}",
        )
    strangers = sorted({*tagged} - {found})
    lines = (f"some packages were made for Python {', '.join(strangers)}",) if strangers else ()
    return found, lines


def _tagged(seen: Examination, read: Callable[[str], bytes]) -> Iterator[str]:
    """The Pythons of Lambda's that compiled packages are tagged for, by their WHEEL files."""
    for one in seen.distributions:
        if f"{one.info}/WHEEL" in seen.by_path:
            tags = fields_of(read(f"{one.info}/WHEEL")).get_all("Tag", ())[:_MOST_TAGS]
            yield from {python for tag in tags for python in _pythons(str(tag))}


def _pythons(tag: str) -> Iterator[str]:
    parts = tag.split("-")
    # Each part may be a list with dots between, and every combination is a tag.
    if len(parts) != 3 or math.prod(part.count(".") + 1 for part in parts) > _MOST_COMBINED:
        return
    for one in parse_tag(tag):
        match = _CPYTHON.fullmatch(one.interpreter)
        if match and one.abi == one.interpreter and f"3.{match[1]}" in runtimes.runtimes():
            yield f"3.{match[1]}"


def _by_bytecode(seen: Examination) -> str:
    return marked_python((one.path for one in seen.members), (one.pyc.magic for one in seen.members if one.pyc))


def _arch(seen: Examination) -> tuple[str, tuple[str, ...]]:
    machines = Counter(one.elf.machine for one in seen.members if one.elf)
    known = [(count, str(arch)) for arch in Arch if (count := machines[arch])]
    if known:
        found = max(known, key=lambda item: item[0])[1]
        others = sorted(name for _, name in known if name != found)
        return found, (f"some files are for {', '.join(others)}",) if others else ()
    if foreign := sorted({one.foreign for one in seen.members if one.foreign} | {*machines}):
        raise UsageError(
            f"the native code in {seen.path.name} is for none of Lambda's processors: {', '.join(foreign)}",
            hint=f"name the one to build for: --arch {' or --arch '.join(Arch)}",
        )
    return str(Arch.X86_64), (f"nothing in it is native code, so it is built for {Arch.X86_64}; --arch says otherwise",)
