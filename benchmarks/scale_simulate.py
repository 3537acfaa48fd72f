"""The simulation of a cluster: real client, scheduler, workers and far store; the steps sleep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from layerforge.core.store import keys
from scale_client import Asked
from scale_graph import graph
from scale_shop import Setting, logged

CLIENT = Path(__file__).with_name("scale_client.py")


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """How one number of workers did."""

    workers: int
    jobs: int
    layers: int
    ideal: float
    """Seconds that nothing could be below: all work over all workers, or the longest way."""
    wall: float
    cpu: float
    peak: int
    idle: int
    done: int
    begun: int
    repeated: int
    """Times that a step was begun or ended beyond the first."""
    load: float
    """Of the machine, just before."""

    @property
    def share(self) -> float:
        """Percent of the ideal speed-up."""
        return 100 * self.ideal / self.wall

    @property
    def cpu_each(self) -> float:
        """Milliseconds of processor time of client and scheduler a step."""
        return 1000 * self.cpu / self.jobs

    @property
    def wall_each(self) -> float:
        """Milliseconds of wall time beyond the ideal a step."""
        return 1000 * (self.wall - self.ideal) / self.jobs


def run(workers: int, work: float, layers: int, folder: Path) -> Simulated:
    """Runs the whole graph on so many worker processes, in a client of its own. Raises ``RuntimeError``."""
    folder.mkdir(parents=True)
    load = round(os.getloadavg()[0], 2)
    setting = Setting(store=str(folder / "store"), key=keys.new_key("bench").text, folder=str(folder))
    file = folder / "asked.json"
    file.write_text(Asked(work=work, layers=layers, salt=str(workers), setting=setting, workers=workers).text)
    ran = subprocess.run([sys.executable, str(CLIENT), str(file)], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"the client ended with {ran.returncode}: {ran.stderr[-2000:]}")
    found = json.loads(file.with_suffix(".result.json").read_text())
    made = graph(work, layers, str(workers))
    counts = {word: Counter(key for one, key, _ in logged(folder) if one == word) for word in ("begin", "end")}
    return Simulated(
        workers=workers,
        jobs=len(made.jobs),
        layers=made.layers,
        ideal=made.ideal(workers),
        wall=found["wall"],
        cpu=found["cpu"],
        peak=found["peak"],
        idle=found["idle"],
        done=found["outcomes"].get("Done", 0),
        begun=counts["begin"].total(),
        load=load,
        repeated=sum(one.total() - len(one) for one in counts.values()),
    )
