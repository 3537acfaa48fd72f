import subprocess
import sys
import zipfile
from pathlib import Path

import uv

import elves
import zips
from fakes import target
from layerforge.core import digest
from layerforge.examine import kept, zip_content
from layerforge.examine.examine import examine
from layerforge.examine.installed import installed
from layerforge.examine.kept import KeptWheel
from layerforge.layer.distributions import rows

INFO = "python/Own_Thing-1.0+local.dist-info"
FILES = {
    "python/app.py": b"x = 1\n",
    "python/data/a,b.json": b"{}",
    "python/__pycache__/app.cpython-313.pyc": b"old",
    "lib/libown.so": b"elsewhere",
    "python/own_thing/__init__.py": b"y = 1\n",
    f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: own-thing\nVersion: 1.0+local\nRequires-Dist: other\n",
    f"{INFO}/RECORD": b"own_thing/__init__.py,sha256=stale,6\ngone.py,,\n",
    f"{INFO}/direct_url.json": b"{}",
}


def wheels(path: Path) -> tuple[KeptWheel, KeptWheel]:
    """That of the package, and that of the code."""
    seen = examine(path)
    with zip_content.reader(path) as read:
        found = installed(seen, read, target())
        code = kept.of_code("it-code", found, read, target())
        assert code
        return kept.of_package(found.packages[0], found, seen, read, target()), code


def test_a_package_of_a_zip_is_a_wheel_again_whose_record_is_true(tmp_path: Path) -> None:
    one, code = wheels(zips.of(tmp_path / "it.zip", FILES))
    assert (one.name, one.file) == ("own-thing", "own_thing-1.0+local-py3-none-any.whl")
    assert (code.name, code.file) == ("it-code", "it_code-0-py3-none-any.whl")
    for wheel in (one, code):
        (tmp_path / wheel.file).write_bytes(wheel.data)
        with zipfile.ZipFile(tmp_path / wheel.file) as archive:
            [record] = [name for name in archive.namelist() if name.endswith("/RECORD")]
            listed = {row.path: row.sha256 for row in rows(archive.read(record))}
            assert set(listed) == set(archive.namelist())
            for name in set(listed) - {record}:
                assert listed[name] == digest.sha256(archive.read(name))


def test_wheels_of_a_zip_can_be_installed(tmp_path: Path) -> None:
    one, code = wheels(zips.of(tmp_path / "it.zip", FILES))
    for wheel in (one, code):
        (tmp_path / wheel.file).write_bytes(wheel.data)
    into = tmp_path / "into"
    argv = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable, "--target", str(into)]
    subprocess.run([*argv, "--no-index", "--no-deps", one.file, code.file], cwd=tmp_path, check=True)
    assert (into / "own_thing/__init__.py").read_bytes() == b"y = 1\n"
    assert (into / "data/a,b.json").read_bytes() == b"{}"
    assert b"Requires-Dist: other" in (into / "own_thing-1.0+local.dist-info/METADATA").read_bytes()
    assert not (into / "lib").exists()


def test_the_same_files_are_the_same_wheel(tmp_path: Path) -> None:
    first = wheels(zips.of(tmp_path / "a.zip", FILES))
    other = [zips.Put(name=name, data=data, date=(2020, 1, 1, 1, 1, 1)) for name, data in reversed(FILES.items())]
    assert wheels(zips.write(tmp_path / "b.zip", other)) == first


def test_native_code_is_kept_for_its_target_alone(tmp_path: Path) -> None:
    files = {**FILES, "python/own_thing/core.so": elves.image()}
    assert wheels(zips.of(tmp_path / "it.zip", files))[0].file == "own_thing-1.0+local-cp313-cp313-linux_x86_64.whl"


def test_programs_stay_programs_and_links_stay_out(tmp_path: Path) -> None:
    puts = [zips.Put(name=name, data=data) for name, data in FILES.items()]
    puts += [zips.Put(name="python/run.sh", data=b"#!/bin/sh\n", mode=0o100755), zips.link("python/l", "run.sh")]
    code = wheels(zips.write(tmp_path / "it.zip", puts))[1]
    (tmp_path / "code.whl").write_bytes(code.data)
    with zipfile.ZipFile(tmp_path / "code.whl") as archive:
        modes = {one.filename: one.external_attr >> 16 for one in archive.infolist()}
    assert (modes["run.sh"], modes["app.py"]) == (0o100755, 0o100644)
    assert "l" not in modes


def test_where_all_files_come_with_packages_there_is_no_code(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "it.zip", zips.sound())
    seen = examine(path)
    with zip_content.reader(path) as read:
        assert kept.of_code("it-code", installed(seen, read, target()), read, target()) is None


def test_old_bytecode_is_not_kept(tmp_path: Path) -> None:
    code = wheels(zips.of(tmp_path / "it.zip", FILES))[1]
    (tmp_path / "code.whl").write_bytes(code.data)
    with zipfile.ZipFile(tmp_path / "code.whl") as archive:
        assert not [name for name in archive.namelist() if name.endswith(".pyc")]
