"""``layerforge rebuild`` where an engine is: both are run, and their cold starts are measured in turns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import zips
from wheels import make_wheel

SLOW = b"import time\ntime.sleep(0.01)\n"


@pytest.mark.parametrize("root", ["python/", ""])
def test_before_and_after_are_run_and_measured(index: Path, tmp_path: Path, standin: str, root: str) -> None:
    make_wheel(index, "demo", "1.0", {"demo/__init__.py": SLOW})
    info = "demo-1.0.dist-info"
    files = {
        "demo/__init__.py": SLOW,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\n",
        f"{info}/RECORD": f"demo/__init__.py,,\n{info}/METADATA,,\n".encode(),
    }
    zips.of(tmp_path / "old.zip", {root + path: data for path, data in files.items()})
    argv = [sys.executable, "-m", "layerforge", "rebuild", "old.zip", "--image", standin, "--python", "3.13"]
    done = subprocess.run([*argv, "--runs", "2", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "before    it loads" in done.stderr
    told = json.loads(done.stdout)
    assert told["changes"]["init_ms"]["before"] > 0
    assert told["changes"]["init_ms"]["after"] > 0
    assert told["changes"]["init_in_turns"]
    assert told["before"]["import_seconds"] > 0
    assert (tmp_path / "dist/old-py313-x86_64.coldstart.json").exists()
