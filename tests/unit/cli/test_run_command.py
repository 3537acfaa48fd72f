"""``layerforge run`` on this machine, without a container engine."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

import zips
from fakes import FakeProgress, a_manifest
from layerforge.cli import code_options
from layerforge.core import digest
from layerforge.core.errors import UsageError
from layerforge.core.store.disk import DiskStore
from layerforge.examine import examine
from program import PYTHON, Command, inside

APP = """
import helpers
def handler(event, context):
    print("a line")
    if event.get("fail"):
        raise ValueError("no good")
    return {"n": helpers.N, "event": event}
"""
PLAIN = ("--handler", "app.handler", "--engine", "host", "--python", PYTHON, "--arch", "x86_64")


@pytest.fixture
def layerforge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.py").write_text(APP)
    (tmp_path / "src/helpers.py").write_text("N = 7\n")
    return inside(tmp_path, monkeypatch, capsys)


def test_the_answer_alone_goes_to_standard_output(layerforge: Command) -> None:
    ran = layerforge("run", "--code", "src", *PLAIN, "--event", '{"rows": [1]}')
    assert ran.code == 0, ran.err
    assert ran.out == '{"n": 7, "event": {"rows": [1]}}\n'
    assert "\na line\n" in ran.err
    assert "peak memory" in ran.err
    assert "of 1,769 MB" in ran.err


def test_a_function_that_fails_exits_7_with_its_error(layerforge: Command) -> None:
    ran = layerforge("run", "--code", "src", *PLAIN, "--event", '{"fail": true}')
    assert (ran.code, ran.out) == (7, "")
    assert "function: ValueError: no good" in ran.err
    assert 'File "/var/task/app.py", line 6, in handler' in ran.err


def test_json_holds_all_of_it_whether_it_failed_or_not(layerforge: Command) -> None:
    told = layerforge("run", "--code", "src", *PLAIN, "--json", "--memory", "256", "--timeout", "9").json
    assert told["answer"] == {"n": 7, "event": {}}
    assert told["error"] is None
    assert told["log"] == ["a line"]
    assert (told["memory_mb"], told["timeout_s"], told["handler"], told["engine"]) == (256, 9, "app.handler", "host")
    assert told["billed_ms"] >= told["duration_ms"]
    assert told["code"] == {"path": "src", "files": 2, "bytes": len(APP) + len("N = 7\n")}
    failed = layerforge("run", "--code", "src", *PLAIN, "--json", "--event", '{"fail": 1}')
    assert failed.code == 7
    assert failed.json["answer"] is None
    assert failed.json["error"]["type"] == "ValueError"
    assert failed.json["error"]["ending"] == "error"


def test_layers_that_were_made_elsewhere_are_not_run_here_unasked(layerforge: Command, tmp_path: Path) -> None:
    layer = zips.of(tmp_path / "l.zip", {"python/helpers.py": b"N = 'of the layer'\n"})
    (tmp_path / "src/helpers.py").unlink()
    ran = layerforge("run", layer, "--code", "src", *PLAIN)
    assert ran.code == 5
    assert "was not built on this machine" in " ".join(ran.err.split()).replace("that was not", "was not")
    assert "--trust" in ran.err
    assert '"of the layer"' in layerforge("run", layer, "--code", "src", *PLAIN, "--trust").out
    store = DiskStore(root=tmp_path / "store", progress=FakeProgress())
    store.put("archive", digest.of_file(layer), layer.read_bytes())
    assert '"of the layer"' in layerforge("run", layer, "--code", "src", *PLAIN).out


def test_later_layers_lie_over_earlier_ones_and_code_before_both(layerforge: Command, tmp_path: Path) -> None:
    one = zips.of(tmp_path / "1.zip", {"python/helpers.py": b"N = 1\n"})
    two = zips.of(tmp_path / "2.zip", {"python/helpers.py": b"N = 2\n"})
    ran = layerforge("run", one, two, "--code", "src", *PLAIN, "--trust", "--json")
    assert ran.json["answer"]["n"] == 7
    hidden = [(row["name"], row["imported_from"], row["hidden_in"]) for row in ran.json["twice"]]
    assert hidden == [("helpers", "code", "1.zip"), ("helpers", "code", "2.zip")]
    assert "the code carries helpers" in ran.err
    (tmp_path / "src/helpers.py").unlink()
    assert layerforge("run", one, two, "--code", "src", *PLAIN, "--trust", "--json").json["answer"]["n"] == 2
    assert layerforge("run", two, one, "--code", "src", *PLAIN, "--trust", "--json").json["answer"]["n"] == 1


def test_a_layer_that_lies_in_the_code_is_told(layerforge: Command, tmp_path: Path) -> None:
    layer = zips.of(tmp_path / "src/l.zip", {"python/lib.py": b""})
    ran = layerforge("run", layer, "--code", "src", *PLAIN, "--trust")
    assert ran.code == 0
    assert "lies in the code, and would be sent to Lambda with it" in ran.err
    (tmp_path / "src/l.zip").rename(tmp_path / "l.zip")
    assert "lies in the code" not in layerforge("run", "l.zip", "--code", "src", *PLAIN, "--trust").err


def test_a_zip_is_code_too(layerforge: Command, tmp_path: Path) -> None:
    zips.of(tmp_path / "fn.zip", {"app.py": APP.encode(), "helpers.py": b"N = 9\n"})
    assert layerforge("run", "--code", "fn.zip", *PLAIN, "--json").json["answer"]["n"] == 9


def test_a_handler_may_lie_in_a_layer(layerforge: Command, tmp_path: Path) -> None:
    zips.of(tmp_path / "l.zip", {"python/lib.py": b"def handler(event, context):\n    return 5\n"})
    run = ("run", "l.zip", "--engine", "host", "--python", PYTHON, "--arch", "x86_64", "--trust")
    assert layerforge(*run, "--handler", "lib.handler", "--json").json["answer"] == 5
    wrong = layerforge(*run, "--handler", "lip.handler")
    assert (wrong.code, "there is no module lip in a layer" in wrong.err) == (2, True)


def test_an_event_comes_from_a_file_or_standard_input_too(
    layerforge: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "event.json").write_text('{"from": "file"}')
    assert '"file"' in layerforge("run", "--code", "src", *PLAIN, "--event", "event.json").out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"from": "pipe"}')))
    assert '"pipe"' in layerforge("run", "--code", "src", *PLAIN, "--event", "-").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--handler", "app.handler"], "--code is missing"),
        (["--code", "src"], "such as --handler app.handler, which is there"),
        (["--code", "src", "--handler", "ap.handler"], "perhaps you meant app.handler"),
        (["--code", "src", "--handler", "app.handler", "--event", "{"], "the event is no JSON"),
        (["--code", "src", "--handler", "app.handler", "--event", "absent.json"], "absent.json cannot be read"),
        (["--code", "src", "--handler", "app.handler", "--event", "x" * 5000], "the event is no JSON"),
        (["--code", "src", "--handler", "app.handler", "--env", "A"], "--env A is no variable"),
        (["--code", "src", "--handler", "app.handler", "--env", "=1"], "--env =1 is no variable"),
        (["--code", "src", "--handler", "app.handler", "--env", "LAMBDA_TASK_ROOT=/x"], "Lambda's own to set"),
        (["--code", "absent", "--handler", "app.handler"], "--code absent is not there"),
        (["--code", "src", "--handler", "app.handler", "--memory", "64"], "--memory"),
        (["--code", "src", "--handler", "app.handler", "--timeout", "901"], "--timeout"),
        (["absent.zip", "--code", "src", "--handler", "app.handler"], "absent.zip cannot be read"),
        (["l.zip"] * 6 + ["--code", "src"], "a function takes 5 layers, and 6 are named"),
    ],
)
def test_what_cannot_be_run_is_refused_at_once(layerforge: Command, arguments: list[str], words: str) -> None:
    ran = layerforge("run", *arguments)
    assert ran.code == 2
    assert words in " ".join(ran.err.split())


def test_variables_that_do_not_count_on_this_machine_are_told(layerforge: Command) -> None:
    words = ("--env", "PYTHONPATH=/x", "--env", "PATH=/x", "--env", "TABLE=x")
    assert (
        "--env PYTHONPATH, PATH counts in a container alone" in layerforge("run", "--code", "src", *PLAIN, *words).err
    )


def test_a_machine_of_another_processor_runs_nothing(layerforge: Command) -> None:
    ran = layerforge("run", "--code", "src", "--handler", "app.handler", "--engine", "host", "--arch", "arm64")
    assert ran.code == 5
    assert "the function cannot be run here" in ran.err


def test_a_variable_may_be_lambdas_where_it_says_who_or_where_the_function_is() -> None:
    words = ("AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=testing", "EMPTY=", "URL=a=b")
    assert code_options.variables_of(words) == {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "EMPTY": "",
        "URL": "a=b",
    }


def test_the_variables_of_the_layers_are_set_and_ones_own_count_first() -> None:
    manifests = [a_manifest(env={"A": "1", "B": "1"}), None, a_manifest(env={"B": "2", "C": "2"})]
    assert code_options.env_of(manifests, {"C": "3"}) == {"A": "1", "B": "2", "C": "3"}


def test_the_layers_say_which_python_and_processor_it_is_and_must_agree(tmp_path: Path) -> None:
    layers = [examine.examine(zips.of(tmp_path / f"{at}.zip", {f"python/m{at}.py": b""})) for at in range(3)]
    old, new = a_manifest(python="3.12"), a_manifest(python="3.13")
    assert code_options.target(layers[:2], [None, old], (), None, None).label == "py312-x86_64"
    assert code_options.target(layers[:1], [old], (), "3.11", "arm64").label == "py311-arm64"
    with pytest.raises(UsageError, match=r"Python 3\.12 and Python 3\.13") as caught:
        code_options.target(layers[:2], [old, new], (), None, None)
    assert caught.value.details == ("0.zip: py312-x86_64", "1.zip: py313-x86_64")
    assert code_options.target(layers[:2], [old, new], (), "3.13", None).python == "3.13"


def test_without_layers_the_names_of_the_codes_files_say_it() -> None:
    arm = ("pkg/fast.cpython-312-aarch64-linux-gnu.so", "app.py")
    assert code_options.target((), (), arm, None, None).label == "py312-arm64"
    assert code_options.target((), (), ("app.py",), None, None).label == "py313-x86_64"
