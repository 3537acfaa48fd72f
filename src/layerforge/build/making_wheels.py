"""Makes wheels of what is none: projects on this disk, source distributions, commits of repositories.

One is made once: the store has it by the digest of what it was made of. With a container engine it is made in a
container without network; without one this machine builds what is the person's own, and the rest where they say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion

from layerforge.build.durations import SharedClock
from layerforge.build.engine import Builder
from layerforge.build.errors import EngineError
from layerforge.build.interpreters import Interpreter
from layerforge.build.packed import pack
from layerforge.build.wheel_bytes import metadata, normal
from layerforge.build.wheels_here import built_here
from layerforge.build.wheels_in_containers import ContainerBuild, built_in_container
from layerforge.core import digest
from layerforge.core.errors import StepError
from layerforge.core.faults import writing
from layerforge.core.filing import write_atomically
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import DiskStore
from layerforge.resolve import made_wheel, scm_versions, source_archive, unpack_source, wheel_tags
from layerforge.resolve.errors import LockError
from layerforge.resolve.git import is_commit
from layerforge.resolve.made_wheel import MadeWheel
from layerforge.resolve.source_archive import SourceArchive
from layerforge.resolve.sources import Search
from layerforge.resolve.wheel_requirements import applies, readable, required
from layerforge.resolve.wheel_source import PROJECT_FILES, WheelSource

_EPOCH = 315532800
"""1980 in unix seconds: the date that builds are told, whatever that of the layer is."""

_PURE = frozenset({"py3-none-any", "py2-none-any"})
_MOST = 200
"""Wheels that are made for one layer."""


@dataclass(frozen=True, kw_only=True)
class WheelMaking:
    """What wheels are made with."""

    search: Search
    store: DiskStore
    target: Target
    logs: Path
    builder: Builder | None = None
    """Makes them in containers; ``None`` where there is no engine."""
    interpreter: Interpreter | None = None
    """The one of this machine that builds where there is no engine."""
    everywhere: tuple[Target, ...] = ()
    """The targets that they are for, where these are more than that one."""
    build_here: bool = False
    """Whether the code of others may run on this machine to build them."""
    indexes: tuple[str, ...] = ()
    projects: frozenset[str] = frozenset()
    """Folders of the projects that are named, whose own code could stay out."""
    clock: SharedClock = field(default_factory=SharedClock)

    @property
    def targets(self) -> tuple[Target, ...]:
        """All that they are for."""
        return self.everywhere or (self.target,)


def made_wheels(
    direct: Iterable[WheelSource], instead: Iterable[WheelSource], making: WheelMaking
) -> tuple[MadeWheel, ...]:
    """The wheels of sources, and of those that their metadata names by address; ``instead`` are those that others
    require. What is asked for directly stands for all of its name.

    Raises ``LayerforgeError`` where one cannot be made, or two are of one name.
    """
    made: dict[str, MadeWheel] = {}
    waiting = [*((one, True) for one in direct), *((one, False) for one in instead)]
    waiting = [row for row in waiting if applies(row[0].marker, making.targets)]
    while waiting:
        source, wanted = waiting.pop(0)
        known = made.get(source.name)
        if known is not None and not wanted:
            made[source.name] = _standing_in(known, source, making)
            continue
        one = replace(_made(source, making), direct=wanted, instead=not wanted)
        known = made.get(one.name)
        if known is None:
            made[one.name] = one
            waiting += [(more, False) for more in required(one, making.targets)]
        elif known.sha256 != one.sha256:
            raise _two(known, one)
        else:
            made[one.name] = replace(known, extras=_both(known.extras, source.extras))
        if len(made) > _MOST:
            raise LockError("there are too many wheels to make", hint="make wheels of them, and name those")
    return tuple(made.values())


def _standing_in(known: MadeWheel, source: WheelSource, making: WheelMaking) -> MadeWheel:
    """A wheel that stands for another source of its name too, with the extras that are asked of that.

    It is said, but not of a commit of the same repository: that is what a lock is for.
    """
    exact = is_commit(known.source.ref) and not is_commit(source.ref)
    if known.source.place != source.place or (known.source.ref != source.ref and not exact):
        making.search.progress.say(f"{known.source.text} stands for {source.text} too")
    return replace(known, instead=True, extras=_both(known.extras, source.extras))


def _both(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))


def _made(source: WheelSource, making: WheelMaking) -> MadeWheel:
    try:
        return made_of(source, making)
    except StepError as error:
        if source.place in making.projects:
            error.hint = "; ".join([*([error.hint] if error.hint else []), _WITHOUT])
        raise


_WITHOUT = "or leave the project's own code out with --no-project"


def _two(one: MadeWheel, other: MadeWheel) -> LockError:
    return LockError(
        f"{one.name} is asked for twice, from places that give different wheels",
        hint="name it once",
        details=(one.source.text, other.source.text),
    )


def made_of(source: WheelSource, making: WheelMaking) -> MadeWheel:
    """The wheel of a source, from the store where it was made before. Raises ``LayerforgeError``."""
    archive = source_archive.archive(source, making.search)
    version = scm_versions.version(source)
    keys = [made_wheel.key_of(archive.sha256, source, version, *more) for more in ((), _surroundings(making))]
    found = next((one for key in keys if (one := _kept(key, making.store))), None)
    if found is None:
        found = _built(source, archive, version, making)
        key = keys[0] if _is_pure(found[0]) else keys[1]
        making.store.put(made_wheel.KIND, key, found[0].encode() + b"\n" + found[1])
    return _as_made(source, *found, making)


def _surroundings(making: WheelMaking) -> tuple[str, ...]:
    """What a wheel depends on that is not pure Python."""
    where = making.builder.image.identity if making.builder else "here"
    return making.target.label, making.target.runtime.manylinux, where


def _kept(key: str, store: DiskStore) -> tuple[str, bytes] | None:
    """File name and bytes of a wheel that the store has."""
    value = store.get(made_wheel.KIND, key)
    if value is None:
        return None
    name, _, data = value.partition(b"\n")
    return name.decode("utf-8", "replace"), data


def _built(source: WheelSource, archive: SourceArchive, version: str, making: WheelMaking) -> tuple[str, bytes]:
    """File name and bytes of a wheel that is made now, in a container or here."""
    progress, name = making.search.progress, source.title
    variables = scm_versions.variables(_EPOCH, version)
    with making.store.workspace() as workspace:
        folder = _unpacked(source, archive, workspace)
        _refuse_foreign(source, making)
        progress.say(f"{name}: a wheel is made of {archive.what}, {_where(here=making.builder is None)}")
        if making.builder is None:
            into = workspace / "wheel"
            with progress.step(f"build {name}") as step:
                wheel = built_here(
                    folder,
                    name,
                    into,
                    interpreter=making.interpreter,
                    variables=variables,
                    indexes=making.indexes,
                    foreign=source.foreign,
                )
                step.note(wheel.name)
        else:
            build = ContainerBuild(
                builder=making.builder,
                search=making.search,
                target=making.target,
                logs=making.logs,
                clock=making.clock,
                indexes=making.indexes,
            )
            data = pack(folder, name) if source.subfolder else archive.data
            wheel = built_in_container(build, data, folder, name, workspace, variables)
        _refuse_other(source, wheel.name, making)
        return wheel.name, normal(wheel)


def _where(*, here: bool) -> str:
    return "on this machine, in an environment of its own, without a container engine" if here else "in a container"


def _refuse_foreign(source: WheelSource, making: WheelMaking) -> None:
    """Raises ``EngineError`` where others' code would run on this machine and nobody has said that it may."""
    if source.foreign and making.builder is None and not making.build_here:
        raise EngineError(
            f"{source.title} is a {source.form}, and to make a wheel of it runs its code",
            hint="take a container engine with Lambda's image, which runs it without network (`layerforge doctor` says "
            "what is missing), or allow it on this machine with --build-here",
            details=(source.text,),
        )


