from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fakes import FakeProgress, stock, target
from layerforge.core.errors import UsageError
from layerforge.resolve import locking, remarks, targets
from layerforge.resolve.errors import LockError, RecipeError
from layerforge.resolve.request import Request
from layerforge.resolve.wanted import NOTHING, Wanted, wanted
from other_locks import KEPT, MAIN, pylock_of
from wheels import digest, make_wheel

PROJECT = '[project]\nname = "My.Shop"\nversion = "1"\nrequires-python = ">=3.11"\n'


def only(*words: str | Path, lock: Path | None = None, options: Wanted = NOTHING) -> Request:
    [found] = targets.requests([str(word) for word in words], lock, options=options)
    return found


def pinned(request: Request) -> list[str]:
    return [f"{pin.name} {pin.version}" for pin in locking.pins(request, locking.given(request), target())]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project of Poetry's with its lock."""
    shutil.copytree(KEPT / "poetry-2", tmp_path / "shop")
    return tmp_path / "shop"


# --- beside a project


@pytest.mark.parametrize("word", ["shop", "shop/pyproject.toml", "shop/poetry.lock"])
def test_a_project_has_the_versions_of_the_lock_beside_it_and_its_own_name(word: str, shop: Path) -> None:
    request = only(shop.parent / word)
    assert pinned(request) == MAIN
    assert (request.spec.name, request.lock) == ("shop", shop / "poetry.lock")
    assert request.requires_python == ">=3.11,<4,<3.14"
    progress = FakeProgress()
    remarks.tell(request, progress)
    assert f"versions and hashes are those of {shop / 'poetry.lock'}" in progress.lines
    told = "of the project do not come in: the extras ml, web, the groups dev, lambda (--extra NAME and --group NAME)"
    assert told in progress.lines


def test_a_folder_of_pipenvs_is_a_project_that_is_called_as_the_folder(tmp_path: Path) -> None:
    for word in (KEPT / "pipenv", KEPT / "pipenv/Pipfile", KEPT / "pipenv/Pipfile.lock"):
        request = only(word)
        assert pinned(request) == MAIN
        assert (request.spec.name, request.requires_python) == ("pipenv", "==3.11.*")
    assert pinned(only(KEPT / "pipenv", options=wanted([], ["lambda"]))) == [*MAIN, "six 1.16.0"]


@pytest.mark.parametrize("word", [".[ml]", "pyproject.toml[ml]", "./poetry.lock[ml]"])
def test_extras_stand_in_brackets_behind_the_path(word: str, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shop)
    assert pinned(only(word)) == [*MAIN, "six 1.17.0"]


def test_extras_and_groups_are_options_too_and_stand_in_the_command_that_renews_a_lock(shop: Path) -> None:
    request = only(shop, options=wanted(["ml"], ["lambda"]))
    assert pinned(request) == ["attrs 23.2.0", *MAIN, "six 1.17.0"]
    assert request.renew == f"layerforge lock {shop} --extra ml --group lambda -o {shop / 'poetry.lock'}"


@pytest.mark.parametrize(
    ("words", "options", "says"),
    [
        (("shop[mll]",), NOTHING, "no extra mll"),
        (("shop",), wanted(["mll"]), "no extra mll"),
        (("shop",), wanted([], ["lamda"]), "no group lamda"),
        (("needs.txt[ml]",), NOTHING, "a list of requirements, and has no extras"),
        (("needs.txt",), wanted(["ml"]), "the extra ml can be of a project alone"),
        (("six",), wanted([], ["lambda"]), "the group lambda can be of a project alone"),
    ],
)
def test_names_that_nothing_has_are_refused(
    words: tuple[str, ...], options: Wanted, says: str, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop.parent)
    Path("needs.txt").write_text("demo\n")
    with pytest.raises(UsageError, match=says):
        only(*(f"./{word}" if os.path.lexists(word.partition("[")[0]) else word for word in words), options=options)


def test_a_lock_that_is_older_than_its_project_is_stale_with_the_tools_own_command(shop: Path) -> None:
    file = shop / "pyproject.toml"
    file.write_text(file.read_text().replace('idna = "~3.9"', 'idna = "^3.10"\nnewer = "*"'))
    with pytest.raises(LockError, match="the lock is stale") as caught:
        pinned(only(shop))
    assert caught.value.details == ("idna<4,>=3.10 is required but 3.9 is locked", "newer is required but not locked")
    assert caught.value.hint == f"renew it with `cd {shop} && poetry lock`"


