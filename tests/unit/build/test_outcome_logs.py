"""A hint that names a log of another machine names the same log on this one."""

from __future__ import annotations

from pathlib import Path

from layerforge.build.outcome import with_log_here


def test_a_log_of_another_machine_is_written_here_and_named(tmp_path: Path) -> None:
    hint = "is it there?; the whole log: /far away/store-v2/logs/numpy-0123456789ab.log; and more"

    here = with_log_here(hint, b"line\n", tmp_path)

    assert here == f"is it there?; the whole log: {tmp_path}/numpy-0123456789ab.log; and more"
    assert (tmp_path / "numpy-0123456789ab.log").read_bytes() == b"line\n"


def test_a_hint_without_a_log_stays_as_it_is(tmp_path: Path) -> None:
    assert with_log_here("do it again", b"line\n", tmp_path) == "do it again"
    assert not list(tmp_path.iterdir())


def test_a_log_is_written_nowhere_else(tmp_path: Path) -> None:
    place = tmp_path / "logs"
    place.mkdir()

    with_log_here("the whole log: /x/../../../etc/passwd.log", b"line\n", place)

    assert [path.name for path in tmp_path.rglob("*.log")] == ["passwd.log"]
    assert (place / "passwd.log").is_file()
