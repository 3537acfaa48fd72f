from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import uv

from fakes import target
from layerforge.core import process
from layerforge.resolve import lock, targets
from layerforge.resolve.errors import LockError
from layerforge.resolve.other_locks import uv_lock
from layerforge.resolve.uv_install import install
from other_locks import KEPT, MAIN, read, told
from served_index import serving
from wheels import digest, make_wheel

PROJECT = KEPT / "uv"
ALWAYS = sorted([*MAIN, 'colorama 0.4.6 where sys_platform == "win32"', "toolz 1.2.0"])


def test_a_lock_of_uvs_holds_what_the_project_needs_and_no_group_for_development() -> None:
    found = read(PROJECT / "uv.lock")
    assert told(found) == ALWAYS
    assert (found.name, found.requires_python) == ("shop", ">=3.11, <3.14")
    [idna] = [pin for pin in found.lock.pins if pin.name == "idna"]
    assert len(idna.hashes) == 2
    assert all(one.startswith("sha256:") for one in idna.hashes)


def test_extras_of_extras_and_groups_of_groups_come_in_where_they_are_asked_for() -> None:
    assert told(read(PROJECT / "uv.lock", ("all",))) == sorted([*ALWAYS, "six 1.16.0", "sniffio 1.3.1"])
    assert told(read(PROJECT / "uv.lock", (), ("lambda",))) == sorted([*ALWAYS, "attrs 23.2.0"])
    offered = read(PROJECT / "uv.lock").offered
    assert set(offered.extras) == {"ml", "web", "all"}
    assert set(offered.groups) == {"dev", "lambda", "base"}


def test_a_member_of_the_workspace_becomes_a_wheel_and_the_project_itself_does_not() -> None:
    found = read(PROJECT / "uv.lock")
    [helper] = found.locals
    assert (helper.name, helper.text) == ("helper", f"helper @ {(PROJECT / 'helper').as_uri()}")


def test_a_lock_says_of_another_member_what_that_needs_alone() -> None:
    found = read(PROJECT / "uv.lock", project="helper")
    assert told(found) == ["toolz 1.2.0"]
    assert (found.name, found.locals) == ("helper", ())


@pytest.mark.parametrize("revision", ["revision = 5\n", "revision = 2\n", ""])
def test_a_lock_alone_is_enough_whichever_uv_wrote_it(revision: str, tmp_path: Path) -> None:
    text = (PROJECT / "uv.lock").read_text()
    assert "revision = 5\n" in text
    (tmp_path / "uv.lock").write_text(text.replace("revision = 5\n", revision))
    found = read(tmp_path / "uv.lock", ("ml",), ("lambda",))
    assert told(found) == sorted([*ALWAYS, "attrs 23.2.0", "six 1.16.0"])
    assert told(read(tmp_path / "uv.lock", project="helper")) == ["toolz 1.2.0"]


def test_projects_that_would_lie_outside_are_not_written(tmp_path: Path) -> None:
    text = (PROJECT / "uv.lock").read_text().replace('editable = "helper"', 'editable = "../../outside"')
    (tmp_path / "uv.lock").write_text(text)
    with pytest.raises(LockError, match="uv cannot make anything of"):
        read(tmp_path / "uv.lock", project="helper")


def test_the_lock_of_a_workspace_is_found_from_its_members_and_from_nobody_else(tmp_path: Path) -> None:
    shutil.copytree(PROJECT, tmp_path / "shop")
    (tmp_path / "shop/other").mkdir()
    assert uv_lock.above(tmp_path / "shop/helper") == [tmp_path / "shop/uv.lock"]
    assert uv_lock.above(tmp_path / "shop/other") == []
    assert uv_lock.above(tmp_path) == []


@pytest.mark.parametrize("text", ["", "version = 1", "x", "version = 99\nrequires-python = '>=3.11'\n", "package = 3"])
def test_what_is_no_lock_of_uvs_is_told_with_the_command_that_writes_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text(text)
    with pytest.raises(LockError, match=r"uv\.lock") as caught:
        read(tmp_path / "uv.lock")
    assert "uv lock`" in caught.value.hint


def run(folder: Path, *argv: str, **variables: str) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", **variables}
    done = process.run([*argv], cwd=folder, env=env)
    assert done.status == 0, done.stderr


