from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from layerforge.core.errors import UsageError
from layerforge.resolve.errors import LockError
from layerforge.resolve.other_locks import pipfile_lock
from other_locks import KEPT, MAIN, read, told

LOCK = KEPT / "pipenv/Pipfile.lock"
HASH = "sha256:" + "b" * 64


def test_the_packages_of_a_pipfile_come_in_and_a_category_that_is_asked_for() -> None:
    found = read(LOCK)
    assert told(found) == MAIN
    assert (found.requires_python, found.offered.groups) == ("==3.11.*", ("develop", "lambda"))
    assert told(read(LOCK, (), ("lambda",))) == sorted([*MAIN, "six 1.16.0"])
    [core] = [pin for pin in found.lock.pins if pin.name == "httpcore"]
    assert (core.extras, len(core.hashes)) == (("http2",), 2)


def test_what_a_pipfile_asks_for_is_known_beside_the_lock_so_that_an_old_lock_is_found_out(tmp_path: Path) -> None:
    assert read(LOCK).requires == ("idna<3.10", "httpcore[http2]", 'colorama; sys_platform == "win32"')
    shutil.copy(LOCK, tmp_path)
    assert read(tmp_path / "Pipfile.lock").requires == ()


def test_a_pipfile_without_a_lock_names_the_command_that_writes_one(tmp_path: Path) -> None:
    (tmp_path / "Pipfile").write_text("[packages]\n")
    with pytest.raises(UsageError, match=r"no Pipfile\.lock beside it") as caught:
        pipfile_lock.lock_of(tmp_path / "Pipfile")
    assert "pipenv lock`" in caught.value.hint


def written(folder: Path, **packages: Any) -> Path:
    meta = {"sources": [{"name": "main", "url": "https://main.example"}, {"name": "own", "url": "https://own.example"}]}
    path = folder / "Pipfile.lock"
    path.write_text(json.dumps({"_meta": meta, "default": packages}))
    return path


def test_repositories_folders_and_files_are_told_apart_and_the_project_itself_is_left_out(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        kept={"git": "https://git.example/kept.git", "ref": "abc", "subdirectory": "lib"},
        near={"path": "./near", "editable": True, "markers": "python_version < '3.12'"},
        shop={"path": ".", "editable": True},
        own={"file": "https://files.example/own-1-py3-none-any.whl", "hashes": [HASH]},
    )
    found = read(path)
    assert [one.text for one in found.locals] == [
        "kept @ git+https://git.example/kept.git@abc#subdirectory=lib",
        f'near @ {(tmp_path / "near").as_uri()} ; python_version == "3.10" or python_version == "3.11"',
    ]
    assert told(found) == ["own https://files.example/own-1-py3-none-any.whl"]


def test_an_index_of_its_own_is_named_and_the_first_one_is_uvs_own_to_know(tmp_path: Path) -> None:
    row = {"version": "==1.0", "hashes": [HASH]}
    rows = {"one": row, "two": {**row, "index": "main"}, "torch": {**row, "index": "own"}}
    assert read(written(tmp_path, **rows)).indexes == ("--extra-index-url https://own.example",)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"version": "*", "hashes": [HASH]}, "demo: its version is '*', which is not exact"),
        ({"version": "==1.*", "hashes": [HASH]}, "not exact"),
        ({"version": "==1.0"}, "demo: it has no SHA-256"),
        ({"version": 1}, "Expected `str`"),
    ],
)
def test_a_lock_that_does_not_hold_says_why_and_how_to_write_it_anew(row: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(LockError) as caught:
        read(written(tmp_path, demo=row))
    assert says in "\n".join(caught.value.details)
    assert "pipenv lock`" in caught.value.hint
