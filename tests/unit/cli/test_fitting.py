from __future__ import annotations

from pathlib import Path

import pytest

import zips
from fakes import a_manifest
from layerforge.cli import fitting
from layerforge.cli.fitting import Offer
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT
from layerforge.resolve.recipe import Compression

TEXT = b"".join(b"value_%d = %d\n" % (number, number * number) for number in range(5_000))


def a_layer(folder: Path) -> Path:
    files = {f"python/pkg/m{number}.py": TEXT + bytes([65 + number]) for number in range(8)}
    code = {f"python/pkg/__pycache__/m{number}.cpython-313.pyc": TEXT[::-1] for number in range(8)}
    return zips.of(folder / "layer.zip", files | code | {"python/pkg/bare.py": TEXT})


def test_sources_that_have_bytecode_do_not_count_with_bytecode_alone(tmp_path: Path) -> None:
    layer = a_layer(tmp_path)
    half = fitting.estimate(layer, Offer(bytecode_only=True, small=False))
    assert half < 0.65 * layer.stat().st_size


def test_nothing_offered_is_the_size_itself(tmp_path: Path) -> None:
    layer = a_layer(tmp_path)
    assert fitting.estimate(layer, Offer(bytecode_only=False, small=False)) == layer.stat().st_size
    assert fitting.estimate(layer, Offer(bytecode_only=False, small=True)) < layer.stat().st_size


def test_what_small_wins_is_not_tried_where_it_is_known(tmp_path: Path) -> None:
    layer = a_layer(tmp_path)
    offer = Offer(bytecode_only=False, small=True)
    assert fitting.estimate(layer, offer, 0.25) == pytest.approx(0.75 * layer.stat().st_size, rel=0.05)


@pytest.mark.parametrize(
    ("part", "words"), [(0.9, "which fits"), (1.0, "which may just fit"), (1.1, "which does not fit either")]
)
def test_a_size_is_judged_with_a_margin(part: float, words: str) -> None:
    assert fitting.judged(round(part * DIRECT_UPLOAD_LIMIT)) == words


def test_only_a_layer_that_is_too_large_is_told_of_settings(tmp_path: Path) -> None:
    layer = a_layer(tmp_path)
    assert list(fitting.told(a_manifest(zip_bytes=DIRECT_UPLOAD_LIMIT), layer)) == []
    [line] = fitting.told(a_manifest(zip_bytes=DIRECT_UPLOAD_LIMIT + 1), layer)
    assert line.startswith("`--bytecode only --compression small` would make it about ")
    [line] = fitting.told(a_manifest(zip_bytes=DIRECT_UPLOAD_LIMIT + 1, compression=Compression.MAX), layer)
    assert line.startswith("`--bytecode only` would")
