"""What tests in containers share: an engine that answers, and an image with the layout of Amazon's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[1] / "standin" / "build.sh"
UNABLE = 69  # what build.sh exits with where the stand-in cannot be built at all


@pytest.fixture(scope="session")
def engine() -> None:
    """Skips a test where no container engine answers."""
    try:
        answer = subprocess.run(["docker", "info"], capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("there is no docker command")
    if answer.returncode:
        pytest.skip(f"no container engine answers: {answer.stderr.strip()}")


@pytest.fixture(scope="session")
def standin(engine: None) -> str:
    """Tag of the stand-in image, which is built first where it is not there."""
    built = subprocess.run([BUILD], capture_output=True, text=True, check=False)
    if built.returncode == UNABLE:
        pytest.skip(built.stderr.strip())
    assert built.returncode == 0, built.stderr
    return built.stdout.splitlines()[-1]
