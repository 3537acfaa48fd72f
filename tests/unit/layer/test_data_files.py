"""Data in a layer: where it lies, whose it is, and what it may not stand in the way of."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FakeProgress, FakeStore, a_file, a_setting, a_tree, stock
from layerforge.core import digest
from layerforge.core.errors import LayerforgeError, StepError
from layerforge.layer import data_files
from layerforge.layer.data_files import Fetched, LaidData
from layerforge.layer.passes import compile as bytecode
from layerforge.layer.passes import prune
from layerforge.layer.tree import Entry, File, Link
from layerforge.resolve.errors import LockError, RecipeError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode, Data, Source

WORDS = b"one\ntwo\n"


def a_zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return buffer.getvalue()


ARCHIVE = a_zip({"w/one.txt": b"1\n", "w/two/three.txt": b"3\n", "w/two/": b"", "README": b"Read it.\n"})


def data(content: bytes = WORDS, name: str = "words.txt", into: str = "share/demo", **facts: object) -> Data:
    source = Source(url=f"https://nowhere.invalid/d/{name}", sha256=digest.sha256(content))
    return replace(Data(package="demo", name=name, source=source, into=into), **facts)  # type: ignore[arg-type]


def fetched(folder: Path, *wanted: tuple[Data, bytes], progress: FakeProgress | None = None) -> tuple[Fetched, ...]:
    """What data gives that the store has."""
    store = FakeStore({("source", one.source.sha256): content for one, content in wanted})
    folder.mkdir(exist_ok=True)
    return data_files.fetched([one for one, _ in wanted], stock(progress, store), folder)


def paths(*found: Fetched) -> list[str]:
    return [entry.path for one in found for entry in one.entries]


def refused(folder: Path, one: Data, content: bytes) -> LayerforgeError:
    with pytest.raises(LayerforgeError) as caught:
        fetched(folder, (one, content))
    assert caught.value.hint
    return caught.value


# --- what it gives


def test_a_file_lies_under_its_name_and_is_its_packages(tmp_path: Path) -> None:
    progress = FakeProgress()
    [found] = fetched(tmp_path, (data(), WORDS), progress=progress)
    [file] = found.entries
    assert isinstance(file, File)
    assert (file.path, file.package, file.executable) == ("share/demo/words.txt", "demo", False)
    assert file.blob.read() == WORDS
    assert (progress.steps, progress.told[0].notes) == (["data"], ["words.txt, 1 file, 8 bytes"])


def test_the_files_of_an_archive_lie_as_in_the_archive_and_it_is_told_of(tmp_path: Path) -> None:
    one = data(ARCHIVE, "w.zip", unpack=True)
    [found] = fetched(tmp_path, (one, ARCHIVE))
    assert paths(found) == ["share/demo/README", "share/demo/w/one.txt", "share/demo/w/two/three.txt"]
    assert {entry.package for entry in found.entries} == {"demo"}
    sha256 = digest.sha256(ARCHIVE)
    told = LaidData(package="demo", name="w.zip", sha256=sha256, into="share/demo", files=3, bytes=13)
    assert data_files.laid([found]) == (told,)


def test_of_an_archive_the_wanted_files_alone_are_laid(tmp_path: Path) -> None:
    one = data(ARCHIVE, "w.zip", unpack=True, files=("w/**", "READ*"))
    assert paths(*fetched(tmp_path / "1", (one, ARCHIVE))) == [
        "share/demo/README",
        "share/demo/w/one.txt",
        "share/demo/w/two/three.txt",
    ]
    one = replace(one, files=("w/two/*",))
    assert paths(*fetched(tmp_path / "2", (one, ARCHIVE))) == ["share/demo/w/two/three.txt"]


def test_links_and_programs_of_an_archive_are_kept_as_such(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        program, link, folder = tarfile.TarInfo("a/run"), tarfile.TarInfo("b/run"), tarfile.TarInfo("c")
        program.mode, program.size = 0o4711, 2
        link.type, link.linkname = tarfile.SYMTYPE, "../a/run"
        folder.type, folder.linkname = tarfile.SYMTYPE, "a"
        tar.addfile(program, io.BytesIO(b"#!"))
        tar.addfile(link)
        tar.addfile(folder)
    one = data(buffer.getvalue(), "a.tar.gz", unpack=True)
    [found] = fetched(tmp_path, (one, buffer.getvalue()))
    first, *links = found.entries
    assert isinstance(first, File)
    assert (first.path, first.executable) == ("share/demo/a/run", True)
    assert links == [
        Link(path="share/demo/b/run", target="../a/run", package="demo"),
        Link(path="share/demo/c", target="a", package="demo"),
    ]


def test_it_comes_from_a_folder_of_the_users_too(tmp_path: Path) -> None:
    (tmp_path / "any name").write_bytes(WORDS)
    [found] = data_files.fetched([data()], stock(folders=[tmp_path]), tmp_path)
    assert paths(found) == ["share/demo/words.txt"]


# --- what it cannot give


def test_a_wrong_hash_is_told_with_both(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_bytes(WORDS)
    source = Source(url=(tmp_path / "words.txt").as_uri(), sha256="a" * 64)
    with pytest.raises(LockError, match=r"words\.txt does not have the hash that is asked for") as caught:
        data_files.fetched([replace(data(), source=source)], stock(), tmp_path)
    assert caught.value.details == (f"asked for {'a' * 64}", f"got       {digest.sha256(WORDS)}")


def test_files_that_are_not_in_the_archive_are_a_mistake_of_the_recipe(tmp_path: Path) -> None:
    error = refused(tmp_path, data(ARCHIVE, "w.zip", unpack=True, files=("w/**", "absent/**")), ARCHIVE)
    assert isinstance(error, RecipeError)
    assert error.message == "the data w.zip of demo holds no file like absent/**"
    assert error.details == ("README", "w/one.txt", "w/two/three.txt")


def test_an_archive_without_files_is_a_mistake_too(tmp_path: Path) -> None:
    empty = a_zip({"folder/": b""})
    error = refused(tmp_path, data(empty, "w.zip", unpack=True), empty)
    assert error.message == "the data w.zip of demo holds no file"


def test_what_is_no_archive_names_package_and_file(tmp_path: Path) -> None:
    error = refused(tmp_path, data(unpack=True), WORDS)
    assert isinstance(error, StepError)
    assert error.message == "the data words.txt of demo cannot be unpacked"
    assert "needs no `unpack`" in error.hint


# --- beside the rest


def given(*entries: Entry, **facts: object) -> Fetched:
    return Fetched(data=data(**facts), entries=entries)  # type: ignore[arg-type]


def test_data_lies_beside_the_packages_in_the_order_of_paths() -> None:
    tree = a_tree(a_file("python/demo/x.py", package="demo"), a_file("lib/libx.so"))
    found = data_files.with_data(tree, [given(a_file("share/demo/w", package="demo"))])
    assert [entry.path for entry in found.entries] == ["lib/libx.so", "python/demo/x.py", "share/demo/w"]
    assert data_files.with_data(tree, []) == tree


def test_the_same_file_twice_is_one() -> None:
    first, second = given(a_file("share/w", b"a", package="demo")), given(a_file("share/w", b"a", package="other"))
    [entry] = data_files.with_data(a_tree(), [first, second]).entries
    assert entry.package == "demo"


OURS = a_file("share/demo/w", b"theirs", package="openblas")


@pytest.mark.parametrize(
    ("there", "entry", "why"),
    [
        (OURS, a_file("share/demo/w", b"ours"), "share/demo/w, and the package openblas brings other contents of it"),
        (OURS, a_file("share/demo/w", b"theirs", executable=True), "the package openblas brings other contents of it"),
        (OURS, Link(path="share/demo/w", target="x"), "the package openblas brings other contents of it"),
        (
            OURS,
            a_file("share/demo", b""),
            "share/demo, and the package openblas brings share/demo/w: one would have to",
        ),
        (
            OURS,
            a_file("share/demo/w/x", b""),
            "share/demo/w/x, and the package openblas brings share/demo/w: one would",
        ),
        (replace(OURS, package=""), a_file("share/demo/w", b"ours"), "and the layer brings other contents of it"),
    ],
)
def test_a_file_in_anothers_way_names_both(there: Entry, entry: Entry, why: str) -> None:
    with pytest.raises(RecipeError) as caught:
        data_files.with_data(a_tree(there), [given(entry)])
    assert caught.value.message.startswith("the data words.txt of demo brings share/demo")
    assert why in caught.value.message
    assert "`into`" in caught.value.hint


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (a_file("share/w", b"a"), a_file("share/w", b"b")),
        (a_file("share/w", b"a"), a_file("share/w/x", b"b")),
        (a_file("share/w/x", b"a"), a_file("share/w", b"b")),
        (Link(path="share/w", target="a"), Link(path="share/w", target="b")),
    ],
)
def test_two_of_one_place_name_both(first: Entry, second: Entry) -> None:
    with pytest.raises(RecipeError, match=r"the data b of demo brings share/w.*the data a of demo brings"):
        data_files.with_data(a_tree(), [given(first, name="a"), given(second, name="b")])


def test_no_pass_takes_data_away_or_compiles_it() -> None:
    named = ["tests/__init__.py", "tests/test_x.py", "x.pyi", "x.h", "x.pyc", "docs/x.md", "x.py"]
    tree = data_files.with_data(
        a_tree(), [given(*(a_file(f"share/demo/{name}", b"#!", package="demo") for name in named))]
    )
    spec = LayerSpec(name="demo", requires=("demo",), bytecode=Bytecode(mode=BytecodeMode.NONE))
    setting = a_setting(spec=spec)
    assert [*prune.prune(tree, setting), *bytecode.compile_modules(tree, setting)] == []
