"""Commits are fetched by git itself, and nothing that a repository names is run."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from fakes import FakeStore, stock
from layerforge.core.errors import StepError
from layerforge.resolve import git, source_archive
from layerforge.resolve.errors import LockError
from layerforge.resolve.wheel_source import WheelSource, read
from projects import git as run
from projects import project_files, repository, write


def source(folder: Path, ref: str = "") -> WheelSource:
    found = read(f"git+{folder.as_uri()}{f'@{ref}' if ref else ''}")
    assert found is not None
    return found


def names(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return archive.getnames()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    repository(tmp_path / "repo", project_files(), tag="v1.0")
    write(tmp_path / "repo", {"mine/more.py": "x = 1\n"})
    run(tmp_path / "repo", "add", ".")
    run(tmp_path / "repo", "commit", "--quiet", "--message", "second")
    run(tmp_path / "repo", "branch", "feature/x")
    run(tmp_path / "repo", "tag", "--annotate", "v2.0", "--message", "x")
    return tmp_path / "repo"


def test_branches_tags_and_commits_are_fetched(repo: Path) -> None:
    first, second = run(repo, "rev-parse", "v1.0"), run(repo, "rev-parse", "main")
    for ref, commit in {
        "": second,
        "main": second,
        "feature/x": second,
        "v1.0": first,
        "v2.0": second,
        first: first,
        first[:10]: first,
    }.items():
        one = source(repo, ref)
        found, tar = git.fetched(one, git.commit_of(one))
        assert found == commit, ref
        assert ("mine/more.py" in names(tar)) == (commit == second)


@pytest.mark.parametrize("ref", ["absent", "f" * 40, "f" * 10])
def test_what_a_repository_does_not_have_is_an_error(repo: Path, ref: str) -> None:
    one = source(repo, ref)
    with pytest.raises(LockError, match="no branch, tag or commit"):
        git.fetched(one, git.commit_of(one))


def test_a_repository_that_is_not_there_is_told_in_gits_words(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="cannot be fetched") as caught:
        git.commit_of(source(tmp_path / "absent"))
    assert any("absent" in line for line in caught.value.details)
    assert "git ls-remote" in caught.value.hint


def test_hooks_and_programs_of_a_repository_are_not_run(repo: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    evil = f"#!/bin/sh\necho ran >> {told}\n"
    for hook in ("post-checkout", "reference-transaction", "post-index-change", "fsmonitor-watchman", "pre-auto-gc"):
        (repo / ".git/hooks" / hook).write_text(evil)
        (repo / ".git/hooks" / hook).chmod(0o755)
    (tmp_path / "evil").write_text(evil)
    (tmp_path / "evil").chmod(0o755)
    run(repo, "config", "core.fsmonitor", str(tmp_path / "evil"))
    run(repo, "config", "filter.x.smudge", str(tmp_path / "evil"))
    run(repo, "config", "filter.x.clean", str(tmp_path / "evil"))
    (repo / ".gitattributes").write_text("*.py filter=x\n")
    (repo / "mine/__init__.py").write_text("VALUE = 2\n")
    told.unlink(missing_ok=True)
    found = git.files(repo)
    assert found is not None
    assert "own_backend.py" in found.tracked
    assert found.new == (".gitattributes",)
    git.described(repo)
    git.fetched(source(repo, "main"), git.commit_of(source(repo, "main")))
    assert not told.exists()


def test_submodules_are_refused_rather_than_left_out(repo: Path) -> None:
    write(repo, {".gitmodules": '[submodule "x"]\npath = x\nurl = https://nowhere.invalid/x\n'})
    run(repo, "add", ".")
    run(repo, "commit", "--quiet", "--message", "third")
    with pytest.raises(LockError, match="has submodules"):
        git.fetched(source(repo), git.commit_of(source(repo)))


def test_without_git_a_repository_is_an_error_and_a_folder_is_read_all_the_same(
    repo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(StepError, match="no git on this machine"):
        git.commit_of(source(repo))
    assert git.files(repo) is None
    assert git.described(repo) == ""
    own = read(str(repo))
    assert own is not None
    assert "source/mine/more.py" in names(source_archive.archive(own, stock()).data)


def test_a_commit_that_was_fetched_once_takes_no_repository_again(repo: Path) -> None:
    one = source(repo, run(repo, "rev-parse", "v1.0"))
    store = FakeStore()
    first = source_archive.archive(one, stock(store=store))
    repo.rename(repo.with_name("gone"))
    second = source_archive.archive(one, stock(store=store))
    assert (first.data, first.commit) == (second.data, second.commit)
    assert first.commit == one.ref


def test_the_archive_of_a_commit_is_the_same_wherever_it_was_packed(repo: Path, tmp_path: Path) -> None:
    run(tmp_path, "clone", "--quiet", str(repo), str(tmp_path / "other"))
    first = source_archive.archive(source(repo, "v1.0"), stock())
    second = source_archive.archive(source(tmp_path / "other", "v1.0"), stock())
    assert first.sha256 == second.sha256


def test_what_an_address_tells_of_its_reader_is_not_passed_on(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    monkeypatch.setenv("GIT_WORK_TREE", "/nonexistent")
    assert git.is_commit(git.commit_of(source(repo, "main")))
    assert git.files(repo)


def test_a_repository_is_fetched_by_ssh_with_the_persons_own_settings(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "ssh"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path / "said"}\nfor last; do :; done\neval "$last"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(fake))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")
    found = read(f"git+ssh://git@there.invalid{repo}@v1.0")
    assert found is not None
    commit, _tar = git.fetched(found, git.commit_of(found))
    assert commit == run(repo, "rev-parse", "v1.0")
    assert "git@there.invalid" in (tmp_path / "said").read_text()