def test_an_extra_that_the_lock_does_not_hold_makes_it_stale(shop: Path) -> None:
    file = shop / "pyproject.toml"
    file.write_text(file.read_text().replace("[tool.poetry.extras]\n", '[tool.poetry.extras]\nmore = ["absent"]\n'))
    file.write_text(file.read_text().replace("six = {", 'absent = { version = "^1", optional = true }\nsix = {'))
    with pytest.raises(LockError) as caught:
        pinned(only(f"{shop}[more]"))
    assert caught.value.details == ("absent<2,>=1 is required but not locked",)


def test_of_several_locks_the_tools_own_counts_and_the_others_are_named(shop: Path) -> None:
    (shop / "pylock.toml").write_text("")
    request = only(shop)
    assert request.lock == shop / "poetry.lock"
    progress = FakeProgress()
    remarks.tell(request, progress)
    assert any(line.endswith("; pylock.toml beside it does not count") for line in progress.lines)


def test_requirements_files_and_locks_of_layerforge_beside_a_project_are_no_locks_of_it(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f'{PROJECT}dependencies = ["demo"]\n')
    for name in ("requirements.txt", "pyproject.lock"):
        (tmp_path / name).write_text("nonsense ==\n")
    assert only(tmp_path).lock is None


# --- without a lock


def test_extras_and_groups_are_resolved_by_uv_where_there_is_no_lock(index: Path, tmp_path: Path) -> None:
    for name in ("demo", "fast", "own", "dev"):
        make_wheel(index, name)
    (tmp_path / "pyproject.toml").write_text(
        f'{PROJECT}dependencies = ["demo"]\n[project.optional-dependencies]\nml = ["fast"]\n'
        '[dependency-groups]\nlambda = ["own"]\n[tool.uv]\ndev-dependencies = ["dev"]\n'
    )
    plain = locking.locked_pins(only(tmp_path), target(), stock()).pins
    assert [pin.name for pin in plain] == ["demo"]
    request = only(f"{tmp_path}[ml]", options=wanted([], ["lambda", "dev"]))
    assert request.spec.name == "My-Shop"
    assert [pin.name for pin in locking.locked_pins(request, target(), stock()).pins] == ["demo", "dev", "fast", "own"]


def test_a_project_of_poetrys_without_a_lock_is_resolved_from_what_it_says(index: Path, tmp_path: Path) -> None:
    for version in ("1.4", "1.9", "2.0"):
        make_wheel(index, "demo", version)
    make_wheel(index, "fast")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.poetry]\nname = "shop"\n[tool.poetry.dependencies]\npython = "^3.12"\ndemo = "~1.4"\n'
        'fast = { version = "*", optional = true }\n[tool.poetry.extras]\nml = ["fast"]\n'
    )
    found = locking.locked_pins(only(f"{tmp_path}[ml]"), target(), stock()).pins
    assert [f"{pin.name} {pin.version}" for pin in found] == ["demo 1.4", "fast 1.0"]


def test_versions_that_only_poetry_understands_take_its_lock(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.poetry]\nname = "shop"\n[tool.poetry.dependencies]\ndemo = "^1 || ^3"\n'
    )
    with pytest.raises(RecipeError, match="only Poetry understands") as caught:
        only(tmp_path)
    assert "poetry lock`" in caught.value.hint


