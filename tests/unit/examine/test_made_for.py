from pathlib import Path

import pytest

import elves
import zips
from layerforge.core.errors import UsageError
from layerforge.core.runtimes import Target
from layerforge.examine import zip_content
from layerforge.examine.examine import examine
from layerforge.examine.made_for import made_for

INFO = "python/demo-1.0.dist-info"
METADATA = {f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\n"}


def told(path: Path, python: str | None = None, arch: str | None = None) -> tuple[Target, tuple[str, ...]]:
    seen = examine(path)
    with zip_content.reader(path) as read:
        return made_for(seen, read, python, arch)


def label(path: Path) -> str:
    return told(path)[0].label


def test_native_code_tells_python_and_processor(tmp_path: Path) -> None:
    files = {"demo/core.cpython-312-aarch64-linux-gnu.so": elves.image(machine=elves.ARM64)}
    assert told(zips.of(tmp_path / "it.zip", files)) == (told(tmp_path / "it.zip", "3.12", "arm64")[0], ())


def test_the_tags_of_compiled_packages_tell_the_python_before_bytecode_does(tmp_path: Path) -> None:
    wheel = {f"{INFO}/WHEEL": b"Tag: cp312-cp312-manylinux_2_17_x86_64\nTag: cp312-cp312-manylinux2014_x86_64\n"}
    files = METADATA | wheel | {"python/demo/__pycache__/x.cpython-313.pyc": b""}
    assert label(zips.of(tmp_path / "it.zip", files)) == "py312-x86_64"


def test_a_tag_for_several_pythons_tells_none_of_them(tmp_path: Path) -> None:
    files = METADATA | {f"{INFO}/WHEEL": b"Tag: cp310-abi3-manylinux_2_28_x86_64\nTag: nonsense\n"}
    with pytest.raises(UsageError, match=r"nothing in it\.zip tells which Python"):
        told(zips.of(tmp_path / "it.zip", files))


def test_a_tag_that_stands_for_millions_is_passed_over(tmp_path: Path) -> None:
    many = ".".join(["cp313"] * 3000)
    files = METADATA | {f"{INFO}/WHEEL": f"Tag: {many}-{many}-{many}\n".encode()}
    with pytest.raises(UsageError, match="tells which Python"):
        told(zips.of(tmp_path / "it.zip", files))


def test_bytecode_tells_the_python_where_nothing_else_does_and_no_native_code_is_said(tmp_path: Path) -> None:
    target, unsure = told(zips.of(tmp_path / "it.zip", {"demo/__pycache__/x.cpython-314.pyc": b""}))
    assert target.label == "py314-x86_64"
    assert unsure == ("nothing in it is native code, so it is built for x86_64; --arch says otherwise",)


def test_what_is_given_counts_and_nothing_is_said_of_it(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "it.zip", METADATA)
    target, unsure = told(path, "3.11", "arm64")
    assert (target.label, unsure) == ("py311-arm64", ())


def test_a_python_that_lambda_does_not_have_is_named(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "it.zip", {"demo/core.cpython-38-x86_64-linux-gnu.so": elves.image()})
    with pytest.raises(UsageError, match=r"it.zip is for Python 3\.8, which is none of Lambda's") as caught:
        told(path)
    assert caught.value.hint.startswith("name the one to build for: --python 3.")
    assert told(path, "3.13")[0].label == "py313-x86_64"


def test_native_code_of_another_system_tells_the_python_and_leaves_the_processor_open(tmp_path: Path) -> None:
    files = {"demo/core.cpython-312-darwin.so": b"\xcf\xfa\xed\xfe" + bytes(60)}
    path = zips.of(tmp_path / "it.zip", files)
    with pytest.raises(UsageError, match="none of Lambda's processors: Mach-O") as caught:
        told(path)
    assert "--arch arm64" in caught.value.hint
    assert told(path, None, "arm64")[0].label == "py312-arm64"


def test_what_was_mixed_is_said(tmp_path: Path) -> None:
    files = {
        **{f"demo/a{number}.cpython-313-x86_64-linux-gnu.so": elves.image() for number in range(2)},
        "demo/b.cpython-313-aarch64-linux-gnu.so": elves.image(machine=elves.ARM64),
        **METADATA,
        f"{INFO}/WHEEL": b"Tag: cp312-cp312-manylinux_2_17_x86_64\n",
    }
    target, unsure = told(zips.of(tmp_path / "it.zip", files))
    assert target.label == "py313-x86_64"
    assert unsure == ("some packages were made for Python 3.12", "some files are for arm64")
