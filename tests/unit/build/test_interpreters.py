from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from builders import IMAGE, FakeBuilder
from fakes import FakeProgress
from layerforge.build import interpreters
from layerforge.build.errors import EngineError

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpreter but the running one and those that a test makes."""
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "nowhere"))


def a_program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def a_python(path: Path, *, version: str, implementation: str = "cpython", magic: int = 3571, abi: str = "") -> Path:
    facts = f'{{"implementation": "{implementation}", "version": "{version}", "magic": {magic}, "abi": "{abi}"}}'
    return a_program(path, f"echo '{facts}'")


def uv_that_finds(tmp_path: Path, python: Path) -> Path:
    return a_program(tmp_path / "uv", f"echo '{python}'")


def not_running() -> str:
    return next(python for python in ("3.13", "3.12") if python != RUNNING)


def magic_of(python: str) -> int:
    return {"3.13": 3571, "3.12": 3531}[python]


def test_the_running_interpreter_serves_its_own_version() -> None:
    found = interpreters.find(RUNNING, uv=Path("/nonexistent/uv"))
    assert found is not None
    assert found.path == Path(sys.executable)
    assert found.version == sys.version.split()[0]


def test_uv_is_asked_for_another_version(tmp_path: Path) -> None:
    python = not_running()
    path = a_python(tmp_path / "python", version=f"{python}.4", magic=magic_of(python))
    found = interpreters.find(python, uv=uv_that_finds(tmp_path, path))
    assert found is not None
    assert (found.path, found.version) == (path, f"{python}.4")


def test_what_lies_on_the_path_is_taken_without_asking_uv_but_for_virtual_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = not_running()
    for name in ("env", "plain"):
        a_python(tmp_path / name / "bin" / f"python{python}", version=f"{python}.4", magic=magic_of(python))
    (tmp_path / "env" / "pyvenv.cfg").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}/env/bin:relative:{tmp_path}/plain/bin")
    uv = a_program(tmp_path / "uv", f"touch {tmp_path}/asked")
    found = interpreters.find(python, uv=uv)
    assert found is not None
    assert found.path == tmp_path / "plain" / "bin" / f"python{python}"
    assert not (tmp_path / "asked").exists()


def test_uv_downloads_nothing_and_looks_past_the_virtual_environment(tmp_path: Path) -> None:
    uv = a_program(tmp_path / "uv", f'echo "$@" > {tmp_path}/said')
    interpreters.find(not_running(), uv=uv)
    said = (tmp_path / "said").read_text().split()
    assert said[:2] == ["python", "find"]
    assert {"--no-python-downloads", "--system", "--no-project"} <= set(said)
    assert said[-1] == f"cpython@{not_running()}"


def test_uv_gets_pyenvs_inactive_versions_before_the_path_newest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = not_running()
    for name in (f"{python}.9", f"{python}.10", "3.6.15"):
        (tmp_path / "pyenv" / "versions" / name / "bin").mkdir(parents=True)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    uv = a_program(tmp_path / "uv", f'echo "$PATH" > {tmp_path}/said')
    interpreters.find(python, uv=uv)
    versions = tmp_path / "pyenv" / "versions"
    expected = f"{versions}/{python}.10/bin:{versions}/{python}.9/bin:/usr/bin:/bin"
    assert (tmp_path / "said").read_text().strip() == expected


@pytest.mark.parametrize(
    ("version", "implementation", "magic", "abi"),
    [
        ("3.8.20", "cpython", None, ""),
        ("{python}.4", "pypy", None, ""),
        ("{python}.0a1", "cpython", 3550, ""),
        ("{python}.4", "cpython", None, "t"),
    ],
    ids=["another version", "another implementation", "a pre-release", "a free-threaded build"],
)
def test_what_could_not_stand_in_for_lambdas_python_is_not_taken(
    tmp_path: Path, version: str, implementation: str, magic: int | None, abi: str
) -> None:
    python = not_running()
    path = a_python(
        tmp_path / "python",
        version=version.format(python=python),
        implementation=implementation,
        magic=magic or magic_of(python),
        abi=abi,
    )
    assert interpreters.find(python, uv=uv_that_finds(tmp_path, path)) is None


@pytest.mark.parametrize(
    "text",
    ["exit 2", "echo /nonexistent/python3", "echo /dev/null", "echo $0", "true"],
    ids=["no answer", "a path without a file", "no program", "a program that is no Python", "an empty answer"],
)
def test_where_nothing_is_found_none_is_returned(tmp_path: Path, text: str) -> None:
    assert interpreters.find(not_running(), uv=a_program(tmp_path / "uv", text)) is None


def test_without_uv_none_is_returned() -> None:
    assert interpreters.find(not_running(), uv=Path("/nonexistent/uv")) is None


def test_a_version_that_does_not_exist_is_not_found_by_the_real_uv() -> None:
    assert interpreters.find("3.99") is None


def test_a_missing_interpreter_is_a_usage_error_with_both_ways_out() -> None:
    error = interpreters.missing("3.14")
    assert error.exit_code == 2
    assert "3.14" in error.message
    assert "uv python install 3.14" in error.hint
    assert "such as `--python 3." in error.hint, "the tests' own is here"
    assert "--bytecode none" in error.hint


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who says nothing of downloads."""
    monkeypatch.delenv("UV_PYTHON_DOWNLOADS", raising=False)


