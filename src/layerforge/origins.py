"""Where the parts of a layer come from: their archives with hashes and licences, and what they were compiled with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from layerforge import digest, licences, sources
from layerforge.errors import EngineError, LayerforgeError
from layerforge.licences import Text
from layerforge.model import (
    Builder,
    Image,
    Library,
    LibraryStep,
    Mount,
    PackageStep,
    Pin,
    Plan,
    Progress,
    Store,
    SystemStep,
    Task,
    WheelStep,
)

COMPILERS = ("cc", "c++", "gfortran", "flang", "rustc")
"""Programs whose versions are told, of those that the image has."""

_KIND = "compilers"
_ASK = "".join(f"{name} --version 2>/dev/null | head -n 1 | sed 's/^/{name}: /'\n" for name in COMPILERS)
_SECONDS = 60.0
_MEMORY = 2**30


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The archive that a part of a layer was made from."""

    sha256: str
    url: str = ""
    """Public address; empty where it is an index's, which is nobody's business, or a file of this machine."""
    compiled: bool = False


@dataclass(frozen=True, kw_only=True)
class Origins:
    """What is known of a layer's making beyond its manifest."""

    archives: Mapping[str, Origin] = field(default_factory=dict)
    """By name of the package or library; without those of which it is not known."""
    texts: tuple[Text, ...] = ()
    """Licences of the compiled libraries, which bring no metadata."""
    image: Image | None = None
    """That the source steps ran in; ``None`` where there were none."""
    compilers: tuple[str, ...] = ()
    """First line of what each says of its version."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """Where archives are looked for."""

    store: Store
    folders: Sequence[Path]
    progress: Progress


def origins(plan: Plan, builder: Builder | None, search: Search, workspace: Path, logs: Path) -> Origins:
    """Where the parts of a plan's layer come from. What cannot be found out is left out, never an error."""
    archives: dict[str, Origin] = {}
    texts: list[Text] = []
    here = _hashes(search.folders) if builder else {}
    for step in plan.steps:
        match step:
            case LibraryStep():
                url, sha256 = public(step.library.source.url), step.library.source.sha256
                archives[step.library.name] = Origin(sha256=sha256, url=url, compiled=True)
                texts += _texts(step.library, search)
            case PackageStep():
                archives |= _sdist(step.pin, search, here)
            case WheelStep():
                archives |= _wheel(step.pin)
            case SystemStep():
                pass
    compiles = builder is not None and any(not isinstance(step, WheelStep) for step in plan.steps)
    if builder is None or not compiles:
        return Origins(archives=archives, texts=tuple(texts))
    told = compilers(builder, search.store, workspace, logs)
    return Origins(archives=archives, texts=tuple(texts), image=builder.image, compilers=told)


def public(url: str) -> str:
    """An address without what could be a secret; empty where it is not one of the web."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https", "ftp"} or not parts.hostname:
        return ""
    host = parts.hostname + (f":{parts.port}" if parts.port else "")
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def compilers(builder: Builder, store: Store, workspace: Path, logs: Path) -> tuple[str, ...]:
    """Versions of the compilers of an image, asked once and kept."""
    key = digest.of([builder.image.digest, _ASK])
    kept = store.get(_KIND, key)
    if kept is None:
        folder = workspace / _KIND
        folder.mkdir()
        try:
            outcome = builder.perform(_question(folder, logs), lambda _line: None)
        except EngineError:
            return ()  # what was compiled is there, and worth more than an answer
        if outcome.status:
            return ()
        kept = outcome.output.encode()
        store.put(_KIND, key, kept)
    heads = tuple(f"{name}: " for name in COMPILERS)
    return tuple(line for line in kept.decode("utf-8", "replace").splitlines() if line.startswith(heads))


def _question(folder: Path, logs: Path) -> Task:
    return Task(
        name=_KIND,
        argv=("/bin/sh", "-c", _ASK),
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
        mounts=(Mount(source=folder, target="/work", writable=True),),
        workdir="/work",
        log=logs / f"{_KIND}.log",
        memory=_MEMORY,
        timeout=_SECONDS,
    )


def _texts(library: Library, search: Search) -> tuple[Text, ...]:
    try:
        data = sources.fetch(library.source, search.store, search.folders, search.progress)
    except LayerforgeError as error:
        search.progress.warn(f"the licences of {library.name} are not in the bundle: {error.message}")
        return ()
    return licences.of_archive(data, library.name)


def _sdist(pin: Pin, search: Search, here: Iterable[str]) -> dict[str, Origin]:
    """The source distribution that a package was compiled from: of the locked archives, the one that is at hand."""
    known = frozenset(here)
    for sha256 in _sha256s(pin):
        if sha256 in known or search.store.get("source", sha256) is not None:
            return {pin.name: Origin(sha256=sha256, compiled=True)}
    return {}


def _wheel(pin: Pin) -> dict[str, Origin]:
    """The wheel of a package, where the lock leaves no choice."""
    hashes = _sha256s(pin)
    return {pin.name: Origin(sha256=hashes[0])} if len(hashes) == 1 else {}


def _sha256s(pin: Pin) -> tuple[str, ...]:
    return tuple(text.removeprefix("sha256:") for text in pin.hashes if text.startswith("sha256:"))


def _hashes(folders: Iterable[Path]) -> frozenset[str]:
    files = (file for folder in folders if folder.is_dir() for file in folder.iterdir() if file.is_file())
    return frozenset(map(digest.of_file, files))
