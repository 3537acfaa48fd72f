from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes import target
from layerforge.core import runtimes
from layerforge.resolve import layers_lock
from layerforge.resolve.errors import LockError
from layerforge.resolve.layers_lock import LayersLock, LockedFunction, LockedLayer, LockedPackage, TargetSplit
from layerforge.resolve.left_out import Why

HASH = f"sha256:{'a' * 64}"
SPLIT = TargetSplit(
    python="3.13",
    arch="x86_64",
    function=(
        LockedFunction(
            name="api",
            asks=('web[all]>=1 ; python_version >= "3.12"',),
            leave_out=("runtime",),
            code=20_000,
            own_layers=1,
            layers=("shared-base", "api"),
            packages=("base", "web"),
            left_out=("boto3 1.40 (runtime)",),
        ),
        LockedFunction(name="plain", asks=("base",), layers=("shared-base",), packages=("base",)),
    ),
    layer=(
        LockedLayer(name="shared-base", packages=(LockedPackage(name="base", version="1.0", bytes=7, hashes=(HASH,)),)),
        LockedLayer(
            name="api",
            packages=(
                LockedPackage(name="blas", version="0.3", bytes=3),
                LockedPackage(name="web", version="2.0", bytes=5, hashes=(HASH, f"sha256:{'b' * 64}")),
            ),
            beside=("base 1.0",),
            left_out=("boto3 1.40 (runtime)",),
        ),
    ),
)
LOCK = LayersLock(target=(SPLIT,))


def written(folder: Path, lock: LayersLock) -> Path:
    path = folder / layers_lock.FILE
    path.write_text(layers_lock.text(lock, folder))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert layers_lock.read(written(tmp_path, LOCK)) == LOCK


def test_targets_and_functions_are_written_in_one_order(tmp_path: Path) -> None:
    older = replace(SPLIT, python="3.9")
    mixed = replace(SPLIT, function=SPLIT.function[::-1])
    assert layers_lock.text(LayersLock(target=(SPLIT, older)), tmp_path) == layers_lock.text(
        LayersLock(target=(older, mixed)), tmp_path
    )


def test_there_is_no_lock_where_there_is_no_file(tmp_path: Path) -> None:
    assert layers_lock.read(tmp_path / layers_lock.FILE) is None


def test_the_split_of_a_target_is_found() -> None:
    assert LOCK.of(target("3.13")) == SPLIT
    assert LOCK.of(runtimes.target("3.13", "arm64")) is None


def test_a_layer_has_pins_of_its_packages_and_says_what_it_lacks() -> None:
    api = SPLIT.layer[1]
    assert [(pin.name, pin.version, pin.hashes[0]) for pin in api.pins] == [("web", "2.0", HASH)]
    assert [(one.name, one.version, one.why) for one in api.absent] == [
        ("base", "1.0", Why.BESIDE),
        ("boto3", "1.40", Why.RUNTIME),
    ]


def test_a_wheel_beside_the_lock_is_named_from_there_and_one_elsewhere_not_at_all(tmp_path: Path) -> None:
    def lock(path: Path) -> LayersLock:
        package = replace(SPLIT.layer[0].packages[0], address=path.as_uri())
        return LayersLock(
            target=(replace(SPLIT, layer=(replace(SPLIT.layer[0], packages=(package,)), SPLIT.layer[1])),)
        )

    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    text = layers_lock.text(lock(here / "wheels/base 1.whl"), here)
    assert 'address = "./wheels/base 1.whl"' in text
    read = layers_lock.read(written(here, lock(here / "wheels/base 1.whl")))
    assert read is not None
    assert read.target[0].layer[0].pins[0].address == (here / "wheels/base 1.whl").as_uri()
    assert "address" not in layers_lock.text(lock(there / "base.whl"), here)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("schema = 1", "schema = 2"), "its schema is 2"),
        (('layers = ["shared-base"]', 'layers = ["absent"]'), "plain has the layer absent, which is not there"),
        (('layers = ["shared-base"]', 'layers = ["api"]'), "plain needs base, which none of its layers holds"),
        (('name = "plain"', 'name = "api"'), "py313-x86_64 has a function twice"),
        (('name = "web"', 'name = "base"'), "api has a package in two of its layers"),
        (("(runtime)", "(whim)"), "whim"),
        (("bytes = 7", 'bytes = "7"'), "bytes"),
        (("schema = 1", "schema = "), "line"),
    ],
)
def test_a_lock_that_makes_no_sense_is_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = written(tmp_path, LOCK)
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(LockError) as caught:
        layers_lock.read(path)
    assert said in caught.value.details[0]
    assert "layerforge split" in caught.value.hint
