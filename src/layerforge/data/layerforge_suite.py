"""Writes how each test ended, a line of JSON a test: a plugin of pytest, and a program that runs tests one by one.

Standard library and pytest only, Python 3.10 to 3.15. ``LAYERFORGE_RESULTS`` names the file. Every line is written when
its test has ended, so that a crash or a time limit loses nothing. Each is ``{"id", "outcome", "seconds", "message"}``;
a file that cannot be collected is a line with the file's own id. ``{"of": n}`` says how many tests there are.
"""

import json
import os
import sys
import time
from typing import Any

import pytest

MARKER = "layerforge-suite:"
LONGEST = 2000
"""Characters that a message keeps."""
EVERY = 0.5
"""Seconds between two signs of progress."""
SCREEN = os.dup(2)
"""Standard error, before pytest catches what tests write to it."""


class Recorder:
    """Writes one line for each test when its last phase is over."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - until the process ends
        self.phases: dict[str, list[Any]] = {}
        self.done = self.failed = self.total = 0
        self.shown = 0.0

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Every worker collects the same tests."""
        self.collected(len(ids))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Where there are no workers."""
        if session.items:
            self.collected(len(session.items))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported, or that skips itself as a whole."""
        if report.outcome != "passed":
            self.write(report.nodeid, "error" if report.failed else "skipped", 0.0, text(report))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of a test: its setup, itself, its teardown; or the end of the worker that ran it."""
        phases = self.phases.setdefault(report.nodeid, [])
        phases.append(report)
        if report.when in {"setup", "call"}:
            return
        del self.phases[report.nodeid]
        worst = max(phases, key=lambda one: RANK.index(outcome(one)))
        self.write(report.nodeid, outcome(worst), sum(one.duration for one in phases), text(worst))

    def collected(self, count: int) -> None:
        """Says how many tests there are."""
        if count > self.total:
            self.total = count
            self.file.write(json.dumps({"of": count}) + "\n")
            self.show()

    def write(self, name: str, end: str, seconds: float, message: str) -> None:
        """Writes a line, and now and then how far it is."""
        line = {"id": name, "outcome": end, "seconds": round(seconds, 3), "message": message}
        self.file.write(json.dumps(line) + "\n")
        self.done += 1
        self.failed += end in FAILING
        if time.monotonic() - self.shown > EVERY:
            self.show()

    def show(self) -> None:
        """One line for whoever watches."""
        self.shown = time.monotonic()
        facts = {"done": self.done, "failed": self.failed, "of": self.total}
        os.write(SCREEN, f"\n{MARKER}{json.dumps(facts)}\n".encode())


RANK = ("passed", "xpassed", "xfailed", "skipped", "failed", "error", "crashed")
FAILING = frozenset({"failed", "error", "crashed"})


def outcome(report: Any) -> str:
    """How a phase ended, as one word."""
    if report.when not in {"setup", "call", "teardown"}:
        return "crashed"
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.failed and report.when != "call":
        return "error"
    return str(report.outcome)


def text(report: Any) -> str:
    """Why a test failed or was skipped, short."""
    said = report.longrepr
    if not said:
        return ""
    if isinstance(said, tuple):
        return str(said[-1])[:LONGEST]
    crash = getattr(said, "reprcrash", None)
    return str(crash.message if crash else said)[:LONGEST]


def pytest_configure(config: pytest.Config) -> None:
    """Of several processes only the first records: it hears of everything."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(os.environ["LAYERFORGE_RESULTS"]), "layerforge-recorder")


def alone(arguments: list[str], name: str) -> int:
    """Runs one test in a process of its own; returns its status, negative where a signal ended it."""
    child = os.fork()
    if not child:
        os.execv(sys.executable, [sys.executable, "-m", "pytest", *arguments, name])  # noqa: S606 - no shell is wanted
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(names_file: str, *arguments: str) -> None:
    """Runs each test that the file names, a line each, alone: ``layerforge_suite.py FILE ROOT OPTION...``."""
    root, *options = arguments
    with open(names_file, encoding="utf-8") as file:
        names = json.load(file)
    for number, name in enumerate(names):
        status = alone(options, f"{root}/{name}")
        if status < 0:
            line = {"id": name, "outcome": "crashed", "seconds": 0.0, "message": f"ended by signal {-status}"}
            with open(os.environ["LAYERFORGE_RESULTS"], "a", encoding="utf-8") as results:
                results.write(json.dumps(line) + "\n")
        facts = {"done": number + 1, "failed": 0, "of": len(names)}
        os.write(SCREEN, f"\n{MARKER}{json.dumps(facts)}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
