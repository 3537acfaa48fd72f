from __future__ import annotations

import gc
import json
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import zips
from fakes import FakeProgress, target
from layerforge import cli
from layerforge.build.engine import Job, Outcome
from layerforge.build.errors import EngineError
from layerforge.cli import coldstart as command
from layerforge.cli import coldstart_function, coldstart_options, terminal
from layerforge.cli.coldstart_function import Asked
from layerforge.cli.function_layers import read, unpacked
from layerforge.measure.coldstart.experiment import Experiment
from layerforge.measure.coldstart.functions import of_imports
from layerforge.measure.coldstart.prices import prices
from unit.build.fake_docker import VERSION, a_container, serving

TREE = "import time:        25 |        175 | top\n"
MEGABYTE = 2**20


class FakeLambda:
    """Functions that are twice as fast with the first layer, and take more than 512 MB with the second."""

    processors = 2

    def run(self, job: Job) -> Outcome:
        first = job.opt.name == "0"
        if not first and job.memory == 512 * MEGABYTE:
            return Outcome(status=-9, output="", seconds=1.0, out_of_memory=True)
        init = 1000.0 if first else 2000.0
        return Outcome(
            status=0,
            output=TREE,
            seconds=1.0,
            init_ms=init,
            init_cpu_ms=init,
            invoke_ms=(2.0, 1.0),
            peak_memory=70_000_000,
        )


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    return zips.of(tmp_path / "layer.zip", {"python/top.py": b"x = 1\n"})


def ran(
    folder: Path,
    paths: list[Path],
    *,
    memories: tuple[int, ...] = (512, 1769),
    per_day: int | None = None,
    given: Sequence[Mapping[str, str]] = ({}, {}),
) -> Any:
    """The data of a measurement, which is shown to people too."""
    seen = [read([path], FakeProgress()) for path in paths]
    order = Experiment(
        target=target(),
        function=of_imports(["top"]),
        subjects=tuple(unpacked(one, folder / "work" / str(at), given[at]) for at, one in enumerate(seen)),
        memories=memories,
        runs=3,
    )
    place = coldstart_options.RunPlace(engine=FakeLambda(), image="image")
    return command.run(order, place, prices(target().arch), per_day, FakeProgress(), terminal.report())


