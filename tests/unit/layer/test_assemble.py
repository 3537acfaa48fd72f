import sys
from dataclasses import replace
from pathlib import Path

import pytest

from builders import a_library
from fakes import FakeProgress, FakeStep, a_file, stock, target
from layerforge.build.plan import SYSTEM, Built, LibraryStep, PackageStep, Plan, SystemStep, WheelStep
from layerforge.core import digest
from layerforge.core.errors import StepError
from layerforge.layer import assemble
from layerforge.layer.tree import File, Link, Tree
from layerforge.resolve import lock, uv_install
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Compression, Settings, SourcePackage
from wheels import lock_of, make_wheel, record_row


def a_plan(text: str) -> Plan:
    return Plan(
        spec=LayerSpec(name="demo", requires=("demo",)),
        target=target(),
        compression=Compression.FAST,
        interpreter="",
        steps=tuple(WheelStep(pin=pin) for pin in lock.parse(text, "x").pins),
        epoch=0,
        key="",
    )


@pytest.mark.parametrize("size", [0, 1, 999_999, 1_000_000, 1_000_001, 3_000_000])
def test_a_file_on_disk_has_the_digest_of_all_its_bytes_whatever_its_size(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.so"
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    path.write_bytes(data)
    path.chmod(0o744)
    found = assemble.on_disk("python/a.so", path, "demo")
    assert (found.blob.sha256, found.blob.size) == (digest.sha256(data), size)
    assert (found.executable, found.package, found.blob.read()) == (True, "demo", data)


def test_locked_wheels_become_a_tree_with_owners_and_licences(index: Path, tmp_path: Path) -> None:
    files = {"demo/__init__.py": b"X = 1\n", "demo-1.0.data/scripts/tool": b"#!python\n"}
    wheel = make_wheel(index, files=files, metadata="License-Expression: MIT\n")
    tree = assemble.assemble(a_plan(lock_of(wheel)), Built(), tmp_path, stock())
    [package] = tree.packages
    assert (package.name, package.version, package.licence) == ("demo", "1.0", "MIT")
    assert package.info == "python/demo-1.0.dist-info"
    paths = {entry.path: entry for entry in tree.entries}
    assert paths["python/demo/__init__.py"].package == "demo"
    assert isinstance(tool := paths["bin/tool"], File)
    assert tool.executable
    assert not any(path.endswith(".lock") for path in paths)


def test_programs_start_the_runtimes_python_and_what_nothing_starts_is_told(index: Path, tmp_path: Path) -> None:
    data = "demo-1.0.data/scripts"
    files = {
        "demo/__init__.py": b"def main(): ...\n",
        "demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\nrun = demo:main\n",
        f"{data}/tool": b"#!python\nprint(1)\n",
        f"{data}/plain": b"#!/bin/sh\n",
        f"{data}/gem": b"#!/usr/bin/env ruby\n",
    }
    progress = FakeProgress()
    tree = assemble.assemble(a_plan(lock_of(make_wheel(index, files=files))), Built(), tmp_path, stock(progress))
    programs = {path: tree.read(path) or b"" for path in tree.paths if path.startswith("bin/")}
    assert {path: data.partition(b"\n")[0] for path, data in programs.items()} == {
        "bin/run": b"#!/var/lang/bin/python3.13",
        "bin/tool": b"#!/var/lang/bin/python3.13",
        "bin/plain": b"#!/bin/sh",
        "bin/gem": b"#!/usr/bin/env ruby",
    }
    assert progress.lines == ["left out, since Lambda lacks what starts them: bin/gem (ruby)"]
    assert not any(str(Path(sys.executable).parent).encode() in data for data in programs.values())


def test_a_lock_file_of_a_package_is_one_of_its_files(index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(index, files={"demo/__init__.py": b"", "demo/_vendor/.lock": b""})
    tree = assemble.assemble(a_plan(lock_of(wheel)), Built(), tmp_path, stock())
    assert "python/demo/_vendor/.lock" in {entry.path for entry in tree.entries}


def test_a_wheel_with_another_hash_than_the_lock_is_refused(index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(index)
    wrong = lock_of(wheel).replace("sha256:", "sha256:" + "0" * 64 + " --hash=sha256:", 1)
    wrong = wrong[: wrong.index(" --hash=", wrong.index("--hash") + 1)] + "\n"
    with pytest.raises(LockError, match="does not have the hash that the lock asks for"):
        assemble.assemble(a_plan(wrong), Built(), tmp_path, stock())


def test_a_lock_that_lacks_a_dependency_is_refused(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "other")
    wheel = make_wheel(index, requires=["other"])
    with pytest.raises(LockError, match="the lock is incomplete"):
        assemble.assemble(a_plan(lock_of(wheel)), Built(), tmp_path, stock())


@pytest.mark.parametrize("name", ["../evil.py", "/evil.py", "demo/../../evil.py"])
def test_a_wheel_that_writes_outside_is_refused_every_time(name: str, index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(index, files={"demo/__init__.py": b"", name: b"import os\n"})
    for attempt in ("first", "second"):
        with pytest.raises(LockError, match="outside the layer") as caught:
            assemble.assemble(a_plan(lock_of(wheel)), Built(), _folder(tmp_path / attempt), stock())
        assert name in caught.value.details
    assert not list(tmp_path.rglob("evil.py"))


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_symbolic_link_in_a_wheel_is_never_followed(index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(index, links={"demo/passwd": "/etc/passwd"})
    with pytest.raises(LockError, match="does not hold what its RECORD says") as caught:
        assemble.assemble(a_plan(lock_of(wheel)), Built(), tmp_path, stock())
    assert caught.value.details == ("python/demo/passwd is there but not listed",)


def test_a_lying_record_is_refused_with_the_files_it_lies_about(index: Path, tmp_path: Path) -> None:
    record = [
        record_row("demo/__init__.py", b"something else"),
        record_row("demo-1.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n\n"),
        record_row("demo-1.0.dist-info/WHEEL", b"?"),
    ]
    wheel = make_wheel(index, record=record)
    with pytest.raises(LockError, match="does not hold what its RECORD says") as caught:
        assemble.assemble(a_plan(lock_of(wheel)), Built(), tmp_path, stock())
    assert "python/demo/__init__.py has other contents" in caught.value.details


def two(index: Path, one: dict[str, bytes], other: dict[str, bytes]) -> str:
    """The lock of two wheels, ``ham`` and ``spam``, with files beside their own module."""
    wheels = [
        make_wheel(index, name, files={f"{name}/__init__.py": b"", **files})
        for name, files in (("ham", one), ("spam", other))
    ]
    return lock_of(*wheels)


@pytest.mark.parametrize("path", ["LICENSE", "README.md", "tests/__init__.py", "docs/conf.py", "ns/py.typed"])
def test_of_documents_in_the_same_place_the_last_stays_and_is_told(path: str, index: Path, tmp_path: Path) -> None:
    progress = FakeProgress()
    lock_text = two(index, {path: b"one"}, {path: b"other"})
    tree = assemble.assemble(a_plan(lock_text), Built(), tmp_path, stock(progress))
    [entry] = [entry for entry in tree.files if entry.path == f"python/{path}"]
    assert (entry.blob.read(), entry.package) == (b"other", "spam")
    assert progress.lines == [f"ham and spam bring other contents of {path}: spam's stays"]


def test_code_in_the_same_place_with_other_contents_is_refused(index: Path, tmp_path: Path) -> None:
    files = {"shared/core.py": b"A = 1", "shared/data.json": b"{}", "LICENSE": b"one"}
    other = {"shared/core.py": b"A = 2", "shared/data.json": b"[]", "LICENSE": b"other"}
    with pytest.raises(LockError, match="ham and spam bring other contents of the same files") as caught:
        assemble.assemble(a_plan(two(index, files, other)), Built(), tmp_path, stock())
    assert caught.value.details == ("python/shared/core.py (ham and spam)", "python/shared/data.json (ham and spam)")


def test_equal_files_in_the_same_place_are_fine(index: Path, tmp_path: Path) -> None:
    same = {"shared/core.py": b"A = 1"}
    progress = FakeProgress()
    tree = assemble.assemble(a_plan(two(index, same, same)), Built(), tmp_path, stock(progress))
    assert "python/shared/core.py" in {entry.path for entry in tree.entries}
    assert not progress.lines


PKGUTIL = b"# a comment\nfrom pkgutil import extend_path\n__path__ = extend_path(__path__, __name__)\n"
PKG_RESOURCES = b"try:\n    __import__('pkg_resources').declare_namespace(__name__)\nexcept ImportError:\n    pass\n"


@pytest.mark.parametrize(("one", "other"), [(PKGUTIL, b""), (b"", PKGUTIL), (PKG_RESOURCES, PKGUTIL)])
def test_modules_that_only_say_namespace_may_differ(one: bytes, other: bytes, index: Path, tmp_path: Path) -> None:
    lock_text = two(index, {"ns/__init__.py": one}, {"ns/__init__.py": other})
    tree = assemble.assemble(a_plan(lock_text), Built(), tmp_path, stock())
    [entry] = [entry for entry in tree.files if entry.path == "python/ns/__init__.py"]
    assert entry.blob.read() == (other or one)


@pytest.mark.parametrize("code", [b"X = 1\n", b"import os\n", b"def f(): pass\n", b"(", PKGUTIL + b"VERSION = '1'\n"])
def test_a_namespace_beside_real_code_is_refused(code: bytes, index: Path, tmp_path: Path) -> None:
    with pytest.raises(LockError, match="overwrite the other's code"):
        assemble.assemble(
            a_plan(two(index, {"ns/__init__.py": code}, {"ns/__init__.py": PKGUTIL})), Built(), tmp_path, stock()
        )


def test_a_wheel_that_lies_is_found_though_another_overwrote_its_file(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "spam", files={"LICENSE": b"other"})
    lie = [record_row("LICENSE", b"something else")]
    wheels = [make_wheel(index, "ham", files={"LICENSE": b"one"}, record=lie), index / "spam-1.0-py3-none-any.whl"]
    with pytest.raises(LockError, match=r"the wheel of ham 1\.0 does not hold what its RECORD says"):
        assemble.assemble(a_plan(lock_of(*wheels)), Built(), tmp_path, stock())


def test_a_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    (tmp_path / "inside").symlink_to("python/a")
    assert [type(entry) for entry in assemble.read(tmp_path, Path, print).entries] == [Link]
    for target_ in ("/etc/passwd", "../../secret"):
        (tmp_path / "bad").symlink_to(target_)
        with pytest.raises(LockError, match="leads out of the layer"):
            assemble.read(tmp_path, Path, print)
        (tmp_path / "bad").unlink()


def test_downloads_move_the_bar_by_what_uv_says() -> None:
    step = FakeStep()
    downloads = assemble.Downloads(step)
    for line in ("Downloading scipy (1.5MiB)", "Resolved 3 packages", " Downloaded scipy", " Downloaded other"):
        downloads.read(line)
    assert (step.expected, step.advanced) == (1_572_864, 1_572_864)


def test_wheels_for_another_machine_and_python_are_installed(index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(index, tag="cp312-cp312-manylinux_2_34_aarch64")
    arm = target("3.12", target("3.12").arch.ARM64)
    uv_install.install(lock_of(wheel), arm, tmp_path / "arm", lambda _line: None)
    assert (tmp_path / "arm/demo/__init__.py").is_file()
    with pytest.raises(LockError, match=r"demo has no wheel for Python 3\.12 on x86_64 with glibc 2\.34"):
        uv_install.install(lock_of(wheel), target("3.12"), tmp_path / "intel", lambda _line: None)


@pytest.mark.parametrize("glob", ["../secret", "lib/*", "out/secret"])
def test_what_leads_out_of_the_prefix_is_not_shipped(glob: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    prefix = tmp_path / "prefix"
    (prefix / "lib").mkdir(parents=True)
    (prefix / "lib/libx.so").symlink_to("../../secret")
    (prefix / "out").symlink_to(tmp_path)
    with pytest.raises(StepError, match="outside of what it installed"):
        list(assemble._shipped(prefix, [glob], "demo"))


LIBRARY = LibraryStep(library=a_library("blas", ship=("lib/*", "share/licence")), settings=Settings(), key="")
COMPILED = PackageStep(
    package=SourcePackage(name="demo"),
    pin=Pin(name="demo", version="1.0", hashes=()),
    settings=Settings(),
    build_pins=(),
    key="",
)


def shipped(folder: Path, **files: bytes) -> Path:
    """A folder with libraries, by the part of their name before ``.so``."""
    (folder / "lib").mkdir(parents=True)
    for name, data in files.items():
        (folder / "lib" / f"{name}.so").write_bytes(data)
    return folder


def test_compiled_wheels_join_the_locked_ones_and_are_marked_as_such(index: Path, tmp_path: Path) -> None:
    other, demo = make_wheel(index, "other"), make_wheel(tmp_path / "made", "demo")
    plan = a_plan(lock_of(other))
    plan = replace(plan, steps=(*plan.steps, COMPILED))
    tree = assemble.assemble(plan, Built(wheels={"demo": demo}), _folder(tmp_path / "work"), stock())
    assert [(one.name, one.origin) for one in tree.packages] == [("demo", "compiled"), ("other", "wheel")]
    assert "python/demo/__init__.py" in {file.path for file in tree.files}


def test_what_a_library_ships_keeps_its_place_and_counts_as_its_own(tmp_path: Path) -> None:
    folder = shipped(tmp_path / "blas", libblas=b"elf")
    (folder / "lib/libblas.so.3").symlink_to("libblas.so")
    (folder / "lib/folder").mkdir()
    (folder / "share").mkdir()
    (folder / "share/licence").write_text("text")
    (folder / "share/unnamed").write_text("stays")
    built = Built(shipped={"blas": folder, SYSTEM: shipped(tmp_path / "system", libgomp=b"elf")})
    steps = (LIBRARY, COMPILED, SystemStep(sonames=("libgomp.so",), key=""))
    tree = assemble.with_shipped(Tree(entries=()), replace(a_plan(""), steps=steps), built)
    assert [(entry.path, entry.package) for entry in tree.entries] == [
        ("lib/libblas.so", "blas"),
        ("lib/libblas.so.3", "blas"),
        ("lib/libgomp.so", SYSTEM),
        ("share/licence", "blas"),
    ]
    assert tree.entries[1] == Link(path="lib/libblas.so.3", target="libblas.so", package="blas")
    assert [(one.name, one.version, one.origin) for one in tree.packages] == [("blas", "1.0", "compiled")]


def test_a_library_takes_the_place_of_a_wheels_file_of_that_name(tmp_path: Path) -> None:
    wheels = Tree(entries=(a_file("lib/libblas.so", b"old", package="demo"),))
    built = Built(shipped={"blas": shipped(tmp_path / "blas", libblas=b"new")})
    tree = assemble.with_shipped(wheels, replace(a_plan(""), steps=(LIBRARY,)), built)
    [file] = tree.files
    assert (file.blob.read(), file.package) == (b"new", "blas")


def installed(folder: Path, record: str) -> Path:
    """An installed package whose RECORD is ``record``."""
    info = folder / "demo-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: demo\nVersion: 1.0\n")
    (info / "RECORD").write_text(record)
    return folder


def test_a_file_that_is_listed_and_not_there_is_a_lie(tmp_path: Path) -> None:
    listed = "demo-1.0.dist-info/METADATA,,\ndemo/gone.py,sha256=AAAA,1\ndemo-1.0.dist-info/RECORD,,\n"
    with pytest.raises(LockError, match="does not hold what its RECORD says") as caught:
        assemble.read(installed(tmp_path, listed), Path, print)
    assert "python/demo/gone.py is listed but not there" in caught.value.details


def test_a_line_of_a_record_that_is_none_is_passed_over(tmp_path: Path) -> None:
    metadata = record_row("demo-1.0.dist-info/METADATA", b"Name: demo\nVersion: 1.0\n")
    folder = installed(tmp_path, f"{metadata}\nno row at all\ndemo-1.0.dist-info/RECORD,,\n")
    [package] = assemble.read(folder, Path, print).packages
    assert (package.name, package.version) == ("demo", "1.0")


def test_a_package_whose_record_is_a_link_says_nothing_of_its_files(tmp_path: Path) -> None:
    folder = installed(tmp_path, "")
    (folder / "demo-1.0.dist-info/RECORD").unlink()
    (folder / "demo-1.0.dist-info/RECORD").symlink_to("METADATA")
    tree = assemble.read(folder, Path, print)
    assert {entry.package for entry in tree.entries} == {""}


@pytest.mark.parametrize(
    "stray", ["lib/python3.13/site-packages/other-1.dist-info/METADATA", "other-1.dist-info/top_level.txt"]
)
def test_metadata_that_no_installing_put_there_makes_no_package(stray: str, tmp_path: Path) -> None:
    metadata = record_row("demo-1.0.dist-info/METADATA", b"Name: demo\nVersion: 1.0\n")
    folder = installed(tmp_path, f"{metadata}\ndemo-1.0.dist-info/RECORD,,\n")
    (folder / stray).parent.mkdir(parents=True)
    (folder / stray).write_text("Name: other\nVersion: 1\n")
    assert [package.name for package in assemble.read(folder, Path, print).packages] == ["demo"]
