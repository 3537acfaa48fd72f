"""``build``, ``plan`` and ``lock`` of projects, source distributions and repositories, without a container engine."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from program import LABEL, PYTHON, Command
from projects import project_files, repository, sdist, write
from wheels import make_wheel

HOST = ("--python", PYTHON, "--engine", "host")


@pytest.fixture
def project(layerforge: Command, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in the current folder that requires the one wheel of the index."""
    make_wheel(index, "dep")
    folder = write(tmp_path / "shop", project_files("shop", requires=["dep"]))
    monkeypatch.chdir(folder)
    return folder


def packages(out: str) -> list[str]:
    [layer] = json.loads(out)["layers"]
    return [one["name"] for one in layer["packages"]]


def test_a_projects_own_code_is_in_its_layer(layerforge: Command, project: Path) -> None:
    ran = layerforge("build", ".", *HOST, "--json")
    assert ran.code == 0, ran.err
    assert packages(ran.out) == ["dep", "shop"]
    assert "the layer holds the project's own code: shop 1.0" in ran.err
    assert f"a wheel is made of {project}, on this machine" in ran.err
    assert "python/shop/__init__.py" in zipfile.ZipFile(project / f"dist/shop-{LABEL}.zip").namelist()
    lock = (project / f"dist/shop-{LABEL}.lock").read_text()
    assert "shop==1.0 \\\n    --hash=sha256:" in lock
    assert "file:" not in lock
    again = layerforge("build", ".", *HOST, "--json")
    assert "a wheel is made" not in again.err
    assert "was built before" in again.err