def uv_that_installs(tmp_path: Path, *, versions: tuple[str, ...] = (".4",)) -> Path:
    """A uv that finds nothing, and whose ``install`` puts an interpreter where it is told to."""
    python = not_running()
    for version in versions:
        a_python(tmp_path / f"made{version}", version=f"{python}{version}", magic=magic_of(python))
    puts = "\n".join(
        f'd="$UV_PYTHON_INSTALL_DIR/cpython-{python}{version}-linux-x86_64-gnu/bin"\n'
        f'mkdir -p "$d" && cp {tmp_path}/made{version} "$d/python{python}"'
        for version in versions
    )
    return a_program(
        tmp_path / "uv", f'echo "$@" >> {tmp_path}/said\ntest "$2" = install || exit 2\nPATH=/usr/bin:/bin\n{puts}'
    )


@pytest.mark.usefixtures("bare")
def test_an_interpreter_that_is_nowhere_is_fetched_by_uv_into_the_own_folder_and_said(tmp_path: Path) -> None:
    python, progress, own = not_running(), FakeProgress(), tmp_path / "cache" / "pythons"
    uv = uv_that_installs(tmp_path)
    found = interpreters.find_or_fetch(python, own, progress, uv=uv)
    assert found is not None
    assert (found.version, found.path.is_relative_to(own)) == (f"{python}.4", True)
    assert progress.lines == [f"no CPython {python} on this machine: uv gets one into {own}"]
    again = FakeProgress()
    assert interpreters.find_or_fetch(python, own, again, uv=uv) == found
    assert not again.lines, "what was fetched before is found"
    assert (tmp_path / "said").read_text().count("install") == 1


@pytest.mark.usefixtures("bare")
def test_of_several_that_were_fetched_the_newest_is_taken(tmp_path: Path) -> None:
    own = tmp_path / "pythons"
    uv = uv_that_installs(tmp_path, versions=(".9", ".18"))
    found = interpreters.find_or_fetch(not_running(), own, FakeProgress(), uv=uv)
    assert found is not None
    assert found.version == f"{not_running()}.18"


@pytest.mark.usefixtures("bare")
def test_an_interpreter_that_is_here_is_not_fetched(tmp_path: Path) -> None:
    uv, progress = uv_that_installs(tmp_path), FakeProgress()
    assert interpreters.find_or_fetch(RUNNING, tmp_path / "pythons", progress, uv=uv) is not None
    assert not progress.lines
    assert not (tmp_path / "pythons").exists()


