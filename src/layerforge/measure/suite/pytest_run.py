"""Runs a suite in containers and reads how each test ended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from layerforge.build.compiler_flags import WORK
from layerforge.build.engine import Builder, Mount, Outcome, Task
from layerforge.build.task import plain_environment
from layerforge.core import guarded, process, resources
from layerforge.core.progress import Step

PLUGIN = "layerforge_suite.py"
MEMORY = 4 * 2**30
"""Most bytes for each test process; one more than there are workers runs."""

TEST_SECONDS = 900
"""How long one test may take."""

OPT, ENV, DRIVER = "/opt", "/env", "/driver"
RUNTIME = "/var/runtime"
LAMBDA_LIBRARIES = "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
INI = "[pytest]\nconsider_namespace_packages = true\n"
"""Ours alone counts: no package's own, whose warnings might be errors. Packages whose ``__init__`` is bytecode are
namespaces to pytest."""

OPTIONS = (
    *("-c", f"{DRIVER}/pytest.ini", "-p", "layerforge_suite", "-p", "no:cacheprovider", "-q", "--tb=short"),
    # Compiled by Python itself, once for all workers, since pytest has nowhere to keep what it rewrites.
    *("--assert=plain", "--disable-warnings", "--continue-on-collection-errors"),
    *("--hypothesis-seed=0", f"--timeout={TEST_SECONDS}"),
)

MOST_RESULTS = 256 * 2**20
"""Bytes of results that are read: 4,000 for each test of the largest suites."""

FAILING = frozenset({"failed", "error", "crashed"})
_SIGN = re.compile(r"layerforge-suite:(\{.*?\})")


@dataclass(frozen=True, kw_only=True)
class End:
    """How one test ended. A file that cannot be collected counts as a test of the file's name."""

    outcome: str
    """``passed``, ``xpassed``, ``xfailed``, ``skipped``, ``failed``, ``error`` (outside of the test) or ``crashed``."""
    seconds: float
    message: str

    @property
    def failing(self) -> bool:
        """Whether it counts against whoever ran it."""
        return self.outcome in FAILING


@dataclass(frozen=True, kw_only=True)
class SuiteRun:
    """How a suite ended."""

    tests: Mapping[str, End]
    """By their ids, relative to the folder that packages lie in."""
    seconds: float
    total: int
    """How many tests were collected."""
    ending: str = ""
    """Why not all of them were run; empty where they were."""
    log: str = ""
    """The last lines of what pytest said, where the run came to no end of its own."""


@dataclass(frozen=True, kw_only=True)
class TestEnvironment:
    """What both sides of a comparison share."""

    builder: Builder
    python: str
    site: str
    """Folder of ``/opt`` that packages lie in."""
    root: str
    """Folder of ``/opt`` that ids of tests are relative to."""
    env: Path
    """Folder with the tools."""
    settings: Mapping[str, str]
    """Variables of the package's own."""
    beside_runtime: bool = False
    """Whether the layer counts on packages of Lambda's own Python, which the image has."""
    driver: Path
    jobs: int
    seconds: float
    """How long a whole suite may take."""
    logs: Path


def make_driver(folder: Path) -> Path:
    """Writes what every run needs besides the tests."""
    folder.mkdir()
    (folder / PLUGIN).write_text(plugin(), "utf-8")
    (folder / "pytest.ini").write_text(INI, "utf-8")
    return folder


def plugin() -> str:
    """Source text of the plugin."""
    return resources.text(PLUGIN)


def run_suite(
    room: TestEnvironment, name: str, opt: Path, selection: Sequence[str], work: Path, step: Step
) -> SuiteRun:
    """Runs the tests of the tree ``opt``, ``room.jobs`` at a time. ``work`` is a folder that is made."""
    parallel = ("-n", str(room.jobs), "--dist=worksteal", "--max-worker-restart=100000")
    options = (*OPTIONS, f"--rootdir={OPT}/{room.root}", *parallel, *selection)
    return _run(room, name, opt, ("-m", "pytest", *options), work, step)


def run_alone(room: TestEnvironment, name: str, opt: Path, tests: Sequence[str], work: Path, step: Step) -> SuiteRun:
    """Runs each of ``tests`` in a process of its own, one after the other."""
    work.mkdir()
    (work / "tests.json").write_text(json.dumps(list(tests)), "utf-8")
    options = (*OPTIONS, f"--rootdir={OPT}/{room.root}", "-p", "no:xdist")
    program = (f"{DRIVER}/{PLUGIN}", f"{WORK}/tests.json", f"{OPT}/{room.root}", *options)
    return _run(room, name, opt, program, work, step)


