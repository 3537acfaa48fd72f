"""Files of a zip as wheels, for what no index has: own code, and packages that were installed from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import io
import posixpath
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from layerforge.core.runtimes import Target
from layerforge.examine.examination import Examination, Member
from layerforge.examine.installed import Held, Installed, files_of

_UNKEPT = frozenset({"RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json"})
"""What an installer writes, or what is written anew."""

_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class KeptWheel:
    """A wheel that was made of files of a zip."""

    name: str
    """Normalised name of its package."""
    file: str
    data: bytes


def of_package(held: Held, found: Installed, seen: Examination, read: Callable[[str], bytes], to: Target) -> KeptWheel:
    """A package of a zip as the wheel that it was installed from, as far as its files are there."""
    members = [one for one in files_of(held.name, held.info, seen) if not _written(one.path, held.info)]
    return _wheel(held.name, held.version, keepable(members, found.root), found.root, read, to)


def of_code(name: str, found: Installed, read: Callable[[str], bytes], to: Target) -> KeptWheel | None:
    """The files that come with no package, as the wheel of a package ``name``; ``None`` where there are none."""
    members = keepable(found.loose, found.root)
    return _wheel(name, "0", members, found.root, read, to) if members else None


def keepable(members: Iterable[Member], root: str) -> list[Member]:
    """Those that a wheel can hold: plain files beside the packages, without bytecode, which is compiled anew."""
    return [one for one in members if one.path.startswith(root) and not one.link and "__pycache__/" not in one.path]


def _written(path: str, info: str) -> bool:
    return posixpath.dirname(path) == info and posixpath.basename(path) in _UNKEPT


def _wheel(
    name: str, version: str, members: Iterable[Member], root: str, read: Callable[[str], bytes], to: Target
) -> KeptWheel:
    members = tuple(members)
    stem = f"{name.replace('-', '_')}-{version}"
    python = f"cp{to.python.replace('.', '')}"
    native = any(one.elf for one in members)
    tag = f"{python}-{python}-linux_{to.arch.machine}" if native else "py3-none-any"
    files = {_renamed(one.path.removeprefix(root), stem): read(one.path) for one in members}
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files.setdefault(f"{stem}.dist-info/METADATA", head.encode())
    pure = "false" if native else "true"
    text = f"Wheel-Version: 1.0\nGenerator: layerforge\nRoot-Is-Purelib: {pure}\nTag: {tag}\n"
    files[f"{stem}.dist-info/WHEEL"] = text.encode()
    rows = [_row(path, data) for path, data in files.items()]
    record = f"{stem}.dist-info/RECORD"
    files[record] = "\n".join([*rows, f"{record},,", ""]).encode()
    modes = {_renamed(one.path.removeprefix(root), stem): one.mode for one in members}
    return KeptWheel(name=name, file=f"{stem}-{tag}.whl", data=_packed(files, modes))


def _renamed(path: str, stem: str) -> str:
    """A path in the wheel: installers spell the folder of metadata in several ways, and a wheel in one."""
    folder, slash, rest = path.partition("/")
    return f"{stem}.dist-info/{rest}" if slash and folder.endswith(".dist-info") else path


def _row(path: str, data: bytes) -> str:
    value = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    quoted = f'"{path}"' if "," in path else path
    return f"{quoted},sha256={value},{len(data)}"


def _packed(files: Mapping[str, bytes], modes: Mapping[str, int]) -> bytes:
    """A zip of the files, the same for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, data in sorted(files.items()):
            info = zipfile.ZipInfo(path, _DATE)
            info.create_system = 3
            info.external_attr = (0o100755 if modes.get(path, 0) & 0o100 else 0o100644) << 16
            archive.writestr(info, data)
    return out.getvalue()