def test_wheels_archives_folders_and_repositories_are_told_apart(index: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    (here / "plain").mkdir(parents=True)
    (here / "plain/pyproject.toml").write_text('[project]\nname = "plain"\nversion = "1"\ndependencies = ["demo"]\n')
    repository = tmp_path / "repository"
    shutil.copytree(here / "plain", repository)
    (repository / "pyproject.toml").write_text('[project]\nname = "kept"\nversion = "1"\n')
    run(repository, "git", "init", "-q")
    run(repository, "git", "add", ".")
    run(repository, "git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "x")
    make_wheel(index)
    wheel = make_wheel(here / "wheels", "own", "2")
    (here / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["demo", "plain; sys_platform == \'linux\'", "kept", "own"]\n[tool.uv.sources]\n'
        f'plain = {{ path = "plain" }}\nkept = {{ git = "{repository.as_uri()}" }}\n'
        f'own = {{ path = "wheels/{wheel.name}" }}\n'
    )
    with serving(index) as served:
        run(here, uv.find_uv_bin(), "lock", "--default-index", served.url, UV_CONFIG_FILE="/dev/null")
    found = read(here / "uv.lock")
    assert told(found) == ["demo 1.0", f"own {wheel.as_uri()}"]
    assert [pin.hashes for pin in found.lock.pins if pin.name == "own"] == [(digest(wheel),)]
    plain, kept = sorted((one.text for one in found.locals), reverse=True)
    assert plain == f"plain @ {(here / 'plain').as_uri()} ; sys_platform == 'linux'"
    assert kept.startswith(f"kept @ git+{repository.as_uri()}@")


def test_a_lock_of_an_index_that_tells_no_hashes_is_refused(index: Path, tmp_path: Path) -> None:
    make_wheel(index)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\ndependencies = ["demo"]\n')
    run(tmp_path, uv.find_uv_bin(), "lock")
    with pytest.raises(LockError) as caught:
        read(tmp_path / "uv.lock")
    assert caught.value.details == ("demo has no --hash=sha256:…",)


def test_packages_of_an_index_of_their_own_are_installed_from_there_and_the_rest_as_ever(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torch from its own index, which has other versions of what everybody needs, too."""
    for name in ("demo", "other"):
        make_wheel(index, name, "2.0")
    make_wheel(tmp_path / "own", "torch", "1.0+cpu")
    make_wheel(tmp_path / "own", "demo", "0.5")
    with serving(index) as usual, serving(tmp_path / "own") as own:
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "shop"\nversion = "1"\nrequires-python = ">=3.11"\n'
            'dependencies = ["demo", "other", "torch"]\n[tool.uv.sources]\ntorch = { index = "cpu" }\n'
            f'[[tool.uv.index]]\nname = "cpu"\nurl = "{own.url}"\nexplicit = true\n'
        )
        run(tmp_path, uv.find_uv_bin(), "lock", "--default-index", usual.url, UV_CONFIG_FILE="/dev/null")
        found = read(tmp_path / "uv.lock")
        assert found.indexes == (f"--extra-index-url {own.url.rstrip('/')}",)
        monkeypatch.setenv("UV_DEFAULT_INDEX", usual.url)
        monkeypatch.setenv("UV_CONFIG_FILE", "/dev/null")
        install(lock.render(found.lock.pins), target(), tmp_path / "in", lambda _line: None, indexes=found.indexes)
    assert {one.name for one in (tmp_path / "in").glob("*.dist-info")} == {
        "demo-2.0.dist-info",
        "other-2.0.dist-info",
        "torch-1.0+cpu.dist-info",
    }


def test_a_lock_that_was_written_against_what_packages_say_holds_as_it_is(index: Path, tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        make_wheel(index, "deep", version)
    make_wheel(index, "demo", requires=["deep>=2"])
    text = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["demo"]\n'
    with serving(index) as served:
        for settings, exact in (("", False), ('[tool.uv]\noverride-dependencies = ["deep==1.0"]\n', True)):
            (tmp_path / "pyproject.toml").write_text(text + settings)
            run(tmp_path, uv.find_uv_bin(), "lock", "--default-index", served.url, UV_CONFIG_FILE="/dev/null")
            found = read(tmp_path / "uv.lock")
            assert found.exact is exact
    assert told(found) == ["deep 1.0", "demo 1.0"]
    [request] = targets.requests([str(tmp_path)], None)
    assert request.spec.exact
