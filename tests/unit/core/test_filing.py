"""Files that appear together, whenever their writer is killed."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.core import filing
from layerforge.core.filing import ALIVE, PREFIX, clear_dead, own_folder, write_together

SUFFIXES = (".manifest.json", ".sbom.json", ".licences.txt", ".lock", ".zip")
OLD = {f"layer{suffix}": f"old {suffix}".encode() for suffix in SUFFIXES if suffix != ".lock"}
NEW = {f"layer{suffix}": f"new and longer {suffix}".encode() for suffix in SUFFIXES}

KILLED = """
    import json, os, signal, sys
    from pathlib import Path
    from layerforge.core.filing import write_together

    root, old, new = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
    left = 0

    def hook(event, arguments):
        # What the program asks of the kernel; each call is made after the hook has returned.
        global left
        if event.split(".")[0] in {"open", "os", "shutil", "tempfile", "fcntl"} and left:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    for count in range(1, 1000):
        folder = root / f"{count:03}"
        folder.mkdir()
        for name, text in old.items():
            (folder / name).write_text(text)
        child = os.fork()
        if child == 0:
            left = count
            write_together(folder, {name: text.encode() for name, text in new.items()})
            left = 0
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break
"""


def killed_everywhere(root: Path, old: dict[str, bytes]) -> list[Path]:
    """A folder for each call at which a writer of ``NEW`` over ``old`` was killed, and at last one where it was not."""
    texts = [json.dumps({name: data.decode() for name, data in files.items()}) for files in (old, NEW)]
    argv = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(KILLED), str(root), *texts]
    subprocess.run(argv, check=True)
    return sorted(root.iterdir())


def standing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("old", [OLD, {}])
def test_a_writer_that_is_killed_at_any_call_leaves_the_old_files_or_the_new_or_the_next_finishes(
    old: dict[str, bytes], tmp_path: Path
) -> None:
    folders = killed_everywhere(tmp_path, old)
    assert len(folders) > 25
    ends = set[str]()
    for folder in folders:
        mixed = standing(folder) not in (old, NEW)
        write_together(folder, {"another": b"layer"})
        found = standing(folder)
        assert found.pop("another") == b"layer"
        assert found in (old, NEW), folder
        assert [path.name for path in folder.iterdir() if path.name not in {*found, "another"}] == []
        ends.add("finished" if mixed else "new" if found == NEW else "old")
        assert not mixed or found == NEW
    assert ends == {"old", "finished", "new"}


@given(st.integers(1, 100), st.sampled_from(["py310-arm64", "py313-x86_64"]))
def test_a_name_of_any_length_can_be_written(length: int, label: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {f"{'r' * length}-{label}{suffix}": suffix.encode() for suffix in SUFFIXES}
        for _ in range(2):
            write_together(folder, files)
            assert standing(folder) == files
            assert len(list(folder.iterdir())) == len(files)


def test_a_folder_in_the_way_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    with pytest.raises(IsADirectoryError, match=str(tmp_path / "b")):
        write_together(tmp_path, {"a": b"", "b": b""})
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_link_is_replaced_and_what_it_leads_to_is_left(tmp_path: Path) -> None:
    (tmp_path / "far").write_bytes(b"far")
    (tmp_path / "near").symlink_to("far")
    (tmp_path / "dangling").symlink_to("nowhere")
    write_together(tmp_path, {"near": b"new", "dangling": b"new"})
    assert standing(tmp_path) == {"far": b"far", "near": b"new", "dangling": b"new"}
    assert not (tmp_path / "near").is_symlink()


def left_behind(folder: Path, journal: str, files: dict[str, bytes]) -> Path:
    own = folder / f"{PREFIX}left"
    own.mkdir()
    (own / ALIVE).touch()
    (own / "forward").write_text(journal)
    for name, data in files.items():
        (own / name).write_bytes(data)
    return own


@pytest.mark.parametrize(
    "journal",
    [
        "[",
        "{}",
        "[1]",
        json.dumps([{"name": "../outside", "size": 1, "stood": False}]),
        json.dumps([{"name": "/etc/outside", "size": 1, "stood": False}]),
        json.dumps([{"name": "..", "size": 1, "stood": False}]),
        json.dumps([{"name": "inside", "size": 2, "stood": False}]),
    ],
)
def test_a_journal_that_is_not_right_puts_nothing_into_place(journal: str, tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    folder.mkdir()
    left_behind(folder, journal, {"0": b"x"})
    write_together(folder, {"a": b"a"})
    assert standing(folder) == {"a": b"a"}
    assert [path.name for path in tmp_path.iterdir()] == ["dist"]


def a_journal(*entries: tuple[str, bytes, bool]) -> str:
    return json.dumps([{"name": name, "size": len(data), "stood": stood} for name, data, stood in entries])


def test_files_that_cannot_all_go_into_place_leave_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "b").mkdir()
    journal = a_journal(("a", b"new", True), ("new", b"new", False), ("b", b"new", True))
    own = left_behind(tmp_path, journal, {"0": b"new", "1": b"new", "2": b"new", "old-0": b"old"})
    clear_dead(tmp_path, PREFIX)
    assert standing(tmp_path) == {"a": b"old"}
    assert (tmp_path / "b").is_dir()
    clear_dead(tmp_path, PREFIX)
    assert not own.exists()


def test_a_writer_that_is_killed_on_its_way_back_is_brought_back_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "made").write_bytes(b"new")
    (tmp_path / "untouched").write_bytes(b"somebody's")
    journal = a_journal(("a", b"new", True), ("made", b"new", False), ("untouched", b"new", False))
    own = left_behind(tmp_path, journal, {"old-0": b"old", "2": b"new"})
    (own / "forward").rename(own / "back")
    clear_dead(tmp_path, PREFIX)
    assert standing(tmp_path) == {"a": b"old", "untouched": b"somebody's"}
    assert not own.exists()


def test_a_file_that_lost_its_bytes_with_the_power_keeps_all_from_going_into_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    journal = a_journal(("a", b"new", True), ("b", b"new", False))
    left_behind(tmp_path, journal, {"0": b"new", "1": b"", "old-0": b"old"})
    clear_dead(tmp_path, PREFIX)
    assert standing(tmp_path) == {"a": b"old"}


def test_a_journal_that_cannot_be_read_leaves_its_folder_since_it_may_hold_the_only_copy(tmp_path: Path) -> None:
    own = left_behind(tmp_path, "[]", {"0": b"x", "old-0": b"only"})
    (own / "forward").rename(own / "elsewhere")
    (own / "forward").symlink_to("elsewhere")
    clear_dead(tmp_path, PREFIX)
    assert (own / "old-0").read_bytes() == b"only"
    assert not standing(tmp_path)


def test_where_a_file_can_have_no_second_name_its_bytes_are_copied(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    (tmp_path / "taken").write_bytes(b"")  # so that no link of that name can be made
    filing._copy(tmp_path / "file", tmp_path / "taken")
    assert (tmp_path / "taken").read_bytes() == b"bytes"
    assert not (tmp_path / "taken").samefile(tmp_path / "file")


def test_what_is_gone_before_it_is_looked_at_is_nobodys(tmp_path: Path) -> None:
    assert not filing._is_mine(tmp_path / "gone")


def test_a_folder_of_that_name_that_is_not_of_our_making_stays(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}notes").mkdir()
    (tmp_path / f"{PREFIX}notes/mine.txt").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(f"{PREFIX}notes")
    write_together(tmp_path, {"a": b""})
    assert (tmp_path / f"{PREFIX}link/mine.txt").is_file()


def test_a_folder_that_is_in_use_stays_and_goes_once_its_process_has_ended(tmp_path: Path) -> None:
    folder, handle = own_folder(tmp_path, "x")
    clear_dead(tmp_path, "x")
    assert folder.is_dir()
    os.close(handle)
    clear_dead(tmp_path, "x")
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_a_lock_that_is_no_file_is_a_dead_ones_and_no_file_comes_of_it(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "place/tmpdead"
    folder.mkdir(parents=True)
    match kind:
        case "folder":
            (folder / ALIVE).mkdir()
        case "link":
            (folder / ALIVE).symlink_to(tmp_path / "made-through-a-link")
        case "pipe":
            os.mkfifo(folder / ALIVE)
    clear_dead(tmp_path / "place", "tmp")
    assert not folder.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
