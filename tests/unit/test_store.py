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


def test_a_workspace_goes_away_and_that_of_a_dead_process_too(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead = tmp_path / "v1" / "work" / f"{child.pid}-left"
    dead.mkdir(parents=True)
    living = tmp_path / "v1" / "work" / f"{os.getppid()}-busy"
    living.mkdir()
    with store.workspace() as folder:
        (folder / "file").write_text("x")
        assert not dead.exists()
        assert living.exists()
    assert not folder.exists()


def test_a_workspace_goes_away_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), a_store(tmp_path).workspace() as folder:
        raise KeyboardInterrupt
    assert not folder.exists()


def test_clearing_removes_values_and_nothing_else(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.put("kind", KEY, b"value")
    (tmp_path / "mine.txt").write_text("x")
    store.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "out.zip"
    write_atomically(file, b"first")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_together(tmp_path, {"out.zip": b"second", "folder": b"cannot replace a folder"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "out.zip"]


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
