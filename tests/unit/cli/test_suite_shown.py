from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import zips
from layerforge.build.engine import Image
from layerforge.cli import suite, terminal
from layerforge.core.runtimes import Arch
from layerforge.measure.suite import compare as comparing
from layerforge.measure.suite.compare import Proof, compare
from layerforge.measure.suite.pytest_run import End, SuiteRun
from program import Command


def a_run(tests: Mapping[str, str]) -> SuiteRun:
    made = {name: End(outcome=end, seconds=0.1, message=f"why {name}") for name, end in tests.items()}
    return SuiteRun(tests=made, seconds=1.0, total=len(tests))


def a_proof(layer: Mapping[str, str], wheels: Mapping[str, str], **facts: Any) -> Proof:
    ours, theirs = a_run(layer), a_run(wheels)
    plain = Proof(
        package="demo",
        version="1.0",
        image=Image(reference="test", digest="sha256:1", arch=Arch.X86_64),
        selection=(),
        layer=ours,
        wheels=theirs,
        compared=compare(ours, theirs),
        excused={},
        unused=(),
        flaky=(),
        alone={},
        seconds={},
    )
    return replace(plain, **facts)


def shown(proof: Proof, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "200")
    suite.show(terminal.report(), proof, comparing.data(proof))
    return capsys.readouterr().out


def test_counts_of_both_sides_stand_side_by_side(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = a_proof({"t::a": "passed", "t::b": "skipped"}, {"t::a": "passed", "t::b": "passed"})
    rows = [line.split() for line in shown(proof, capsys, monkeypatch).splitlines()]
    assert ["demo", "1.0"] in rows
    assert ["tests", "layer", "wheels"] in rows
    assert ["passed", "1", "2"] in rows
    assert ["skipped", "1", "0"] in rows
    assert rows[-2:] == [["1", "are", "skipped", "on", "the", "layer", "alone:", "t::b"], ["no", "findings"]]


def test_what_is_worth_knowing_names_the_first_five(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = {f"t::{name}": "failed" for name in "abcdefg"}
    proof = a_proof(
        {**both, "t::x": "passed"},
        {**both, "t::x": "failed"},
        flaky=("t::sometimes",),
        excused={"t::meant": "it is"},
        unused=("t::never",),
    )
    text = shown(proof, capsys, monkeypatch)
    assert "7 fail on both sides: t::a, t::b, t::c, t::d, t::e …\n" in text
    assert "1 fail on the wheels alone: t::x\n" in text
    assert "1 failed once and passed alone: t::sometimes\n" in text
    assert "1 are excused by the recipe: t::meant\n" in text
    assert "1 globs of [check.excused] excuse nothing: t::never\n" in text


def test_findings_beyond_thirty_are_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"t::n{number:02}" for number in range(32)]
    proof = a_proof(dict.fromkeys(names, "failed"), dict.fromkeys(names, "passed"))
    text = shown(proof, capsys, monkeypatch)
    assert text.count("LF405") == 30
    assert "… and 2 more" in text
    assert "no findings" not in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--suite", "pkg", "--engine", "host"], 5, "a package's own tests run in containers only"),
        (["--suite", "pkg"], 5, "/nonexistent/docker.sock"),
        (["--suite", "scipy", "--engine", "host"], 2, "does not hold scipy"),
        (["--suite", "pkg", "--memory", "512"], 2, "--memory is that of a function"),
        (["--jobs", "2"], 2, "go with --suite"),
        (["--select", "x"], 2, "go with --suite"),
    ],
)
def test_a_suite_that_cannot_be_run_is_refused_before_anything_is_fetched(
    layerforge: Command, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    zips.of(tmp_path / "layer.zip", zips.sound())
    ran = layerforge("verify", "layer.zip", *arguments)
    assert words in ran.err
    assert (ran.code, ran.out) == (code, "")
