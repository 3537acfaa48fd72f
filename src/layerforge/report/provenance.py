"""Where the parts of a layer come from: their archives with hashes and licences, and what they were compiled with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from layerforge.build.engine import Builder, Image, Mount, Task
from layerforge.build.errors import EngineError
from layerforge.build.plan import SYSTEM, LibraryStep, PackageStep, Plan, SystemStep, WheelStep
from layerforge.core import digest, guarded
from layerforge.core.errors import LayerforgeError
from layerforge.core.store.protocol import Store
from layerforge.layer import licences
from layerforge.layer.licences import Text
from layerforge.resolve import sources
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Data, Library, Linked, Patch
from layerforge.resolve.sources import Search

COMPILERS = ("cc", "c++", "gfortran", "flang", "rustc")
"""Programs whose versions are told, of those that the image has."""

_KIND, _SCHEMA = "origins", 2
"""Where answers are kept, and in which form."""

_ASK = f"""
for name in {" ".join(COMPILERS)}; do
    $name --version 2>/dev/null | head -n 1 | sed "s|^|$name: |"
done
[ -f /etc/os-release ] && . /etc/os-release
# As the step that took them finds them. A file that differs from the package's own belongs to no package.
for name in "$@"; do
    file=$(ldconfig -p 2>/dev/null | sed -n 's/.* => //p' | grep -F "/$name" | head -n 1)
    file=$(readlink -f "${{file:-$(cc -print-file-name="$name")}}")
    [ -f "$file" ] || continue
    if command -v rpm >/dev/null; then
        sum=$(sha256sum <"$file")
        rpm -qf --qf '[%{{FILEDIGESTS}}\\n]' "$file" | grep -qF "${{sum%% *}}" || continue
        source=$(rpm -qf --qf '%{{SOURCERPM}}' "$file")
        told=$(rpm -qf --qf '%{{NAME}} %{{VERSION}}-%{{RELEASE}} %{{ARCH}} %{{SOURCERPM}} %{{LICENSE}}' "$file")
        # The texts often come with one package of all those that were made of the same sources.
        made=$(rpm -qa --qf '%{{SOURCERPM}} %{{NAME}}\\n' | sed -n "s|^$source ||p")
        echo "$name rpm $ID-$VERSION_ID $told"
        texts=$(rpm -q --licensefiles $made)
    else
        sum=$(md5sum <"$file")
        list=$(grep -lF "${{sum%% *}} " /var/lib/dpkg/info/*.md5sums | head -n 1)
        [ -n "$list" ] || continue
        package=$(basename "$list" .md5sums)
        told=$(dpkg-query -W -f '${{Package}} ${{Version}} ${{Architecture}} ${{source:Package}}' "$package")
        echo "$name deb $ID-$VERSION_ID $told"
        texts=/usr/share/doc/${{package%%:*}}/copyright
    fi
    for text in $texts; do
        [ -f "$text" ] && mkdir -p "texts${{text%/*}}" && cp -L "$text" "texts$text"
    done
done 2>/dev/null
exit 0
"""

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
class Taken:
    """A package of the build image that libraries of the layer were taken out of."""

    name: str
    version: str
    kind: str
    """``rpm`` or ``deb``."""
    distro: str
    """``amzn-2023``."""
    arch: str
    """As the distribution calls it."""
    upstream: str
    """Source package that it was made of, by which advisories name it."""
    licence: str
    """As the package says; empty where it does not."""
    sonames: tuple[str, ...]
    """File names of its libraries in the layer."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a build image says of itself."""

    compilers: tuple[str, ...] = ()
    """First line of what each says of its version."""
    taken: tuple[Taken, ...] = ()
    """Of the libraries that were asked about; without those that no package has as they are."""
    texts: tuple[Text, ...] = ()
    """Licences of these packages."""


@dataclass(frozen=True, kw_only=True)
class Origins:
    """What is known of a layer's making beyond its manifest."""

    archives: Mapping[str, Origin] = field(default_factory=dict)
    """By name of the package or library; without those of which it is not known."""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What each was compiled against, by name, as the recipe says."""
    texts: tuple[Text, ...] = ()
    """Licences of the compiled libraries and of the image's, which bring no metadata."""
    image: Image | None = None
    """That the source steps ran in; ``None`` where there were none."""
    compilers: tuple[str, ...] = ()
    """First line of what each says of its version."""
    taken: tuple[Taken, ...] = ()
    """Packages of the image that are in the layer."""
    patches: Mapping[str, tuple[Patch, ...]] = field(default_factory=dict)
    """Changes of a package's files, by its name."""
    data: tuple[Data, ...] = ()
    """Files that no wheel carries; their addresses as recipes have them."""
    linked: tuple[Linked, ...] = ()
    """Archives of the image that are linked into what was compiled, as recipes say."""


def origins(plan: Plan, builder: Builder | None, search: Search, workspace: Path, logs: Path) -> Origins:
    """Where the parts of a plan's layer come from. What cannot be found out is left out, never an error."""
    archives: dict[str, Origin] = {}
    needs: dict[str, tuple[str, ...]] = {}
    texts: list[Text] = []
    sonames: tuple[str, ...] = ()
    here = _hashes(search.folders) if builder else frozenset[str]()
    for step in plan.steps:
        match step:
            case LibraryStep():
                url, sha256 = public(step.library.source.url), step.library.source.sha256
                archives[step.library.name] = Origin(sha256=sha256, url=url, compiled=True)
                needs[step.library.name] = step.library.needs
                texts += _texts(step.library, search)
            case PackageStep():
                archives |= _sdist(step.pin, search, here)
                needs[step.pin.name] = step.package.needs
            case WheelStep():
                archives |= _wheel(step.pin)
            case SystemStep():
                sonames = step.sonames
    known = Origins(
        archives=archives,
        needs=needs,
        texts=tuple(texts),
        patches=_patches(plan),
        data=plan.spec.data,
        linked=plan.spec.linked,
    )
    if builder is None or all(isinstance(step, WheelStep) for step in plan.steps):
        return known
    told = ask(builder, sonames, search.store, workspace, logs)
    return replace(known, image=builder.image, compilers=told.compilers, taken=told.taken, texts=(*texts, *told.texts))


def _patches(plan: Plan) -> dict[str, tuple[Patch, ...]]:
    names = sorted({one.package for one in plan.spec.patches})
    return {name: tuple(one for one in plan.spec.patches if one.package == name) for name in names}


def public(url: str) -> str:
    """An address without what could be a secret; empty where it is not one of the web."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https", "ftp"} or not parts.hostname:
        return ""
    host = parts.hostname + (f":{parts.port}" if parts.port else "")
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What an image said, as it is kept."""

    lines: list[str]
    texts: list[Text]


def _answered(kept: bytes | None) -> _Answer | None:
    """A kept answer; ``None`` where there is none, or something else."""
    try:
        return guarded.json_as(kept, _Answer) if kept is not None else None
    except guarded.Unreadable:
        return None


def ask(builder: Builder, sonames: tuple[str, ...], store: Store, workspace: Path, logs: Path) -> Told:
    """Versions of an image's compilers and the packages of its libraries, asked once and kept."""
    key = digest.of_json([_SCHEMA, builder.image.identity, _ASK, *sonames])
    answer = _answered(store.get(_KIND, key))
    if answer is None:
        folder = workspace / _KIND
        folder.mkdir()
        try:
            outcome = builder.perform(_question(folder, logs, sonames), lambda _line: None)
        except EngineError:
            return Told()  # what was compiled is there, and worth more than an answer
        if outcome.status:
            return Told()
        answer = _Answer(lines=outcome.output.splitlines(), texts=_copied(folder / "texts"))
        store.put(_KIND, key, json.dumps(asdict(answer)).encode())
    heads = tuple(f"{name}: " for name in COMPILERS)
    return Told(
        compilers=tuple(line for line in answer.lines if line.startswith(heads)),
        taken=_packages(answer.lines, sonames),
        texts=tuple(answer.texts),
    )


def _copied(folder: Path) -> list[Text]:
    """The licences that were copied out of the image, with their places in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [
        licences.text(SYSTEM, f"/{path.relative_to(folder)}", path.stat().st_size, path.read_bytes) for path in files
    ]


def _packages(lines: Iterable[str], sonames: Sequence[str]) -> tuple[Taken, ...]:
    """Packages by what was said of each library: ``SONAME KIND DISTRO NAME VERSION ARCH UPSTREAM LICENCE``."""
    found: dict[tuple[str, ...], list[str]] = {}
    for line in lines:
        soname, *fields = line.split(" ", 7)
        if soname in sonames and len(fields) >= 6:
            found.setdefault(tuple(fields), []).append(soname)
    return tuple(
        Taken(
            name=name,
            version=version,
            kind=kind,
            distro=distro,
            arch=arch,
            upstream=upstream,
            licence=" ".join(licence),
            sonames=tuple(names),
        )
        for (kind, distro, name, version, arch, upstream, *licence), names in found.items()
    )


def _question(folder: Path, logs: Path, sonames: Iterable[str]) -> Task:
    return Task(
        name=_KIND,
        argv=("/bin/sh", "-c", _ASK, "sh", *sonames),
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
        mounts=(Mount(source=folder, target="/work", writable=True),),
        workdir="/work",
        log=logs / f"{_KIND}.log",
        memory=_MEMORY,
        timeout=_SECONDS,
    )


def _texts(library: Library, search: Search) -> tuple[Text, ...]:
    try:
        data = sources.fetch(library.source, search)
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
