import grp
import hashlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from fakes import FakeProgress
from layerforge.core.errors import StepError, StoreError, UsageError
from layerforge.core.faults import writing
from layerforge.core.filing import write_atomically, write_together
from layerforge.core.store import upkeep
from layerforge.core.store.disk import FOLDER, TAG, DiskStore, default_root, pythons
from layerforge.core.store.protocol import BY_CONTENT

KEY = "ab" * 32


def a_store(root: Path) -> DiskStore:
    return DiskStore(root=root, progress=FakeProgress())


def test_what_is_put_is_got_back(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    assert store.get("kind", KEY) is None
    store.put("kind", KEY, b"value")
    assert store.get("kind", KEY) == b"value"
    assert store.get("other", KEY) is None
    assert (upkeep.kinds(store)["kind"].count, upkeep.kinds(store)["kind"].size) == (1, 5 + 32)


def test_a_store_that_was_cleared_between_two_values_keeps_the_second(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.put("kind", KEY, b"first")
    shutil.rmtree(store.folder)
    store.put("kind", KEY, b"second")
    assert store.get("kind", KEY) == b"second"
    assert store.folder.stat().st_mode & 0o077 == 0


def test_a_folder_in_the_place_of_a_value_gives_way(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.put("kind", KEY, b"first")
    value_of(tmp_path).unlink()
    (value_of(tmp_path) / "inside").mkdir(parents=True)
    store.put("kind", KEY, b"second")
    assert store.get("kind", KEY) == b"second"


def test_what_is_held_is_known_without_reading_it(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    assert not store.holds("kind", KEY)
    store.put("kind", KEY, b"value")
    assert store.holds("kind", KEY)
    assert not store.holds("other", KEY)
    value_of(tmp_path).unlink()
    assert not store.holds("kind", KEY)


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


def value_of(root: Path, kind: str = "kind") -> Path:
    return root / FOLDER / "values" / kind / KEY[:2] / KEY


def test_a_sound_value_under_another_key_or_kind_is_none(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.put("kind", "cd" * 32, b"value")
    [sound] = [path for path in tmp_path.rglob("cd" * 32) if path.is_file()]
    store.put("other", KEY, b"another")
    elsewhere = value_of(tmp_path, "other").parents[1]
    for kind, key in (("kind", KEY), ("other", KEY), ("other", "cd" * 32)):
        place = elsewhere.parent / kind / key[:2] / key
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sound, place)
        assert store.get(kind, key) is None
        assert not place.exists()
    assert store.get("kind", "cd" * 32) == b"value"


@pytest.mark.parametrize("kind", sorted(BY_CONTENT))
def test_what_is_kept_by_its_own_digest_is_held_against_it(kind: str, tmp_path: Path) -> None:
    store, right = a_store(tmp_path), hashlib.sha256(b"value").hexdigest()
    store.put(kind, right, b"value")
    store.put(kind, KEY, b"value")
    assert store.get(kind, right) == b"value"
    assert store.get(kind, KEY) is None


@pytest.mark.parametrize("form", ["folder", "pipe", "link", "device", "socket", "huge"])
def test_what_is_no_plain_file_is_no_value_and_made_again(form: str, tmp_path: Path) -> None:
    store, place = a_store(tmp_path), value_of(tmp_path)
    store.put("kind", KEY, b"value")
    kept = place.read_bytes()
    place.unlink()
    match form:
        case "folder":
            (place / "in/it").mkdir(parents=True)
        case "pipe":
            os.mkfifo(place)
        case "link":
            (tmp_path / "elsewhere").write_bytes(kept)
            place.symlink_to(tmp_path / "elsewhere")
        case "device":
            place.symlink_to("/dev/zero")
        case "socket":
            bound(place)
        case "huge":
            with place.open("wb") as file:
                file.truncate(40 * 2**30)
    assert store.get("kind", KEY) is None
    store.put("kind", KEY, b"new")
    assert store.get("kind", KEY) == b"new"
    assert not (tmp_path / "elsewhere").exists() or (tmp_path / "elsewhere").read_bytes() == kept


def bound(place: Path) -> None:
    # The name of a socket may have 108 bytes, and those of tests' folders are longer.
    here = Path.cwd()
    os.chdir(place.parent)
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(place.name)
    finally:
        os.chdir(here)


def test_a_file_where_a_folder_of_the_store_belongs_gives_way(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    (store.folder / "values").mkdir(parents=True)
    (store.folder / "values/kind").write_text("x")
    assert store.get("kind", KEY) is None
    store.put("kind", KEY, b"value")
    assert store.get("kind", KEY) == b"value"


def test_a_folder_where_a_value_belongs_gives_way(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    (value_of(tmp_path) / "deep").mkdir(parents=True)
    store.put("kind", KEY, b"value")
    assert store.get("kind", KEY) == b"value"


def test_handles_that_run_out_while_a_value_is_read_are_no_damage(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.put("kind", KEY, b"value")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(StepError, match="no more files can be opened"):
            store.get("kind", KEY)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert store.get("kind", KEY) == b"value"
    assert isinstance(store.progress, FakeProgress)
    assert not store.progress.warnings


def test_the_store_lies_where_the_variable_says_and_interpreters_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAYERFORGE_CACHE", str(tmp_path))
    assert (default_root(), pythons()) == (tmp_path, tmp_path / "pythons")
    monkeypatch.setenv("LAYERFORGE_CACHE", "")
    assert default_root().name == "layerforge", "the platform's own folder for caches"


@pytest.mark.skipif(os.geteuid() != 0, reason="only an administrator may give files away")
def test_the_users_own_group_may_write_to_a_store_and_one_with_others_in_it_may_not(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    store.put("kind", KEY, b"value")
    store.folder.chmod(0o770)
    os.chown(store.folder, -1, 0)
    assert store.get("kind", KEY) == b"value"
    os.chown(store.folder, -1, max(one.gr_gid for one in grp.getgrall()))
    with pytest.raises(StoreError, match="others may write to the store"):
        store.get("kind", KEY)


def test_values_and_folders_are_this_users_alone(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        store = a_store(tmp_path / "own/root")
        store.put("kind", KEY, b"value")
        with store.workspace():
            modes = {path.stat().st_mode & 0o777 for path in store.root.rglob("*") if path.is_dir()}
            files = {path.stat().st_mode & 0o777 for path in store.root.rglob("*") if path.is_file()}
    finally:
        os.umask(mask)
    assert (modes, files, store.root.stat().st_mode & 0o777) == ({0o700}, {0o600}, 0o700)


@pytest.mark.parametrize("which", ["root", "folder"])
@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_store_that_others_may_write_to_is_refused_with_the_way_out(which: str, mode: int, tmp_path: Path) -> None:
    store = a_store(tmp_path / "a root")
    store.put("kind", KEY, b"value")
    shared = store.root if which == "root" else store.folder
    group = shared.stat().st_gid
    os.chown(shared, -1, 4321) if os.geteuid() == 0 else None
    shared.chmod(mode)
    for use in (lambda: store.get("kind", KEY), lambda: store.put("kind", KEY, b"x"), lambda: store.place("logs")):
        with pytest.raises(StoreError, match="others may write") as caught:
            use()
    command = caught.value.hint.split("`")[1]
    subprocess.run(["sh", "-c", command], check=True)
    assert store.get("kind", KEY) == b"value"
    os.chown(shared, -1, group)


def test_a_store_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("giving a folder away takes rights")
    store = a_store(tmp_path)
    store.put("kind", KEY, b"value")
    os.chown(store.folder, 4321, -1)
    with pytest.raises(StoreError, match="belongs to another user"):
        store.get("kind", KEY)


def test_a_store_may_lie_in_a_common_folder_where_everyone_keeps_their_own(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    store = a_store(tmp_path)
    store.put("kind", KEY, b"value")
    assert store.get("kind", KEY) == b"value"


def test_a_machine_without_file_handles_is_no_damage(tmp_path: Path) -> None:
    a_store(tmp_path).put("kind", KEY, b"value")
    program = f"""
        import os, resource
        from pathlib import Path
        from layerforge.core.errors import StepError
        from layerforge.core.store.disk import DiskStore
        store = DiskStore(root=Path({str(tmp_path)!r}), progress=None)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
        try:
            store.get("kind", {KEY!r})
        except StepError as error:
            os.write(1, error.message.encode())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert "no more files" in done.stdout, done.stderr
    assert a_store(tmp_path).get("kind", KEY) == b"value"


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), UsageError("no CPython 3.13"), ValueError("x")])
def test_a_workspace_that_somebody_removes_is_the_cause_whatever_fails_for_it(error: Exception, tmp_path: Path) -> None:
    def fails(*, gone: bool) -> None:
        with a_store(tmp_path).workspace() as folder:
            if gone:
                shutil.rmtree(folder)
            raise error

    with pytest.raises(StepError, match="was removed meanwhile"):
        fails(gone=True)
    with pytest.raises(type(error)):
        fails(gone=False)


@pytest.mark.parametrize("told", [True, False])
def test_a_workspace_that_is_being_removed_is_the_cause_before_all_of_it_is_gone(told: bool, tmp_path: Path) -> None:
    def fails() -> None:
        with a_store(tmp_path).workspace() as folder:
            threading.Timer(0.3, shutil.rmtree, [folder]).start()
            if told:
                log = f"FileNotFoundError: [Errno 2] No such file or directory: '{folder}/a.py'"
                raise StepError("Python ended with status 1", hint="try py_compile", details=("Traceback", log))
            (folder / "taken first").read_bytes()

    with pytest.raises(StepError, match="was removed meanwhile"):
        fails()


def test_two_stores_on_one_folder_share_values(tmp_path: Path) -> None:
    a_store(tmp_path).put("kind", KEY, b"value")
    assert a_store(tmp_path).get("kind", KEY) == b"value"


def test_a_writer_that_is_killed_leaves_no_value(tmp_path: Path) -> None:
    program = f"""
        import os, signal
        from pathlib import Path
        from layerforge.core.store.disk import DiskStore
        Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        DiskStore(root=Path({str(tmp_path)!r}), progress=None).put("kind", {KEY!r}, b"value")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert done.returncode == -9
    store = a_store(tmp_path)
    assert store.get("kind", KEY) is None
    store.put("kind", KEY, b"value")
    assert store.get("kind", KEY) == b"value"


def test_what_a_killed_writer_has_left_goes_after_a_day(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    old, new = (store.place("work") / f".{name}.part" for name in ("old", "new"))
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    with store.workspace():
        assert (old.exists(), new.exists()) == (False, True)
    store.put("kind", KEY, b"value")
    assert [path for path in store.root.rglob("*.part") if path != new] == []


HOLD = """
from pathlib import Path
from layerforge.core.store.disk import DiskStore
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
        upkeep.clear(a_store(tmp_path))
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
    assert upkeep.clear(store) >= 5 + 5 + 32
    assert store.get("kind", KEY) is None
    assert not (store.folder / "refused").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "store-v2", "v1", "venv", "videos"]


def test_clearing_removes_what_an_earlier_version_kept(tmp_path: Path) -> None:
    for name in ("store-v1", "store-v0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / TAG).write_bytes(b"12345")
    assert upkeep.clear(a_store(tmp_path)) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["store-v0"]


def test_a_folder_that_is_not_marked_as_a_store_is_not_cleared(tmp_path: Path) -> None:
    (tmp_path / "store-v2/values").mkdir(parents=True)
    assert upkeep.clear(a_store(tmp_path)) == 0
    assert (tmp_path / "store-v2/values").is_dir()


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


def test_clearing_what_is_old_leaves_what_was_used_since(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    with store.workspace():
        pass
    for name in ("old", "used"):
        store.put("kind", name * 8, b"value")
        os.utime(store._path("kind", name * 8), (1000, 1000))
    assert store.get("kind", "used" * 8) == b"value"
    assert upkeep.clear(store, 2000) == 5 + 32
    assert store.get("kind", "old" * 8) is None
    assert store.get("kind", "used" * 8) == b"value"
    assert upkeep.kinds(store)["kind"].oldest > 2000
