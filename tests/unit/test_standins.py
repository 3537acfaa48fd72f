"""Source distributions are resolved from what they say of themselves; none of their code runs here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fakes import stock, target
from layerforge import resolve, standins, uvtool
from layerforge.errors import LockError
from layerforge.uvtool import Asked
from sdists import archive
from wheels import make_wheel


def evil(index: Path, ran: Path, version: str = "1.0", **files: str) -> str:
    """Puts a source distribution into the index whose every hook leaves a mark; returns its hash."""
    hook = f"open({str(ran)!r}, 'a').write('ran')\n"
    setup = f"{hook}from setuptools import setup\nsetup(name='evil', version={version!r}, install_requires=['six'])\n"
    info = f"Metadata-Version: 2.1\nName: evil\nVersion: {version}\nRequires-Dist: one>=1\n"
    top = f"evil-{version}"
    parts = {"setup.py": setup, "PKG-INFO": info, "evil.py": "", **files}
    path = index / f"{top}.tar.gz"
    path.write_bytes(archive({f"{top}/{name}": text for name, text in parts.items() if text is not None}))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.mark.parametrize("where", [target(), "3.12"], ids=["target", "universal"])
def test_a_package_without_a_wheel_is_resolved_and_never_built(index: Path, ran: Path, where: object) -> None:
    sha256 = evil(index, ran)
    make_wheel(index, "one")
    assert isinstance(where, str | type(target()))
    text = standins.compile_lock(Asked(source="evil"), where, ["evil"], stock())
    assert f"evil==1.0 \\\n    --hash=sha256:{sha256}\n" in text
    assert "one==1.0" in text
    assert not ran.exists()


def test_what_it_requires_is_read_where_setuptools_wrote_it_before(index: Path, ran: Path) -> None:
    requires = "one\n\n[:python_version < '3']\nnever\n\n[fast]\nneither\n"
    evil(index, ran, **{"PKG-INFO": "Metadata-Version: 1.2\nName: evil\n", "evil.egg-info/requires.txt": requires})
    make_wheel(index, "one")
    text = standins.compile_lock(Asked(source="evil"), target(), ["evil"], stock())
    assert "one==1.0" in text
    assert "never" not in text
    assert "neither" not in text
    assert not ran.exists()


def test_the_newest_source_is_taken_before_an_older_wheel_and_a_wheel_of_the_same_release_before_it(
    index: Path, ran: Path
) -> None:
    make_wheel(index, "evil", "0.9")
    make_wheel(index, "one")
    evil(index, ran)
    assert "evil==1.0" in standins.compile_lock(Asked(source="evil"), target(), ["evil"], stock())
    assert "evil==0.9" in standins.compile_lock(Asked(source="evil<1"), target(), ["evil"], stock())
    make_wheel(index, "evil", "1.0")
    text = standins.compile_lock(Asked(source="evil"), target(), ["evil"], stock())
    assert text.count("sha256:") >= 1
    assert "one" not in text  # what the wheel says counts
    assert not ran.exists()


def test_a_source_that_does_not_say_what_it_requires_is_refused(index: Path, ran: Path) -> None:
    evil(index, ran)
    top = "evil-1.0"
    (index / f"{top}.tar.gz").write_bytes(archive({f"{top}/setup.py": ""}))
    with pytest.raises(LockError, match="does not say what it requires"):
        standins.compile_lock(Asked(source="evil"), target(), ["evil"], stock())


@pytest.mark.parametrize(
    "line",
    [
        "evil\n--no-binary evil",
        "-r more.txt",
        "evil @ {index}/evil-1.0.tar.gz",
        "./evil-1.0",
        "-e ./evil-1.0",
        "file://{folder}/evil-1.0",
    ],
)
def test_nothing_that_a_requirements_file_says_has_a_package_built_here(
    index: Path, ran: Path, tmp_path: Path, line: str
) -> None:
    evil(index, ran)
    make_wheel(index, "one")
    (tmp_path / "evil-1.0").mkdir()
    (tmp_path / "evil-1.0/setup.py").write_text(f"open({str(ran)!r}, 'a').write('ran')\n")
    (tmp_path / "more.txt").write_text("--no-binary=evil\nevil\n")
    (tmp_path / "all.txt").write_text(line.format(index=index.as_uri(), folder=tmp_path) + "\n")
    try:
        [request] = resolve.requests([str(tmp_path / "all.txt")], None)
        resolve.locked(request, target(), stock())
    except LockError:
        pass
    assert not ran.exists()


@pytest.mark.parametrize("key", ["no-binary", "no-binary-package"])
def test_a_configuration_of_uvs_that_builds_is_refused(
    index: Path, ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    evil(index, ran)
    table = "[pip]\n" if key == "no-binary" else ""
    config = f'no-index = true\nfind-links = ["{index}"]\n{table}{key} = ["evil"]\n'
    (tmp_path / "uv.toml").write_text(config)
    with pytest.raises(LockError, match="would run their code"):
        uvtool.compile_lock(Asked(source="evil"), target())
    (tmp_path / "uv.toml").unlink()
    monkeypatch.delenv("UV_CONFIG_FILE")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(f'[tool.uv{".pip" if table else ""}]\n{key} = ["evil"]\n')
    with pytest.raises(LockError, match=r"pyproject\.toml has uv build"):
        uvtool.compile_lock(Asked(source="evil"), target())
    assert not ran.exists()


@pytest.mark.parametrize("name", ["UV_NO_BINARY", "UV_NO_BINARY_PACKAGE"])
def test_no_variable_has_a_package_built_here(
    index: Path, ran: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    evil(index, ran)
    monkeypatch.setenv(name, "1" if name == "UV_NO_BINARY" else "evil")
    with pytest.raises(LockError):
        uvtool.compile_lock(Asked(source="evil"), target())
    assert not ran.exists()
