from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FakeProgress, target
from layerforge.core.errors import LayerforgeError
from layerforge.resolve.exact import NO_PACKAGE, NO_VERSION, NO_WHEEL, Wanted, exact
from layerforge.resolve.lock import Pin
from sdists import make_sdist
from served_index import NOWHERE
from wheels import digest, make_wheel

DEMO = Wanted(name="demo", version="1.0", requires=("other", "absent"))


def test_versions_become_pins_with_their_hashes_and_nothing_that_they_require(index: Path) -> None:
    wheel = make_wheel(index, "demo", "1.0", requires=["other>=5", "absent"])
    make_wheel(index, "demo", "2.0")
    make_wheel(index, "other", "1.0")
    found = exact([DEMO, Wanted(name="other", version="1.0")], target(), FakeProgress())
    assert found.absent == {}
    assert found.pins[0] == Pin(name="demo", version="1.0", hashes=(digest(wheel),))
    assert [pin.name for pin in found.pins] == ["demo", "other"]


def test_each_version_that_cannot_be_had_is_told_and_the_others_are_there(index: Path) -> None:
    versions = {f"demo{number}": "1.0" for number in range(7)}
    for name in versions:
        make_wheel(index, name, "1.0")
    make_wheel(index, "native", "1.0", tag="cp310-cp310-win_amd64")
    make_sdist(index, "source", "1.0")
    versions |= {"demo1": "1.5", "nosuch": "1.0", "native": "1.0", "source": "1.0"}
    found = exact([Wanted(name=name, version=version) for name, version in versions.items()], target(), FakeProgress())
    assert found.absent == {"demo1": NO_VERSION, "nosuch": NO_PACKAGE, "native": NO_VERSION, "source": NO_WHEEL}
    assert sorted(pin.name for pin in found.pins) == ["demo0", "demo2", "demo3", "demo4", "demo5", "demo6"]


def test_local_versions_are_asked_for_as_they_are(index: Path) -> None:
    make_wheel(index, "demo", "1.0")
    make_wheel(index, "torch", "2.0+cpu")
    found = exact(
        [replace(DEMO, version="1.0+cu12"), Wanted(name="torch", version="2.0+cpu")], target(), FakeProgress()
    )
    assert found.absent == {"demo": NO_VERSION}
    assert [pin.version for pin in found.pins] == ["2.0+cpu"]


def test_an_index_that_does_not_answer_is_an_error_and_no_missing_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", NOWHERE)
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(LayerforgeError, match="cannot be reached"):
        exact([DEMO], target(), FakeProgress())


def test_nothing_asks_nobody() -> None:
    assert exact([], target(), FakeProgress()).pins == ()
