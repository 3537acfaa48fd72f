from __future__ import annotations

import json
from pathlib import Path

import pytest

from fakes import FakeProgress
from layerforge import cli
from layerforge.cli import cache
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.objects import MARK

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


KEY = "ab" * 32


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A project whose team shares a folder, and its secret key."""
    monkeypatch.chdir(tmp_path)
    for name in ("LAYERFORGE_STORE", "LAYERFORGE_TRUSTED_KEYS", "LAYERFORGE_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert cli.run(["cache", "key", "--name", "team", "team.key"]) == 0
    public = capsys.readouterr().out.strip()
    (tmp_path / "layerforge.toml").write_text(f'store = "{tmp_path / "far"}"\ntrusted-keys = ["{public}"]\n')
    return tmp_path


def _near(root: Path) -> DiskStore:
    return DiskStore(root=root, progress=FakeProgress())


def test_what_is_pushed_is_pulled_elsewhere(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _near(project / "store").put("built", KEY, b"wheel")
    assert cli.run(["cache", "push", "--signing-key", "team.key"]) == 0
    assert "1 value, 5 bytes to" in capsys.readouterr().out

    monkeypatch.setenv("LAYERFORGE_CACHE", str(project / "other"))
    assert cli.run(["cache", "pull"]) == 0
    assert _near(project / "other").get("built", KEY) == b"wheel"
    assert cli.run(["cache", "info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.partition("\n")[2])["shared"]["total"]["count"] == 2


def test_a_push_without_a_key_to_sign_with_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["cache", "push"]) == 2
    assert "cache key" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["push", "pull"])
def test_sharing_takes_a_store(word: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["cache", word, "--store", "none"]) == 2
    assert "LAYERFORGE_STORE" in capsys.readouterr().err


def test_an_unknown_kind_is_refused_with_those_there_are(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["cache", "pull", "--kind", "bult"]) == 2
    assert "built" in capsys.readouterr().err


def test_damage_in_the_shared_store_is_named_and_can_be_removed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _near(project / "store").put("built", KEY, b"wheel")
    cli.run(["cache", "push", "--signing-key", "team.key"])
    (blob,) = (path for path in (project / "far/cas").rglob("*") if path.is_file())
    blob.write_bytes(b"whale")

    assert cli.run(["cache", "verify"]) == 5
    assert blob.name in capsys.readouterr().err
    assert cli.run(["cache", "verify", "--remove"]) == 0
    assert not blob.exists()
    assert cli.run(["cache", "push", "--signing-key", "team.key"]) == 0
    assert blob.read_bytes() == b"wheel"


def test_the_shared_store_is_cleared_only_where_that_is_said(project: Path) -> None:
    _near(project / "store").put("built", KEY, b"wheel")
    cli.run(["cache", "push", "--signing-key", "team.key"])

    assert cli.run(["cache", "clear", "--yes"]) == 0
    assert [path for path in (project / "far/cas").rglob("*") if path.is_file()]
    assert cli.run(["cache", "clear", "--yes", "--shared", "--older-than", "1h"]) == 0
    assert [path for path in (project / "far/cas").rglob("*") if path.is_file()]
    assert cli.run(["cache", "clear", "--yes", "--shared"]) == 0
    assert [path.name for path in (project / "far").rglob("*") if path.is_file()] == [MARK]


def test_a_key_is_not_written_over(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["cache", "key", "--name", "team", "team.key"]) == 2
    assert "is there already" in capsys.readouterr().err


def test_what_a_step_wrote_is_found_by_its_key(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    near = _near(project / "store")
    (near.place("logs") / f"numpy-{KEY[:12]}.log").write_text("cc -O2\n")
    assert cli.run(["cache", "log", KEY]) == 0
    assert cli.run(["cache", "log", KEY[:12]]) == 0
    assert capsys.readouterr().out == "cc -O2\n" * 2

    near.put("failed-log", "cd" * 32, b"cc: error\n")
    cli.run(["cache", "push", "--signing-key", "team.key"])
    monkeypatch.setenv("LAYERFORGE_CACHE", str(project / "other"))
    capsys.readouterr()
    assert cli.run(["cache", "log", "cd" * 32]) == 0
    assert capsys.readouterr().out == "cc: error\n"


@pytest.mark.parametrize("word", ["ef" * 32, "../../etc/passwd", "*", ""])
def test_a_step_that_nobody_knows_has_no_log(word: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["cache", "log", word]) == 2
    assert "plan --json" in capsys.readouterr().err
