from __future__ import annotations

from pathlib import Path

import pytest

import zips
from layerforge.core.errors import UsageError
from layerforge.examine import examine, handlers
from layerforge.examine.function_code import FunctionCode, function_code

FILES = {
    "app.py": b"import helpers\ndef handler(event, context):\n    return 1\ndef one(x): pass\n",
    "helpers.py": b"N = 1\n",
    "src/jobs.py": b"def nightly(event, context): pass\n",
    "pkg/__init__.py": b"",
    "pkg/api.py": b"def lambda_handler(event, context): pass\n",
    "star.py": b"from pkg.api import *\n",
}


@pytest.fixture
def code(tmp_path: Path) -> FunctionCode:
    return function_code(zips.of(tmp_path / "fn.zip", FILES), tmp_path / "code")


@pytest.mark.parametrize("handler", ["app.handler", "star.anything", "src/jobs.nightly", "pkg.api.lambda_handler"])
def test_a_handler_whose_module_is_there_is_taken(code: FunctionCode, handler: str) -> None:
    handlers.require(handler, code, ())


def test_a_handler_may_lie_in_a_layer(code: FunctionCode, tmp_path: Path) -> None:
    layer = examine.examine(zips.of(tmp_path / "l.zip", {"python/wrap/handler.py": b""}))
    handlers.require("wrap.handler.handler", code, [layer])
    with pytest.raises(UsageError, match="nor in a layer"):
        handlers.require("wrapped.handler.handler", code, [layer])


@pytest.mark.parametrize(
    ("handler", "words", "meant"),
    [
        ("ap.handler", "there is no module ap in --code", "app.handler"),
        ("jobs.nightly", "there is no module jobs", "src/jobs.nightly"),
        ("api.lambda_handler", "there is no module api", "pkg.api.lambda_handler"),
        ("app.handlr", "the module app has no handlr", "app.handler"),
        ("app.hand", "the module app has no hand", "app.handler"),
        ("app", "'app' is no handler", "app.handler"),
        ("app.py", "'app.py' is no handler", "app.handler"),
        ("app.", "'app.' is no handler", "app.handler"),
        (".handler", "'.handler' is no handler", "app.handler"),
        ("", "'' is no handler", "app.handler"),
    ],
)
def test_a_wrong_one_names_the_nearest(code: FunctionCode, handler: str, words: str, meant: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        handlers.require(handler, code, ())
    assert f"perhaps you meant {meant}" in caught.value.hint


def test_packages_that_the_code_carries_are_not_what_is_meant(tmp_path: Path) -> None:
    carried = {"lib.py": b"def handler(event, context): pass\n", "lib-1.dist-info/RECORD": b"lib.py,,\n"}
    code = function_code(zips.of(tmp_path / "fn.zip", FILES | carried), tmp_path / "code")
    assert [*handlers.found(code)] == ["app.handler", "pkg.api.lambda_handler", "src.jobs.nightly"]


def test_what_is_no_python_has_no_handlers() -> None:
    assert handlers.functions(b"def (") == ()


def test_what_may_be_a_handler_goes_by_its_arguments_or_its_name() -> None:
    source = b"def one(event, context): pass\ndef two(x): pass\nhandler = Mangum(app)\nother = 3\n"
    assert handlers.functions(source) == ("one", "handler")


def test_modules_beside_a_file_count_unless_a_layer_has_them(tmp_path: Path) -> None:
    for name, text in {"app.py": b"import helpers, json, pkg, yaml\n", "helpers.py": b"", "pkg/a.py": b""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text)
    assert handlers.beside(tmp_path / "app.py", ()) == ("helpers", "pkg")
    layer = examine.examine(zips.of(tmp_path / "l.zip", {"python/pkg/__init__.py": b""}))
    assert handlers.beside(tmp_path / "app.py", [layer]) == ("helpers",)
    assert handlers.beside(tmp_path / "absent.py", ()) == ()
