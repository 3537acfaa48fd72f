"""Wheels that are made in a container without network, as packages are compiled there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from layerforge.build.durations import SharedClock
from layerforge.build.engine import Builder
from layerforge.build.packed import one_wheel, unpack
from layerforge.build.plan import BUILT, SOURCE_SCHEMA, PackageStep
from layerforge.build.steps import carry_out
from layerforge.build.task import StepContext
from layerforge.build.work import StepWork
from layerforge.core import digest
from layerforge.core.errors import StepError
from layerforge.core.runtimes import Target
from layerforge.resolve import build_environments, lock, sources
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Settings, Source, SourcePackage
from layerforge.resolve.sources import Search


@dataclass(frozen=True, kw_only=True)
class ContainerBuild:
    """What a wheel is made in."""

    builder: Builder
    search: Search
    target: Target
    logs: Path
    clock: SharedClock
    indexes: tuple[str, ...] = ()


def built_in_container(
    build: ContainerBuild, archive: bytes, folder: Path, name: str, workspace: Path, variables: dict[str, str]
) -> Path:
    """The wheel of a source archive, unpacked in ``folder``; the result lies below ``workspace``.

    What it is built with is looked up and fetched here. Raises ``StepError`` where its build fails, ``LockError`` where
    what it is built with cannot be had.
    """
    sha256 = digest.sha256(archive)
    shelf = workspace / "archives"
    shelf.mkdir()
    (shelf / "archive").write_bytes(archive)
    requires = sources.build_requires(folder)
    search, image = build.search, build.builder.image
    pins = build_environments.for_source(name, requires, build.target, search, build.indexes)
    epoch = int(variables["SOURCE_DATE_EPOCH"])
    facts = [SOURCE_SCHEMA, image.identity, build.target.label, name, sha256, variables, lock.render(pins)]
    step = PackageStep(
        package=SourcePackage(name=name),
        pin=Pin(name=name, version="", hashes=(f"sha256:{sha256}",)),
        settings=Settings(env=variables),
        build_pins=pins,
        key=digest.of_json(["wheel of a source", *facts]),
    )
    work = StepWork(
        step=step,
        target=build.target,
        epoch=epoch,
        inputs=(),
        # No address: whoever carries it out has the archive in a folder.
        source=Source(url=f"archive:{name}", sha256=sha256),
        build_packages=(),
        image=image.identity,
    )
    context = StepContext(
        builder=build.builder,
        search=replace(search, folders=(shelf, *search.folders)),
        workspace=workspace,
        logs=build.logs,
        indexes=build.indexes,
        clock=build.clock,
    )
    carry_out(work, context)
    packed = search.store.get(BUILT, step.key)
    if packed is None:
        raise StepError(f"the store does not keep the wheel of {name}", hint="is its disk full?")
    unpack(packed, workspace / "wheel", name)
    return one_wheel(workspace / "wheel", name)
