"""What calls a package's build backend, with backends that note what they are asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from layerforge.data import build_wheel

BACKEND = """
class Backend:
    class Inner:
        @staticmethod
        def build_wheel(out, config):
            return f"inner {out} {config}"
def build_wheel(out, config):
    return f"plain {out} {config}"
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for settings, beside a backend that no path leads to yet."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "lf_backend", raising=False)
    (tmp_path / "own").mkdir()
    (tmp_path / "own/lf_backend.py").write_text(BACKEND)
    return tmp_path / "settings.json"


@pytest.mark.parametrize(
    ("backend", "config", "said"),
    [
        ("lf_backend", {}, "plain /out None"),
        ("lf_backend:Backend.Inner", {"jobs": "2"}, "inner /out {'jobs': '2'}"),
    ],
)
def test_the_backend_that_the_settings_name_builds_with_their_configuration(
    backend: str, config: dict[str, Any], said: str, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {"backend": backend, "backend_path": [str(settings.parent / "own")], "config": config}
    settings.write_text(json.dumps(facts))
    build_wheel.main(str(settings), "/out")
    assert capsys.readouterr().out == f"{said}\n"
    del sys.modules["lf_backend"]


def test_a_backend_that_is_not_there_is_no_wheel(settings: Path) -> None:
    settings.write_text(json.dumps({"backend": "lf_backend", "backend_path": [], "config": {}}))
    with pytest.raises(ModuleNotFoundError):
        build_wheel.main(str(settings), "/out")
