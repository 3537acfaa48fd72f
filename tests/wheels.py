"""Makes small wheels, sound ones and hostile ones, and folders of them that uv takes as an index."""

from __future__ import annotations

import base64
import hashlib
import stat
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def record_row(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}"


def make_wheel(
    folder: Path,
    name: str = "demo",
    version: str = "1.0",
    files: Mapping[str, bytes] | None = None,
    *,
    tag: str = "py3-none-any",
    requires: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
    record: Sequence[str] | None = None,
    metadata: str = "",
) -> Path:
    """Writes ``name-version-tag.whl`` into ``folder``. ``record`` replaces the true lines of RECORD."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    contents = dict(files if files is not None else {f"{name}/__init__.py": b"VALUE = 1\n"})
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    contents[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}{metadata}\n".encode()
    )
    contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    rows = list(record) if record is not None else [record_row(path, data) for path, data in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,"]).encode() + b"\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.replace('-', '_')}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for member, data in contents.items():
            wheel.writestr(zipfile.ZipInfo(member), data)
        for member, target in (links or {}).items():
            entry = zipfile.ZipInfo(member)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            wheel.writestr(entry, target)
    return path


def digest(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def lock_of(*wheels: Path) -> str:
    """The text of a lock of these wheels."""
    rows = [wheel.name.split("-")[:2] for wheel in wheels]
    return "".join(
        f"{name.replace('_', '-')}=={version} --hash={digest(wheel)}\n"
        for (name, version), wheel in zip(rows, wheels, strict=True)
    )
