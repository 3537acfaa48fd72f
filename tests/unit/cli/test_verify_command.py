from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import zips
from fakes import FakeProgress
from layerforge import cli
from layerforge.core import digest
from layerforge.core.store.disk import DiskStore

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A layer that leaves a word in its error when it is imported, and a store that has never seen it."""
    monkeypatch.setenv("LAYERFORGE_CACHE", str(tmp_path / "store"))
    return zips.of(tmp_path / "layer.zip", {"python/loud.py": b"raise ValueError('it was run')\n"})


def verified(layer: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    code = cli.run(
        ["verify", str(layer), "--engine", "host", "--python", PYTHON, "--arch", "x86_64", *arguments, "--json"]
    )
    shown = capsys.readouterr()
    return code, json.loads(shown.out), " ".join(shown.err.split())


def rules(result: dict[str, Any]) -> list[str]:
    return [one["rule"] for one in result["findings"] if one["severity"] == "error"]


def test_nobody_elses_layer_is_run_on_this_machine_unless_it_is_asked_for(
    layer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result, said = verified(layer, capsys)
    assert (code, rules(result), result["engine"]) == (0, [], "")
    assert "not built on this machine" in result["skipped"]
    assert "--run" in said
    code, result, _ = verified(layer, capsys, "--run")
    assert (code, rules(result), result["engine"]) == (7, ["LF401"], "host")


def test_a_layer_that_the_store_has_made_is_run(
    layer: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store = DiskStore(root=tmp_path / "store", progress=FakeProgress())
    store.put("archive", digest.of_file(layer), layer.read_bytes())
    assert verified(layer, capsys)[0] == 7


def test_a_store_with_other_bytes_under_the_layers_name_counts_for_nothing(
    layer: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    store = DiskStore(root=tmp_path / "store", progress=FakeProgress())
    store.put("archive", digest.of_file(layer), b"other bytes")
    assert verified(layer, capsys)[0] == 0
