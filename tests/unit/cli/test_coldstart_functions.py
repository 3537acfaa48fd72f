"""Which function is measured, and which layers it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import zips
from fakes import FakeProgress, target
from layerforge import cli
from layerforge.build.engine import Job, Outcome
from layerforge.cli import coldstart as command
from layerforge.cli import coldstart_function, coldstart_options, terminal
from layerforge.cli.coldstart_function import Asked
from layerforge.cli.function_layers import read, unpacked
from layerforge.examine import examine
from layerforge.examine.examination import Examination
from layerforge.examine.function_code import function_code
from layerforge.measure.coldstart.experiment import Experiment, Function
from layerforge.measure.coldstart.functions import of_code
from layerforge.measure.coldstart.prices import prices

APP = "import helpers\nSEEN = []\ndef handler(event, context):\n    SEEN.append(event)\n    return helpers.N\n"


class Recording:
    """Functions that all take as long, and the jobs that they were."""

    processors = 2

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def run(self, job: Job) -> Outcome:
        self.jobs.append(job)
        return Outcome(status=0, output="", seconds=1.0, init_ms=9.0, init_cpu_ms=5.0, invoke_ms=(2.0, 1.0))


@pytest.fixture
def src(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.py").write_text(APP)
    (tmp_path / "src/helpers.py").write_text("N = 7\n")
    return tmp_path / "src"


def a_layer(path: Path, **modules: str) -> Examination:
    return examine.examine(zips.of(path, {f"python/{name}.py": text.encode() for name, text in modules.items()}))


def chosen(asked: Asked, folder: Path, *layers: Examination) -> tuple[Function, list[str]]:
    progress = FakeProgress()
    function = coldstart_function.own_function(asked, layers, folder / "code", progress)
    assert function is not None
    return function, [*progress.lines, *progress.warnings]


def test_a_functions_own_code_is_measured_with_its_handler(src: Path, tmp_path: Path) -> None:
    layer = a_layer(tmp_path / "l.zip", helpers="N = 1\n")
    function, told = chosen(Asked(handler="app.handler", code=src, event='{"a": 1}'), tmp_path, layer)
    assert function.about == {"handler": "app.handler", "code": str(src), "event": {"a": 1}}
    assert function.code == tmp_path / "code"
    assert (tmp_path / "code/helpers.py").read_text() == "N = 7\n"
    assert "the code carries helpers (6 bytes), which l.zip has" in told[-1]


def test_what_is_loaded_is_the_handler_and_what_is_invoked_too(
    src: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, _ = chosen(Asked(handler="app.handler", code=src, event='{"a": 1}'), tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    space: dict[str, Any] = {"CONTEXT": None}
    exec(function.init, space)
    exec(function.program, space)
    assert space["MODULE"].SEEN == [{"a": 1}]
    wrong = of_code(function_code(src, tmp_path / "2"), "app", ("handlr",))
    with pytest.raises(TypeError, match="app has no function handlr"):
        exec(wrong.init, {})


def test_a_file_that_stands_alone_is_measured_as_before(src: Path, tmp_path: Path) -> None:
    (src / "lone.py").write_text("import json\ndef handler(event, context):\n    pass\n")
    function, told = chosen(Asked(handler=str(src / "lone.py")), tmp_path)
    assert (function.code, told) == (None, [])
    assert function.about == {"handler": "lone.py", "event": {}}


def test_a_file_that_imports_what_lies_beside_it_takes_its_folder_unless_a_layer_has_that(
    src: Path, tmp_path: Path
) -> None:
    function, told = chosen(Asked(handler=str(src / "app.py")), tmp_path)
    assert function.code == tmp_path / "code"
    assert told[0] == "app.py imports helpers beside it: its folder is taken as --code"
    layer = a_layer(tmp_path / "l.zip", helpers="N = 1\n")
    assert chosen(Asked(handler=str(src / "app.py")), tmp_path / "2", layer)[0].code is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--code", "src"], "--code takes --handler"),
        (["--handler", "app.handler"], "is a function of code that is not named"),
        (["--handler", "src/app.handler"], "is a function of code that is not named"),
        (["--code", "src", "--handler", "ap.handler"], "perhaps you meant app.handler"),
        (["--code", "src", "--handler", "app.handler", "--import", "a"], "do not go together"),
        (["--code", "src", "--handler", "app.handler", "--event", "{"], "the event is no JSON"),
        (["--code", "absent", "--handler", "app.handler"], "--code absent is not there"),
        (["l.zip"] * 5, "a function takes 5 layers, and 6 are named"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    src: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAYERFORGE_CACHE", str(tmp_path / "store"))
    a_layer(tmp_path / "l.zip", other="")
    assert cli.run(["coldstart", "l.zip", *arguments]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_several_layers_are_measured_as_one_function_has_them(src: Path, tmp_path: Path) -> None:
    paths = [a_layer(tmp_path / f"{at}.zip", both=f"N = {at}\n").path for at in (1, 2)]
    other = a_layer(tmp_path / "other.zip", both="N = 3\n").path
    progress = FakeProgress()
    layers, against = read(paths, progress), read([other], progress)
    function, _ = chosen(Asked(handler="app.handler", code=src), tmp_path, *layers.seen)
    subjects = (unpacked(layers, tmp_path / "a", {}), unpacked(against, tmp_path / "b", {}))
    order = Experiment(target=target(), function=function, subjects=subjects, memories=(1769,), runs=1)
    place = coldstart_options.RunPlace(engine=(engine := Recording()), image="image")
    data = command.run(order, place, prices(target().arch), None, progress, terminal.report())
    assert {job.code for job in engine.jobs} == {tmp_path / "code"}
    assert (tmp_path / "a/python/both.py").read_text() == "N = 2\n"
    assert (data["zip"], data["sha256"]) == ("1.zip + 2.zip", "")
    assert [one["zip"] for one in data["layers"]] == ["1.zip", "2.zip"]
    assert data["unzipped_bytes"] == sum(one.unzipped for one in layers.seen)
    assert data["against"]["zip"] == "other.zip"
    assert "layers" not in data["against"]


def test_the_result_of_several_layers_lies_beside_none() -> None:
    assert command.find_places(None, None, None, no_write=False).json is None
    assert command.find_places(None, Path("x.json"), None, no_write=False).json == Path("x.json")
