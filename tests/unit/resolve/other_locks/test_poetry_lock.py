from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from layerforge.core import runtimes
from layerforge.resolve.errors import LockError
from other_locks import KEPT, MAIN, read, told

OLDER = 'backports-tarfile 1.2.0 where python_version == "3.10" or python_version == "3.11"'
OF_311 = 'backports-tarfile 1.2.0 where python_version == "3.11"'


@pytest.mark.parametrize(("made", "backport"), [("poetry-2", OF_311), ("poetry-1.8", OLDER), ("poetry-1.2", OLDER)])
def test_locks_of_every_poetry_hold_the_same(made: str, backport: str) -> None:
    path = KEPT / made / "poetry.lock"
    always = sorted([*MAIN, backport])
    found = read(path)
    assert told(found) == always
    assert found.requires_python == ">=3.11,<4,<3.14"
    assert all(len(pin.hashes) in {1, 2} for pin in found.lock.pins)
    assert set(found.offered.extras) == {"ml", "web"}
    assert set(found.offered.groups) == {"dev", "lambda"}
    more = read(path, ("ml",), ("lambda",))
    assert told(more) == sorted([*always, "attrs 23.2.0", "six 1.17.0"])


def test_a_lock_from_before_poetry_2_tells_what_counts_only_beside_its_project(tmp_path: Path) -> None:
    for made in ("poetry-2", "poetry-1.8"):
        shutil.copy(KEPT / made / "poetry.lock", tmp_path / "poetry.lock")
        if made == "poetry-2":
            assert len(told(read(tmp_path / "poetry.lock"))) == len(MAIN) + 1
            continue
        with pytest.raises(LockError) as caught:
            read(tmp_path / "poetry.lock")
        assert "poetry lock`" in caught.value.hint
        assert "pyproject.toml" in caught.value.details[0]


HASH = "a" * 64


def a_lock(*packages: str, version: str = "2.1") -> str:
    return "\n".join([*packages, f'[metadata]\nlock-version = "{version}"\npython-versions = "*"\n'])


def a_package(name: str, more: str = "", files: str = f'{{file = "x", hash = "sha256:{HASH}"}}') -> str:
    return f'[[package]]\nname = "{name}"\nversion = "1.0"\ngroups = ["main"]\nfiles = [{files}]\n{more}\n'


def test_repositories_folders_archives_and_wheels_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "poetry.lock"
    source = "[package.source]\ntype = {}\nurl = {}\n"
    git = '"git"\nreference = "main"\nresolved_reference = "abc"\nsubdirectory = "lib"'
    path.write_text(
        a_lock(
            a_package("kept", source.format(git, '"git@example.org:a/b.git"')),
            a_package("near", source.format('"directory"', '"near"')),
            a_package("old", source.format('"file"', '"old-1.0.tar.gz"')),
            a_package("own", source.format('"url"', '"https://files.example/own-1.0-py3-none-any.whl"')),
        )
    )
    found = read(path)
    assert [one.text for one in found.locals] == [
        "kept @ git+ssh://git@example.org/a/b.git@abc#subdirectory=lib",
        f"near @ {(tmp_path / 'near').as_uri()}",
        f"old @ {(tmp_path / 'old-1.0.tar.gz').as_uri()}#sha256={HASH}",
    ]
    assert told(found) == ["own https://files.example/own-1.0-py3-none-any.whl"]


def test_an_extra_that_excludes_another_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "poetry.lock"
    marker = 'markers = \'extra == "cpu" and extra != "cuda"\'\n'
    path.write_text(a_lock(a_package("demo", marker)) + '[extras]\ncpu = ["demo"]\ncuda = []\n')
    assert told(read(path, ("cpu",))) == ["demo 1.0"]
    assert told(read(path, ("cpu", "cuda"))) == []
    assert told(read(path)) == []


def test_what_only_few_packages_come_from_is_named_beside_uvs_own_indexes(tmp_path: Path) -> None:
    path = tmp_path / "poetry.lock"
    legacy = '[package.source]\ntype = "legacy"\nurl = "https://cpu.example/simple"\nreference = "cpu"\n'
    path.write_text(a_lock(a_package("one"), a_package("two"), a_package("torch", legacy)))
    assert read(path).indexes == ("--extra-index-url https://cpu.example/simple",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x", "expected '='"),
        ("", "metadata"),
        (a_lock(a_package("demo", files="")), "demo: it has no SHA-256"),
        (a_lock(a_package("demo", files='{file = "x", hash = "md5:1"}')), "demo: it has no SHA-256"),
        (a_lock(a_package("demo", "markers = 'nonsense'")), "demo: the marker 'nonsense' makes no sense"),
        (a_lock(a_package("demo"), version="1.0"), "1.0, does not say which file has which hash"),
    ],
)
def test_a_lock_that_does_not_hold_says_why_and_how_to_write_it_anew(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "poetry.lock").write_text(text)
    with pytest.raises(LockError) as caught:
        read(tmp_path / "poetry.lock")
    assert says.lower() in "\n".join(caught.value.details).lower()
    assert "poetry lock`" in caught.value.hint


def test_of_two_versions_each_python_gets_the_one_that_is_for_it(tmp_path: Path) -> None:
    """Before Poetry 2 both stand there without a word of where they count."""
    (tmp_path / "pyproject.toml").write_text(
        '[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\npython = "^3.11"\n'
        'demo = [{ version = "^1", python = "<3.12" }, { version = "^2", python = ">=3.12" }]\n'
    )
    one, two = (a_package("demo").replace('"1.0"', f'"{version}"') for version in ("1.5", "2.5"))
    (tmp_path / "poetry.lock").write_text(a_lock(one, two, version="2.0"))
    later = " or ".join(f'python_version == "{python}"' for python in list(runtimes.runtimes())[2:])
    assert told(read(tmp_path / "poetry.lock")) == [
        'demo 1.5 where python_version == "3.10" or python_version == "3.11"',
        f"demo 2.5 where {later}",
    ]


def test_of_two_versions_that_a_python_could_have_it_gets_the_one_that_all_who_ask_allow(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\npython = "^3.10"\nother = "*"\n'
        'demo = [{ version = "<2", python = "<3.11" }, { version = "^2", python = ">=3.11" }]\n'
    )
    one, two = (a_package("demo").replace('"1.0"', f'"{version}"') for version in ("1.5", "2.5"))
    asks = '[package.dependencies]\ndemo = [{ version = ">=1", markers = "python_version < \'3.12\'" }, '
    asks += '{ version = ">=1.2" }]'
    (tmp_path / "poetry.lock").write_text(a_lock(one, two, a_package("other", asks), version="2.0"))
    later = " or ".join(f'python_version == "{python}"' for python in list(runtimes.runtimes())[1:])
    assert told(read(tmp_path / "poetry.lock")) == [
        'demo 1.5 where python_version == "3.10"',
        f"demo 2.5 where {later}",
        "other 1.0",
    ]
