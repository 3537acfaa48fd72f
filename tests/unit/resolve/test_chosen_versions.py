"""What is told of versions that nobody asked for by name: prereleases, and old ones where the newest has no wheel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FakeProgress, stock, target
from layerforge.resolve import locking, targets
from layerforge.resolve.errors import LockError
from layerforge.resolve.request import Request
from sdists import make_sdist
from served_index import serving
from wheels import make_wheel


@contextmanager
def published(folder: Path, tmp_path: Path, times: Mapping[str, str]) -> Iterator[None]:
    """An index that says when the files of ``folder`` were published."""
    with serving(folder, times) as index:
        (tmp_path / "uv.toml").write_text(f'index-url = "{index.url}"\n')
        yield


def requested(*words: str) -> Request:
    [request] = targets.requests(words, None)
    return request


def old_and_new(index: Path) -> tuple[str, str]:
    return make_wheel(index, "demo", "1.0").name, make_sdist(index, "demo", "2.0").name


def test_a_release_of_years_ago_is_not_taken_without_having_been_asked_for(index: Path, tmp_path: Path) -> None:
    old, new = old_and_new(index)
    with published(index, tmp_path, {old: "2016-03-01T00:00:00Z", new: "2026-01-01T00:00:00Z"}):
        with pytest.raises(LockError, match=r"demo with a wheel for this is 1\.0 of 2016; 2\.0 of 2026") as caught:
            locking.locked(requested("demo"), target(), stock())
        assert "--from-source demo" in caught.value.hint
        assert '"demo==1.0" takes the old one' in caught.value.hint
        with pytest.raises(LockError, match="of 2016"):
            locking.universal(requested("demo"), "3.12", stock())
        [pin] = locking.locked(requested("demo==1.0"), target(), stock()).pins
        assert pin.version == "1.0"


def test_a_release_of_last_year_is_taken_with_a_warning(index: Path, tmp_path: Path) -> None:
    old, new = old_and_new(index)
    with published(index, tmp_path, {old: "2025-01-01T00:00:00Z", new: "2026-01-01T00:00:00Z"}):
        progress = FakeProgress()
        [pin] = locking.locked(requested("demo"), target(), stock(progress)).pins
        assert pin.version == "1.0"
        [warning] = progress.warnings
        assert "demo 1.0 is taken: 2.0, the newest, has no wheel" in warning


def test_the_release_that_is_taken_counts_and_not_the_newest_wheel(index: Path, tmp_path: Path) -> None:
    old, new = old_and_new(index)
    more = make_wheel(index, "demo", "1.5").name
    other = make_wheel(index, "other", requires=["demo<1.2"]).name
    times = {
        old: "2016-01-01T00:00:00Z",
        more: "2025-06-01T00:00:00Z",
        new: "2026-01-01T00:00:00Z",
        other: "2026-01-01T00:00:00Z",
    }
    with published(index, tmp_path, times), pytest.raises(LockError, match=r"1\.0 of 2016"):
        locking.locked(requested("demo", "other"), target(), stock())


def test_an_index_that_says_no_times_leads_to_a_warning(index: Path) -> None:
    old_and_new(index)
    progress = FakeProgress()
    locking.locked(requested("demo"), target(), stock(progress))
    assert "demo 1.0 is taken" in progress.warnings[0]


def test_prereleases_are_taken_where_that_is_asked_for_and_told(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "demo", "1.0")
    make_wheel(index, "demo", "2.0rc1")
    progress = FakeProgress()
    [pin] = locking.locked(requested("demo"), target(), stock(progress)).pins
    assert (pin.version, progress.lines) == ("1.0", [])
    (tmp_path / "needs.txt").write_text("--pre\ndemo\n")
    for request in (replace(requested("demo"), prerelease="allow"), requested(str(tmp_path / "needs.txt"))):
        progress = FakeProgress()
        [pin] = locking.locked(request, target(), stock(progress)).pins
        assert pin.version == "2.0rc1"
        assert progress.lines == ["prereleases are taken: demo 2.0rc1"]
        assert "demo==2.0rc1" in locking.universal(request, "3.12", stock())


def test_prereleases_that_are_all_there_is_can_be_refused(index: Path) -> None:
    make_wheel(index, "demo", "2.0rc1")
    progress = FakeProgress()
    assert locking.locked(requested("demo"), target(), stock(progress)).pins
    assert progress.lines == ["prereleases are taken: demo 2.0rc1"]
    with pytest.raises(LockError):
        locking.locked(replace(requested("demo"), prerelease="disallow"), target(), stock())
