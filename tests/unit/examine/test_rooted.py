from pathlib import Path

import pytest

import zips
from layerforge.core.errors import VerificationError
from layerforge.examine import rooted
from layerforge.examine.examine import examine
from layerforge.layer.distributions import recorded

INFO = "demo-1.0.dist-info"
FILES = {
    "app.py": b"import demo\n",
    "demo/__init__.py": b"x = 1\n",
    f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\n",
    f"{INFO}/RECORD": b"demo/__init__.py,,6\n",
}


def test_a_functions_zip_is_seen_as_a_layer_of_the_same_bytes(tmp_path: Path) -> None:
    seen = examine(zips.of(tmp_path / "it.zip", FILES))
    layer = rooted.as_layer(seen, "")
    assert [one.path for one in layer.members] == sorted(f"python/{path}" for path in FILES)
    assert (layer.unzipped, layer.zipped, layer.sha256) == (seen.unzipped, seen.zipped, seen.sha256)
    assert [one.info for one in layer.distributions] == [f"python/{INFO}"]
    assert list(recorded(layer.distributions[0])) == ["python/demo/__init__.py"]


def test_a_layer_is_seen_as_it_is(tmp_path: Path) -> None:
    seen = examine(zips.of(tmp_path / "it.zip", {f"python/{path}": data for path, data in FILES.items()}))
    assert rooted.as_layer(seen, "python/") is seen


@pytest.mark.parametrize("root", ["", "python/"])
def test_it_is_unpacked_as_it_is_seen(tmp_path: Path, root: str) -> None:
    path = zips.of(tmp_path / "it.zip", {root + path: data for path, data in FILES.items()})
    rooted.unpack(path, root, tmp_path / "opt")
    for name, data in FILES.items():
        assert (tmp_path / "opt" / "python" / name).read_bytes() == data


def test_what_would_be_written_elsewhere_is_not_unpacked(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "it.zip", {**FILES, "../x": b""})
    with pytest.raises(VerificationError):
        rooted.unpack(path, "", tmp_path / "opt")
