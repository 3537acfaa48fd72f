"""What a filled far store saves on a machine that has nothing: a compiled layer, and a layer of wheels.

Every run has a new near store and a new cache of uv's, as a new machine has. What the compiled layer is made of comes
from a near store in which it was compiled; nothing is ever written there.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import scale_s3
from layerforge.core.store import keys
from layerforge.core.store.keys import SigningKey

LAYERFORGE = Path(sys.executable).parent / "layerforge"
COMPILED = "scikit-learn"
WHEELS = ("pandas", "requests")
OF_LAYERS = ("layer", "layer-bytes", "verdict")
"""Kinds of a finished layer; without them it is put together anew from what was compiled."""
OF_WHEELS = ("bytecode", "libdeflate-6", "libdeflate-12")


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A way to a layer, and how long it took each time."""

    name: str
    seconds: list[float] = field(default_factory=list)
    containers: list[int] = field(default_factory=list)
    """How many were started, that which runs the layer among them."""

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a run is to find: a signer, and folders of its own."""

    folder: Path
    key: SigningKey

    def build(
        self, store: str, words: Sequence[str], *, signs: bool = False, near: Path | None = None
    ) -> tuple[float, int]:
        """Builds on a machine that has nothing but what ``near`` holds; returns wall seconds and the process's id."""
        new = self.folder / "new"
        shutil.rmtree(new, ignore_errors=True)
        env = {name: value for name, value in os.environ.items() if not name.startswith(("LAYERFORGE_", "PYTHON"))}
        env |= {"LAYERFORGE_CACHE": str(near or new / "near"), "UV_CACHE_DIR": str(new / "uv")}
        env |= {"LAYERFORGE_STORE": store, "LAYERFORGE_TRUSTED_KEYS": self.key.public.text}
        env |= {"LAYERFORGE_SIGNING_KEY": self.key.text} if signs else {}
        os.sync()
        began = time.perf_counter()
        argv = [str(LAYERFORGE), *words, *(("-o", str(new / "out")) if words[0] == "build" else ())]
        done = subprocess.Popen(argv, env=env, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        _, said = done.communicate()
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {said.decode()[-2000:]}")
        return time.perf_counter() - began, done.pid


def machine(folder: Path) -> Machine:
    """A machine in a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return Machine(folder=folder, key=keys.new_key("bench"))


def without(kinds: Sequence[str], near: Path) -> None:
    """Takes values of some kinds out of a near store."""
    for kind in kinds:
        for found in near.glob(f"*/values/{kind}"):
            shutil.rmtree(found)


def compiled(source: Path, image: str, runs: int, folder: Path, say: Callable[[str], None]) -> list[Timed]:
    """The compiled layer on a new machine, from a folder and from S3, with the layer there and without."""
    one, build = machine(folder), ("build", COMPILED, "--compile", "--image", image)
    near = folder / "filled"
    shutil.copytree(source, near, symlinks=True)
    without((*OF_LAYERS, *OF_WHEELS), near)
    steps, whole = folder / "steps", folder / "whole"
    for store in (str(steps), scale_s3.STORE):
        say(f"filling {store} …")
        # What the build makes of wheels and steps goes there because it makes it, so the layer must not be there yet.
        one.build(store, ("cache", "push", "-q"), signs=True, near=near)
        one.build(store, build, signs=True, near=near)
        without((*OF_LAYERS, *OF_WHEELS), near)
    shutil.copytree(steps, whole)
    for kind in OF_LAYERS:
        shutil.rmtree(steps / "records" / kind)
    ways = {
        f"{COMPILED} compiled, the layer in a folder": str(whole),
        f"{COMPILED} compiled, the layer in S3": scale_s3.STORE,
        f"{COMPILED} compiled, its steps in a folder": str(steps),
    }
    return in_turns(one, {name: (store, build) for name, store in ways.items()}, runs, say, counted=True)


def wheels(runs: int, folder: Path, say: Callable[[str], None]) -> list[Timed]:
    """A layer of wheels on a new machine: without a far store, with that layer in it, with others of its wheels."""
    one, build = machine(folder), ("build", *WHEELS, "--engine", "host")
    same, others = folder / "same", folder / "others"
    one.build(str(same), build, signs=True)
    one.build(str(others), (*build, "--each"), signs=True)
    stores = {"without a store": "none", "that layer in the store": str(same), "its wheels in the store": str(others)}
    ways = {f"{' and '.join(WHEELS)}, {name}": (store, build) for name, store in stores.items()}
    return in_turns(one, ways, runs, say)


def in_turns(
    one: Machine,
    ways: Mapping[str, tuple[str, Sequence[str]]],
    runs: int,
    say: Callable[[str], None],
    *,
    counted: bool = False,
) -> list[Timed]:
    """Each way once, then each once more, so that a slow minute of the machine meets all of them."""
    timed = {name: Timed(name=name) for name in ways}
    for number in range(runs):
        for name, (store, words) in ways.items():
            since = time.time()
            spent, process = one.build(store, words)
            timed[name].seconds.append(round(spent, 2))
            if counted:
                timed[name].containers.append(started(process, since))
            say(f"{number + 1}/{runs} {name}: {spent:.1f} s")
    return list(timed.values())


def started(process: int, since: float) -> int:
    """How many containers a process has started since a time."""
    until = ("--since", f"{since:.3f}", "--until", f"{time.time():.3f}")
    which = ("--filter", "event=start", "--filter", f"label=layerforge.pid={process}")
    argv = ["docker", "events", *until, *which, "--format", "{{.ID}}"]
    return len(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())
