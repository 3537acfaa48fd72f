"""``layerforge doctor``."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass

import click

from layerforge import __version__
from layerforge.build import interpreters
from layerforge.build.container.connect import connect, unavailable
from layerforge.build.container.images import build_image_here
from layerforge.build.errors import EngineError
from layerforge.build.host import HostEngine
from layerforge.cli import engines, terminal
from layerforge.cli import options as shared
from layerforge.core import process, runtimes
from layerforge.core.runtimes import Arch, Target
from layerforge.core.store import disk
from layerforge.core.text import megabytes
from layerforge.core.uv_program import uv_program


@dataclass(frozen=True, kw_only=True)
class Report:
    """One thing that a build may need."""

    name: str
    good: bool
    says: str


@click.command("doctor")
@shared.json_option
def command(as_json: bool) -> None:  # noqa: FBT001
    """Say what this machine can build, and how to get what it lacks."""
    engine = _engine()
    reports = [
        _tool(),
        _store(),
        engine,
        *(_images() if engine.good else ()),
        *(_runtime(target) for target in _targets()),
    ]
    if as_json:
        terminal.print_json({"layerforge": __version__, "checks": [asdict(one) for one in reports]})
        return
    out = terminal.report()
    for one in reports:
        out.line(("✓", "green") if one.good else ("!", "yellow"), f" {one.name:<12} {one.says}")


def _targets() -> list[Target]:
    return [Target(runtime=runtime, arch=Arch.X86_64) for runtime in runtimes.runtimes().values()]


def _tool() -> Report:
    done = process.run([uv_program(), "--version"])
    return Report(name="uv", good=done.status == 0, says=done.stdout.decode().strip() or done.stderr.strip())


def _store() -> Report:
    root = disk.default_root()
    place = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    return Report(name="store", good=free > 2 * 10**9, says=f"{root}, {megabytes(free)} free")


def _engine() -> Report:
    """Whether packages can be compiled, and layers run in Lambda's own image."""
    error = unavailable()
    says = "; ".join(" ".join(part.split()) for part in (error.message, error.hint)) if error else "an engine answers"
    return Report(name="container", good=not error, says=says)


def _images() -> list[Report]:
    """Whether the images that packages are compiled in, and layers run in, are there or could lately not be made."""
    try:
        client = connect()
        here = [build_image_here(client, target) for target in _targets()]
        client.close()
    except EngineError as error:
        return [Report(name="images", good=False, says=f"{error.message}; {error.hint}")]
    return [_image(target, here=found) for target, found in zip(_targets(), here, strict=True)]


def _image(target: Target, *, here: bool) -> Report:
    name = f"image {target.python}"
    if here:
        return Report(name=name, good=True, says="packages are compiled, and layers run, in it")
    failure = engines.failed_before(disk.DiskStore(root=disk.default_root(), progress=terminal.progress()), target)
    if failure:
        return Report(name=name, good=False, says=f"{failure.message}; {failure.hint}")
    return Report(name=name, good=False, says="not here; the first build makes it, which takes a network and minutes")


def _runtime(target: Target) -> Report:
    """Whether layers for a Python can be compiled and run here. Their wheels can always be installed."""
    interpreter = interpreters.find(target.python, own=disk.pythons())
    name = f"python{target.python}"
    if interpreter is None:
        if interpreters.may_fetch():
            return Report(name=name, good=True, says="not on this machine; uv gets it when a build needs it")
        missing = interpreters.missing(target.python)
        return Report(name=name, good=False, says=f"{missing.message}; {missing.hint}")
    refusal = HostEngine(interpreter=interpreter).refusal(target)
    runs = f"layers are not run here: {refusal}" if refusal else "layers are compiled and run here"
    return Report(name=name, good=True, says=f"{interpreter.version} at {interpreter.path}; {runs}")
