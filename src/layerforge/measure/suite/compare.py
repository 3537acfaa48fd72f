"""Compares a layer's run of a suite with the wheels', and says what that means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from layerforge.build.engine import Image
from layerforge.core import globs
from layerforge.core.findings import Finding
from layerforge.measure.suite.pytest_run import End, SuiteRun, counts
from layerforge.verify.rules_table import finding

_LONGEST = 240


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What two runs of the same tests differ in. Ids, sorted."""

    worse: tuple[str, ...]
    """Fail on the layer, and do not on the wheels."""
    gone: tuple[str, ...]
    """Are not there on the layer."""
    skipped: tuple[str, ...]
    """Pass on the wheels and are skipped on the layer."""
    both: tuple[str, ...]
    """Fail on both sides."""
    better: tuple[str, ...]
    """Fail on the wheels alone."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a package's own tests say of a layer."""

    package: str
    version: str
    image: Image
    selection: tuple[str, ...]
    layer: SuiteRun
    wheels: SuiteRun
    compared: Comparison
    """Without what is excused or flaky."""
    excused: Mapping[str, str]
    """Reason by id."""
    unused: tuple[str, ...]
    """Globs of the recipe that excuse nothing."""
    flaky: tuple[str, ...]
    """Failed on the layer, and passed when they were run once more alone."""
    alone: Mapping[str, End]
    """How those ended that were run alone."""
    seconds: Mapping[str, float]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the layer."""
        return tuple(_findings(self))


def compare(layer: SuiteRun, wheels: SuiteRun) -> Comparison:
    """Compares two runs. Where the layer's did not come to its end, nothing counts as gone."""
    both = [name for name in layer.tests if name in wheels.tests]
    failing = {name for name, test in layer.tests.items() if test.failing}
    failing_wheels = {name for name, test in wheels.tests.items() if test.failing}
    return Comparison(
        worse=tuple(sorted(failing - failing_wheels if not wheels.ending else (failing - failing_wheels) & set(both))),
        gone=tuple(sorted(_gone(layer, wheels))) if not layer.ending else (),
        skipped=tuple(
            sorted(name for name in both if _passed(wheels.tests[name]) and layer.tests[name].outcome == "skipped")
        ),
        both=tuple(sorted(failing & failing_wheels)),
        better=tuple(sorted(name for name in both if name in failing_wheels - failing)),
    )


def _gone(layer: SuiteRun, wheels: SuiteRun) -> Iterator[str]:
    """Tests that the layer lacks, but for those of files that could not even be collected there."""
    uncollected = {name for name, test in layer.tests.items() if test.failing and "::" not in name}
    for name, test in wheels.tests.items():
        if "::" in name and name not in layer.tests and not test.failing and file_of(name) not in uncollected:
            yield name


def file_of(name: str) -> str:
    """File of a test's id."""
    return name.partition("::")[0]


def function_of(name: str) -> str:
    """A test's id without its parameters."""
    return name.partition("[")[0]


def _passed(test: End) -> bool:
    return test.outcome in {"passed", "xpassed", "xfailed"}


def excuses(names: Iterable[str], excused: Mapping[str, str]) -> dict[str, str]:
    """Reason of each of ``names`` that a glob of the recipe matches; the first one's."""
    matching = ((name, [why for glob, why in excused.items() if globs.matches(name, [glob])]) for name in names)
    return {name: reasons[0] for name, reasons in matching if reasons}


def unused(names: Iterable[str], excused: Mapping[str, str], known: Iterable[str]) -> tuple[str, ...]:
    """Globs that match none of ``names``, though they are of the suite whose tests are ``known``.

    A recipe's table serves the suites of all its packages, and most of its globs are of another one.
    """
    names, tops = tuple(names), {_top(name) for name in known}
    own = (glob for glob in excused if any(globs.matches(top, [_top(glob)]) for top in tops))
    return tuple(glob for glob in own if not any(globs.matches(name, [glob]) for name in names))


def _top(name: str) -> str:
    return file_of(name).partition("/")[0]


def without(compared: Comparison, names: Iterable[str]) -> Comparison:
    """A comparison that leaves some tests out of what the layer is blamed for."""
    left = frozenset(names)
    return Comparison(
        worse=tuple(name for name in compared.worse if name not in left),
        gone=tuple(name for name in compared.gone if name not in left),
        skipped=tuple(name for name in compared.skipped if name not in left),
        both=compared.both,
        better=compared.better,
    )


def _findings(proof: Proof) -> Iterator[Finding]:
    for name in proof.compared.worse:
        test = proof.alone.get(name, proof.layer.tests[name])
        before = proof.wheels.tests.get(name)
        there = f"{before.outcome} on the index's wheels" if before else "not there on the index's wheels"
        yield finding("LF405", name, f"{test.outcome} here, {there}: {_gist(test.message)}")
    families: dict[str, list[str]] = {}
    for name in proof.compared.gone:
        families.setdefault(function_of(name), []).append(name)
    for function, names in families.items():
        what = "is" if names == [function] else f"{len(names):,} of its parameters are"
        yield finding("LF406", function, f"{what} not there, and on the index's wheels did not fail")
    if proof.layer.ending:
        yield finding("LF407", "", _with_lines(proof.layer))


def _gist(message: str) -> str:
    """The line of a message that says most: the error of a traceback, else the first with words."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    errors = [line.removeprefix("E").strip() for line in lines if line.startswith("E  ")]
    first = " ".join(lines[:3]) if lines and lines[0].endswith(":") else "".join(lines[:1])
    return (errors[-1] if errors else first or "no message")[:_LONGEST]


def _with_lines(run: SuiteRun) -> str:
    lines = [line for line in run.log.splitlines() if line.strip() and "layerforge-suite:" not in line]
    return "\n".join((run.ending, *(f"    {line}" for line in lines[-12:])))


def data(proof: Proof) -> dict[str, Any]:
    """A proof as data for JSON."""
    layer, wheels, compared = proof.layer, proof.wheels, proof.compared
    return {
        "package": proof.package,
        "version": proof.version,
        "image": {"reference": proof.image.reference, "digest": proof.image.digest},
        "selection": list(proof.selection),
        "layer": {"counts": counts(layer.tests.values()), "collected": layer.total, "ending": layer.ending},
        "wheels": {"counts": counts(wheels.tests.values()), "collected": wheels.total, "ending": wheels.ending},
        "only_on_layer": [_row(name, proof) for name in compared.worse],
        "gone": list(compared.gone),
        "skipped_on_layer": [{"id": name, "reason": layer.tests[name].message} for name in compared.skipped],
        "excused": [{"id": name, "reason": reason} for name, reason in sorted(proof.excused.items())],
        "unused_excuses": list(proof.unused),
        "both": list(compared.both),
        "only_on_wheels": list(compared.better),
        "flaky": list(proof.flaky),
        "seconds": {side: round(spent, 1) for side, spent in proof.seconds.items()},
    }


def _row(name: str, proof: Proof) -> dict[str, str]:
    test = proof.alone.get(name, proof.layer.tests[name])
    before = proof.wheels.tests.get(name)
    return {"id": name, "outcome": test.outcome, "wheels": before.outcome if before else "", "message": test.message}
