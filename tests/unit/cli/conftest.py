from __future__ import annotations

from pathlib import Path

import pytest

from program import Command, inside


@pytest.fixture
def layerforge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The program in a folder of the test's own, without a container engine."""
    return inside(tmp_path, monkeypatch, capsys)
