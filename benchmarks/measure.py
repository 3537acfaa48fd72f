"""The measuring itself: runs the two ways to a layer, weighs what comes out, and imports from it."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import sys
import sysconfig
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import uv

from compare import Layer, Sample
from layerforge.build.engine import Job
from layerforge.build.host import HostEngine
from layerforge.core import process
from layerforge.core.paths import SITE
from layerforge.core.runtimes import Arch, Target
from layerforge.examine.unpack import unpack
from layerforge.resolve import recipe_file
from layerforge.resolve.catalogue import catalogue

LAYER_ZIP = "layer.zip"
IMPORT_SECONDS = 300.0
"""How long one import may take."""
UNWANTED = ("GITHUB_STEP_SUMMARY", "LAYERFORGE_CACHE", "SOURCE_DATE_EPOCH", "UV_COMPILE_BYTECODE", "VIRTUAL_ENV")
"""Variables that would change what is measured; so would all whose name begins with PYTHON."""

ZIPFILE_PROGRAM = """
import os, sys, zipfile
out, top = sys.argv[1:]
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
    for folder, _, names in os.walk(top):
        for name in names:
            file.write(os.path.join(folder, name))
"""
"""Stands in for ``zip -9 -q -r OUT TOP`` on a machine without ``zip``."""

IMPORT_PROGRAM = """
import importlib, json, resource, sys

def used():
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in both)

def peak():
    # Of this program alone: what getrusage tells may still be its parent's.
    lines = open("/proc/self/status").read().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

names = json.loads({names!r})
before, there = used(), len(sys.modules)
for name in names:
    importlib.import_module(name)
cost = {{"cpu": used() - before, "peak": peak(), "modules": len(sys.modules) - there}}
files = {{name: getattr(module, "__file__", None) or "" for name, module in list(sys.modules.items())}}
strangers = [
    name for name, file in files.items()
    if ("site-packages" in file or "dist-packages" in file) and not file.startswith(tuple(sys.path[:2]))
]
print(json.dumps({{**cost, "strangers": strangers}}))
"""
"""Imports from the first two folders of ``sys.path``; names every module that came from another installation."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What both ways build, and with what."""

    name: str
    """Of the recipe."""
    lock: Path
    target: Target
    zip_program: str | None
    """``None`` where the machine has no ``zip``."""

    @property
    def platform(self) -> str:
        """The target as uv takes it: ``x86_64-manylinux_2_34``."""
        processor = {Arch.X86_64: "x86_64", Arch.ARM64: "aarch64"}[self.target.arch]
        return f"{processor}-{self.target.runtime.manylinux}"


def install_command(setting: Setting, into: str | Path, lock: str | Path) -> list[str | Path]:
    """The first half of today's way. ``--python`` only keeps uv from looking for, and fetching, another one."""
    where = ["--python-version", setting.target.python, "--python-platform", setting.platform]
    safe = ["--only-binary", ":all:", "--require-hashes"]
    return ["uv", "pip", "install", "--python", sys.executable, "--target", into, *where, *safe, "-r", lock]


def zip_command(setting: Setting, out: str | Path) -> list[str | Path]:
    """The second half of today's way, to be run where the folder ``python`` lies."""
    if setting.zip_program is None:
        return [sys.executable, "-c", ZIPFILE_PROGRAM, out, SITE]
    return ["zip", "-9", "-q", "-r", out, SITE]


def forge_command(setting: Setting, output: str | Path, options: Sequence[str] = ()) -> list[str | Path]:
    """The way of layerforge, without the check that today's way has no counterpart for."""
    return ["layerforge", "build", setting.name, "--engine", "host", "--no-verify", *options, "-o", output]


def programs(setting: Setting) -> Mapping[str, str]:
    """Where the programs of the commands lie: uv and layerforge as this interpreter's environment has them."""
    scripts = Path(sysconfig.get_path("scripts"))
    found = {"uv": uv.find_uv_bin(), "layerforge": str(scripts / "layerforge")}
    return found | ({"zip": setting.zip_program} if setting.zip_program else {})


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what would change the measurement, and with ``more``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {name: value for name, value in kept.items() if name not in UNWANTED} | more


