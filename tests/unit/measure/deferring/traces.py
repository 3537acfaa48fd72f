"""Traces of init phases that were never run, and an engine that runs them with this interpreter."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from layerforge.build.engine import Job, Outcome
from layerforge.measure.deferring.graph import Graph, Wait
from layerforge.measure.deferring.trace import Edge, Statement, Trace, TracedModule


def a_trace(
    edges: Iterable[tuple[str, int, str, str]], statements: Mapping[str, tuple[Statement, ...]] | None = None
) -> Trace:
    """A trace of some edges, with every module in them but the function itself."""
    found = tuple(Edge(importer=one, line=line, called=called, module=other) for one, line, called, other in edges)
    names = sorted({name for edge in found for name in (edge.importer, edge.module)} - {"__main__"})
    modules = {name: TracedModule(file=f"/opt/python/{name.replace('.', '/')}.py", us=0) for name in names}
    return Trace(modules=modules, edges=found, statements=statements or {})


def a_statement(line: int, module: str, *names: str) -> Statement:
    """``import module``, or ``from module import names``."""
    bound = names or (module.partition(".")[0],)
    return Statement(first=line, last=line, module=module, names=names, bound=bound, needed=(0,) * len(bound))


def a_graph(links: Iterable[tuple[str, str]], fixed: Iterable[tuple[str, str]] = ()) -> Graph:
    """A graph in which each of ``links`` could wait, and each module takes a millisecond."""
    waits: dict[str, dict[Wait, frozenset[str]]] = {}
    for one, other in links:
        waits.setdefault(one, {})[Wait(importer=one, module=other)] = frozenset({other})
    kept: dict[str, frozenset[str]] = {}
    for one, other in fixed:
        kept[one] = kept.get(one, frozenset()) | {other}
    names = sorted({name for pair in (*links, *fixed) for name in pair} - {""})
    return Graph(costs=dict.fromkeys(names, 1.0), names=tuple(names), fixed=kept, waits=waits)


class RealRuns:
    """Runs a job with this interpreter, without anything of its environment but the layer."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def run(self, job: Job) -> Outcome:
        self.jobs.append(job)
        start, site = time.monotonic(), str(job.opt / "python")
        text = f"import sys\nsys.path.insert(0, {site!r})\nexec(compile({job.init!r}, 'init.txt', 'exec'))\n"
        text += f"exec(compile({job.program!r}, 'program.txt', 'exec'))\n"
        argv = [sys.executable, "-I", "-S", "-B", "-c", text]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        return Outcome(status=done.returncode, output=output, seconds=time.monotonic() - start)


def a_layer(folder: Path, files: Mapping[str, str]) -> Path:
    """Files below ``python/`` of a folder."""
    for name, text in files.items():
        place = folder / "python" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder
