"""Wheels of what is none: where they are made, what is kept of them, and what is refused."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from builders import FakeBuilder
from fakes import FakeProgress, target
from layerforge.build.errors import EngineError
from layerforge.build.making_wheels import WheelMaking, made_of, made_wheels
from layerforge.build.requested_wheels import with_wheels
from layerforge.core import digest
from layerforge.core.errors import LayerforgeError, StepError
from layerforge.core.store.disk import DiskStore
from layerforge.resolve import locking, targets
from layerforge.resolve.errors import LockError
from layerforge.resolve.made_wheel import MadeWheel
from layerforge.resolve.sources import Search
from layerforge.resolve.wheel_source import WheelSource, read
from projects import git, project_files, repository, sdist, write
from wheels import make_wheel


@pytest.fixture
def making(index: Path, tmp_path: Path) -> WheelMaking:
    assert index.is_dir()
    progress = FakeProgress()
    store = DiskStore(root=tmp_path / "store", progress=progress)
    search = Search(store=store, folders=(), progress=progress)
    return WheelMaking(search=search, store=store, target=target(), logs=tmp_path)


def told(making: WheelMaking) -> list[str]:
    assert isinstance(making.search.progress, FakeProgress)
    return making.search.progress.lines


def source(text: Path | str) -> WheelSource:
    found = read(str(text))
    assert found is not None
    return found


def wheel_of(made: MadeWheel) -> Path:
    return Path(made.address.removeprefix("file://"))


def test_a_folder_is_built_once_and_again_once_it_has_changed(making: WheelMaking, tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", project_files(requires=["idna>=3"]))
    first = made_of(source(folder), making)
    assert (first.name, first.version, first.requires) == ("mine", "1.0", ("idna>=3",))
    assert digest.of_file(wheel_of(first)) == first.sha256
    assert len(told(making)) == 1
    assert "on this machine" in told(making)[0]
    assert made_of(source(folder), making) == first
    assert len(told(making)) == 1
    (folder / "mine/__init__.py").write_text("VALUE = 2\n")
    assert made_of(source(folder), making).sha256 != first.sha256
    assert len(told(making)) == 2
    assert sorted(one.name for one in folder.iterdir()) == ["mine", "own_backend.py", "pyproject.toml"]


def test_the_same_files_are_the_same_wheel_in_another_store(making: WheelMaking, tmp_path: Path) -> None:
    one = made_of(source(write(tmp_path / "a/mine", project_files())), making)
    other_store = replace(making, store=replace(making.store, root=tmp_path / "other"))
    other_store = replace(other_store, search=replace(making.search, store=other_store.store))
    other = made_of(source(write(tmp_path / "b/mine", project_files())), other_store)
    assert one.sha256 == other.sha256
    assert one.address != other.address


def test_a_wheel_that_was_damaged_on_disk_is_laid_anew(making: WheelMaking, tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", project_files())
    made = made_of(source(folder), making)
    wheel_of(made).write_bytes(b"damaged")
    assert digest.of_file(wheel_of(made_of(source(folder), making))) == made.sha256


def test_others_code_runs_here_only_where_that_is_said(making: WheelMaking, tmp_path: Path) -> None:
    ran = f"open({str(tmp_path / 'ran')!r}, 'w').write('x')"
    archive = sdist(tmp_path, project_files(also=ran))
    repository(tmp_path / "repo", project_files("other", also=ran))
    foreign = [str(archive), f"git+{(tmp_path / 'repo').as_uri()}@main"]
    for text in foreign:
        with pytest.raises(EngineError, match="to make a wheel of it runs its code") as caught:
            made_of(source(text), making)
        assert "--build-here" in caught.value.hint
        assert "container engine" in caught.value.hint
    assert not (tmp_path / "ran").exists()
    allowed = replace(making, build_here=True)
    assert [made_of(source(text), allowed).name for text in foreign] == ["mine", "other"]
    assert (tmp_path / "ran").exists()
    # What has been made is only taken.
    assert [made_of(source(text), making).name for text in foreign] == ["mine", "other"]


def test_a_branch_is_told_with_the_commit_that_it_is(making: WheelMaking, tmp_path: Path) -> None:
    commit = repository(tmp_path / "repo", project_files())
    made_of(source(f"git+{(tmp_path / 'repo').as_uri()}@main"), replace(making, build_here=True))
    assert f"@main, commit {commit[:12]}" in told(making)[0]


def test_a_folder_of_a_repository_can_be_the_project(making: WheelMaking, tmp_path: Path) -> None:
    files = {f"py/{name}": text for name, text in project_files().items()}
    repository(tmp_path / "repo", files)
    address = f"git+{(tmp_path / 'repo').as_uri()}"
    allowed = replace(making, build_here=True)
    with pytest.raises(StepError, match=r"none of pyproject\.toml") as caught:
        made_of(source(address), allowed)
    assert "#subdirectory=" in caught.value.hint
    assert made_of(source(f"{address}#subdirectory=py"), allowed).name == "mine"


def test_a_version_of_gits_tags_is_told_to_the_build(making: WheelMaking, tmp_path: Path) -> None:
    repository(tmp_path / "repo", project_files(), tag="v3.1")
    repository(tmp_path / "own", project_files("own", table='[tool.x]\ny = "setuptools-scm"\n'), tag="v4.1")
    git(tmp_path / "own", "commit", "--quiet", "--allow-empty", "--message", "x")
    allowed = replace(making, build_here=True)
    assert made_of(source(f"git+{(tmp_path / 'repo').as_uri()}@v3.1"), allowed).version == "3.1"
    assert made_of(source(tmp_path / "own"), making).version.startswith("4.2.dev1+g")


def test_a_build_that_fails_says_why(making: WheelMaking, tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", project_files(also="raise SystemExit('no luck today')"))
    with pytest.raises(StepError, match="no wheel could be made of mine") as caught:
        made_of(source(folder), making)
    assert any("no luck today" in line for line in caught.value.details)


def test_what_it_is_built_with_is_not_built_here(making: WheelMaking, index: Path, tmp_path: Path) -> None:
    sdist(index, project_files("helper", also=f"open({str(tmp_path / 'ran')!r}, 'w')"), "helper")
    files = project_files()
    files["pyproject.toml"] = files["pyproject.toml"].replace("requires = []", 'requires = ["helper"]')
    with pytest.raises(StepError):
        made_of(source(write(tmp_path / "mine", files)), making)
    assert not (tmp_path / "ran").exists()


def test_a_wheel_for_another_platform_is_refused(making: WheelMaking, tmp_path: Path) -> None:
    for tag in ("cp312-cp312-linux_x86_64", "cp313-cp313-linux_aarch64", "cp313-cp313-macosx_11_0_arm64"):
        folder = write(tmp_path / tag / "mine", project_files(tag=tag))
        with pytest.raises(StepError, match=r"is for another platform than Python 3\.13 on x86_64") as caught:
            made_of(source(folder), making)
        assert "container engine" in caught.value.hint
    fits = write(tmp_path / "fits/mine", project_files(tag="cp313-cp313-linux_x86_64"))
    assert made_of(source(fits), making).version == "1.0"


def test_a_wheel_of_a_platform_serves_the_target_that_it_was_made_for_alone(
    making: WheelMaking, tmp_path: Path
) -> None:
    folder = write(tmp_path / "mine", project_files(tag="cp313-cp313-linux_x86_64"))
    made_of(source(folder), making)
    with pytest.raises(StepError, match="another platform"):
        made_of(source(folder), replace(making, target=target("3.12")))


def test_another_name_than_the_one_that_is_asked_for_is_refused(making: WheelMaking, tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", project_files())
    with pytest.raises(StepError, match="gives the package mine, not yours") as caught:
        made_of(source(f"yours @ {folder.as_uri()}"), making)
    assert caught.value.hint == "call it mine"


def test_what_a_wheel_requires_at_an_address_is_made_too(making: WheelMaking, tmp_path: Path) -> None:
    near = write(tmp_path / "near", project_files("near"))
    repository(tmp_path / "far", project_files("far", requires=[f"near @ {near.as_uri()}"]))
    requires = [f"far[x] @ git+{(tmp_path / 'far').as_uri()}@main", f"near[y] @ {near.as_uri()} ; os_name=='posix'"]
    own = write(tmp_path / "own", project_files("own", requires=requires))
    made = made_wheels([source(own)], (), replace(making, build_here=True))
    assert [(one.name, one.direct, one.instead, one.extras) for one in made] == [
        ("own", True, False, ()),
        ("far", False, True, ("x",)),
        ("near", False, True, ("y",)),
    ]


def test_what_is_asked_for_directly_stands_for_all_of_its_name(making: WheelMaking, tmp_path: Path) -> None:
    commit = repository(tmp_path / "lib", project_files("lib"))
    write(tmp_path / "lib", {"lib/more.py": ""})
    git(tmp_path / "lib", "add", ".")
    git(tmp_path / "lib", "commit", "--quiet", "--message", "x")
    address = f"lib @ git+{(tmp_path / 'lib').as_uri()}"
    allowed = replace(making, build_here=True)
    [made] = made_wheels(
        [source(f"{address}@{commit}")], [source(f"{address}@main".replace("lib @", "lib[x] @"))], allowed
    )
    assert (made.direct, made.instead, made.extras) == (True, True, ("x",))
    assert made.source.ref == commit
    assert len(told(making)) == 1
    other = f"lib @ {write(tmp_path / 'own', project_files('lib')).as_uri()}"
    made_wheels([source(f"{address}@{commit}")], [source(other)], allowed)
    assert told(making)[-1] == f"{address}@{commit} stands for {other} too"


def test_two_wheels_of_one_name_are_refused(making: WheelMaking, tmp_path: Path) -> None:
    folders = [write(tmp_path / version, project_files(version=version)) for version in ("1", "2")]
    with pytest.raises(LockError, match="mine is asked for twice"):
        made_wheels([source(one) for one in folders], (), making)
    assert len(made_wheels([source(folders[0]), source(f"mine @ {folders[0].as_uri()}")], (), making)) == 1


def test_a_request_is_locked_with_the_wheels_that_were_made_for_it(
    making: WheelMaking, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "dep")
    make_wheel(index, "more")
    lib = write(tmp_path / "lib", project_files("lib", requires=["more"]))
    table = f'[tool.uv.sources]\nlib = {{ path = "{lib}" }}\n'
    write(tmp_path / "shop", project_files("shop", requires=["dep", "lib"], table=table))
    [request] = targets.requests([str(tmp_path / "shop")], None)
    request = with_wheels(request, making)
    assert request.spec.requires == ("dep", "lib", "shop==1.0")
    assert "the layer holds the project's own code: shop 1.0" in told(making)
    found = locking.locked(request, target(), making.search)
    assert [pin.name for pin in found.pins] == ["dep", "lib", "more", "shop"]
    by_name = {pin.name: pin for pin in found.pins}
    assert by_name["lib"].address == next(one.address for one in request.made if one.name == "lib")
    text = locking.universal(request, "3.12", making.search)
    assert f"shop==1.0 \\\n    --hash={by_name['shop'].hashes[0]}" in text
    assert str(tmp_path) not in text.partition("\n")[2]


def test_a_name_that_lies_on_the_disk_is_not_asked_of_an_index(
    making: WheelMaking, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "lib", "9.0")
    make_wheel(index, "shop", "9.0")
    lib = write(tmp_path / "lib", project_files("lib"))
    table = f'[tool.uv.sources]\nlib = {{ path = "{lib}" }}\n'
    write(tmp_path / "shop", project_files("shop", requires=["lib"], table=table))
    [request] = targets.requests([str(tmp_path / "shop")], None)
    found = locking.locked(with_wheels(request, making), target(), making.search)
    assert all(pin.address for pin in found.pins)


def test_a_project_whose_build_fails_can_leave_its_own_code_out(making: WheelMaking, tmp_path: Path) -> None:
    write(tmp_path / "shop", project_files("shop", also="raise SystemExit(1)"))
    [request] = targets.requests([str(tmp_path / "shop")], None)
    with pytest.raises(StepError) as caught:
        with_wheels(request, making)
    assert "--no-project" in caught.value.hint


def test_with_an_engine_wheels_are_made_in_a_container(making: WheelMaking, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "made", "mine")
    builder = FakeBuilder(makes={"mine": {wheel.name: wheel.read_bytes()}})
    ran = f"open({str(tmp_path / 'ran')!r}, 'w')"
    archive = sdist(tmp_path, project_files(also=ran))
    made = made_of(source(archive), replace(making, builder=builder))
    assert (made.name, made.version) == ("mine", "1.0")
    [task] = builder.tasks
    assert task.env["SOURCE_DATE_EPOCH"] == "315532800"
    assert not (tmp_path / "ran").exists()
    assert "in a container" in told(making)[0]
    made_of(source(archive), replace(making, builder=builder))
    assert len(builder.tasks) == 1


@pytest.mark.parametrize("name", ["mine-1.0.tar.gz", "mine-1.0.zip"])
def test_what_is_no_archive_is_refused(name: str, making: WheelMaking, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"no archive")
    with pytest.raises(LayerforgeError, match="cannot be unpacked"):
        made_of(source(tmp_path / name), making)


def test_a_zip_that_is_no_source_distribution_is_told_before_anybody_is_asked(
    making: WheelMaking, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "layer.zip", "w") as layer:
        layer.writestr("python/mine/__init__.py", "")
    with pytest.raises(StepError, match=r"layer has none of pyproject\.toml"):
        made_of(source(tmp_path / "layer.zip"), making)


def test_where_every_package_needs_a_hash_a_made_wheel_has_that_of_what_it_was_made_of(
    making: WheelMaking, index: Path, tmp_path: Path
) -> None:
    archive = sdist(tmp_path, project_files())
    sha256 = digest.of_file(archive)
    for line, held in ((f"{archive.as_uri()} --hash=sha256:{sha256}", True), (archive.as_uri(), False)):
        (tmp_path / "needs.txt").write_text(f"--require-hashes\n{line}\n")
        [request] = targets.requests([str(tmp_path / "needs.txt")], None)
        request = with_wheels(request, replace(making, build_here=True))
        if held:
            assert [pin.name for pin in locking.locked(request, target(), making.search).pins] == ["mine"]
        else:
            with pytest.raises(LockError, match="--require-hashes"):
                locking.locked(request, target(), making.search)


def test_only_what_applies_to_the_target_is_made(making: WheelMaking, tmp_path: Path) -> None:
    for name, more in (("old", "pass"), ("new", "pass"), ("extra", "raise SystemExit(1)")):
        write(
            tmp_path / name, project_files("lib", version=str(len(name)) + (".1" if name == "new" else ""), also=more)
        )
    requires = [f"lib @ {(tmp_path / 'extra').as_uri()} ; extra == 'x'"]
    write(tmp_path / "own", project_files("own", requires=requires))
    texts = [
        f"lib @ {(tmp_path / 'old').as_uri()} ; python_version < '3.13'",
        f"lib @ {(tmp_path / 'new').as_uri()} ; python_version >= '3.13'",
        str(tmp_path / "own"),
    ]
    made = made_wheels([source(text) for text in texts], (), making)
    assert [(one.name, one.version) for one in made] == [("lib", "3.1"), ("own", "1.0")]
    with pytest.raises(LockError, match="asked for twice"):
        made_wheels([source(text) for text in texts], (), replace(making, everywhere=(target("3.12"), target("3.13"))))


def test_what_a_folders_own_table_names_is_made_too(making: WheelMaking, tmp_path: Path) -> None:
    common = write(tmp_path / "common", project_files("common"))
    table = '[tool.uv.sources]\ncommon = { path = "../common" }\nother = { path = "../absent" }\n'
    lib = write(tmp_path / "lib", project_files("lib", requires=["common"], table=table))
    made = made_wheels([source(lib)], (), making)
    assert [(one.name, one.direct, one.instead) for one in made] == [("lib", True, False), ("common", False, True)]
    assert made[1].source.place == str(common)
    wrong = write(tmp_path / "wrong", project_files("wrong", requires=["other"], table=table))
    with pytest.raises(LockError, match="what wrong requires is not there"):
        made_wheels([source(wrong)], (), making)
