"""Which wheel of a release is taken, held against what uv takes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import target
from layerforge.core.runtimes import Arch
from layerforge.resolve import uv_install, wheel_tags
from layerforge.resolve.lock import Pin
from wheels import digest, make_wheel

TAGS = (
    "cp313-cp313-manylinux_2_34_x86_64",
    "cp313-cp313-manylinux_2_28_x86_64",
    "cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64",
    "cp313-cp313-manylinux2014_x86_64",
    "cp313-cp313-manylinux2010_x86_64",
    "cp313-cp313-linux_x86_64",
    "cp313-none-manylinux_2_17_x86_64",
    "cp313-none-any",
    "cp313-abi3-manylinux_2_28_x86_64",
    "cp38-abi3-manylinux_2_28_x86_64",
    "cp39-abi3-manylinux2014_x86_64",
    "py313-none-any",
    "py3-none-manylinux_2_17_x86_64",
    "py2.py3-none-any",
    "py3-none-any",
)
UNFIT = (
    "cp312-none-any",
    "cp313-cp313-manylinux_2_35_x86_64",
    "cp313-cp313-manylinux_2_28_aarch64",
    "cp313-cp313-musllinux_1_2_x86_64",
    "cp313-cp313t-manylinux_2_28_x86_64",
    "cp312-cp312-manylinux_2_28_x86_64",
    "cp314-abi3-manylinux_2_28_x86_64",
    "cp313-cp313-win_amd64",
)


def taken_by_uv(tags: Iterable[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The tag of the wheel that uv installs of those."""
    folder = Path(tempfile.mkdtemp())
    try:
        made = [make_wheel(folder / "index", tag=tag) for tag in tags]
        (folder / "uv.toml").write_text(f'no-index = true\nfind-links = ["{folder}/index"]\n')
        monkeypatch.setenv("UV_CONFIG_FILE", str(folder / "uv.toml"))
        monkeypatch.setenv("UV_CACHE_DIR", str(folder / "cache"))
        text = "demo==1.0 " + " ".join(f"--hash={digest(wheel)}" for wheel in made)
        uv_install.install(text, target(), folder / "into", lambda _line: None)
        [said] = (folder / "into").glob("demo-1.0.dist-info/WHEEL")
        return next(line for line in said.read_text().splitlines() if line.startswith("Tag: "))[5:]
    finally:
        shutil.rmtree(folder)


def name(tag: str, build: str = "") -> str:
    return f"demo-1.0{build}-{tag}.whl"


@settings(max_examples=25)
@given(tags=st.sets(st.sampled_from(TAGS), min_size=2, max_size=5), more=st.sets(st.sampled_from(UNFIT), max_size=2))
def test_the_wheel_with_the_highest_rank_is_the_one_that_uv_takes(tags: set[str], more: set[str]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        expected = taken_by_uv(sorted(tags | more), monkeypatch)
    best = max(tags | more, key=lambda tag: wheel_tags.rank(name(tag), target()))
    assert wheel_tags.rank(name(best), target()) == wheel_tags.rank(name(expected), target())


@pytest.mark.parametrize("tag", TAGS)
def test_what_serves_a_target_fits(tag: str) -> None:
    assert wheel_tags.fits(name(tag), target())


@pytest.mark.parametrize("tag", UNFIT)
def test_what_does_not_serve_a_target_does_not_fit(tag: str) -> None:
    assert not wheel_tags.fits(name(tag), target())


def test_another_processor_and_python_take_others() -> None:
    arm = name("cp313-cp313-manylinux_2_28_aarch64")
    assert wheel_tags.fits(arm, target(arch=Arch.ARM64))
    assert not wheel_tags.fits(name("cp313-cp313-manylinux_2_5_aarch64"), target(arch=Arch.ARM64))
    assert wheel_tags.fits(name("cp311-cp311-manylinux_2_17_x86_64"), target("3.11"))
    assert not wheel_tags.fits(name("cp311-cp311-manylinux_2_28_x86_64"), target("3.11"))


def test_the_later_build_of_a_wheel_comes_first() -> None:
    ranks = [wheel_tags.rank(name("py3-none-any", build), target()) for build in ("", "-1", "-2b", "-10")]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


@pytest.mark.parametrize("file", ["", "demo.whl", "demo-1.0.tar.gz", "demo-x-py3-none-any.whl", "demo-1.0-any.whl"])
def test_what_is_called_like_no_wheel_serves_nothing(file: str) -> None:
    assert not wheel_tags.fits(file, target())
    assert not wheel_tags.is_of(file, Pin(name="demo", version="1.0", hashes=()))


@pytest.mark.parametrize(
    ("file", "fits"),
    [
        ("demo_one-1.0-py3-none-any.whl", True),
        ("Demo.One-1.0.0-py3-none-any.whl", True),
        ("demo_one-1.1-py3-none-any.whl", False),
        ("other-1.0-py3-none-any.whl", False),
        ("demo_one-1.0-py3-none-any./../evil.whl", False),
        ("../demo_one-1.0-py3-none-any.whl", False),
    ],
)
def test_a_wheel_is_of_a_pin_where_name_and_version_are(file: str, fits: bool) -> None:
    assert wheel_tags.is_of(file, Pin(name="demo-one", version="1.0", hashes=())) is fits