def timed(argv: Sequence[str | Path], known: Mapping[str, str], env: Mapping[str, str], cwd: Path) -> Sample:
    """Runs a command to its end. Raises ``RuntimeError`` with its last words where it fails.

    What earlier runs left to be written is written before the clock starts. The children's time is read from the
    kernel, which counts a child's own children once they have been waited for.
    """
    os.sync()
    before, started = _children(), time.perf_counter()
    done = process.run([known.get(str(argv[0]), argv[0]), *argv[1:]], env=env, cwd=cwd)
    sample = Sample(wall=time.perf_counter() - started, cpu=_children() - before)
    if done.status:
        raise RuntimeError(f"{argv[0]} ended with {done.status}:\n{done.stderr[-2000:]}")
    return sample


def _children() -> float:
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_today(setting: Setting, folder: Path, env: Mapping[str, str]) -> Sample:
    """Today's way, in a new ``folder``; leaves ``layer.zip`` there."""
    folder.mkdir(parents=True)
    known = programs(setting)
    first = timed(install_command(setting, folder / SITE, setting.lock), known, env, folder)
    second = timed(zip_command(setting, folder / LAYER_ZIP), known, env, folder)
    return Sample(wall=first.wall + second.wall, cpu=first.cpu + second.cpu)


def run_layerforge(
    setting: Setting, output: Path, store: Path, env: Mapping[str, str], options: Sequence[str] = ()
) -> Sample:
    """The way of layerforge with the store ``store``, into a new folder ``output``."""
    output.mkdir(parents=True)
    return timed(
        forge_command(setting, output, options), programs(setting), {**env, "LAYERFORGE_CACHE": str(store)}, output
    )


def lock_of(name: str) -> Path:
    """The lock of a recipe that comes along."""
    return (catalogue().places[name] / recipe_file.LOCK).resolve()


def find_zip(output: Path) -> Path:
    """The one zip in a folder."""
    [found] = output.glob("*.zip")
    return found


def weigh(key: str, path: Path) -> Layer:
    """Size and digest of a layer's zip, whoever made it."""
    with zipfile.ZipFile(path) as file:
        files = [info for info in file.infolist() if not info.is_dir()]
    return Layer(
        key=key,
        zipped=path.stat().st_size,
        unzipped=sum(info.file_size for info in files),
        files=len(files),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def unpack_dated(path: Path, into: Path) -> None:
    """Unpacks a layer with the dates of its entries, which decide whether dated bytecode counts."""
    unpack(path, into)
    with zipfile.ZipFile(path) as file:
        for info in file.infolist():
            place = into / info.filename
            if not place.is_symlink():
                at = time.mktime((*info.date_time, 0, 0, -1))
                os.utime(place, (at, at))


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What an import took."""

    cpu: float
    """Seconds of processor time."""
    peak: int
    """Most bytes that the interpreter held."""
    modules: int
    """How many were loaded by it, the standard library's too."""


def import_cost(opt: Path, names: Sequence[str], target: Target, engine: HostEngine) -> Imported:
    """What importing ``names`` from the layer unpacked at ``opt`` takes, in a new interpreter of the target.

    The engine's interpreters see the layer and the standard library alone, and write no bytecode, as on Lambda,
    where a layer is read-only. Raises ``RuntimeError`` where an import fails or a module came from elsewhere.
    """
    program = IMPORT_PROGRAM.format(names=json.dumps(list(names)))
    outcome = engine.run(Job(target=target, opt=opt, program=program, timeout=IMPORT_SECONDS))
    if outcome.status:
        raise RuntimeError(f"import of {', '.join(names)} ended with {outcome.status}:\n{outcome.output[-2000:]}")
    told = json.loads(outcome.output.splitlines()[-1])
    if strangers := told.pop("strangers"):
        raise RuntimeError(f"these modules came from outside the layer: {', '.join(strangers)}")
    return Imported(**told)


def zip_version(program: str | None) -> str:
    """What packs today's way, with its version."""
    if program is None:
        return "Python's zipfile at level 9 (this machine has no zip)"
    words = process.run([program, "-v"]).stdout.decode("utf-8", "replace").split()
    return f"Info-ZIP zip {words[words.index('Zip') + 1]}" if "Zip" in words else "zip"


def find_zip_program() -> str | None:
    """Where ``zip`` lies; ``None`` where there is none."""
    return shutil.which("zip")
