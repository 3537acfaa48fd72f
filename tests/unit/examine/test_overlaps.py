from __future__ import annotations

from pathlib import Path

import zips
from layerforge.core.text import megabytes
from layerforge.examine import examine
from layerforge.examine.examination import Examination
from layerforge.examine.function_code import FunctionCode, function_code
from layerforge.examine.overlaps import Overlap, overlaps


def package(name: str, version: str, files: dict[str, bytes]) -> dict[str, bytes]:
    info = f"{name}-{version}.dist-info"
    rows = "\n".join([*(zips.record_row(path, data) for path, data in files.items()), f"{info}/RECORD,,"])
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    return files | {f"{info}/METADATA": metadata, f"{info}/RECORD": rows.encode()}


def code(folder: Path, files: dict[str, bytes]) -> FunctionCode:
    folder.mkdir(exist_ok=True)
    return function_code(zips.of(folder / "fn.zip", files), folder / "code")


def layer(folder: Path, name: str, files: dict[str, bytes], site: str = "python") -> Examination:
    return examine.examine(zips.of(folder / name, {f"{site}/{path}": data for path, data in files.items()}))


DEMO = {"demo/__init__.py": b"x = 1\n", "demo/data.bin": b"d" * 1000}


def test_a_package_of_code_that_a_layer_has_is_told_with_both_versions_and_its_bytes(tmp_path: Path) -> None:
    old, new = package("demo", "1.0", DEMO), package("demo", "2.0", DEMO)
    for site in ("python", "python/lib/python3.13/site-packages"):
        [found] = overlaps(code(tmp_path / site[-3:], old | {"app.py": b""}), [layer(tmp_path, "l.zip", new, site)])
        size = sum(map(len, old.values()))
        assert found == Overlap(
            name="demo", counts="the code", hidden="l.zip", version="1.0", hidden_version="2.0", size=size
        )
        assert found.told == (
            f"the code carries demo 1.0 ({megabytes(size)}), which l.zip has as 2.0: the code's is imported, "
            "since /var/task comes before /opt; leave it out of the code"
        )


def test_the_same_version_is_told_once(tmp_path: Path) -> None:
    same = package("demo", "1.0", DEMO)
    [found] = overlaps(code(tmp_path, same), [layer(tmp_path, "l.zip", same)])
    assert "which l.zip has: the code's" in found.told


def test_a_package_without_metadata_goes_by_the_name_of_its_module(tmp_path: Path) -> None:
    [found] = overlaps(code(tmp_path, DEMO), [layer(tmp_path, "l.zip", package("demo", "2.0", DEMO))])
    assert (found.name, found.version, found.hidden_version, found.size) == ("demo", "", "2.0", 1006)


def test_a_module_of_ones_own_that_hides_a_package_is_told(tmp_path: Path) -> None:
    theirs = package("demo", "2.0", {"utils.py": b"y = 2\n"})
    [found] = overlaps(code(tmp_path, {"utils.py": b"x = 1\n", "app.py": b""}), [layer(tmp_path, "l.zip", theirs)])
    assert (found.name, found.hidden_version, found.size) == ("utils", "2.0", 6)


def test_other_packages_of_one_namespace_do_not_hide_each_other(tmp_path: Path) -> None:
    own = package("ns-a", "1.0", {"ns/a/__init__.py": b""})
    theirs = package("ns-b", "1.0", {"ns/b/__init__.py": b""})
    assert overlaps(code(tmp_path, own), [layer(tmp_path, "l.zip", theirs)]) == ()
    both = own | {"ns/__init__.py": b""}
    [found] = overlaps(code(tmp_path / "2", both), [layer(tmp_path, "l.zip", theirs)])
    assert found.hidden == "l.zip", "a true package hides all of the namespace"


def test_a_folder_without_a_package_hides_nothing(tmp_path: Path) -> None:
    own = {"demo/notes.txt": b"x", "demo/sub/more.py": b""}
    assert overlaps(code(tmp_path, own), [layer(tmp_path, "l.zip", package("demo", "2.0", DEMO))]) == ()


def test_a_package_of_two_layers_lies_over_the_earlier_one(tmp_path: Path) -> None:
    layers = [layer(tmp_path, f"{at}.zip", package("demo", f"{at}.0", DEMO)) for at in (1, 2)]
    [found] = overlaps(None, layers)
    assert (found.counts, found.hidden, found.version, found.hidden_version) == ("2.zip", "1.zip", "2.0", "1.0")
    assert "it lies over that" in found.told


def test_the_largest_stands_first(tmp_path: Path) -> None:
    small, large = package("a", "1", {"a.py": b"x"}), package("b", "1", {"b.py": b"x" * 5000})
    found = overlaps(code(tmp_path, small | large), [layer(tmp_path, "l.zip", small | large)])
    assert [one.name for one in found] == ["b", "a"]
