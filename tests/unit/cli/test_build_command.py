from __future__ import annotations

from pathlib import Path

import pytest

from fakes import a_manifest
from layerforge.cli import build, terminal
from layerforge.core.findings import Finding, Severity
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT
from layerforge.layer.tree import Package
from layerforge.report.delivery import Layer
from layerforge.report.manifest import EditGroup, Manifest
from layerforge.resolve.recipe import Bytecode, BytecodeMode, Compression
from layerforge.verify.verdict import Verdict


def a_layer(made: Manifest, verdict: Verdict | None) -> Layer:
    return Layer(path=Path("a [b]/demo.zip"), manifest=made, verdict=verdict)


def shown(layer: Layer, capsys: pytest.CaptureFixture[str]) -> list[str]:
    build.show(terminal.report(), [layer])
    return capsys.readouterr().out.splitlines()


def test_a_build_lists_what_went_in_and_what_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    packages = [Package(name=f"package-{number}", version=f"{number}.0", info="") for number in range(40)]
    lines = shown(a_layer(a_manifest(*packages), None), capsys)
    assert ", ".join(f"{one.name} {one.version}" for one in packages) in lines[2]
    assert "  not verified" in lines
    assert "  layerforge inspect 'a [b]/demo.zip'  shows what is in it" in lines


def test_what_bytecode_adds_is_not_called_saved() -> None:
    edits = (EditGroup(name="prune", reason="tests", bytes=11_000_000, files=("python/a",)),)
    assert build.difference(a_manifest(edits=edits)).startswith("smaller by 11.0 MB: prune 11.0 MB")
    more = (*edits, EditGroup(name="bytecode", reason="compiled", bytes=-1_900_000, files=("python/a",)))
    assert build.difference(a_manifest(edits=more)) == "smaller by 11.0 MB: prune 11.0 MB; bytecode adds 1.9 MB"
    assert build.difference(a_manifest()) == "nothing could be left out"


def test_findings_and_notes_stand_below_their_layer(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding(rule="LF101", severity=Severity.WARNING, path="python/a.so", message="m", hint="h")
    verdict = Verdict(engine="host", skipped="", findings=(finding,), notes=("a note",))
    lines = shown(a_layer(a_manifest(), verdict), capsys)
    assert lines.index("a [b]/demo.zip") < lines.index("  LF101 warning python/a.so: m") < lines.index("    a note")


def test_a_layer_that_takes_a_bucket_is_told_so_in_the_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    code = Bytecode(mode=BytecodeMode.ONLY)
    made = a_manifest(zip_bytes=DIRECT_UPLOAD_LIMIT + 1, bytecode=code, compression=Compression.SMALL)
    assert any("--bucket B" in line for line in shown(a_layer(made, None), capsys))
