from __future__ import annotations

import json
from pathlib import Path

import pytest

import zips
from fakes import FakeProgress, target
from layerforge import cli
from layerforge.cli import advise_defer, terminal
from layerforge.examine import examine
from layerforge.measure.coldstart.experiment import MeasuredLayer
from layerforge.measure.coldstart.functions import of_imports
from layerforge.measure.deferring.investigate import investigate
from layerforge.measure.deferring.owners import Owners
from layerforge.measure.deferring.trial import Trial
from unit.measure.deferring.traces import RealRuns, a_layer

FILES = {
    "lib-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: lib\nVersion: 1.0\n",
    "lib-1.0.dist-info/RECORD": "lib/__init__.py,,\nlib/a.py,,\n",
    "lib/__init__.py": "from lib import a\n",
    "lib/a.py": "import heavy\nimport kept\nX = kept.x\ndef run():\n    return heavy.x\n",
    "heavy.py": "for one in range(300_000): pass\nx = 1\n",
    "kept.py": "for one in range(300_000): pass\nx = 1\n",
}


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    return zips.of(tmp_path / "layer.zip", {f"python/{name}": text.encode() for name, text in FILES.items()})


def test_the_advice_is_shown_as_lines_to_paste_with_what_cannot_wait(
    tmp_path: Path, layer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opt, seen = a_layer(tmp_path / "opt", FILES), examine.examine(layer)
    owners = Owners(examination=seen, opt=str(opt))
    measured = MeasuredLayer(examination=seen, opt=opt)
    trial = Trial(engine=RealRuns(), target=target(), function=of_imports(["lib"]), layer=measured)
    found = investigate(trial, owners, 1, 0.001, FakeProgress())
    advise_defer.show(terminal.report(), found, owners, 0.001)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert '"lib/a.py" = ["heavy"]' in lines
    assert any(line.startswith("[defer]") and "# of lib: " in line for line in lines)
    at = next(number for number, line in enumerate(lines) if line.startswith("cannot wait: kept, "))
    assert lines[at + 1].strip().startswith("lib/a.py, line 3: kept is used while the module loads")
    assert any("all together, measured in turns" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--worth", "2"], "--worth goes with --advise-defer"),
        (["--advise-defer", "--worth", "0"], "--worth"),
        (["--advise-defer", "--against", "o.zip"], "--against and --advise-defer do not go together"),
        (["--advise-defer", "--memory", "512"], "--memory and --advise-defer do not go together"),
        (["--advise-defer", "--per-day", "5"], "--per-day and --advise-defer do not go together"),
        (["--advise-defer", "--plot", "x.svg"], "--plot and --advise-defer do not go together"),
        (["--advise-defer", "--no-write"], "--no-write and --advise-defer do not go together"),
    ],
)
def test_options_that_say_something_of_cold_starts_alone_are_refused(
    layer: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["coldstart", str(layer), *arguments]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_a_layer_without_sources_says_how_to_get_the_advice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = zips.of(tmp_path / "bare.zip", {"python/lib.pyc": b"\0" * 16})
    assert cli.run(["coldstart", str(bare), "--advise-defer", "--import", "lib"]) == 2
    assert "`--bytecode beside`" in " ".join(capsys.readouterr().err.split())


def test_a_layer_that_was_made_elsewhere_is_not_run_on_this_machine(
    tmp_path: Path, layer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    monkeypatch.setenv("LAYERFORGE_CACHE", str(tmp_path / "cache"))
    version = f"3.{__import__('sys').version_info.minor}"
    assert cli.run(["coldstart", str(layer), "--advise-defer", "--import", "lib", "--python", version, "--json"]) == 5
    said = capsys.readouterr()
    assert "not built on this machine" in " ".join(said.err.split())
    assert said.out == "" or "error" in json.loads(said.out)
