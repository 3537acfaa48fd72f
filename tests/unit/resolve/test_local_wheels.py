"""Locks that others may have written, beside wheels that lie on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FakeProgress, stock, target
from layerforge.core import digest
from layerforge.resolve import local_wheels, lock, locking, targets
from layerforge.resolve.errors import LockError
from layerforge.resolve.made_wheel import MadeWheel
from layerforge.resolve.other_locks.other_lock import OtherLock
from layerforge.resolve.request import Request
from layerforge.resolve.wheel_source import Form, WheelSource
from wheels import make_wheel

SHA = "a" * 64


def made(wheel: Path, form: Form, *, ref: str = "", direct: bool = True) -> MadeWheel:
    source = WheelSource(form=form, place="/somewhere/demo", name="demo", ref=ref)
    sha256 = digest.of_file(wheel)
    return MadeWheel(source=source, name="demo", version="1.0", address=wheel.as_uri(), sha256=sha256, direct=direct)


def a_request(*wheels: MadeWheel) -> Request:
    [request] = targets.requests(["other"], None)
    return replace(request, made=wheels)


def placed(text: str, request: Request, progress: FakeProgress | None = None) -> list[tuple[str, str, tuple[str, ...]]]:
    found = local_wheels.placed(lock.parse(text, "x"), request, progress or FakeProgress())
    return [(pin.name, pin.address, pin.hashes) for pin in found.pins]


def test_a_wheel_that_is_named_is_found_by_a_lock_that_tells_its_hash_alone(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    (tmp_path / "my.lock").write_text(f"demo==1.0 --hash=sha256:{digest.of_file(wheel)}\n")
    [request] = targets.requests([str(wheel)], tmp_path / "my.lock")
    [pin] = locking.pins(request, locking.locked(request, target(), stock()), target())
    assert (pin.version, pin.address) == ("", wheel.as_uri())


def test_another_wheel_than_the_locked_one_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    (tmp_path / "my.lock").write_text(f"demo==1.0 --hash=sha256:{SHA}\n")
    [request] = targets.requests([str(wheel)], tmp_path / "my.lock")
    with pytest.raises(LockError, match="another wheel of demo") as caught:
        locking.locked(request, target(), stock())
    assert f"locked sha256:{SHA}" in caught.value.details


def test_a_wheel_that_was_made_is_placed_and_one_of_others_has_to_be_the_locked_one(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    right = f"sha256:{digest.of_file(wheel)}"
    text = f"demo==1.0 --hash={right}\nother==1.0 --hash=sha256:{SHA}\n"
    found = [("demo", wheel.as_uri(), (right,)), ("other", "", (f"sha256:{SHA}",))]
    assert placed(text, a_request(made(wheel, Form.REPOSITORY))) == found
    with pytest.raises(LockError, match="another wheel of demo"):
        placed(f"demo==1.0 --hash=sha256:{SHA}\n", a_request(made(wheel, Form.REPOSITORY)))


def test_the_persons_own_folder_is_taken_as_it_is_now_and_that_is_said(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    progress = FakeProgress()
    [pin] = placed(f"demo==0.9 --hash=sha256:{SHA}\n", a_request(made(wheel, Form.FOLDER)), progress)
    assert pin == ("demo", wheel.as_uri(), (f"sha256:{digest.of_file(wheel)}",))
    assert progress.lines == ["demo 1.0 is what /somewhere/demo gives now: the lock has another"]


def test_what_can_be_but_one_wheel_joins_a_lock_that_does_not_hold_it(tmp_path: Path) -> None:
    wheel, text = make_wheel(tmp_path), f"other==1.0 --hash=sha256:{SHA}\n"
    assert [row[0] for row in placed(text, a_request(made(wheel, Form.FOLDER)))] == ["demo", "other"]
    assert [row[0] for row in placed(text, a_request(made(wheel, Form.REPOSITORY, ref="a" * 40)))] == ["demo", "other"]
    assert [row[0] for row in placed(text, a_request(made(wheel, Form.REPOSITORY, ref="main")))] == ["other"]
    assert [row[0] for row in placed(text, a_request(made(wheel, Form.FOLDER, direct=False)))] == ["other"]
    without = f"# Left out: demo 1.0 (asked)\n{text}"
    assert lock.parse(without, "x").left_out
    assert [row[0] for row in placed(without, a_request(made(wheel, Form.FOLDER)))] == ["other"]


def test_what_another_tools_lock_holds_as_a_repository_joins_it_where_its_project_is_the_layer(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    text = f"other==1.0 --hash=sha256:{SHA}\n"
    rest = ("other", "", (f"sha256:{SHA}",))
    repository = made(wheel, Form.REPOSITORY, direct=False)
    request = a_request(repository)
    assert placed(text, request) == [rest]
    other = OtherLock(path=tmp_path / "uv.lock", renew="uv lock", lock=lock.parse(text, "x"))
    whole = replace(request, other=other)
    assert placed(text, whole) == [("demo", wheel.as_uri(), (f"sha256:{repository.sha256}",)), rest]
    assert placed(text, replace(whole, partly=True)) == [rest]
