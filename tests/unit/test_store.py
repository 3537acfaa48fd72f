import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from fakes import FakeProgress
from layerforge.errors import StepError, UsageError
from layerforge.store import DiskStore, write_atomically, write_together, writing

KEY = "ab" * 32


def a_store(root: Path) -> DiskStore:
    return DiskStore(root=root, progress=FakeProgress())


def test_what_is_put_is_got_back(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    assert store.get("kind", KEY) is None
    store.put("kind", KEY, b"value")
    assert store.get("kind", KEY) == b"value"
    assert store.get("other", KEY) is None
    assert store.sizes()["kind"] == (1, 5 + 32)


@pytest.mark.parametrize("harm", [b"", b"short", b"x" * 32 + b"value"])
def test_a_damaged_value_is_noticed_said_and_gone(tmp_path: Path, harm: bytes) -> None:
    store = a_store(tmp_path)
    store.put("kind", KEY, b"value")
    [file] = [path for path in tmp_path.rglob(KEY) if path.is_file()]
    file.write_bytes(harm)
    assert store.get("kind", KEY) is None
    assert not file.exists()
    assert isinstance(store.progress, FakeProgress)
    assert "damaged" in store.progress.warnings[0]
    store.put("kind", KEY, b"value")
    assert store.get("kind", KEY) == b"value"


def test_two_stores_on_one_folder_share_values(tmp_path: Path) -> None:
    a_store(tmp_path).put("kind", KEY, b"value")
    assert a_store(tmp_path).get("kind", KEY) == b"value"


def test_a_writer_that_is_killed_leaves_no_value(tmp_path: Path) -> None:
    program = f"""
        import os, signal
        from pathlib import Path
        from layerforge.store import DiskStore
        import layerforge.store
        Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        DiskStore(root=Path({str(tmp_path)!r}), progress=None).put("kind", {KEY!r}, b"value")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert done.returncode == -9
    store = a_store(tmp_path)
    assert store.get("kind", KEY) is None
    store.put("kind", KEY, b"value")
    assert store.get("kind", KEY) == b"value"


HOLD = """
from pathlib import Path
from layerforge.store import DiskStore
with DiskStore(root=Path({root!r}), progress=None).workspace() as folder:
    print(folder, flush=True)
    input()
"""


def test_a_workspace_goes_away_and_that_of_a_dead_process_too_but_not_a_living_ones(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", HOLD.format(root=str(tmp_path))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(argv, **pipes) as killed, subprocess.Popen(argv, **pipes) as living:  # type: ignore[call-overload]
        dead, busy = Path(killed.stdout.readline().strip()), Path(living.stdout.readline().strip())
        killed.kill()
        killed.wait()
        assert dead.exists()
        with a_store(tmp_path).workspace() as folder:
            (folder / "file").write_text("x")
            assert not dead.exists()
            assert busy.exists()
        assert not folder.exists()
        a_store(tmp_path).clear()
        assert busy.exists()
        living.communicate("\n")
    assert not busy.exists()


def test_a_workspace_goes_away_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), a_store(tmp_path).workspace() as folder:
        raise KeyboardInterrupt
    assert not folder.exists()


def test_clearing_removes_what_is_ours_and_nothing_else(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for name in ("videos", "v1", "venv"):
        (tmp_path / name).mkdir()
    (tmp_path / "mine.txt").write_text("x")
    with store.workspace():
        store.put("kind", KEY, b"value")
    (store.place("refused") / "a.zip").write_bytes(b"12345")
    assert store.clear() >= 5 + 5 + 32
    assert store.get("kind", KEY) is None
    assert not (store.folder / "refused").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "store-v1", "v1", "venv", "videos"]


def test_a_folder_that_is_not_marked_as_a_store_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / "store-v1/values").mkdir(parents=True)
    assert a_store(tmp_path).clear() == 0
    assert (tmp_path / "store-v1/values").is_dir()


def test_files_are_written_together_or_what_was_there_stays(tmp_path: Path) -> None:
    write_together(tmp_path, {"a": b"old a", "b": b"old b"})
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "full").touch()
    with pytest.raises(OSError, match="folder"):
        write_together(tmp_path, {"a": b"new a", "c": b"new c", "folder": b"cannot replace a folder"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "folder"]
    assert (tmp_path / "a").read_bytes() == b"old a"
    write_together(tmp_path, {"a": b"new a", "b": b"new b"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "folder"]
    assert (tmp_path / "a").read_bytes() == b"new a"


def test_files_get_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "out", b"")
    finally:
        os.umask(mask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


def test_a_full_disk_is_a_failed_step_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="no space is left") as caught, writing(tmp_path):
        Path("/dev/full").write_bytes(b"x" * 100_000)
    assert "layerforge cache clear" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be written"):
        a_store(tmp_path / "file").put("kind", KEY, b"value")
