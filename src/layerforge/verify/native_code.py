"""Rules about native code: whether Lambda's loader takes it, and whether it finds what it needs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Container, Iterator
from itertools import groupby

from layerforge.build.compiler_flags import PREFIX
from layerforge.core import globs
from layerforge.core.elf import ElfFacts
from layerforge.core.findings import Finding
from layerforge.core.paths import OPT
from layerforge.core.runtimes import Runtime, version
from layerforge.core.text import counted, megabytes
from layerforge.examine.examination import Examination, Kind, Member
from layerforge.layer.loader import expanded, searched
from layerforge.resolve.left_out import Why
from layerforge.verify.layout import Index, index, reached
from layerforge.verify.rules_table import ERROR, Expect, finding

_SYMBOL_VERSION = re.compile(r"([A-Z]+)_(\d+(?:\.\d+)*)")
_GLIBC_MARK = "GLIBC_ABI_"
"""Marks such as ``GLIBC_ABI_DT_RELR`` that glibc defines from 2.36 on for what older loaders cannot do."""

_FIRST_MARKED_GLIBC = (2, 36)
_TAG = re.compile(r"(?P<module>[^/]+?)\.(?P<tag>cpython-\d+\w*|pypy\d+-\w+|abi3|cp\d+)[^/]*\.(?:so|pyd)")
_SMALLEST_COPY = 4096
"""Bytes from which on a second copy of a library is worth a finding."""


def _elves(examination: Examination, expect: Expect) -> Iterator[tuple[Member, ElfFacts]]:
    """The files that are judged further: those for the target's machine. LF102 has the others."""
    for member in examination.members:
        if member.elf is not None and member.elf.machine == expect.target.arch and member.elf.bits == 64:
            yield member, member.elf


