"""Makes small source distributions."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A compressed archive of ``files``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def make_sdist(
    folder: Path,
    name: str = "demo",
    version: str = "1.0",
    files: Mapping[str, str] | None = None,
    *,
    requires: Sequence[str] = ("setuptools",),
    pyproject: str = "",
) -> Path:
    """Writes ``name-version.tar.gz`` into ``folder``, which declares ``requires`` to be compiled with.

    ``pyproject`` replaces the text of its ``pyproject.toml``.
    """
    top = f"{name.replace('-', '_')}-{version}"
    declared = f'[build-system]\nrequires = {list(requires)!r}\nbuild-backend = "setuptools.build_meta"\n'
    project = f'[project]\nname = "{name}"\nversion = "{version}"\n'
    contents = {
        f"{top}/PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
        f"{top}/pyproject.toml": pyproject or declared + project,
        **{f"{top}/{path}": text for path, text in (files or {}).items()},
    }
    path = folder / f"{top}.tar.gz"
    path.write_bytes(archive(contents))
    return path


def publish(folder: Path, into: Path) -> str:
    """Writes pages of an index below ``into`` that lists the archives of ``folder``; returns the index's address.

    Of a plain folder, uv says no hash of a source distribution.
    """
    links: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        name = path.name.split("-")[0].replace("_", "-")
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        links.setdefault(name, []).append(f'<a href="{path.as_uri()}#sha256={sha256}">{path.name}</a>')
    for name, lines in links.items():
        (into / name).mkdir(parents=True, exist_ok=True)
        (into / name / "index.html").write_text("\n".join(lines))
    return into.as_uri()
