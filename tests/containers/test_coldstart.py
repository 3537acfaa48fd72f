"""Real cold starts of a tiny layer."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import zips
from layerforge.core import digest
from layerforge.measure.coldstart.reading import read_coldstart

SLEEP_MS = 1500
LAYER = {
    "python/slow.py": f"import time, quick\ntime.sleep({SLEEP_MS / 1000})\n".encode(),
    "python/quick.py": b"VALUE = 42\n",
    "python/greedy.py": b"DATA = b'x' * (300 * 2**20)\n",
    "python/broken.py": b"import absent_library\n",
}
HANDLER = """
import quick
CALLS = []
def handler(event, context):
    CALLS.append(context.aws_request_id)
    assert event == {"rows": [1, None]}, event
    assert len(set(CALLS)) == len(CALLS)
    if len(CALLS) == 1:
        import slow
    return {"value": quick.VALUE}
"""


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    return zips.of(tmp_path / "tiny.zip", LAYER)


def left_by(pid: int) -> str:
    """Containers of a process."""
    argv = ["docker", "ps", "--all", "--quiet", "--filter", f"label=layerforge.pid={pid}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def command(image: str, *arguments: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", "layerforge", "coldstart", *arguments, "--image", image]


def ran(image: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A run of the command, which leaves no container behind."""
    argv = command(image, *arguments)
    with subprocess.Popen(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        out, err = running.communicate(timeout=600)
    assert left_by(running.pid) == ""
    return subprocess.CompletedProcess(argv, running.returncode, out, err)


def told(image: str, *arguments: str | Path, cwd: Path) -> Any:
    done = ran(image, *arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_a_layer_does_in_init_shows_in_init_and_in_its_imports(standin: str, layer: Path, tmp_path: Path) -> None:
    data = told(standin, layer, "--import", "slow", "--memory", "256,1769", "--runs", "2", cwd=tmp_path)
    assert [size["memory_mb"] for size in data["sizes"]] == [256, 1769]
    for size in data["sizes"]:
        assert len(size["init_ms"]["all"]) == 2
        assert size["init_ms"]["min"] >= SLEEP_MS
        assert size["init_cpu_ms"]["min"] > 0
        assert size["first_invoke_ms"]["max"] < SLEEP_MS
        assert 2**20 < size["peak_memory"]["median"] < 256 * 2**20
    [slow] = [node for node in data["imports"] if node["name"] == "slow"]
    assert slow["total_us"] >= SLEEP_MS * 1000
    assert {"quick"} <= {child["name"] for child in slow["children"]}
    assert slow["bytes"] == len(LAYER["python/slow.py"])
    assert data["layer_read"] in {"page cache dropped", "from the page cache"}


def test_the_result_beside_the_zip_is_what_the_page_takes(standin: str, layer: Path, tmp_path: Path) -> None:
    other = zips.of(tmp_path / "other.zip", {**LAYER, "python/quick.py": b"VALUE = 43\n"})
    arguments: list[str | Path] = ["--against", other, "--import", "quick", "--memory", "1769", "--runs", "1"]
    data = told(standin, layer, *arguments, "--plot", "it.svg", cwd=tmp_path)
    beside = (tmp_path / "tiny.coldstart.json").read_text()
    assert json.loads(beside) == data
    read = read_coldstart(beside)
    assert read.sha256 == digest.of_file(layer)
    assert [(one.layer, one.memory_mb) for one in (*read.runs, *read.against)] == [
        ("tiny.zip", 1769),
        ("other.zip", 1769),
    ]
    assert data["ratios"][0]["init_ms"] > 0
    assert (tmp_path / "it.svg").stat().st_size > 1000


def test_a_handler_of_ones_own_is_invoked_twice_in_one_environment(standin: str, layer: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HANDLER)
    arguments = ["--handler", "app.py", "--event", '{"rows": [1, null]}', "--memory", "1769", "--runs", "1"]
    data = told(standin, layer, *arguments, "--no-write", cwd=tmp_path)
    [size] = data["sizes"]
    # The lazy import falls on the first invocation alone.
    assert size["first_invoke_ms"]["min"] >= SLEEP_MS
    assert size["second_invoke_ms"]["max"] < SLEEP_MS
    assert data["function"] == {"handler": "app.py", "event": {"rows": [1, None]}}
    names = {node["name"] for node in data["imports"]}
    assert "quick" in names
    assert "slow" not in names
    assert not (tmp_path / "tiny.coldstart.json").exists()


def test_too_little_memory_is_a_result(standin: str, layer: Path, tmp_path: Path) -> None:
    data = told(standin, layer, "--import", "greedy", "--memory", "128,1769", "--runs", "2", cwd=tmp_path)
    small, large = data["sizes"]
    assert (small["trouble"], small["runs"], small["init_ms"]) == ("out of memory", 0, None)
    assert (large["trouble"], large["runs"]) == ("", 2)
    assert large["peak_memory"]["min"] > 300 * 2**20


def test_a_layer_that_does_not_import_exits_7_with_its_words(standin: str, layer: Path, tmp_path: Path) -> None:
    done = ran(standin, layer, "--import", "broken", "--memory", "1769", cwd=tmp_path)
    assert done.returncode == 7
    assert "with tiny.zip the function fails in its init phase" in done.stderr
    assert "No module named 'absent_library'" in done.stderr


def test_a_handler_that_fails_is_told_with_the_line(standin: str, layer: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context):\n    return 1 / event.get('n', 0)\n")
    done = ran(standin, layer, "--handler", "app.py", "--memory", "1769", cwd=tmp_path)
    assert done.returncode == 7
    assert "fails when it is invoked" in done.stderr
    assert "return 1 / event.get('n', 0)" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_an_image_without_the_runtime_exits_5(standin: str, layer: Path, tmp_path: Path) -> None:
    done = ran(standin, layer, "--python", "3.12", "--import", "quick", cwd=tmp_path)
    assert done.returncode == 5
    assert "has no /var/lang/bin/python3.12" in done.stderr


def test_an_interrupt_leaves_no_container_behind(standin: str, layer: Path, tmp_path: Path) -> None:
    argv = command(standin, layer, "--import", "slow", "--memory", "1769", "--runs", "1000")
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    for line in running.stderr:
        if "run 1 of 1000" in line:
            break
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    said = running.stderr.read()
    running.stderr.close()
    assert running.wait(timeout=60) == 130, said
    assert not (tmp_path / "tiny.coldstart.json").exists()
    assert left_by(running.pid) == ""
