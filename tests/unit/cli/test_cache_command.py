from __future__ import annotations

import json
from pathlib import Path

import pytest

from layerforge import cli
from layerforge.cli import cache

DAY = 86_400


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAYERFORGE_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


def test_clearing_without_a_terminal_takes_a_yes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["cache", "clear"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert cli.run(["cache", "clear", "--yes", "--older-than", "30d"]) == 0
    assert "0 bytes freed" in capsys.readouterr().out


def test_info_has_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["cache", "info"]) == 0
    assert "in all" in capsys.readouterr().out
    assert cli.run(["cache", "info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"] == {"count": 0, "bytes": 0}


@pytest.mark.parametrize(("word", "seconds"), [("12h", DAY / 2), ("30d", 30 * DAY), ("2W", 14 * DAY)])
def test_ages_have_units(word: str, seconds: float) -> None:
    assert cache.Age().convert(word, None, None) == seconds


@pytest.mark.parametrize("word", ["30", "d", "-1d", "1y", "٣d", "1" * 5000 + "d"])
def test_what_is_no_age_is_a_usage_error(word: str) -> None:
    assert cli.run(["cache", "clear", "--yes", f"--older-than={word}"]) == 2


@pytest.mark.parametrize(("seconds", "text"), [(5, "now"), (61, "1 minute"), (7200, "2 hours"), (40 * DAY, "40 days")])
def test_a_span_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert cache.ago(seconds) == text
