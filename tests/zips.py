"""Zips to examine: sound layers, and what a careless tool or an attacker would make of them."""

from __future__ import annotations

import base64
import hashlib
import py_compile
import stat
import subprocess
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from layerforge.core import digest
from layerforge.core.elf import ElfFacts
from layerforge.examine.examination import Examination, Kind, Member
from layerforge.layer.distributions import Distribution

UNIX, WINDOWS = 3, 0


@dataclass(frozen=True, kw_only=True)
class Put:
    """One entry to be written, as it is to stand in the archive."""

    name: str
    data: bytes = b""
    mode: int = 0o100644
    system: int = UNIX
    date: tuple[int, int, int, int, int, int] = (2024, 5, 6, 7, 8, 10)
    method: int = zipfile.ZIP_DEFLATED
    extra: bytes = b""


def link(name: str, target: str) -> Put:
    return Put(name=name, data=target.encode(), mode=stat.S_IFLNK | 0o777)


def folder(name: str, mode: int = 0o755) -> Put:
    return Put(name=name, mode=stat.S_IFDIR | mode, method=zipfile.ZIP_STORED)


def write(path: Path, puts: Iterable[Put]) -> Path:
    """Writes a zip with exactly these entries, however odd, and returns its path."""
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore", UserWarning)  # of names that stand twice
        for put in puts:
            info = zipfile.ZipInfo("x", put.date)
            info.filename = put.name  # the constructor would cut it at a NUL
            info.create_system, info.external_attr = put.system, put.mode << 16
            info.compress_type, info.extra = put.method, put.extra
            archive.writestr(info, put.data)
    return path


def of(path: Path, files: Mapping[str, bytes]) -> Path:
    """Writes a zip of plain files."""
    return write(path, (Put(name=name, data=data) for name, data in files.items()))


def timestamp(seconds: int) -> bytes:
    """The extra field that holds an exact date."""
    return b"UT\x05\x00\x01" + seconds.to_bytes(4, "little")


def patch(path: Path, name: str, offset: int, value: bytes) -> Path:
    """Overwrites bytes of the central directory's row for ``name``, at ``offset`` in that row."""
    data = bytearray(path.read_bytes())
    row = data.rindex(name.encode()) - 46
    assert data[row : row + 4] == b"PK\1\2"
    data[row + offset : row + offset + len(value)] = value
    path.write_bytes(data)
    return path


def pyc(source: bytes, filename: str, mode: py_compile.PycInvalidationMode) -> bytes:
    """Bytecode of this Python."""
    with tempfile.TemporaryDirectory() as name:
        module = Path(name) / "module.py"
        module.write_bytes(source)
        py_compile.compile(str(module), str(module) + "c", filename, doraise=True, invalidation_mode=mode)
        return Path(str(module) + "c").read_bytes()


def unchecked(source: bytes, filename: str) -> bytes:
    return pyc(source, filename, py_compile.PycInvalidationMode.UNCHECKED_HASH)


def record_row(path: str, data: bytes) -> str:
    value = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={value},{len(data)}"


SOURCE = b"answer = 42\n"
INFO = "python/pkg-1.0.dist-info"
CACHED = "python/pkg/__pycache__/__init__.cpython-311.pyc"


def sound() -> dict[str, bytes]:
    """Files of a layer for Python 3.11 that no rule has anything against."""
    files = {
        "python/pkg/__init__.py": SOURCE,
        CACHED: unchecked(SOURCE, "/opt/python/pkg/__init__.py"),
        f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: Pkg\nVersion: 1.0\n",
    }
    rows = [record_row(path.removeprefix("python/"), data) for path, data in files.items()]
    rows.append("pkg-1.0.dist-info/RECORD,,")
    return files | {f"{INFO}/RECORD": "\n".join(rows).encode()}


def library(
    place: Path,
    *,
    soname: str = "",
    needs: Iterable[Path] = (),
    rpath: str = "",
    source: str = "int f(void){return 1;}",
) -> Path:
    """Compiles a small shared library for this machine."""
    place.parent.mkdir(parents=True, exist_ok=True)
    text = place.with_suffix(".c")
    text.write_text(source)
    options = [f"-Wl,-soname,{soname}"] * bool(soname) + [f"-Wl,-rpath,{rpath}"] * bool(rpath)
    others = [str(path) for path in needs]
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", place, text, *options, "-Wl,--no-as-needed", *others], check=True)
    return place


def a_member(path: str, data: bytes = b"", **facts: Any) -> Member:
    """A member as ``examine`` would make it, with any field overridden."""
    plain = Member(
        path=path,
        mode=0o100644,
        size=len(data),
        zipped=len(data),
        sha256=digest.sha256(data),
        kind=Kind.DATA,
        package="pkg",
    )
    return replace(plain, **facts)


def an_elf(path: str, data: bytes = b"", *, package: str = "pkg", **facts: Any) -> Member:
    """A member with ELF facts: a plain library for x86_64 unless they say otherwise."""
    plain = ElfFacts(
        machine="x86_64",
        bits=64,
        soname="",
        needed=(),
        runpath=(),
        versions={},
        stripped=True,
        aligned=True,
    )
    return a_member(path, data, kind=Kind.NATIVE, elf=replace(plain, **facts), package=package)


def an_examination(*members: Member, distributions: Iterable[Distribution] = (), **facts: Any) -> Examination:
    """An examination of just these members."""
    size = sum(member.size for member in members)
    plain = Examination(
        path=Path("layer.zip"),
        sha256="",
        content_sha256="",
        zipped=size,
        unzipped=size,
        members=tuple(sorted(members, key=lambda member: member.path)),
        distributions=tuple(distributions),
    )
    return replace(plain, **facts)
