"""Source distributions are resolved from what they say of themselves; none of their code runs here."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import pytest

from fakes import stock, target
from layerforge.core.errors import LayerforgeError
from layerforge.resolve import locking, standins, targets, uv
from layerforge.resolve.errors import LockError
from layerforge.resolve.uv import Asked
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
    assert "evil==0.9" in standins.compile_lock(Asked(source="evil<1"), target(), ["evil"], stock(), ["evil<1"])
    make_wheel(index, "evil", "1.0")
    text = standins.compile_lock(Asked(source="evil"), target(), ["evil"], stock())
    assert text.count("sha256:") >= 1
    assert "one" not in text  # what the wheel says counts
    assert not ran.exists()


def test_a_project_of_whose_dependencies_one_is_compiled_is_resolved_too(
    index: Path, ran: Path, tmp_path: Path
) -> None:
    evil(index, ran)
    evil(index, ran, "2.0")
    make_wheel(index, "one")
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "p"\nversion = "1"\ndependencies = ["evil<2"]\n')
    text = standins.compile_lock(Asked(source="", projects=(project,)), target(), ["evil"], stock(), ["evil<2"])
    assert "evil==1.0" in text
    assert not ran.exists()


def test_a_package_that_is_compiled_beside_a_project_is_held_against_its_own_wheels_alone(
    index: Path, ran: Path, tmp_path: Path
) -> None:
    evil(index, ran)
    make_wheel(index, "evil", "0.5")
    make_wheel(index, "one")
    make_wheel(index, "another", "9.0")
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "p"\nversion = "1"\ndependencies = ["another"]\n')
    asked = Asked(source="evil", projects=(project,))
    text = standins.compile_lock(asked, target(), ["evil"], stock(), ["evil", "another"])
    assert "evil==1.0" in text
    assert "another==9.0" in text
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
        [request] = targets.requests([str(tmp_path / "all.txt")], None)
        locking.locked(request, target(), stock())
    except LockError:
        pass
    assert not ran.exists()


@pytest.mark.parametrize(
    "text",
    [
        '[pip]\nno-binary = ["evil"]',
        'no-binary-package = ["evil"]',
        'extra-build-variables = {{ evil = {{ PYTHONHOME = "" }} }}\nno-binary-package = ["evil"]',
        'override-dependencies = ["evil @ {index}/evil-1.0.tar.gz"]',
        '[pip]\nno-binary = [":all:"]',
    ],
)
@pytest.mark.parametrize("compiled", [(), ("evil",)], ids=["wheels", "compiled"])
def test_whatever_configures_uv_no_package_is_built_here(
    index: Path, ran: Path, tmp_path: Path, text: str, compiled: tuple[str, ...]
) -> None:
    evil(index, ran)
    make_wheel(index, "one")
    config = f'no-index = true\nfind-links = ["{index}"]\n{text.format(index=index.as_uri())}\n'
    (tmp_path / "uv.toml").write_text(config)
    with suppress(LayerforgeError):
        standins.compile_lock(Asked(source="evil"), target(), compiled, stock())
    with suppress(LayerforgeError):
        uv.newest(Asked(source="evil"), target(), wheels=False)
    assert not ran.exists()


def test_what_uv_would_have_to_build_is_told_as_that(index: Path, ran: Path, tmp_path: Path) -> None:
    evil(index, ran)
    (tmp_path / "uv.toml").write_text(f'no-index = true\nfind-links = ["{index}"]\nno-binary-package = ["evil"]\n')
    with pytest.raises(LockError, match="has uv build packages, which would run their code") as caught:
        uv.compile_lock(Asked(source="evil"), target())
    assert "--from-source" in caught.value.hint


@pytest.mark.parametrize("name", ["UV_NO_BINARY", "UV_NO_BINARY_PACKAGE"])
def test_no_variable_has_a_package_built_here(
    index: Path, ran: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    evil(index, ran)
    monkeypatch.setenv(name, "1" if name == "UV_NO_BINARY" else "evil")
    with suppress(LayerforgeError):
        uv.compile_lock(Asked(source="evil"), target())
    assert not ran.exists()


def test_the_configuration_of_the_folder_that_one_stands_in_is_looked_at(
    index: Path, ran: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil(index, ran)
    monkeypatch.delenv("UV_CONFIG_FILE")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    table = f'no-index = true\nfind-links = ["{index}"]\nextra-build-variables = {{ evil = {{ PYTHONHOME = "" }} }}\n'
    (tmp_path / "pyproject.toml").write_text(f'[tool.uv]\n{table}no-binary-package = ["evil"]\n')
    with pytest.raises(LockError, match=r"pyproject\.toml has uv build packages"):
        uv.compile_lock(Asked(source="evil"), target())
    assert not ran.exists()


def test_an_address_that_is_to_be_compiled_is_refused_and_not_built(index: Path, ran: Path) -> None:
    evil(index, ran)
    line = f"evil @ {index.as_uri()}/evil-1.0.tar.gz"
    with pytest.raises(LockError, match="would have to be built"):
        standins.compile_lock(Asked(source=line), target(), ["evil"], stock(), [line])
    assert not ran.exists()


def test_what_requirements_say_of_a_package_is_taken_and_lines_that_make_no_sense_are_passed_over() -> None:
    lines = ["===", "Demo @ https://nowhere.invalid/demo.whl", "other<2", "Demo[fast]>=1,<3; python_version > '3'"]
    assert standins.own("demo", lines) == "Demo<3,>=1"
    assert standins.own("absent", lines) == "absent"


def test_requirements_of_setuptools_that_lead_elsewhere_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "demo.egg-info").mkdir()
    (tmp_path / "secret").write_text("one>=1\n")
    requires = tmp_path / "demo.egg-info/requires.txt"
    requires.symlink_to("../secret")
    assert list(standins._egg_requires(tmp_path)) == []
    requires.unlink()
    requires.write_text("one>=1\n\n[fast]\ntwo\n")
    assert next(iter(standins._egg_requires(tmp_path))) == "one>=1"
