from __future__ import annotations

from pathlib import Path

import pytest

import zips
from layerforge.core.errors import UsageError, VerificationError
from layerforge.examine import examine, stacked, union
from layerforge.examine.examination import Examination


def layer(folder: Path, name: str, *puts: zips.Put, **files: bytes) -> Examination:
    plain = (zips.Put(name=path.replace("__", "/"), data=data) for path, data in files.items())
    return examine.examine(zips.write(folder / name, (*plain, *puts)))


def test_a_later_layers_file_takes_the_place_of_an_earlier_ones(tmp_path: Path) -> None:
    first = layer(tmp_path, "a.zip", python__both=b"first", python__one=b"1", lib__deep__x=b"x")
    second = layer(tmp_path, "b.zip", python__both=b"second!", python__two=b"2")
    opt = tmp_path / "opt"
    stacked.stack((first, second), opt, tmp_path / "work")
    found = {one.relative_to(opt).as_posix(): one.read_text() for one in opt.rglob("*") if one.is_file()}
    assert found == {"python/both": "second!", "python/one": "1", "python/two": "2", "lib/deep/x": "x"}
    both = union.together((first, second))
    assert {one.path: one.size for one in both.members} == {path: len(text) for path, text in found.items()}
    assert both.unzipped == first.unzipped + second.unzipped, "Lambda counts both"
    assert both.path.name == "a.zip + b.zip"
    assert both.sha256 == ""


def test_the_order_of_layers_counts(tmp_path: Path) -> None:
    first, second = (layer(tmp_path, name, python__both=name.encode()) for name in ("a.zip", "b.zip"))
    stacked.stack((second, first), tmp_path / "opt", tmp_path / "work")
    assert (tmp_path / "opt/python/both").read_text() == "a.zip"


def test_a_link_and_a_file_take_each_others_place(tmp_path: Path) -> None:
    first = layer(tmp_path, "a.zip", zips.link("lib/x", "real"), lib__real=b"1")
    second = layer(tmp_path, "b.zip", lib__x=b"new")
    stacked.stack((first, second), tmp_path / "opt", tmp_path / "work")
    assert (tmp_path / "opt/lib/x").read_text() == "new"
    assert (tmp_path / "opt/lib/real").read_text() == "1", "nothing is written through a link"


@pytest.mark.parametrize("turned", [False, True])
def test_a_folder_and_a_file_in_one_place_are_refused(tmp_path: Path, turned: bool) -> None:
    pair = (layer(tmp_path, "a.zip", lib__x=b"file"), layer(tmp_path, "b.zip", lib__x__y=b"inside"))
    with pytest.raises(VerificationError, match="x is a folder in one and a file in another"):
        stacked.stack(pair[::-1] if turned else pair, tmp_path / "opt", tmp_path / "work")


def test_a_folder_does_not_follow_a_link_of_the_layer_before(tmp_path: Path) -> None:
    first = layer(tmp_path, "a.zip", zips.link("lib/x", "real"), lib__real__z=b"1")
    with pytest.raises(VerificationError, match="is a folder in one"):
        stacked.stack((first, layer(tmp_path, "b.zip", lib__x__y=b"in")), tmp_path / "opt", tmp_path / "work")


def test_without_layers_opt_is_empty(tmp_path: Path) -> None:
    stacked.stack((), tmp_path / "opt", tmp_path / "work")
    assert list((tmp_path / "opt").iterdir()) == []


def test_a_function_takes_five_layers() -> None:
    stacked.refuse_many([Path("x.zip")] * 5)
    with pytest.raises(UsageError, match="takes 5 layers, and 6 are named"):
        stacked.refuse_many([Path("x.zip")] * 6)
