"""What is said of functions holds whatever layers, code and functions hold."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import zips
from fakes import target
from layerforge.build import host_function
from layerforge.build.container import function
from layerforge.build.container.run import Ended, Ending
from layerforge.build.engine import Outcome
from layerforge.build.errors import EngineError
from layerforge.build.function import FunctionCall
from layerforge.core.errors import VerificationError
from layerforge.examine import examine, stacked, union
from layerforge.examine.function_code import function_code
from layerforge.examine.overlaps import overlaps

NAMES = st.sampled_from(["a.py", "b.py", "p/__init__.py", "p/m.py", "p/d.txt", "n/x.py", "n/q/__init__.py", "p", "n/q"])
FILES = st.dictionaries(NAMES, st.binary(max_size=8), max_size=6)
CALL = FunctionCall(
    target=target(), opt=Path("/opt"), code=Path("/code"), handler="a.b", event=b"{}", memory=128, timeout=3
)
ID = "0ee68b02-9e1b-4984-a8e9-dc3199632567"
PARTS = st.sampled_from(
    [
        f"START RequestId: {ID} Version: 1\n",
        f"END RequestId: {ID}\n",
        function.MARKER,
        json.dumps({"status": 200, "answer": "1"}),
        json.dumps({"status": 502, "answer": json.dumps({"errorType": "E", "stackTrace": 3})}),
        json.dumps({"status": 200, "answer": json.dumps({"errorType": [], "requestId": ID})}),
        f"{host_function.MARKER}w",
        json.dumps({"answer": "1", "peak_memory": 2}),
        json.dumps({"error": {"type": "E", "message": "m", "trace": ["a"]}}),
        "(rapid) INIT REPORT(durationMs: 1.5)",
        "(rapid) INVOKE RTDONE(status: x, duration: 9.9ms)",
        "\n",
        "\r",
        "{",
    ]
)
SAID = st.lists(PARTS | st.text(max_size=5), max_size=12).map("".join)


def sound(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without files that would stand where another one has its folder."""
    folders = {"/".join(name.split("/")[:count]) for name in files for count in range(1, len(name.split("/")))}
    return {name: data for name, data in files.items() if name not in folders}


@settings(max_examples=60)
@given(st.lists(FILES.map(sound), min_size=1, max_size=3))
def test_layers_lie_over_one_another_as_their_files_say(layers: list[dict[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seen = [
            examine.examine(zips.of(folder / f"{at}.zip", {f"python/{path}": data for path, data in files.items()}))
            for at, files in enumerate(layers)
        ]
        wanted = {path: data for files in layers for path, data in files.items()}
        if sound(wanted) != wanted:
            with suppress(VerificationError):
                stacked.stack(seen, folder / "opt", folder)
                raise AssertionError("a folder and a file in one place")
            return
        stacked.stack(seen, folder / "opt", folder)
        top = folder / "opt/python"
        found = {one.relative_to(top).as_posix(): one.read_bytes() for one in top.rglob("*") if one.is_file()}
        assert found == wanted
        assert {one.path for one in union.together(seen).members} == {f"python/{path}" for path in wanted}


@settings(max_examples=60)
@given(FILES.map(sound), FILES.map(sound))
def test_code_hides_of_a_layer_what_python_would_take_from_it(own: dict[str, bytes], theirs: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = function_code(zips.of(folder / "fn.zip", own), folder / "code")
        layer = examine.examine(zips.of(folder / "l.zip", {f"python/{path}": data for path, data in theirs.items()}))
        told = overlaps(code, [layer])
        assert sum(one.size for one in told) <= code.size
        for module in ("a.py", "b.py"):
            both = module in own and module in theirs
            assert any(one.name == module[0] for one in told) is both
        if "p/__init__.py" in own and any(path.startswith("p/") and path.endswith(".py") for path in theirs):
            assert any(one.name == "p" for one in told)


@given(SAID, SAID, st.booleans(), st.sampled_from(Ending))
def test_whatever_a_container_says_is_an_answer_a_failure_or_an_error_of_the_engine(
    output: str, log: str, memory: bool, ending: Ending
) -> None:
    ended = Ended(status=0, ending=ending, out_of_memory=memory, seconds=1.0)
    with suppress(EngineError):
        found = function.read(output, log, ended, CALL)
        assert (found.failure is None) or found.answer == ""


@given(SAID, st.integers(-31, 255), st.booleans())
def test_whatever_a_run_on_the_host_says_is_an_answer_or_a_failure(said: str, status: int, late: bool) -> None:
    outcome = Outcome(status=status, output=said, seconds=1.0, timed_out=late)
    found = host_function.read(outcome, CALL, f"{host_function.MARKER}w")
    assert (found.failure is None) or found.answer == ""
    assert found.failure is not None or found.answer
