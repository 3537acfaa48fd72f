"""What is asked for, before anything is resolved."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from pathlib import Path

from packaging.utils import canonicalize_version

from layerforge.core.errors import UsageError
from layerforge.core.text import fitting_name
from layerforge.resolve import catalogue, listed, lock, pythons, recipe_file, variant, wanted
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.listed import Listed
from layerforge.resolve.made_wheel import MadeWheel
from layerforge.resolve.other_locks.other_lock import OtherLock
from layerforge.resolve.recipe import LONGEST_NAME
from layerforge.resolve.variant import Asked
from layerforge.resolve.wanted import Wanted

_INSTALLED = frozenset({"site-packages", "dist-packages"})
NOTHING = Listed()


@dataclass(frozen=True, kw_only=True)
class Request:
    """One layer that is asked for."""

    spec: LayerSpec
    text: str
    """Requirements as uv reads them, without those of projects."""
    catalogue: Catalogue = field(default_factory=catalogue.catalogue)
    """The recipes of its packages are looked for there."""
    lock: Path | None = None
    """The lock to build from; ``None`` where the requirements are resolved."""
    given: tuple[str, ...] = ()
    """The words that asked for it."""
    listed: Listed = NOTHING
    """What a requirements file says, or words do, beside the requirements of the recipe."""
    files: tuple[Path, ...] = ()
    """What was read for it."""
    untaken: tuple[str, ...] = ()
    """What of a project does not come into its layer, a line each."""
    requires_python: str = ""
    """The Pythons that a project is for."""
    leave_out: tuple[str, ...] = ()
    """What is to stay out beyond what a recipe says itself, as the command line names it."""
    other: OtherLock | None = None
    """What ``lock`` holds where it is another tool's."""
    held_by: tuple[Path, ...] = ()
    """Locks of other tools whose versions hold for what is resolved."""
    partly: bool = False
    """Whether of such a lock only that comes in which the requirements need."""
    taken: Wanted = wanted.NOTHING
    """The extras and groups that come in."""
    by_uv: Wanted = wanted.NOTHING
    """Those of them that uv takes from the project itself, with its ``[tool.uv.sources]``."""
    by_uv_text: str = ""
    """What these require, for where uv reads several projects at once."""
    offered: Wanted = wanted.NOTHING
    """The extras and groups that there are."""
    options: tuple[str, ...] = ()
    """The options that some of them were asked for with, and the words that follow these."""
    texts: tuple[Path, ...] = ()
    """Projects whose requirements stand in ``text``, since uv finds none in them."""
    prerelease: str = ""
    """Which prereleases are taken, in uv's own words; empty for uv's own rule."""
    own_code: tuple[Path, ...] = ()
    """Folders of the projects that are named, whose own packages the layer holds."""
    own_packages: tuple[str, ...] = ()
    """The names of these packages, as far as the projects say them."""
    unwanted: tuple[str, ...] = ()
    """What a lock may have and does not come in: packages of projects that stay out."""
    no_project: bool = False
    """Whether that was left out on purpose."""
    made: tuple[MadeWheel, ...] = ()
    """The wheels that were made of what is none."""
    from_sdist: tuple[str, ...] = ()
    """Packages whose source distributions count too when versions are chosen, since they can be compiled."""
    preferred: str = ""
    """Pins whose versions are taken again where nothing speaks against them."""

    @property
    def file(self) -> Path | None:
        """The file that asks for it where nothing else does."""
        return self.files[0] if self.files and len(self.given) == 1 else None

    @property
    def projects(self) -> tuple[Path, ...]:
        """Files of projects, which uv reads itself, for their ``[tool.uv.sources]``."""
        return tuple(file for file in self.files if file.suffix == ".toml" and file not in self.texts)

    @property
    def lines(self) -> str:
        """Requirements as uv reads them, those of wheels that were made for it included."""
        direct = [one.line for one in self.made if one.direct]
        return "\n".join([*([self.text] if self.text else []), *direct])

    @property
    def names_sources(self) -> bool:
        """Whether wheels have to be made before it can be locked."""
        return bool(self.own_code or self.listed.local or self.listed.instead)

    @property
    def installed(self) -> bool:
        """Whether its recipe is one that came with an installed layerforge, whose files are not the user's."""
        return self.spec.folder is not None and not _INSTALLED.isdisjoint(self.spec.folder.parts)

    @property
    def renew(self) -> str:
        """The command that writes the lock anew."""
        return shlex.join(["layerforge", "lock", *self.given, *self._wishes, *self._left_out, *self._output(str)])

    @property
    def shareable_renew(self) -> str:
        """The same command without any path that only this machine has."""
        words = [_shareable(word) for word in self.given]
        return shlex.join(["layerforge", "lock", *words, *self._wishes, *self._left_out, *self._output(_shareable)])

    @property
    def own_lock(self) -> bool:
        """Whether its lock is the one that lies in the recipe's folder."""
        return self.spec.folder is not None and self.lock == self.spec.folder / recipe_file.LOCK

    @property
    def build_lock(self) -> Path | None:
        """Where the build environments are locked that belong to its lock, which may be without."""
        return None if self.lock is None else beside(self.lock)

    @property
    def _wishes(self) -> tuple[str, ...]:
        versions = ("--prerelease", self.prerelease) if self.prerelease else ()
        return (*self.options, *versions, *(["--no-project"] if self.no_project else []))

    @property
    def _left_out(self) -> tuple[str, ...]:
        return tuple(word for name in self.leave_out for word in ("--leave-out", name))

    def _output(self, told: Callable[[str], str]) -> tuple[str, ...]:
        return () if self.lock is None or self.own_lock else ("-o", told(str(self.lock)))

    def way_out(self, verb: str = "renew", python: str = "") -> str:
        """What to do about a lock that does not serve, for the Python ``python`` where that is named."""
        if self.other is not None:
            return f"{verb} it with `{self.other.renew}`"
        if self.installed and self.own_lock:
            return f'name requirements instead of the recipe, such as "{self.spec.requires[0]}"'
        older = f" --python {python}" if python else ""
        instead = ", or name requirements instead of the recipe" if python and self.spec.folder else ""
        return f"{verb} it with `{self.renew}{older}`{instead}"