def test_two_layers_are_shown_size_by_size_with_what_they_cost(
    tmp_path: Path, layer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = zips.of(tmp_path / "other.zip", {"python/top.py": b"y = 1\n"})
    data = ran(tmp_path, [layer, other], per_day=1000)
    shown = capsys.readouterr()
    assert shown.err == ""
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert "A layer.zip" in lines
    assert "B other.zip" in lines
    assert "512 MB B 0.29 out of memory" in lines
    assert "1,769 MB A 1.00 1,000 1,000–1,000 1,000 2.0 1.0 70.0" in lines
    assert "at 1,769 MB, init of A takes 0.50 × that of B" in lines
    assert not any(line.startswith("at 512 MB") for line in lines)
    # 1.002 s of 1,769 MB, at the list price, and the request
    assert "1,769 MB A 1,730,994 29.05 10.60" in lines
    assert data["function"] == {"imports": ["top"]}
    assert data["machine_processors"] == 2


def test_the_same_layer_is_told_from_itself_by_the_variables_that_were_given(
    tmp_path: Path, layer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ran(tmp_path, [layer, layer], given=({"PYTHON_LAZY_IMPORTS": "all", "A": "1"}, {}))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "A layer.zip with A=1, PYTHON_LAZY_IMPORTS=all" in lines
    assert "B layer.zip" in lines
    assert data["env"] == {"PYTHON_LAZY_IMPORTS": "all", "A": "1"}
    assert data["against"]["env"] == {}


def test_each_side_has_the_variables_that_are_its_own() -> None:
    other = Path("other.zip")
    assert coldstart_options.environments(["AB=1", "AB=2", "CD="], ["EF=a=b"], other) == (
        {"AB": "2", "CD": ""},
        {"EF": "a=b"},
    )
    assert coldstart_options.environments([], [], None) == ({}, {})


def test_one_layer_needs_no_letters(tmp_path: Path, layer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran(tmp_path, [layer], memories=(1769,))
    shown = capsys.readouterr().out
    assert "1,769 MB A" not in shown
    assert "×" not in shown


def test_the_result_lies_beside_the_zip_unless_told_otherwise(tmp_path: Path, layer: Path) -> None:
    beside = tmp_path / "layer.coldstart.json"
    assert command.find_places(layer, None, None, no_write=False).json == beside
    assert command.find_places(layer, None, None, no_write=True).json is None
    assert command.find_places(layer, tmp_path / "x.json", None, no_write=False).json == tmp_path / "x.json"


def test_the_result_is_written_and_drawn(tmp_path: Path, layer: Path) -> None:
    data = ran(tmp_path, [layer])
    places = command.find_places(layer, None, tmp_path / "it.svg", no_write=False)
    command.keep(places, data, progress := FakeProgress())
    assert json.loads((tmp_path / "layer.coldstart.json").read_text()) == data
    assert (tmp_path / "it.svg").read_bytes().startswith(b"<?xml")
    assert len(progress.lines) == 2


def test_a_folder_that_vanished_meanwhile_costs_no_result(tmp_path: Path, layer: Path) -> None:
    places = command.find_places(tmp_path / "gone/layer.zip", None, None, no_write=False)
    command.keep(places, {}, progress := FakeProgress())
    assert "--write FILE puts it elsewhere" in progress.warnings[0]


def test_a_link_that_lies_where_nobody_named_a_file_is_not_followed(tmp_path: Path, layer: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    (tmp_path / "layer.coldstart.json").symlink_to("mine")
    command.keep(command.find_places(layer, None, None, no_write=False), {}, FakeProgress())
    assert (tmp_path / "mine").read_text() == "kept"
    assert (tmp_path / "layer.coldstart.json").read_text() == "{}\n"


def test_sizes_come_in_order_and_once() -> None:
    assert coldstart_options.Memories().convert("1769, 512,512", None, None) == (512, 1769)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--memory", "64"], "'64' is no memory size: Lambda takes 128 to 10,240 MB"),
        (["--memory", "512,,1769"], "'' is no memory size"),
        (["--memory", "1GB"], "'1GB' is no memory size"),
        (["--runs", "0"], "--runs"),
        (["--event", "{}"], "--event is what --handler is invoked with"),
        (["--import", "a", "--handler", "app.py"], "do not go together"),
        (["--import", "os; 1/0"], "is no module's name"),
        (["--handler", "absent.py"], "absent.py cannot be read"),
        (["--plot", "it.pdf"], "it.pdf is neither PNG nor SVG"),
        (["--plot", "absent/it.png"], "there is no folder absent for it.png"),
        (["--write", "x.json", "--no-write"], "do not go together"),
        (["--write", "x.zip"], "would take the place of a zip"),
        (["--against", "absent.zip"], "absent.zip"),
        (["--price-gb-second", "-1"], "--price-gb-second"),
        (["--env", "NONSENSE"], "--env NONSENSE is no variable of a function"),
        (["--env", "AWS_LAMBDA_RUNTIME_API=x"], "--env AWS_LAMBDA_RUNTIME_API is Lambda's own to set"),
        (["--against-env", "1=2", "--against", "o.zip"], "--against-env 1=2 is no variable of a function"),
        (["--against-env", "TABLE=x"], "--against-env is about the layer of --against, and there is none"),
        (["--python", "3.7"], "Lambda has no runtime for Python '3.7'"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(
    layer: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["coldstart", str(layer), *arguments]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_a_picture_without_matplotlib_names_the_extra(tmp_path: Path, layer: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None; from layerforge import cli; sys.exit(cli.run(sys.argv[1:]))"
    )
    argv: list[str | Path] = [sys.executable, "-c", program, "coldstart", layer, "--plot", tmp_path / "it.png"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'layerforge[plot]'" in done.stderr


def test_a_zip_without_modules_asks_for_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = zips.of(tmp_path / "data.zip", {"data/x.txt": b"x"})
    assert cli.run(["coldstart", str(path)]) == 2
    assert "no module that could be imported" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["", ".", "/"])
def test_a_folder_without_a_name_is_no_zip(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["coldstart", place]) == 2
    assert "cannot be read: Is a directory" in capsys.readouterr().err


def test_without_a_container_engine_nothing_is_measured(
    tmp_path: Path, layer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    with pytest.raises(EngineError, match="no container engine runs here") as caught:
        command.connect(None, target(), FakeProgress())
    assert caught.value.exit_code == 5
    assert "--engine" not in caught.value.hint
    assert "take a container engine" in caught.value.hint


def test_another_processor_than_this_machines_is_told() -> None:
    told = {arch: list(command.emulated(target(arch=arch))) for arch in type(target().arch)}
    assert sorted(map(len, told.values())) == [0, 1]


# --- where functions are run


ENGINE: dict[str, Any] = {
    "/version": VERSION,
    "/containers/json": [],
    "/info": {"Architecture": "x86_64", "NCPU": 2},
    "/images/mine/json": {"Id": "sha256:one", "Architecture": "amd64", "Config": {"Labels": {}}},
}


@pytest.fixture
def forgetful() -> Iterator[None]:
    """The SDK keeps its connections open: they go here, not in some other test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def connected(answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, folder: Path) -> coldstart_options.RunPlace:
    with serving(folder / "docker.sock", answers):
        monkeypatch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
        return command.connect("mine", target(), FakeProgress())


@pytest.mark.usefixtures("forgetful")
def test_functions_run_in_an_image_that_has_the_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = connected({**ENGINE, **a_container()}, monkeypatch, tmp_path)
    assert (place.image, place.engine.processors) == ("mine", 2)


@pytest.mark.usefixtures("forgetful")
def test_an_image_without_the_runtime_measures_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"the image mine has no /var/lang/bin/python3\.13") as caught:
        connected({**ENGINE, **a_container(b"/var/lang/bin/python3.13\n")}, monkeypatch, tmp_path)
    assert "see --image" in caught.value.hint


@pytest.mark.usefixtures("forgetful")
def test_an_image_for_another_processor_says_how_to_get_the_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = {"Id": "sha256:one", "Architecture": "arm64", "Config": {"Labels": {}}}
    with pytest.raises(EngineError, match="the image mine is for arm64") as caught:
        connected({**ENGINE, "/images/mine/json": other}, monkeypatch, tmp_path)
    assert "docker pull --platform linux/amd64" in caught.value.hint


# --- what is run


def test_what_is_run_is_said_with_the_way_to_choose_otherwise() -> None:
    progress = FakeProgress()
    many = of_imports([f"m{number:02}" for number in range(coldstart_function.MOST_MODULES + 2)])
    coldstart_function.say(of_imports(["top"]), progress, chosen=True)
    coldstart_function.say(many, progress, chosen=False)
    assert progress.lines[0] == "function: imports top"
    assert progress.lines[1].endswith(" and 2 more; --import or --handler choose something else")


def test_a_handler_is_named_by_its_file(tmp_path: Path, layer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = tmp_path / "app.py"
    handler.write_text("def handler(event, context):\n    return 1\n")
    function = coldstart_function.own_function(Asked(handler=str(handler)), (), tmp_path / "code", FakeProgress())
    assert function is not None
    coldstart_function.say(function, progress := FakeProgress(), chosen=True)
    assert progress.lines == ["function: app.py"]