@pytest.mark.parametrize("value", ["never", "manual", "Never"])
def test_who_forbids_downloads_gets_none(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", value)
    progress, uv = FakeProgress(), uv_that_installs(tmp_path)
    assert interpreters.find_or_fetch(not_running(), tmp_path / "pythons", progress, uv=uv) is None
    assert not progress.lines
    assert "install" not in (tmp_path / "said").read_text()


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo 'error: Failed to download' >&2; echo '  cause: dns error' >&2; exit 1", "dns error"),
        ("exit 3", "it ended with 3"),
    ],
)
def test_why_uv_could_not_get_one_is_said(text: str, why: str, tmp_path: Path) -> None:
    progress, uv = FakeProgress(), a_program(tmp_path / "uv", text)
    assert interpreters.find_or_fetch(not_running(), tmp_path / "pythons", progress, uv=uv) is None
    assert progress.warnings == [f"uv could not get CPython {not_running()}: {why}"]


@pytest.mark.usefixtures("bare")
def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    progress, uv = FakeProgress(), uv_that_installs(tmp_path)
    assert interpreters.find_or_fetch(not_running(), tmp_path / "file" / "pythons", progress, uv=uv) is None
    assert progress.warnings == [f"uv could not get CPython {not_running()}: Not a directory"]


def test_the_command_for_who_forbids_downloads_is_one_that_uv_obeys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    assert "UV_PYTHON_DOWNLOADS=manual" in interpreters.missing("3.14").hint
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "manual")
    assert "UV_PYTHON_DOWNLOADS" not in interpreters.missing("3.14").hint


@dataclass
class Carrying(FakeBuilder):
    """A builder whose image has an interpreter that says what it is and with which libraries it was started."""

    version: str = ""
    copies: int = 0

    def copy_out(self, path: str, into: Path) -> None:
        assert path == interpreters.LANG
        self.copies += 1
        if not self.version:
            raise EngineError("the engine has gone")
        python = self.version.rpartition(".")[0]
        a_python(into / "bin" / f"python{python}", version=self.version, magic=magic_of(python))


def test_the_images_interpreter_is_copied_once_and_started_with_its_own_libraries(tmp_path: Path) -> None:
    python, own, progress = not_running(), tmp_path / "pythons", FakeProgress()
    builder = Carrying({}, version=f"{python}.7")
    found = interpreters.from_image(builder, python, own, progress)
    assert found is not None
    assert found.version == f"{python}.7"
    folder = own / "image-1"
    assert progress.lines == [
        f"no CPython {python} on this machine: it is copied out of the image into {folder}",
    ]
    text = found.path.read_text()
    assert f"LD_LIBRARY_PATH={folder}/lib exec {folder}/bin/python{python}" in text
    assert interpreters.from_image(builder, python, own, FakeProgress()) == found
    assert builder.copies == 1


def test_an_image_of_another_digest_has_its_own_copy(tmp_path: Path) -> None:
    python = not_running()
    first = interpreters.from_image(Carrying({}, version=f"{python}.7"), python, tmp_path, FakeProgress())
    other = Carrying({}, version=f"{python}.8", image=replace(IMAGE, digest="sha256:" + "ab" * 32))
    second = interpreters.from_image(other, python, tmp_path, FakeProgress())
    assert first is not None
    assert second is not None
    assert (first.version, second.version) == (f"{python}.7", f"{python}.8")


def test_an_image_whose_interpreter_does_not_run_here_has_none(tmp_path: Path) -> None:
    python = not_running()
    builder = Carrying({}, version=f"{python}.7")
    assert interpreters.from_image(builder, python, tmp_path, FakeProgress()) is not None
    a_program(tmp_path / f"image-1/bin/python{python}", "exit 127")
    assert interpreters.from_image(builder, python, tmp_path, FakeProgress()) is None


def test_a_copy_that_fails_is_warned_of_and_there_is_no_interpreter(tmp_path: Path) -> None:
    progress = FakeProgress()
    assert interpreters.from_image(Carrying({}), not_running(), tmp_path / "pythons", progress) is None
    assert progress.warnings == ["the image's CPython cannot be copied: the engine has gone"]