def newer_symbols(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF101: a symbol version that the runtime's libraries do not define."""
    layer, runtime = index(examination), expect.target.runtime
    for member, elf in _elves(examination, expect):
        for library, names in sorted(elf.versions.items()):
            # What the layer brings itself has the versions that its own build defined.
            if library not in runtime.libraries or _beside(layer, member, elf, library):
                continue
            newer = [name for name in names if _is_newer(name, runtime)]
            if newer:
                have = _newest(newer[0], runtime)
                yield finding("LF101", member.path, f"needs {', '.join(newer)} of {library}; the runtime has {have}")


def _is_newer(name: str, runtime: Runtime) -> bool:
    if name.startswith(_GLIBC_MARK):
        return runtime.glibc < _FIRST_MARKED_GLIBC
    match = _SYMBOL_VERSION.fullmatch(name)
    return match is not None and match[1] in runtime.symbols and version(match[2]) > runtime.symbols[match[1]]


def _newest(name: str, runtime: Runtime) -> str:
    family = name.partition("_")[0]
    return f"{family}_{'.'.join(map(str, runtime.symbols[family]))}"


def wrong_machine(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF102: an ELF file for another processor, or a library of macOS or Windows."""
    arch = expect.target.arch
    systems = {"Mach-O": "macOS", "PE": "Windows"}
    for member in examination.members:
        if member.foreign:
            yield finding("LF102", member.path, f"is for {systems[member.foreign]} ({member.foreign}), not for Linux")
        elif member.elf is not None and (member.elf.machine != arch or member.elf.bits != 64):
            bits = f" ({member.elf.bits} bits)" if member.elf.bits != 64 else ""
            yield finding("LF102", member.path, f"is for {member.elf.machine}{bits}, not for {arch}")


def missing_libraries(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF103: a needed library that is neither in the layer, where the loader looks, nor in the runtime."""
    layer, runtime = index(examination), expect.target.runtime
    for member, elf in _elves(examination, expect):
        for library in elf.needed:
            if library not in runtime.libraries and not _beside(layer, member, elf, library):
                inside = [path for path in layer.members if posixpath.basename(path) == library]
                where = f" where it searches; there is one at {inside[0]}" if inside else " in the layer or the runtime"
                hint = "" if inside else _left_out(expect)
                yield finding("LF103", member.path, f"needs {library}, which is not{where}", hint=hint)


def _left_out(expect: Expect) -> str:
    """What to do where the package that has a library may have been left out; else empty."""
    names = [one.name for one in expect.spec.left_out if one.why is not Why.RUNTIME] if expect.spec else []
    return f"perhaps --leave-out has taken it away with {' or '.join(names)}: let that in" if names else ""


def _beside(layer: Index, member: Member, elf: ElfFacts, library: str) -> bool:
    """Whether the loader finds ``library`` in the layer when it loads ``member``."""
    return any(reached(layer, posixpath.join(folder, library)) for folder in searched(member.path, elf.runpath))


_ABSENT = ("/usr/", "/lib/", "/lib64/", f"{PREFIX}/")
"""Folders of the system, and those that libraries have while layerforge compiles against them."""


def outside_paths(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF104: entries of RPATH or RUNPATH that lead out of the layer.

    An absolute one that the linker left beside a good one, or in a file that needs the runtime alone, is harmless:
    Lambda has no such folder. So is one of the system's own, as clang leaves behind for OpenMP, or of a source step,
    as Meson leaves behind: nobody puts anything there, and what is needed is in ``lib/``, which LF103 sees to.
    """
    for member, elf in _elves(examination, expect):
        paths = {entry: expanded(entry, member.path) for entry in elf.runpath}
        outside = [entry for entry, path in paths.items() if not f"{path}/".startswith((OPT, *_ABSENT))]
        relative = any(not paths[entry].startswith("/") for entry in outside)
        leans = len(outside) == len(paths) and not expect.target.runtime.libraries.issuperset(elf.needed)
        if outside and (relative or leans):
            yield finding("LF104", member.path, f"searches {', '.join(outside)}, which is not part of the layer")


def copies(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF105: a second copy of a library that a recipe wants once, and libraries that are byte for byte the same."""
    files = [member for member in examination.members if member.kind is Kind.NATIVE and not member.link]
    for glob in expect.spec.check.single if expect.spec else ():
        matching = [member for member in files if globs.matches(posixpath.basename(member.path), (glob,))]
        yield from _unwanted(matching, glob, expect)
    big = sorted((member for member in files if member.size >= _SMALLEST_COPY), key=_contents)
    for _, group in groupby(big, _contents):
        first, *others = group
        if others:
            wasted = megabytes(sum(member.size for member in others))
            paths = [member.path for member in others]
            message = f"has the same bytes as {', '.join(paths)}; one copy would save {wasted}"
            yield finding("LF105", first.path, message)


def _unwanted(files: list[Member], glob: str, expect: Expect) -> Iterator[Finding]:
    """What is wrong with libraries that match one glob.

    A layer decides over its own folders and over what it compiles. What a wheel brings for itself is loaded from
    there, and nothing but compiling that package would change it: that is told, and does not end a build.
    """
    compiled = expect.spec.compiled if expect.spec else frozenset()
    by_owner: dict[str, list[str]] = {}
    for member in files:
        by_owner.setdefault("" if member.package in compiled else member.package, []).append(member.path)
    paths = [path for found in by_owner.values() for path in found]
    matched = f"{counted(len(paths), 'file')} match {glob}, of which the recipe wants one: {', '.join(sorted(paths))}"
    if twice := [found for found in by_owner.values() if len(found) > 1]:
        yield finding("LF105", twice[0][1], matched, severity=ERROR)
    elif "" in by_owner and len(by_owner) > 1:
        others = sorted(by_owner.keys() - {""})
        what = "the wheel" if len(others) == 1 else "the wheels"
        yield finding("LF105", by_owner[others[0]][0], f"{matched}; {what} of {', '.join(others)} came with another")


def _contents(member: Member) -> str:
    return member.sha256


def damaged(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF106: what the loader refuses to map."""
    for member in examination.members:
        if member.damaged:
            yield finding("LF106", member.path, f"cannot be loaded: {member.damaged}")
    for member, elf in _elves(examination, expect):
        if not elf.aligned:
            yield finding("LF106", member.path, "cannot be loaded: ELF load command address/offset not page-aligned")


def other_pythons(examination: Examination, expect: Expect) -> Iterator[Finding]:
    """LF107: an extension module that an import never finds, because its name is for another Python."""
    tagged = [(member, match) for member in examination.members if (match := _tag(member))]
    own = expect.target.cache_tag
    usable = {_module(member, match) for member, match in tagged if match["tag"] in {own, "abi3"}}
    for member, match in tagged:
        module = _module(member, match)
        if match["tag"] not in {own, "abi3"} and module not in usable and not _has_plain(module, examination.by_path):
            message = f"is for {match['tag']}; Python {expect.target.python} looks for {own} and never finds it"
            yield finding("LF107", member.path, message)


def _tag(member: Member) -> re.Match[str] | None:
    return None if member.foreign else _TAG.fullmatch(posixpath.basename(member.path))


def _module(member: Member, match: re.Match[str]) -> str:
    return posixpath.join(posixpath.dirname(member.path), match["module"])


def _has_plain(module: str, paths: Container[str]) -> bool:
    return any(f"{module}{suffix}" in paths for suffix in (".so", ".py", ".pyc"))
