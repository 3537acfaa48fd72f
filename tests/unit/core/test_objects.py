"""Places of a far store on this machine and behind a web address: one contract, and what can go wrong."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import far_places
from layerforge.core.store.objects import FarReadOnlyError, FarStoreError, FolderObjects, Objects


def a_folder(root: Path, data: dict[str, bytes]) -> FolderObjects:
    place = FolderObjects(root=root)
    assert all(place.create(name, value) for name, value in data.items())
    return place


def leftovers(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*.part"))


# --- the contract


@pytest.mark.parametrize("keeps_to", [*far_places.READING, *far_places.WRITING], ids=lambda one: one.__name__)
def test_a_folder_keeps_to_the_contract(keeps_to: Callable[[far_places.Filled], None], tmp_path: Path) -> None:
    def filled(data: dict[str, bytes]) -> Objects:
        return a_folder(Path(tempfile.mkdtemp(dir=tmp_path)) / "not/there/yet", data)

    keeps_to(filled)
    assert not leftovers(tmp_path)


# --- a folder's faults


def child(program: str, **options: object) -> subprocess.Popen[str]:
    """Another process that runs ``program`` with a ``place``."""
    values = "\n".join(f"{name} = {value!r}" for name, value in options.items())
    text = "\n".join(
        [
            "import os, resource, signal, sys",
            "from pathlib import Path",
            "from layerforge.core.store.objects import FarStoreError, FolderObjects",
            values,
            "place = FolderObjects(root=Path(root))",
            textwrap.dedent(program),
        ]
    )
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)


def test_one_of_several_processes_creates_an_object(tmp_path: Path) -> None:
    program = """
        while not os.path.exists(start):
            pass
        made = [name for name in range(50) if place.create(f"n/{name}", who.encode() * 20_000)]
        print(made)
        """
    start = tmp_path / "start"
    whos = ("a", "b", "c")
    children = [child(program, root=str(tmp_path / "store"), start=str(start), who=who) for who in whos]
    start.touch()
    made = [json.loads(one.communicate(timeout=60)[0]) for one in children]
    assert sorted(number for numbers in made for number in numbers) == list(range(50))
    place = FolderObjects(root=tmp_path / "store")
    for who, numbers in zip(whos, made, strict=True):
        assert all(place.read(f"n/{number}") == who.encode() * 20_000 for number in numbers)


def test_a_writer_that_is_killed_leaves_no_object(tmp_path: Path) -> None:
    program = """
        os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL)
        place.create("a/b", b"half")
        """
    with child(program, root=str(tmp_path)) as killed:
        assert killed.wait(60) == -signal.SIGKILL
    assert len(leftovers(tmp_path)) == 1
    place = FolderObjects(root=tmp_path)
    assert place.read("a/b") is None
    assert list(place.listed()) == []
    assert place.create("a/b", b"whole")
    assert [one.name for one in place.listed()] == ["a/b"]


def test_a_disk_that_gets_full_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes rights that this user does not have")
    try:
        place = FolderObjects(root=small)
        assert place.create("small", b"1")
        with pytest.raises(FarStoreError, match="no space is left") as caught:
            place.create("large", os.urandom(2 << 20))
        assert not isinstance(caught.value, FarReadOnlyError)
        assert caught.value.exit_code == 5
        assert "`layerforge cache clear --shared --older-than 90d`" in caught.value.hint
        assert [path.name for path in small.rglob("*")] == ["small"]
        assert place.create("large", b"now it is small")
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_file_that_may_not_become_that_large_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    program = """
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            place.create("large", bytes(200_000))
        except FarStoreError as error:
            print(error.message)
        """
    with child(program, root=str(tmp_path)) as limited:
        said = limited.communicate(timeout=60)[0]
    assert "a file would be larger" in said
    assert not list(tmp_path.iterdir())


@contextmanager
def without_rights() -> Iterator[Path]:
    """A folder of another user's, who is not root, nor are we within."""
    folder = Path(tempfile.mkdtemp())
    place = FolderObjects(root=folder)
    place.create("a/there", b"1")
    place.create("closed/secret", b"1")
    (folder / "closed").chmod(0)
    for path in (folder / "a", folder):
        path.chmod(0o555)
    mine = os.geteuid()
    try:
        if mine == 0:
            os.seteuid(65534)
        yield folder
    finally:
        os.seteuid(mine)
        for path in (folder, folder / "a", folder / "closed"):
            path.chmod(0o755)
        shutil.rmtree(folder)


