"""What tests in containers share: an engine that answers, and an image with the layout of Amazon's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[1] / "standin" / "build.sh"
BUILD_NEWER = Path(__file__).parents[1] / "standin-newer" / "build.sh"
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
    return built_by(BUILD)


@pytest.fixture(scope="session")
def standin_315(engine: None) -> str:
    """Tag of the stand-in of Python 3.15, which is unpacked first where it is not there; that takes two minutes."""
    return built_by(BUILD_NEWER, "3.15")


@pytest.fixture(scope="session")
def python_315(standin_315: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its interpreter, which runs here with the image's own C library: a file called ``python3.15``."""
    root = tmp_path_factory.mktemp("python315")
    box = subprocess.run(["docker", "create", standin_315, "x"], capture_output=True, text=True, check=True)
    try:
        with subprocess.Popen(["docker", "export", box.stdout.strip()], stdout=subprocess.PIPE) as files:
            wanted = ["lib64", "usr/lib64", "usr/lib/x86_64-linux-gnu", "var/lang"]
            subprocess.run(["tar", "--extract", f"--directory={root}", *wanted], stdin=files.stdout, check=True)
    finally:
        subprocess.run(["docker", "rm", "--force", box.stdout.strip()], capture_output=True, check=True)
    # In a folder of /var/lang, so that the interpreter finds its library from where it seems to lie.
    program = root / "var/lang/here/python3.15"
    program.parent.mkdir()
    loader = f"{root}/lib64/ld-linux-x86-64.so.2 --library-path {root}/usr/lib/x86_64-linux-gnu"
    program.write_text(f'#!/bin/sh\nexec {loader} --argv0 "$0" {root}/var/lang/bin/python3.15 "$@"\n')
    program.chmod(0o755)
    return program


def built_by(script: Path, *arguments: str) -> str:
    """The tag that a script prints. Skips a test where it cannot make the image here."""
    built = subprocess.run([script, *arguments], capture_output=True, text=True, check=False)
    if built.returncode == UNABLE:
        pytest.skip(built.stderr.strip())
    assert built.returncode == 0, built.stderr
    return built.stdout.splitlines()[-1]