def _unpacked(source: WheelSource, archive: SourceArchive, workspace: Path) -> Path:
    """The project's folder of an archive, below the workspace. Raises ``StepError`` where it holds no project."""
    place = workspace / "source"
    place.mkdir()
    folder = unpack_source.unpack(archive.data, source.title, place) / source.subfolder
    if not any((folder / name).is_file() for name in PROJECT_FILES):
        where = f" in {source.subfolder}" if source.subfolder else ""
        raise StepError(
            f"{source.title} has none of {', '.join(PROJECT_FILES)}{where}, so no wheel can be made of it",
            hint="of a repository, #subdirectory= names the folder that the project lies in",
            details=(source.text,),
        )
    return folder


def _is_pure(file: str) -> bool:
    _, _, _, tags = parse_wheel_filename(file)
    return {str(tag) for tag in tags} <= _PURE


def _refuse_other(source: WheelSource, file: str, making: WheelMaking) -> None:
    """Raises ``StepError`` where a wheel is another package's, or does not serve the target."""
    try:
        name = parse_wheel_filename(file)[0]
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise StepError(f"what was made of {source.title} is not called as a wheel is: {file}") from error
    if source.name and name != source.name:
        raise StepError(f"{source.text} gives the package {name}, not {source.name}", hint=f"call it {name}")
    if not wheel_tags.fits(file, making.target):
        target = making.target
        raise StepError(
            f"the wheel of {name} is for another platform than Python {target.python} on {target.arch}: {file}",
            hint="a container engine compiles it for Lambda's"
            if making.builder is None
            else "its build does not heed the interpreter that it runs in",
        )


def _as_made(source: WheelSource, file: str, data: bytes, making: WheelMaking) -> MadeWheel:
    """A wheel as a file of the store that uv can take."""
    name, version, _, _ = parse_wheel_filename(file)
    sha256 = digest.sha256(data)
    path = making.store.place("made-wheels") / sha256 / file
    with writing(path.parent):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.is_file() or digest.of_file(path) != sha256:
            write_atomically(path, data, 0o600)
    return MadeWheel(
        source=source,
        name=canonicalize_name(name),
        version=str(version),
        address=path.resolve().as_uri(),
        sha256=sha256,
        extras=source.extras,
        requires=readable(metadata(data)),
    )
