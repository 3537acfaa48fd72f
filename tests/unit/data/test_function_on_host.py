from __future__ import annotations

import decimal
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from layerforge.data import function_client
from layerforge.data.function_on_host import Context, Fault, Lines, as_json, load, measured, own_lines


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are found in, which are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


def test_a_handler_is_what_its_name_means(task: Path) -> None:
    (task / "host_parts").mkdir()
    (task / "host_parts/jobs.py").write_text("def handler(event, context):\n    return event\n")
    assert load("host_parts/jobs.handler")(3, None) == 3
    assert load("host_parts.jobs.handler")(4, None) == 4


@pytest.mark.parametrize(
    ("source", "handler", "kind"),
    [
        ("", "host_app", "Runtime.MalformedHandlerName"),
        ("", "host_absent.handler", "Runtime.ImportModuleError"),
        ("import host_absent", "host_app.handler", "Runtime.ImportModuleError"),
        ("def (", "host_app.handler", "Runtime.UserCodeSyntaxError"),
        ("", "host_app.handler", "Runtime.HandlerNotFound"),
    ],
)
def test_what_is_wrong_with_a_handler_has_lambdas_name(task: Path, source: str, handler: str, kind: str) -> None:
    (task / "host_app.py").write_text(source)
    with pytest.raises(Fault) as caught:
        load(handler)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"é": [1, None, True]}, '{"é": [1, null, true]}'),
        (decimal.Decimal("1.50"), "1.5"),
        (decimal.Decimal(3), "3"),
    ],
)
def test_an_answer_is_json(value: Any, text: str) -> None:
    assert as_json(value) == text


def test_an_answer_that_is_no_json_is_a_fault() -> None:
    with pytest.raises(Fault, match="Unable to marshal response: Object of type set is not JSON serializable"):
        as_json({1})


def test_a_trace_is_without_the_frames_of_the_program() -> None:
    def fail() -> None:
        raise ValueError("x")

    spaces: list[dict[str, Any]] = [{"fail": fail}, {}]
    exec(compile("def invoke(): fail()", "init.py", "exec"), spaces[0])
    spaces[1]["invoke"] = spaces[0]["invoke"]
    try:
        exec(compile("invoke()", "/var/layerforge/program.py", "exec"), spaces[1])
    except ValueError as error:
        lines = own_lines(error.__traceback__.tb_next if error.__traceback__ else None)
    assert [line.split(", in ")[1].split("\n")[0] for line in lines] == ["fail"]


def test_a_context_and_what_is_logged_look_like_lambdas(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("FUNCTION_NAME", "FUNCTION_VERSION", "FUNCTION_MEMORY_SIZE", "LOG_GROUP_NAME", "LOG_STREAM_NAME"):
        monkeypatch.setenv(f"AWS_LAMBDA_{name}", name.lower())
    context = Context("id", 5)
    assert context.invoked_function_arn.endswith(":function_name")
    assert 0 < context.get_remaining_time_in_millis() <= 5000
    assert Context("id", 0).get_remaining_time_in_millis() == 0
    Lines("id").emit(logging.LogRecord("x", logging.WARNING, "f", 1, "a %s", ("word",), None))
    shown = capsys.readouterr().out
    assert shown.startswith("[WARNING]\t")
    assert shown.endswith("Z\tid\ta word\n")


def test_what_a_process_held_is_measured() -> None:
    found = measured(0.0)
    assert found["duration_ms"] > 0
    assert found["peak_memory"] > 2**20
    assert function_client.peak_memory(0) is not None