def test_what_a_build_writes_into_the_project_does_not_change_its_wheel(layerforge: Command, project: Path) -> None:
    write(project, {"needs.txt": "-e .\n"})
    first = layerforge("build", "-r", "needs.txt", *HOST, "--json", "-o", "out")
    assert packages(first.out) == ["dep", "shop"]
    again = layerforge("build", "-r", "needs.txt", *HOST, "-o", "out")
    assert "a wheel is made" not in again.err


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_projects_own_code_can_stay_out(
    by_variable: bool, layerforge: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_variable:
        monkeypatch.setenv("LAYERFORGE_NO_PROJECT", "1")
    ran = layerforge("build", str(project), *HOST, "--json", *([] if by_variable else ["--no-project"]))
    assert packages(ran.out) == ["dep"]
    assert "own code" not in ran.err


def test_a_project_without_code_of_its_own_is_built_and_that_is_said(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "dep")
    write(
        tmp_path, {"pyproject.toml": '[project]\nname = "shop"\nversion = "1"\ndependencies = ["dep"]\n', "app.py": ""}
    )
    ran = layerforge("build", ".", *HOST, "--json")
    assert packages(ran.out) == ["dep"]
    assert "no code of its own for the layer: it has no [build-system] and no package" in ran.err


@pytest.mark.parametrize("by_variable", [False, True])
def test_others_code_is_built_here_where_that_is_said(
    by_variable: bool, layerforge: Command, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert index.is_dir()
    archive = sdist(tmp_path / "more", project_files("packed"), "packed")
    commit = repository(tmp_path / "repo", project_files("far"))
    words = (archive, f"far @ git+{(tmp_path / 'repo').as_uri()}@{commit}")
    refused = layerforge("build", *words, *HOST)
    assert refused.code == 5
    assert "--build-here" in refused.err
    if by_variable:
        monkeypatch.setenv("LAYERFORGE_BUILD_HERE", "1")
    ran = layerforge("build", *words, *HOST, "--json", *([] if by_variable else ["--build-here"]))
    assert packages(ran.out) == ["far", "packed"]
    assert [one["name"] for one in json.loads(ran.out)["layers"]] == ["packed-far"]


def test_a_plan_names_the_wheel_that_was_made(layerforge: Command, project: Path) -> None:
    ran = layerforge("plan", ".", *HOST, "--json")
    steps = json.loads(ran.out)["steps"]
    assert [(one["name"], one["version"]) for one in steps] == [("dep", "1.0"), ("shop", "1.0")]
    assert not any(one["address"] for one in steps)


def test_a_lock_holds_the_wheel_and_a_layer_is_built_from_it(layerforge: Command, project: Path) -> None:
    ran = layerforge("lock", ".", "-o", "shop.lock", "--python", PYTHON)
    assert ran.code == 0, ran.err
    assert "shop==1.0" in (project / "shop.lock").read_text()
    built = layerforge("build", ".", "--lock", "shop.lock", *HOST, "--json")
    assert packages(built.out) == ["dep", "shop"]
    (project / "shop/__init__.py").write_text("VALUE = 2\n")
    built = layerforge("build", ".", "--lock", "shop.lock", *HOST, "--json")
    assert packages(built.out) == ["dep", "shop"]
    assert "the lock has another" in built.err


def test_a_lock_without_the_project_is_one_of_what_it_depends_on(layerforge: Command, project: Path) -> None:
    assert layerforge("lock", ".", "-o", "deps.lock", "--python", PYTHON, "--no-project").code == 0
    first, _, rest = (project / "deps.lock").read_text().partition("\n")
    assert first.endswith(f"layerforge lock . --no-project -o deps.lock --python {PYTHON}")
    assert "shop" not in rest
    built = layerforge("build", ".", "--lock", "deps.lock", *HOST, "--json")
    assert packages(built.out) == ["dep", "shop"]


def test_a_project_stays_out_of_a_layer_though_the_lock_has_it(layerforge: Command, project: Path) -> None:
    assert layerforge("lock", ".", "-o", "shop.lock", "--python", PYTHON).code == 0
    built = layerforge("build", ".", "--lock", "shop.lock", "--no-project", *HOST, "--json")
    assert built.code == 0, built.err
    assert packages(built.out) == ["dep"]


def test_a_functions_folder_is_its_requirements_file(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index, "dep")
    write(tmp_path / "hello_world", {"requirements.txt": "dep\n", "app.py": ""})
    ran = layerforge("build", "hello_world", *HOST, "--json")
    assert packages(ran.out) == ["dep"]
    assert json.loads(ran.out)["layers"][0]["name"] == "hello_world"
    assert "stays the function's own" in ran.err


def test_prereleases_are_taken_where_that_is_said(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index, "demo", "1.0")
    make_wheel(index, "demo", "2.0b1")
    for more, version in (((), "1.0"), (("--prerelease", "allow"), "2.0b1")):
        ran = layerforge("build", "demo", *HOST, "--json", *more)
        [layer] = json.loads(ran.out)["layers"]
        assert layer["packages"] == [{"name": "demo", "version": version, "origin": "wheel"}]
        assert ("prereleases are taken: demo 2.0b1" in ran.err) == bool(more)


def test_a_wheel_that_is_made_here_is_not_for_a_cluster(layerforge: Command, project: Path) -> None:
    ran = layerforge("build", ".", "--python", PYTHON, "--cluster", "tls://127.0.0.1:1")
    assert ran.code in {2, 5}
    assert not (project / "dist").exists()


def test_what_a_projects_metadata_names_at_an_address_is_installed_as_the_wheel_that_was_made(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    make_wheel(index, "dep")
    repository(tmp_path / "repo", project_files("far", requires=["dep"]))
    address = f"far @ git+{(tmp_path / 'repo').as_uri()}@main"
    write(tmp_path / "shop", project_files("shop", requires=[address]))
    ran = layerforge("build", "./shop", *HOST, "--build-here", "--json")
    assert packages(ran.out) == ["dep", "far", "shop"]


def test_what_an_extra_names_at_an_address_comes_in_where_that_is_asked_for(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    assert index.is_dir()
    repository(tmp_path / "repo", project_files("far"))
    address = f"far @ git+{(tmp_path / 'repo').as_uri()}@main"
    write(tmp_path / "shop", project_files("shop", requires=[f"{address} ; extra == 'x'"]))
    for line, held in (("./shop", ["shop"]), ("./shop[x]", ["far", "shop"])):
        (tmp_path / "needs.txt").write_text(f"{line}\n")
        ran = layerforge("build", "-r", "needs.txt", *HOST, "--build-here", "--json")
        assert packages(ran.out) == held