def test_a_group_alone_makes_a_layer_where_the_file_has_no_project(index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    (tmp_path / "pyproject.toml").write_text('[dependency-groups]\nlambda = ["demo"]\n')
    request = only(tmp_path, options=wanted([], ["lambda"]))
    assert [pin.name for pin in locking.locked_pins(request, target(), stock()).pins] == ["demo"]
    with pytest.raises(UsageError, match=r"no \[project\]"):
        only(tmp_path)


# --- several words, and --lock


def test_projects_that_share_a_layer_keep_the_versions_and_hashes_of_their_locks(index: Path, tmp_path: Path) -> None:
    old, *_ = [make_wheel(index, "demo", version) for version in ("1.0", "2.0")]
    other = make_wheel(index, "other")
    for name, package, wheel in (("one", "demo", old), ("two", "other", other)):
        (tmp_path / name).mkdir()
        project = f'[project]\nname = "{name}"\nversion = "1"\ndependencies = ["{package}"]\n'
        (tmp_path / name / "pyproject.toml").write_text(project)
        (tmp_path / name / "pylock.toml").write_text(pylock_of(wheel))
    request = only(tmp_path / "one", tmp_path / "two", "other")
    assert request.spec.name == "one-two-other"
    progress = FakeProgress()
    found = locking.locked_pins(request, target(), stock(progress)).pins
    assert [f"{pin.name} {pin.version}" for pin in found] == ["demo 1.0", "other 1.0"]
    assert [
        f"versions and hashes are those of {tmp_path / name / 'pylock.toml'}" in progress.lines
        for name in ("one", "two")
    ]
    (tmp_path / "one/pylock.toml").write_text(pylock_of(old).replace(digest(old)[7:], "a" * 64))
    with pytest.raises(LockError, match="no file has a hash"):
        locking.locked_pins(only(tmp_path / "one", tmp_path / "two"), target(), stock())


def test_of_a_whole_projects_lock_requirements_get_what_they_need(index: Path, tmp_path: Path) -> None:
    deep = make_wheel(index, "deep", "1.0")
    demo = make_wheel(index, "demo", "1.0", requires=["deep"])
    rest = make_wheel(index, "rest", "1.0")
    make_wheel(index, "deep", "2.0")
    (tmp_path / "pylock.toml").write_text(pylock_of(deep, demo, rest))
    found = locking.locked_pins(only("demo", lock=tmp_path / "pylock.toml"), target(), stock()).pins
    assert [f"{pin.name} {pin.version}" for pin in found] == ["deep 1.0", "demo 1.0"]
    (tmp_path / "pylock.toml").write_text(pylock_of(demo))
    with pytest.raises(LockError, match="the lock is stale") as caught:
        locking.locked_pins(only("demo", lock=tmp_path / "pylock.toml"), target(), stock())
    assert caught.value.details == ("deep 2.0 is needed but not locked",)
    with pytest.raises(LockError) as caught:
        locking.locked_pins(only("absent", lock=tmp_path / "pylock.toml"), target(), stock())
    assert caught.value.details == ("absent is required but not locked",)


def test_a_lock_that_is_named_counts_for_the_whole_project_in_the_place_of_the_one_beside_it(shop: Path) -> None:
    other = shop.parent / "pylock.toml"
    other.write_text((KEPT / "uv/pylock.toml").read_text().replace('path = "helper"', f'path = "{KEPT / "uv/helper"}"'))
    text = other.read_text()
    start = text.index('[[packages]]\nname = "helper"')
    other.write_text(text[:start] + text[text.index("[[packages]]", start + 1) :])
    request = only(shop, lock=other)
    assert request.lock == other
    assert "attrs 23.2.0" in pinned(request)


def test_what_a_lock_has_as_a_project_is_not_asked_of_an_index() -> None:
    with pytest.raises(LockError, match=r"helper is no release: .*uv\.lock has it as a project"):
        only("helper", lock=KEPT / "uv/uv.lock")


def test_a_lock_for_other_systems_is_refused(index: Path, tmp_path: Path) -> None:
    head = "environments = [\"platform_machine == 'aarch64'\"]\n"
    (tmp_path / "pylock.toml").write_text(pylock_of(make_wheel(index), head=head))
    with pytest.raises(LockError, match=r"is for other systems than Python 3\.13 on x86_64"):
        locking.locked(only(tmp_path / "pylock.toml"), target(), stock())


def test_a_member_of_a_workspace_has_the_lock_of_the_workspace(tmp_path: Path) -> None:
    shutil.copytree(KEPT / "uv", tmp_path / "whole")
    request = only(tmp_path / "whole/helper")
    assert (request.spec.name, request.lock) == ("helper", tmp_path / "whole/uv.lock")
    assert pinned(request) == ["toolz 1.2.0"]


def test_what_a_lock_holds_as_folders_stands_in_for_what_the_project_names_and_comes_with_a_lock_alone(
    tmp_path: Path,
) -> None:
    helper = f"helper @ {(KEPT / 'uv/helper').as_uri()}"
    listed = only(KEPT / "uv").listed
    assert (listed.local, listed.instead) == ((), (helper,))
    shutil.copy(KEPT / "uv/uv.lock", tmp_path)
    alone = only(tmp_path / "uv.lock")
    assert (alone.listed.local, alone.listed.instead) == ((helper.replace(str(KEPT / "uv"), str(tmp_path)),), ())
    assert alone.spec.name == "shop"
