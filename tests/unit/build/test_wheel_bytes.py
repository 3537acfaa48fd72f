"""Wheels in one form, whatever packed them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from layerforge.build.wheel_bytes import metadata, normal
from layerforge.core.errors import StepError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from wheels import make_wheel

INFO = "mine-1.dist-info"
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def packed(path: Path, *, year: int, mode: int, backwards: bool, method: int) -> Path:
    files = {"mine/__init__.py": b"x = 1\n", f"{INFO}/METADATA": b"Name: mine\n", f"{INFO}/RECORD": b""}
    date = (year, 1, 1, 0, 0, 0)
    with zipfile.ZipFile(path, "w", method) as wheel:
        wheel.writestr("mine/", b"")
        for name in reversed(files) if backwards else files:
            info = zipfile.ZipInfo(name, date)
            info.external_attr = mode << 16
            info.compress_type = method
            wheel.writestr(info, files[name])
    return path


def test_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    one = packed(tmp_path / "a.whl", year=1980, mode=0o100644, backwards=False, method=STORED)
    other = packed(tmp_path / "b.whl", year=2026, mode=0o100600, backwards=True, method=DEFLATED)
    assert one.read_bytes() != other.read_bytes()
    assert normal(one) == normal(other)
    names = zipfile.ZipFile(io.BytesIO(normal(other))).namelist()
    assert names == ["mine/__init__.py", "mine-1.dist-info/METADATA", "mine-1.dist-info/RECORD"]
    assert metadata(normal(one)) == "Name: mine\n"


def test_a_program_stays_one(tmp_path: Path) -> None:
    found = packed(tmp_path / "a.whl", year=2000, mode=0o100700, backwards=False, method=STORED)
    modes = {one.external_attr >> 16 for one in zipfile.ZipFile(io.BytesIO(normal(found))).infolist()}
    assert modes == {0o100755}


def test_what_is_no_wheel_or_too_much_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"no zip")
    with pytest.raises(StepError, match="is no wheel"):
        normal(tmp_path / "a.whl")
    damaged = bytearray(make_wheel(tmp_path, files={"demo/x.py": b"a" * 5000}).read_bytes())
    damaged[60] ^= 0xFF
    (tmp_path / "b.whl").write_bytes(damaged)
    with pytest.raises(StepError, match="is no wheel"):
        normal(tmp_path / "b.whl")
    with zipfile.ZipFile(tmp_path / "c.whl", "w", zipfile.ZIP_DEFLATED) as wheel, wheel.open("x", "w") as file:
        for _ in range(LAMBDA_UNZIPPED_LIMIT // 2**20 + 1):
            file.write(b"\0" * 2**20)
    with pytest.raises(StepError, match="which no layer may"):
        normal(tmp_path / "c.whl")
    with pytest.raises(StepError, match="has no METADATA"):
        metadata((tmp_path / "c.whl").read_bytes())