def _run(room: TestEnvironment, name: str, opt: Path, arguments: Sequence[str], work: Path, step: Step) -> SuiteRun:
    work.mkdir(exist_ok=True)
    for folder in ("tmp", "home"):
        (work / folder).mkdir()
    log = room.logs / f"{name}.log"
    task = Task(
        name=name,
        argv=(f"/var/lang/bin/python{room.python}", *arguments),
        env=environment(room),
        mounts=(
            Mount(source=work, target=WORK, writable=True),
            Mount(source=opt, target=OPT),
            Mount(source=room.env, target=ENV),
            Mount(source=room.driver, target=DRIVER),
        ),
        workdir=f"{WORK}/home",
        log=log,
        memory=MEMORY * (room.jobs + 1),
        timeout=room.seconds,
    )
    outcome = room.builder.perform(task, watcher(step))
    tests, total = read(work / "results.jsonl")
    ending = _ending(outcome, tests, total, room.seconds)
    return SuiteRun(
        tests=tests, seconds=outcome.seconds, total=total, ending=ending, log=outcome.output if ending else ""
    )


def environment(room: TestEnvironment) -> dict[str, str]:
    """The environment of a suite: the layer comes first, as on Lambda, and the runtime's own packages last."""
    own = f":{RUNTIME}" if room.beside_runtime else ""
    return plain_environment(ENV) | {
        "HOME": f"{WORK}/home",
        "PYTHONPATH": f"{OPT}/{room.site}:{ENV}:{DRIVER}{own}",
        "LD_LIBRARY_PATH": LAMBDA_LIBRARIES,
        # Enough that code for several threads is used, and little enough for several workers.
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
        "MPLBACKEND": "Agg",
        # As on Lambda there is no compiler, whatever the image has: what would be compiled lacks its headers there.
        **dict.fromkeys(("CC", "CXX", "FC"), "/bin/false"),
        **room.settings,
        "LAYERFORGE_RESULTS": f"{WORK}/results.jsonl",
    }


def watcher(step: Step) -> Callable[[str], None]:
    """Something that moves a step's bar by what the plugin says on its lines."""
    shown = {"done": 0, "of": 0}

    def line_came(line: str) -> None:
        for text in _SIGN.findall(line):
            with suppress(guarded.Unreadable):  # a test may print what looks like one
                facts = guarded.json_as(text, _Sign)
                step.expect(max(0, facts.of - shown["of"]))
                step.advance(max(0, facts.done - shown["done"]))
                shown.update(done=max(shown["done"], facts.done), of=max(shown["of"], facts.of))

    return line_came


@dataclass(frozen=True, kw_only=True)
class _Sign:
    """How far a run is, as the plugin says it."""

    done: int
    of: int


@dataclass(frozen=True, kw_only=True)
class _Total:
    """The plugin's line on how many tests there are."""

    of: int


@dataclass(frozen=True, kw_only=True)
class _Ended(End):
    """The plugin's line on one test."""

    id: str


def read(results: Path) -> tuple[dict[str, End], int]:
    """Tests by id, and how many were collected. A line that was cut off, or is another, is left out: the code that is
    tested can write to the file too.
    """
    tests: dict[str, End] = {}
    total = 0
    for line in _lines(results):
        with suppress(guarded.Unreadable):
            row = guarded.json_value(line)
            if isinstance(row, dict) and "of" in row:
                total = guarded.as_(row, _Total).of
            else:
                ended = guarded.as_(_whole(row), _Ended)
                tests[ended.id] = End(outcome=ended.outcome, seconds=ended.seconds, message=ended.message)
    return tests, total


def _whole(row: Any) -> Any:
    """A row whose texts are whole: names and messages of tests may hold half a character, which a report cannot."""
    if not isinstance(row, dict):
        return row
    return {
        key: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for key, value in row.items()
    }


def _lines(results: Path) -> list[str]:
    try:
        return guarded.data(results, MOST_RESULTS, follow=False).decode("utf-8", "replace").splitlines()
    except guarded.Unreadable:
        return []


def _ending(outcome: Outcome, tests: Mapping[str, End], total: int, seconds: float) -> str:
    """Why a run is not whole. Status 1 says that tests failed, 5 that there are none."""
    if outcome.timed_out:
        ran = sum("::" in name for name in tests)
        limit = f"{seconds / 60:g} minute{'' if seconds == 60 else 's'}"
        return f"it did not end within {limit}: {total - ran:,} of {total:,} tests were not run"
    if outcome.out_of_memory and outcome.status < 0:
        return "it ran out of memory"
    if outcome.status < 0:
        return f"it was ended by {process.signal_name(outcome.status)}"
    return "" if outcome.status in {0, 1, 5} else f"pytest ended with status {outcome.status}"


def dump(run: SuiteRun) -> bytes:
    """A run as bytes for the store."""
    return json.dumps(asdict(run)).encode()


def load(data: bytes) -> SuiteRun | None:
    """A run from its bytes; ``None`` where they are none."""
    try:
        return guarded.json_as(data, SuiteRun)
    except guarded.Unreadable:
        return None


def counts(tests: Iterable[End]) -> dict[str, int]:
    """How many tests ended in which way."""
    found: dict[str, int] = {}
    for test in tests:
        found[test.outcome] = found.get(test.outcome, 0) + 1
    return dict(sorted(found.items()))
