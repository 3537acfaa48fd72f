"""What is no wheel, and of which one is made before anything is locked.

A folder that holds a project, a source distribution, or a commit of a git repository, as requirements files, words and
other tools' locks name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name

SDIST = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
WHEEL = ".whl"
EDITABLE = re.compile(r"(?:-e\s*|--editable[\s=]+)(.*)")
PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
"""What a folder holds that a wheel can be made of, one of them at least."""

_NAMED = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[(?P<extras>[^\]]*)\])?\s*@\s*(?P<address>[^@\s].*)", re.DOTALL
)
_MARKED = re.compile(r"(?P<head>.*?)\s+;\s*(?P<marker>.*)", re.DOTALL)
_EXTRAS = re.compile(r"(?P<head>.*?)\[(?P<extras>[\w.,\s-]*)\]", re.DOTALL)
_GIT = re.compile(r"git\+(?:https?|ssh|git|file)://")
_VERSION_OF_SDIST = re.compile(r"-\d[^-]*$")
_REF = re.compile(r"[A-Za-z0-9_][\w./@+-]*")
_FOLDER = re.compile(r"(?![./])(?:[\w.+-]+/?)+")


class Form(StrEnum):
    """What a wheel is made of."""

    FOLDER = "folder"
    ARCHIVE = "source distribution"
    REPOSITORY = "repository"


class NoSource(ValueError):  # noqa: N818 - says what the text is
    """A text names what no wheel can be made of. It says why, and what helps."""


@dataclass(frozen=True, kw_only=True)
class WheelSource:
    """Something that a wheel is made of."""

    form: Form
    place: str
    """Absolute path, or the address of an archive or a repository, without a fragment."""
    name: str = ""
    """Normalised name; empty where only the wheel says it."""
    extras: tuple[str, ...] = ()
    marker: str = ""
    ref: str = ""
    """Branch, tag or commit of a repository; empty for its default branch."""
    subfolder: str = ""
    """Where in the repository or the archive the project lies; empty for its top."""
    hashes: tuple[str, ...] = ()
    """SHA-256 of an archive, any of which it may have; empty where none is asked for."""

    @property
    def foreign(self) -> bool:
        """Whether somebody else wrote it, so that its code runs here only where the person says so."""
        return self.form is not Form.FOLDER

    @property
    def title(self) -> str:
        """What people call it: its name, or what its place ends in."""
        last = unquote(self.place.rstrip("/").rpartition("/")[2]).removesuffix(".git")
        for suffix in SDIST:
            if last.endswith(suffix):
                last = _VERSION_OF_SDIST.sub("", last.removesuffix(suffix))
        return self.name or str(canonicalize_name(last)) or "project"

    @property
    def address(self) -> str:
        """As it stands behind the ``@`` of a requirement."""
        parts = [f"subdirectory={self.subfolder}"] if self.subfolder else []
        fragment = "&".join([*parts, *(f"sha256={one}" for one in self.hashes)])
        place = Path(self.place).as_uri() if self.place.startswith("/") else self.place
        git = f"git+{place}{f'@{self.ref}' if self.ref else ''}"
        return (git if self.form is Form.REPOSITORY else place) + (f"#{fragment}" if fragment else "")

    @property
    def text(self) -> str:
        """As a requirements file has it, which ``read`` reads again wherever it stands."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        head = f"{self.name}{extras} @ {self.address}" if self.name else f"{self.address}{extras}"
        return f"{head} ; {self.marker}" if self.marker else head


def read(text: str, folders: Iterable[Path] = (Path(),), hashes: tuple[str, ...] = ()) -> WheelSource | None:
    """What a line or a word names that a wheel can be made of; ``None`` where it is a wheel, or a plain requirement.

    A path counts from the first of ``folders`` where it is there. Raises ``NoSource`` for an address or a path that
    no wheel can be made of.
    """
    text = text.strip()
    editable = EDITABLE.match(text)
    text = editable[1].strip() if editable else text
    marked = _MARKED.fullmatch(text)
    head, marker = (marked["head"], marked["marker"].strip()) if marked else (text, "")
    named = _NAMED.fullmatch(head)
    name, address, extras = (named["name"], named["address"], named["extras"] or "") if named else ("", head, "")
    if not named and (suffixed := _EXTRAS.fullmatch(head)):
        address, extras = suffixed["head"], suffixed["extras"]
    found = _of_address(address.strip(), folders, sure=bool(named or editable))
    if found is None:
        return None
    _refuse_marker(marker)
    if hashes and found.form is not Form.ARCHIVE:
        raise NoSource(f"a {found.form} has no hash that it could be held to: leave --hash out")
    return WheelSource(
        form=found.form,
        place=found.place,
        name=canonicalize_name(name) if name else found.name,
        extras=tuple(sorted(one.strip() for one in extras.split(",") if one.strip())),
        marker=marker,
        ref=found.ref,
        subfolder=found.subfolder,
        hashes=tuple(sorted({*found.hashes, *(one.removeprefix("sha256:") for one in hashes)})),
    )


