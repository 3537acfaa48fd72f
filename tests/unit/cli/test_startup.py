"""What a command loads: half of a short run is imports."""

from __future__ import annotations

import subprocess
import sys

import pytest


def loaded(*arguments: str) -> set[str]:
    """Every module that the program has loaded when it ends."""
    argv = [sys.executable, "-X", "importtime", "-m", "layerforge", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_help_loads_no_library_but_click() -> None:
    found = loaded("--help")
    assert {"click", "layerforge.cli"} <= found
    heavy = {"rich", "msgspec", "packaging", "platformdirs", "docker", "boto3", "cyclonedx", "deflate", "subprocess"}
    assert not found & heavy
    assert not [name for name in found if name.startswith("layerforge.") and name.split(".")[1] not in {"cli", "core"}]


@pytest.mark.parametrize("command", ["build", "plan", "lock", "inspect", "verify", "recipes", "cache"])
def test_only_what_publishes_draws_or_compiles_loads_the_library_for_it(command: str) -> None:
    found = loaded(command, "--help")
    assert not found & {"boto3", "botocore", "docker", "cyclonedx", "matplotlib", "rich.progress"}