def beside(lock: Path) -> Path:
    """Where the build environments are locked that belong to a lock."""
    return lock.with_name(recipe_file.BUILD_LOCK if lock.name == recipe_file.LOCK else f"{lock.stem}.build.lock")


def _shareable(word: str) -> str:
    path = Path(word)
    if not path.is_absolute():
        return word
    return "FOLDER" if path.is_dir() or path.name == recipe_file.FILE else path.name


def leaving_out(request: Request, words: Iterable[str]) -> Request:
    """The request with what the command line leaves out too."""
    words = tuple(words)
    left = tuple(dict.fromkeys((*request.spec.leave_out, *words)))
    return replace(request, spec=replace(request.spec, leave_out=left), leave_out=words)


def by_versions(request: Request) -> Request:
    """The request without the lock of another tool, whose versions and hashes hold for all that is resolved."""
    if request.other is None:
        return request
    pins = request.other.lock.pins
    versions = lock.render(replace(pin, hashes=(), extras=()) for pin in pins)
    hashes = tuple(((pin.name, canonicalize_version(pin.version or "")), frozenset(pin.hashes)) for pin in pins)
    held = Listed(constraints=versions, hashes=hashes)
    both = listed.together([request.listed, held])
    lock_file = None if request.lock == request.other.path else request.lock
    return replace(request, lock=lock_file, other=None, held_by=(request.other.path,), listed=both)


def without_projects(request: Request) -> Request:
    """The request without its projects' own code. Raises ``UsageError`` where nothing else says what to take."""
    alone = [folder for folder in request.own_code if not any(file.parent == folder for file in request.files)]
    if alone:
        raise UsageError(
            f"only a wheel of {alone[0]} says what it requires",
            hint="leave --no-project out, or name a requirements file",
        )
    return replace(request, own_code=(), no_project=bool(request.own_code), unwanted=request.own_packages)


def refuse_lines(request: Request) -> None:
    """Raises ``LockError`` where a line cannot be locked."""
    if request.listed.refused:
        raise LockError(
            "the requirements cannot be locked",
            hint="change what is named: a layer is made of exact versions with hashes",
            details=request.listed.refused[:20],
        )


def merged(requests: Sequence[Request]) -> Request:
    """The one layer that several requests ask for together: all that they list, in their order."""
    requests = [by_versions(one) for one in requests]
    several = sum(len(one.projects) for one in requests) > 1
    name = "-".join(dict.fromkeys(one.spec.name for one in requests))
    requires = tuple(dict.fromkeys(text for one in requests for text in one.spec.requires))
    left = tuple(dict.fromkeys(name for one in requests for name in one.spec.leave_out))
    known = requests[0].catalogue
    first = tuple(dict.fromkeys(folder for one in requests for folder in one.catalogue.first))
    folders = tuple(dict.fromkeys(folder for one in requests for folder in one.catalogue.folders))
    named = fitting_name(name, LONGEST_NAME)
    asked = [Asked.of(kind) if (kind := one.spec.variant) else Asked(requires=one.spec.requires) for one in requests]
    return Request(
        spec=LayerSpec(name=named, requires=requires, leave_out=left, variant=variant.of_layer(asked)),
        text="\n".join(text for one in requests for text in (one.text, one.by_uv_text if several else "") if text),
        files=tuple(file for one in requests for file in one.files),
        catalogue=replace(known, first=first, folders=folders),
        given=tuple(word for one in requests for word in one.given),
        listed=listed.together([one.listed for one in requests]),
        untaken=tuple(line for one in requests for line in one.untaken),
        held_by=tuple(path for one in requests for path in one.held_by),
        taken=reduce(or_, (one.taken for one in requests)),
        by_uv=wanted.NOTHING if several else reduce(or_, (one.by_uv for one in requests)),
        by_uv_text="" if several else "\n".join(one.by_uv_text for one in requests if one.by_uv_text),
        offered=reduce(or_, (one.offered for one in requests)),
        texts=tuple(file for one in requests for file in one.texts),
        prerelease=next((one.prerelease for one in requests if one.prerelease), ""),
        own_code=tuple(dict.fromkeys(folder for one in requests for folder in one.own_code)),
        own_packages=tuple(dict.fromkeys(name for one in requests for name in one.own_packages)),
        requires_python=pythons.together(one.requires_python for one in requests),
    )
