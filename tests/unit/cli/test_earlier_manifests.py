"""A layer with the manifest of an earlier layerforge beside it: what each command that reads one does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

import zips
from fakes import FakeProgress, a_manifest
from layerforge.cli import publish
from layerforge.cli.screen import Screen
from layerforge.core import digest
from layerforge.report.manifest import manifest_json
from program import Command

REFUSED = (
    "pkg.manifest.json is of an earlier layerforge (its schema is 1, and this layerforge reads schema 2): "
    "left out; build the layer again to have it"
)


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A sound layer for Python 3.11, whose manifest says that it is for 3.12."""
    path = zips.of(tmp_path / "pkg.zip", zips.sound())
    data = json.loads(manifest_json(a_manifest(python="3.12", sha256=digest.of_file(path))))
    path.with_suffix(".manifest.json").write_text(json.dumps(data | {"schema": 1}))
    return path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("inspect",), 0),
        (("verify", "--engine", "host"), 0),
        (("coldstart", "--no-write"), 5),  # which there is no engine for here
        (("snippet", "--for", "sam"), 0),
    ],
)
def test_it_is_refused_in_one_line_that_says_what_to_do(
    layer: Path, layerforge: Command, arguments: tuple[str, ...], code: int
) -> None:
    command, *options = arguments
    ran = layerforge(command, layer, *options)
    assert ran.code == code, ran.err
    [line] = [line for line in ran.err.splitlines() if "manifest" in line]
    assert line.endswith(REFUSED)
    # Nothing of what it says counts: it may have meant something else.
    assert "3.12" not in ran.out


@pytest.mark.usefixtures("layerforge")
def test_publish_refuses_it_too_and_goes_by_the_files(layer: Path) -> None:
    progress = FakeProgress()
    [made] = publish.read([layer], None, progress, Screen(Console(quiet=True)), in_spite=False)
    assert progress.warnings == [REFUSED]
    assert made.runtimes == ("python3.11",)


def test_a_manifest_without_a_schema_is_of_the_first(layer: Path, layerforge: Command) -> None:
    path = layer.with_suffix(".manifest.json")
    data = json.loads(path.read_text())
    del data["schema"]
    path.write_text(json.dumps(data))
    assert REFUSED in layerforge("inspect", layer).err
