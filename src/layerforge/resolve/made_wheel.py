"""A wheel that was made of something that is none, as it goes into a lock."""

from __future__ import annotations

from dataclasses import dataclass

from layerforge.core import digest
from layerforge.resolve.git import is_commit
from layerforge.resolve.wheel_source import Form, WheelSource


@dataclass(frozen=True, kw_only=True)
class MadeWheel:
    """A wheel on this machine, and what it was made of."""

    source: WheelSource
    name: str
    """Normalised."""
    version: str
    address: str
    """``file:`` address of the wheel."""
    sha256: str
    direct: bool = True
    """Whether it is asked for; else it comes in where others require it."""
    instead: bool = False
    """Whether it stands for what others require, wherever they say that it is to be had."""
    extras: tuple[str, ...] = ()
    """That are asked of it wherever it is required, sorted."""
    requires: tuple[str, ...] = ()
    """What its metadata requires."""

    @property
    def line(self) -> str:
        """The requirement by which uv takes it."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        marker = f" ; {self.source.marker}" if self.source.marker else ""
        return f"{self.name}{extras} @ {self.address}{marker}"

    @property
    def pinned(self) -> str:
        """The same by its version, which holds on every machine."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        marker = f" ; {self.source.marker}" if self.source.marker else ""
        return f"{self.name}{extras}=={self.version}{marker}"

    @property
    def held(self) -> bool:
        """Whether nothing else could be in its place: its source has a hash, is a commit, or is the person's own."""
        return bool(self.source.hashes) or self.own or is_commit(self.source.ref)

    @property
    def own(self) -> bool:
        """Whether it was made of a folder of the person's, which may change from build to build."""
        return self.source.form is Form.FOLDER


def key_of(archive_sha256: str, source: WheelSource, version: str, *more: str) -> str:
    """The key of the wheel of a source. ``more`` is what it depends on besides where it is not pure Python."""
    return digest.of_json([_SCHEMA, archive_sha256, source.subfolder, version, *more])


_SCHEMA = 1
KIND = "made-wheel"
"""Kind of the store's values that are such wheels: their file's name, a line's end, and the wheel."""