def _refuse_marker(text: str) -> None:
    try:
        if text:
            Marker(text)
    except (InvalidMarker, RecursionError) as error:
        raise NoSource(f"its marker makes no sense: {text[:100]}") from error


def _of_address(address: str, folders: Iterable[Path], *, sure: bool) -> WheelSource | None:
    """What an address or a path points to. ``sure`` is whether it can be nothing else."""
    if address.startswith("git+"):
        return _repository(address)
    if re.match(r"(?:hg|bzr|svn)\+", address):
        raise NoSource("of repositories, only git's are read here: make a wheel of it, and name that")
    bare, _, fragment = address.partition("#")
    if re.match(r"https?://", bare):
        return _download(bare, fragment)
    if re.match(r"(?!file:)[a-z][a-z0-9+.-]*://", bare):
        raise NoSource("this is neither a wheel nor a source distribution")
    if bare.startswith("file:") or sure or _is_path(bare):
        return _on_disk(bare, fragment, folders)
    return None


def _is_path(text: str) -> bool:
    plain = re.search(r"[\s;]|://", text) is None
    return text.startswith((".", "/", "~")) or (plain and ("/" in text or text.endswith(SDIST)))


def _repository(address: str) -> WheelSource:
    """A repository, as pip names one: ``git+https://host/path@ref#egg=name&subdirectory=folder``."""
    if not _GIT.match(address):
        raise NoSource("a repository is named git+https://, git+ssh:// or git+file://")
    scheme, host, path, _query, fragment = urlsplit(address.removeprefix("git+"))
    path, _, ref = path.rpartition("@") if "@" in path else (path, "", "")
    facts = parse_qs(fragment)
    subfolder = facts.get("subdirectory", [""])[0].strip("/")
    if (ref and not _REF.fullmatch(ref)) or ".." in (ref or "") or (subfolder and not _sound_folder(subfolder)):
        raise NoSource("the branch, tag, commit or folder that it names is none that git knows")
    egg = facts.get("egg", [""])[0].partition("[")[0]
    return WheelSource(
        form=Form.REPOSITORY,
        place=urlunsplit((scheme, host, path, "", "")),
        name=canonicalize_name(egg) if egg else "",
        ref=ref,
        subfolder=subfolder,
    )


def _sound_folder(folder: str) -> bool:
    return bool(_FOLDER.fullmatch(folder)) and ".." not in folder.split("/")


def _download(address: str, fragment: str) -> WheelSource | None:
    path = unquote(urlsplit(address).path)
    if path.endswith(WHEEL):
        return None
    if not path.endswith(SDIST):
        raise NoSource("this is neither a wheel nor a source distribution")
    return _archive(address, fragment)


def _archive(place: str, fragment: str) -> WheelSource:
    facts = parse_qs(fragment)
    subfolder = facts.get("subdirectory", [""])[0].strip("/")
    if subfolder and not _sound_folder(subfolder):
        raise NoSource("the folder that it names leads out of the archive")
    wrong = [one for one in facts.get("sha256", ()) if not re.fullmatch(r"[0-9a-f]{64}", one)]
    if wrong:
        raise NoSource("its #sha256= is no hash: that has 64 hexadecimal digits")
    hashes = tuple(facts.get("sha256", ()))
    return WheelSource(form=Form.ARCHIVE, place=place, subfolder=subfolder, hashes=hashes)


def _on_disk(text: str, fragment: str, folders: Iterable[Path]) -> WheelSource | None:
    """What a path points to: a project, a source distribution, or a wheel, for which there is ``None``."""
    named = unquote(text.removeprefix("file:").removeprefix("//")) if text.startswith("file:") else text
    if named.endswith(WHEEL):
        return None
    try:
        places = [(folder / Path(named).expanduser()).resolve() for folder in folders]
        path = next((place for place in places if place.exists()), None)
        if path is None:
            raise NoSource("there is nothing of that name")
        if path.is_dir():
            return _folder(path)
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, NoSource):
            raise
        raise NoSource(f"it cannot be looked at: {error}") from error
    if not path.is_file() or not path.name.endswith(SDIST):
        raise NoSource("it is neither a project's folder, a wheel nor a source distribution")
    return _archive(str(path), fragment)


def _folder(path: Path) -> WheelSource:
    if not any((path / name).is_file() for name in PROJECT_FILES):
        raise NoSource(f"the folder has none of {', '.join(PROJECT_FILES)}, so no wheel can be made of it")
    return WheelSource(form=Form.FOLDER, place=str(path))
