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
from layerforge.resolve.request import Request
from layerforge.resolve.wheel_source import Form, WheelSource
from wheels import make_wheel

SHA = "a" * 64


def made(wheel: Path, form: Form, *, instead: bool = False) -> MadeWheel:
    source = WheelSource(form=form, place="/somewhere/demo", name="demo")
    sha256 = digest.of_file(wheel)
    return MadeWheel(source=source, name="demo", version="1.0", address=wheel.as_uri(), sha256=sha256, instead=instead)


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


def test_the_persons_own_folder_joins_a_lock_of_what_it_depends_on(tmp_path: Path) -> None:
    wheel, text = make_wheel(tmp_path), f"other==1.0 --hash=sha256:{SHA}\n"
    assert [row[0] for row in placed(text, a_request(made(wheel, Form.FOLDER)))] == ["demo", "other"]
    assert [row[0] for row in placed(text, a_request(made(wheel, Form.REPOSITORY)))] == ["other"]
    assert [row[0] for row in placed(text, a_request(made(wheel, Form.FOLDER, instead=True)))] == ["other"]
