"""The program as a user would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layerforge import cli

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LABEL = f"py{PYTHON.replace('.', '')}-x86_64"
NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
"""For what is about the host engine, whatever runs on this machine."""

REFUSED_TOGETHER = [
    (["--fail-if-grown", "2%"], "go with --against"),
    (["--markdown", "x.md"], "go with --against"),
    (["--against", "layer.zip", "--fail-if-grown", "lots"], "'lots' is no limit"),
    (["--against", "layer.zip", "--fail-if-grown", "-1%"], "'-1%' is no limit"),
    (["--against", "layer.zip", "--json", "--markdown", "-"], "standard output"),
    (["--against", "layer.zip", "--markdown", "layer.zip"], "take the place of a zip"),
    (["--against", "layer.zip", "--markdown", "absent/x.md"], "there is no folder absent"),
    (["--against", "layer.zip", "--markdown", "."], "is a folder"),
    (["--against", "layer.zip", "--markdown", "x.md", "--html", "x.md"], "both name x.md"),
    (["--against", "absent.zip"], "absent.zip"),
]
"""Options of ``inspect layer.zip`` that do not go together, and what is said of them."""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed."""
        return json.loads(self.out)


Command = Callable[..., Ran]


def program(folder: Path, **variables: str) -> Command:
    """The program in ``folder``, with a store of its own, without a container engine."""

    def run(*arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path = folder) -> Ran:
        own = {"LAYERFORGE_CACHE": str(folder / "store"), "NO_COLOR": "1", **NO_ENGINE, **variables}
        argv = [sys.executable, "-m", "layerforge", *map(str, arguments)]
        whole = {**os.environ, **own, **(env or {})}
        done = subprocess.run(argv, env=whole, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode != 1, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


def inside(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The program in ``folder`` as ``program`` gives it, run within the tests' own process."""
    own = {"LAYERFORGE_CACHE": str(folder / "store"), "NO_COLOR": "1", "COLUMNS": "200", **NO_ENGINE}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.chdir(folder)

    def run(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        code = cli.run([str(one) for one in arguments])
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    return run
