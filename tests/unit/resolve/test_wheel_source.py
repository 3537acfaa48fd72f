"""What is no wheel is told apart from what is, and from what nothing can be made of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.resolve.listed import understood
from layerforge.resolve.wheel_source import Form, NoSource, WheelSource, read

SHA = "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "git+https://github.com/a/b.git@v1.2#egg=Some_Name&subdirectory=x/y",
            {"place": "https://github.com/a/b.git", "ref": "v1.2", "name": "some-name", "subfolder": "x/y"},
        ),
        (
            "-e git+ssh://git@github.com/a/b@feature/x",
            {"place": "ssh://git@github.com/a/b", "ref": "feature/x", "name": ""},
        ),
        (
            "demo[b, a] @ git+https://h/r ; python_version < '3.13'",
            {"place": "https://h/r", "name": "demo", "extras": ("a", "b"), "marker": "python_version < '3.13'"},
        ),
        (
            f"demo @ https://h/demo-1.tar.gz#sha256={SHA}",
            {"form": Form.ARCHIVE, "place": "https://h/demo-1.tar.gz", "hashes": (SHA,)},
        ),
        ("https://h/some_demo-1.0.zip", {"form": Form.ARCHIVE, "name": "", "title": "some-demo"}),
    ],
)
def test_what_an_address_names_is_read(text: str, expected: dict[str, object]) -> None:
    found = read(text)
    assert found is not None
    assert {key: getattr(found, key) for key in expected} == expected
    assert read(found.text) == found


@pytest.mark.parametrize(
    "text",
    [
        "requests",
        "pandas>=3 ; python_version < '3.13'",
        "demo[fast]==1",
        "https://h/demo-1.0-py3-none-any.whl",
        "demo @ https://h/demo-1.0-py3-none-any.whl",
        "demo @ file:///absent/demo-1.0-py3-none-any.whl",
        "./demo-1.0-py3-none-any.whl",
        "six; '/' in os_name",
    ],
)
def test_wheels_and_plain_requirements_are_none(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hg+https://h/r", "only git's"),
        ("git+ext::sh -c x", "a repository is named"),
        ("git+https://h/r@--upload-pack=x", "none that git knows"),
        ("git+https://h/r@a..b", "none that git knows"),
        ("git+https://h/r#subdirectory=../x", "none that git knows"),
        ("git+https://h/r#subdirectory=/etc/..", "none that git knows"),
        ("https://h/page", "neither a wheel nor"),
        ("demo @ s3://b/demo-1.tar.gz", "neither a wheel nor"),
        ("https://h/demo-1.tar.gz#sha256=abc", "no hash"),
        ("https://h/demo-1.tar.gz#subdirectory=../x", "leads out"),
        ("git+https://h/r ; python_version is 3", "its marker makes no sense"),
        ("git+https://h/r ; " + "(" * 5000, "its marker makes no sense"),
        ("./absent", "nothing of that name"),
        ("-e absent", "nothing of that name"),
        ("file:///absent/folder", "nothing of that name"),
        ("./" + "x" * 5000, "cannot be looked at"),
    ],
)
def test_what_nothing_can_be_made_of_says_why(text: str, why: str) -> None:
    with pytest.raises(NoSource, match=why):
        read(text)


def test_folders_and_archives_are_found_beside_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b/lib").mkdir(parents=True)
    (tmp_path / "b/lib/setup.py").touch()
    (tmp_path / "b/demo-1.0.tar.gz").touch()
    folders = (tmp_path / "a", tmp_path / "b")
    found = read("./lib[x]", folders)
    assert found == WheelSource(form=Form.FOLDER, place=str(tmp_path / "b/lib"), extras=("x",))
    assert read(found.text) == found
    assert not found.foreign
    archive = read("demo-1.0.tar.gz", folders, hashes=(f"sha256:{SHA}",))
    assert archive is not None
    assert (archive.form, archive.hashes, archive.foreign) == (Form.ARCHIVE, (SHA,), True)


def test_a_folder_without_a_project_and_a_pipe_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "demo-1.0.tar.gz")
    with pytest.raises(NoSource, match="none of pyproject"):
        read("./empty", (tmp_path,))
    with pytest.raises(NoSource, match="neither a project's folder"):
        read("./demo-1.0.tar.gz", (tmp_path,))


def test_a_hash_goes_with_an_archive_alone(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    for text in (str(tmp_path), "git+https://h/r"):
        with pytest.raises(NoSource, match="no hash that it could be held to"):
            read(text, hashes=(f"sha256:{SHA}",))


WORDS = st.text("abcdefghij0123456789-_.", min_size=1, max_size=12).filter(lambda text: text[0].isalnum())


@given(name=WORDS, host=WORDS, ref=WORDS.filter(lambda text: ".." not in text), extra=WORDS, subfolder=WORDS)
def test_every_repository_is_read_back_from_its_own_text(
    name: str, host: str, ref: str, extra: str, subfolder: str
) -> None:
    folder = f"#subdirectory={subfolder}" if ".." not in subfolder else ""
    found = read(f"{name}[{extra}] @ git+https://{host}.org/a/b@{ref}{folder}")
    assert found is not None
    assert found.ref == ref
    assert read(found.text) == found


@given(st.one_of(st.text(max_size=60), st.text("./~@[]; :#ax-1.whltrgz", max_size=60)))
def test_any_text_is_read_or_refused_in_one_way(text: str) -> None:
    try:
        found = understood(text)
    except NoSource:
        return
    if isinstance(found, WheelSource):
        assert found.text


@pytest.mark.parametrize("name", ["~nobody-of-that-name", "x" * 5000, "a\0b"])
def test_a_wheel_in_a_place_that_cannot_be_looked_at_is_refused(name: str) -> None:
    with pytest.raises(NoSource):
        understood(f"./{name}/demo-1.0-py3-none-any.whl" if "~" not in name else f"{name}/demo-1.0-py3-none-any.whl")
