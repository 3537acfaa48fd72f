"""A shop for workers of tests: its jobs sleep, fail or die as their text says, and what is done lies in a folder."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from layerforge.build.errors import EngineError
from layerforge.build.graph import Demand, Done, Job
from layerforge.core.errors import StepError
from layerforge.core.runtimes import Arch


class FolderShop:
    """Does jobs that leave a file in a folder. Each beginning and each end is a line of ``log``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stops: dict[str, threading.Event] = {}

    def perform(self, key: str, task: str, tell: Callable[[str], None]) -> Done:
        asked = json.loads(task)
        if (self.folder / f"{key}.done").exists():
            return Done(key=key, note="from the store")
        stop = self.stops[key] = threading.Event()
        self.log(f"begin {key} {os.getpid()}")
        if asked.get("dies") and self.first(key):
            os.kill(os.getpid(), signal.SIGKILL)
        tell(f"working on {key}")
        end = time.monotonic() + asked.get("seconds", 0.0)
        while (left := end - time.monotonic()) > 0:
            if stop.wait(min(left, 0.05)):
                self.log(f"stopped {key} {os.getpid()}")
                raise EngineError("the container was removed while it ran")
        if asked.get("fails"):
            raise StepError(f"{key} does not compile", hint="read the log", details=("line 1", "line 2"))
        if asked.get("engine") and self.first(key):
            raise EngineError("the container engine stopped answering")
        (self.folder / f"{key}.done").touch()
        self.log(f"end {key} {os.getpid()}")
        return Done(key=key, note="1 byte")

    def first(self, key: str) -> bool:
        """Whether this is the first time that somebody asks for a key."""
        try:
            (self.folder / f"{key}.first").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def log(self, text: str) -> None:
        with (self.folder / "log").open("a") as file:
            file.write(f"{text}\n")

    def stop(self, key: str) -> None:
        self.stops[key].set()

    def close(self) -> None:
        self.log(f"closed {os.getpid()}")


def folder_shop(settings: str) -> FolderShop:
    """The shop of a folder."""
    return FolderShop(Path(settings))


def slow_shop(settings: str) -> FolderShop:
    """The same, for which a worker takes a while to join."""
    time.sleep(2)
    return FolderShop(Path(settings))


def no_shop(_settings: str) -> FolderShop:
    """What a worker finds that has no engine."""
    raise EngineError("no container engine answers", hint="start it")


def a_job(key: str, *needs: str, arch: Arch = Arch.X86_64, processors: int = 1, memory: int = 0, **task: object) -> Job:
    """A job for the shop."""
    demand = Demand(arch=arch, processors=processors, memory=memory)
    return Job(key=key, title=f"the {key}", needs=needs, demand=demand, task=json.dumps(task))


def logged(folder: Path, word: str) -> list[str]:
    """The keys that a shop's log tells a word of, in its order."""
    log = folder / "log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split()[1] for line in lines if line.startswith(f"{word} ")]
