"""What is vendored into the page, and the page's own program, held against the tools that they were written with."""

from __future__ import annotations

import filecmp
import shutil
import sys
from pathlib import Path

import pytest

from toolbox import OUT_OF_REACH, installed, place, run

ROOT = Path(__file__).parents[2]
MAKER = ROOT / "docs" / "vendor"
VENDOR = ROOT / "src" / "layerforge" / "data" / "vendor"


@pytest.fixture(scope="module")
def npm() -> str:
    found = shutil.which("npm")
    if found is None:
        pytest.skip("there is no npm")
    return found


@pytest.mark.usefixtures("npm")
def test_what_is_vendored_comes_out_again_byte_for_byte(tmp_path: Path) -> None:
    ran = run([sys.executable, MAKER / "renew.py", tmp_path])
    if ran.returncode and OUT_OF_REACH.search(ran.stderr):
        pytest.skip(f"a package index is out of reach: {ran.stderr.strip().splitlines()[-1]}")
    assert ran.returncode == 0, ran.stderr
    names = sorted(path.name for path in VENDOR.iterdir())
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert filecmp.cmpfiles(tmp_path, VENDOR, names, shallow=False) == (names, [], [])


def test_the_pages_program_holds_to_its_types(npm: str, request: pytest.FixtureRequest) -> None:
    files = MAKER / "package.json", MAKER / "package-lock.json"
    folder = place(request, "vendor", *files)
    copies: list[list[str | Path]] = [["cp", file, folder] for file in files]
    installed(folder, [*copies, [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]])
    ran = run(["node", folder / "node_modules" / "typescript" / "bin" / "tsc", "-p", MAKER])
    assert ran.returncode == 0, ran.stdout
