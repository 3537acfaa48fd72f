"""The rules of the house: style, types and the direction of imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from fnmatch import fnmatch
from pathlib import Path

import pytest
from hypothesis import settings

from layerforge.resolve import recipe_check
from layerforge.resolve.catalogue import catalogue

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["lint-imports"]],
    ids=["lint", "format", "types", "imports"],
)
def test_the_house_is_in_order(command: list[str]) -> None:
    done = subprocess.run([SCRIPTS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_test_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = (ROOT / "tests/requirements.lock").read_text()
    for requirement in (*project["dependencies"], *project["optional-dependencies"]["test"]):
        name = requirement.split("[")[0].split(">")[0].split("=")[0]
        assert f"\n{name}==" in locked or f"\n{name}[" in locked, f"{name} is not locked"


def test_no_lock_names_an_index() -> None:
    others = ROOT / "tests/data/other_locks"
    for path in (*ROOT.glob("recipes/*/*.lock"), *ROOT.glob("tests/**/*.lock")):
        assert "://" not in path.read_text() or others in path.parents, path
    for path in (one for one in others.rglob("*") if one.is_file()):
        assert {*re.findall(r"://([^/\"]+)", path.read_text())} <= {"index.example"}, path
    assert '"resolved"' not in (ROOT / "tests/tools/package-lock.json").read_text()


def test_the_recipe_in_the_docs_is_the_real_one() -> None:
    assert (ROOT / "recipes/lxml/recipe.toml").read_text() in (ROOT / "docs/recipes.md").read_text()


def test_nothing_is_wrong_with_the_recipes_and_nothing_stands_twice_in_them() -> None:
    folders = recipe_check.recipe_folders([ROOT / "recipes"])
    found = recipe_check.check(folders, catalogue().with_those_beside(*folders))
    assert found.errors == ()
    assert not [one for one in found.findings if "stand in" in one.message]


def test_no_folder_of_tests_is_passed_over(pytestconfig: pytest.Config) -> None:
    passed_over = pytestconfig.getini("norecursedirs")
    for file in (ROOT / "tests").rglob("test_*.py"):
        for part in file.relative_to(ROOT).parts:
            assert not any(fnmatch(part, pattern) for pattern in passed_over), file


def test_no_test_has_a_deadline_of_its_own() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        assert path == Path(__file__) or "deadline" not in path.read_text() or path.name == "conftest.py", path
    assert settings.default is not None
    assert settings.default.deadline is None


def test_only_a_screen_writes_to_a_terminal() -> None:
    """What shows text goes through ``Screen``, which takes no markup: elsewhere forgetting to escape is impossible."""
    allowed = {"cli/bars.py", "cli/screen.py", "cli/terminal.py"}
    for file in sorted((ROOT / "src/layerforge").rglob("*.py")):
        name = file.relative_to(ROOT / "src/layerforge").as_posix()
        text = file.read_text("utf-8")
        if name in allowed or name.startswith("data/"):
            continue
        assert "rich" not in imported(text), name
        assert not prints(text), name


def prints(text: str) -> bool:
    """Whether a source calls ``print``."""
    calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    return any(isinstance(one, ast.Name) and one.id == "print" for one in calls)


def imported(text: str) -> set[str]:
    """The top-level packages that a source imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_the_map_of_the_wings_is_the_one_that_is_enforced() -> None:
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)(?:/|\.py)` \|.*\| ([^|]+) \|$", text, re.MULTILINE)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    wings = next(one["layers"] for one in contracts if one["type"] == "layers")
    assert [name for name, _ in rows] == wings
    below = ["everything", *(f"`{name}` and below" for name in wings[2:-1]), "`core`", "nothing here"]
    assert [may for _, may in rows] == below


def test_every_file_that_the_docs_send_people_to_is_there() -> None:
    source = ROOT / "src/layerforge"
    named = r"`((?:src/layerforge/|tests/|docs/|recipes/|docker/|\w+/)[\w./-]*|pipeline\.py)`"
    for path in (ROOT / "docs/architecture.md", ROOT / "CONTRIBUTING.md"):
        for name in re.findall(named, path.read_text("utf-8")):
            assert (ROOT / name).exists() or (source / name).exists(), f"{path.name} names {name}"


# --- what strangers meet first


def test_every_action_is_pinned_by_a_commit_with_its_version() -> None:
    files = [*ROOT.glob(".github/**/*.yml"), ROOT / "action.yml"]
    used = [line.strip() for path in files for line in path.read_text("utf-8").splitlines() if "uses:" in line]
    foreign = [line for line in used if "uses: ./" not in line]
    assert len(foreign) > 10
    assert not [
        line for line in foreign if not re.fullmatch(r"(- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
    ]


def test_every_job_says_what_it_may() -> None:
    for path in ROOT.glob(".github/workflows/*.yml"):
        text = path.read_text("utf-8")
        assert "\npermissions:\n  contents: read\n" in text, path.name
        assert text.count("runs-on:") == text.count("timeout-minutes:"), path.name


def built(kind: str, folder: Path) -> Path:
    """A distribution of this checkout."""
    argv = [str(SCRIPTS / "hatchling"), "build", "--target", kind, "--directory", str(folder)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = [path for path in folder.iterdir() if path.suffix in {".gz", ".whl"}]
    return made


def test_a_source_distribution_has_what_its_tests_and_docs_need(tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path)) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    wanted = {"CONTRIBUTING.md", "SECURITY.md", "LICENSE", "README.md", "docs/rules.md", "docker/al2023/Dockerfile"}
    assert wanted | {"recipes/lxml/recipe.toml", "tests/conftest.py", ".ci/run"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".git/", ".venv"))]


def test_a_wheel_carries_what_the_program_reads(tmp_path: Path) -> None:
    with zipfile.ZipFile(built("wheel", tmp_path)) as wheel:
        names = set(wheel.namelist())
    carried = {"rules.md", "runtimes.toml", "recipes/lxml/recipe.toml", "docker/al2023/Dockerfile", "compile_worker.py"}
    assert {f"layerforge/data/{name}" for name in carried} <= names
    assert "layerforge/pipeline.py" in names
    assert not [name for name in names if "__pycache__" in name or not name.startswith(("layerforge/", "layerforge-"))]
