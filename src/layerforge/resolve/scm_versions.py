"""Versions that stand in git's tags alone, told to the builds that look for them there."""

from __future__ import annotations

import re
from pathlib import Path

from packaging.version import InvalidVersion, Version

from layerforge.core import guarded
from layerforge.resolve import git
from layerforge.resolve.wheel_source import Form, WheelSource

_READERS = re.compile(
    r"setuptools[-_]scm|hatch[-_]vcs|vcs[-_]versioning|versioningit|\bpbr\b|dunamai|dynamic[-_]versioning"
    r"|source\s*=\s*[\"']scm[\"']",
    re.IGNORECASE,
)
"""What reads git's tags for a version, as a project names it among what it is built with."""

_TAG = re.compile(r"(?:.*?[-_/])?v?(?P<version>\d+\.[\w.!+]*)")
_DESCRIBED = re.compile(r"(?P<tag>.+)-(?P<distance>\d+)-g(?P<commit>[0-9a-f]+)")
_FILES = ("pyproject.toml", "setup.cfg", "setup.py")


def version(source: WheelSource) -> str:
    """The version of a source whose project reads it from git's tags, which its archive does not have.

    Of a folder that is the last tag's or, behind that, a development release of the next; of a repository what the tag
    says that it is named by. Empty where nothing reads it, or there is no such tag.
    """
    match source.form:
        case Form.FOLDER:
            folder = Path(source.place)
            return _of_description(git.described(folder)) if _reads_tags(folder) else ""
        case Form.REPOSITORY:
            return _of_tag(source.ref)
        case Form.ARCHIVE:
            return ""


def _reads_tags(folder: Path) -> bool:
    for name in _FILES:
        try:
            if _READERS.search(guarded.text(folder / name)):
                return True
        except guarded.Unreadable:
            continue
    return False


def _of_tag(tag: str) -> str:
    match = _TAG.fullmatch(tag) if not git.is_commit(tag) else None
    try:
        return str(Version(match["version"])) if match else ""
    except InvalidVersion:
        return ""


def _of_description(text: str) -> str:
    match = _DESCRIBED.fullmatch(text)
    tagged = _of_tag(match["tag"]) if match else ""
    if match is None or not tagged or match["distance"] == "0":
        return tagged
    release = list(Version(tagged).release)
    following = ".".join(map(str, [*release[:-1], release[-1] + 1]))
    return f"{following}.dev{match['distance']}+g{match['commit']}"


def variables(epoch: int, found: str) -> dict[str, str]:
    """What every build is told: the date in unix seconds, and the version where that stands in git's tags alone."""
    names = ("SETUPTOOLS_SCM_PRETEND_VERSION", "PBR_VERSION", "PDM_BUILD_SCM_VERSION")
    more = ("POETRY_DYNAMIC_VERSIONING_BYPASS", "UV_DYNAMIC_VERSIONING_BYPASS")
    return {"SOURCE_DATE_EPOCH": str(epoch)} | (dict.fromkeys((*names, *more), found) if found else {})
