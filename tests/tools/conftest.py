from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import uv

from toolbox import HERE, Tools, installed, place


@pytest.fixture(scope="session")
def tools(request: pytest.FixtureRequest) -> Tools:
    lock = HERE / "requirements.lock"
    folder = place(request, "python", lock)
    python = folder / "bin" / "python"
    program = uv.find_uv_bin()
    installed(
        folder,
        [
            [program, "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder],
            [program, "pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", lock],
        ],
    )
    return Tools(bin=folder / "bin")


@pytest.fixture(scope="session")
def node_modules(request: pytest.FixtureRequest) -> Path:
    """Packages of npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm")
    files = HERE / "package.json", HERE / "package-lock.json"
    folder = place(request, "node", *files)
    copies: list[list[str | Path]] = [["cp", file, folder] for file in files]
    installed(folder, [*copies, [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]])
    return folder / "node_modules"
