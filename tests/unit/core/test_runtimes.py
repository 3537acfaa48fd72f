import datetime

import pytest

from layerforge.core import runtimes
from layerforge.core.errors import UsageError
from layerforge.core.runtimes import Arch, arch_of


def test_every_runtime_of_lambda_is_there() -> None:
    assert list(runtimes.runtimes()) == ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]
    assert {one.os for one in runtimes.runtimes().values()} == {"al2", "al2023"}


@pytest.mark.parametrize("python", list(runtimes.runtimes()))
def test_the_facts_of_a_runtime_agree_with_each_other(python: str) -> None:
    one = runtimes.runtimes()[python]
    assert one.symbols["GLIBC"] == one.glibc
    assert runtimes.version(one.manylinux.removeprefix("manylinux_").replace("_", ".")) <= one.glibc
    assert {"libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1"} <= one.libraries
    assert "libgomp.so.1" not in one.libraries
    assert one.image.endswith(f":{python}")
    assert one.deprecated or not one.announced
    assert not one.deprecated or datetime.date.fromisoformat(one.deprecated) > datetime.date(2026, 1, 1)
    assert 3400 < one.magic < 3700


def test_what_aws_has_not_announced_is_a_runtime_that_nobody_gets_unasked() -> None:
    known = runtimes.runtimes()
    assert runtimes.announced() == tuple(python for python in known if known[python].announced)
    assert "3.14" in runtimes.announced()
    assert not known["3.15"].announced
    assert known["3.15"].deprecated == ""
    assert runtimes.target("3.15", "arm64").label == "py315-arm64"


def test_a_target_names_itself() -> None:
    target = runtimes.target("3.13", "arm64")
    assert (target.label, target.cache_tag, target.arch) == ("py313-arm64", "cpython-313", Arch.ARM64)


@pytest.mark.parametrize(
    ("python", "arch", "label"),
    [
        ("3.12.1", "ARM64", "py312-arm64"),
        ("python3.12", "aarch64", "py312-arm64"),
        ("py313", "amd64", "py313-x86_64"),
        ("3.10", "x86-64", "py310-x86_64"),
    ],
)
def test_a_target_is_understood_as_people_write_it(python: str, arch: str, label: str) -> None:
    assert runtimes.target(python, arch).label == label


@pytest.mark.parametrize(
    ("python", "arch", "hint"),
    [
        ("3.9", "x86_64", "3.10, 3.11, 3.12, 3.13, 3.14, 3.15"),
        ("3.31", "x86_64", "perhaps you meant 3.1"),
        ("3.13", "arm46", "perhaps you meant arm64"),
    ],
)
def test_an_unknown_target_is_a_usage_error_that_lists_the_known(python: str, arch: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        runtimes.target(python, arch)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("word", "arch", "machine", "platform"),
    [
        ("x86_64", Arch.X86_64, "x86_64", "linux/amd64"),
        ("AMD64", Arch.X86_64, "x86_64", "linux/amd64"),
        (" x64 ", Arch.X86_64, "x86_64", "linux/amd64"),
        ("aarch64", Arch.ARM64, "aarch64", "linux/arm64"),
        ("arm64", Arch.ARM64, "aarch64", "linux/arm64"),
        ("Graviton", Arch.ARM64, "aarch64", "linux/arm64"),
    ],
)
def test_a_processor_is_known_by_each_of_its_names(word: str, arch: Arch, machine: str, platform: str) -> None:
    assert arch_of(word) is arch
    assert (arch.machine, arch.platform) == (machine, platform)


@pytest.mark.parametrize("word", ["", "riscv64", "x86", "linux/amd64"])
def test_a_processor_that_lambda_has_not_is_none(word: str) -> None:
    assert arch_of(word) is None