def test_a_folder_without_the_right_to_write_is_only_read() -> None:
    with without_rights() as folder:
        place = FolderObjects(root=folder)
        assert place.read("a/there") == b"1"
        assert not place.create("a/there", b"2")
        for name in ("a/new", "new/new"):
            with pytest.raises(FarReadOnlyError, match="cannot be written"):
                place.create(name, b"2")
        with pytest.raises(FarReadOnlyError, match="cannot be written"):
            place.remove(["a/there"])
        place.remove(["a/absent"])


def test_what_may_not_be_read_is_no_absence() -> None:
    with without_rights() as folder:
        place = FolderObjects(root=folder)
        for ask in (place.read, place.size, lambda below: list(place.listed(below[:6]))):
            with pytest.raises(FarStoreError, match="may not be read") as caught:
                ask("closed/secret")
            assert not isinstance(caught.value, FarReadOnlyError)


def test_a_disk_that_can_only_be_read_is_only_read(tmp_path: Path) -> None:
    a_folder(tmp_path / "real", {"a": b"1"})
    shown = tmp_path / "shown"
    shown.mkdir()
    mounts = (["mount", "--bind", str(tmp_path / "real"), str(shown)], ["mount", "-o", "remount,bind,ro", str(shown)])
    if subprocess.run(mounts[0], capture_output=True, check=False).returncode:
        pytest.skip("mounting takes rights that this user does not have")
    try:
        subprocess.run(mounts[1], check=True)
        place = FolderObjects(root=shown)
        assert place.read("a") == b"1"
        for change in (lambda: place.create("b", b"2"), lambda: place.remove(["a"])):
            with pytest.raises(FarReadOnlyError, match="can only be read"):
                change()
    finally:
        subprocess.run(["umount", str(shown)], check=True)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_a_disk_without_hard_links_is_told(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(FarStoreError, match="has no hard links") as caught:
        FolderObjects(root=tmp_path).create("a", b"1")
    assert not isinstance(caught.value, FarReadOnlyError)
    assert not list(tmp_path.iterdir())


def test_a_link_in_place_of_an_object_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"nobody's")
    place = a_folder(tmp_path / "store", {"a": b"1"})
    (tmp_path / "store/link").symlink_to(secret)
    (tmp_path / "store/dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "store/folder").symlink_to(tmp_path)
    for name in ("link", "dangling"):
        for ask in (place.read, place.size):
            with pytest.raises(FarStoreError, match="is no object of a store") as caught:
                ask(name)
            assert "move it away" in caught.value.hint
        assert not place.create(name, b"mine")
    # They are named, so that whoever looks for damage finds them, and those below a link are not.
    assert [one.name for one in place.listed()] == ["a", "dangling", "folder", "link"]
    place.remove(["link"])
    assert secret.read_bytes() == b"nobody's"
    assert not (tmp_path / "nowhere").exists()


def test_a_pipe_or_a_folder_in_place_of_an_object_is_told(tmp_path: Path) -> None:
    place = a_folder(tmp_path, {"a/b": b"1"})
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "a"):
        for ask in (place.read, place.size):
            with pytest.raises(FarStoreError, match="it is no regular file"):
                ask(name)
    assert [one.name for one in place.listed()] == ["a/b", "pipe"]


def test_a_file_in_place_of_a_folder_is_told_on_writing(tmp_path: Path) -> None:
    place = a_folder(tmp_path, {"a": b"1"})
    assert place.read("a/b") is None
    with pytest.raises(FarStoreError, match="cannot be written") as caught:
        place.create("a/b", b"2")
    assert not isinstance(caught.value, FarReadOnlyError)


def test_what_is_hidden_is_no_object(tmp_path: Path) -> None:
    place = a_folder(tmp_path, {"a": b"1"})
    (tmp_path / ".snapshot").mkdir()
    (tmp_path / ".snapshot/b").write_bytes(b"2")
    assert [one.name for one in place.listed()] == ["a"]
