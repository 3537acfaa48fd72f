"""A first project file, from what a folder holds."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.resolve.project_draft import Draft, Part, draft
from layerforge.resolve.project_settings import settings_of
from layerforge.resolve.project_text import text

SAM = """\
Globals:
  Function:
    Runtime: python3.12
Resources:
  Api:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: api/
      Architectures: [arm64]
  Train:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: train/
      Architectures: [x86_64]
  Root:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: .
  Away:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ../away/
"""


def written(folder: Path, *requirements: str) -> dict[str, Any]:
    """What the project file says; it is one that layerforge reads."""
    found = tomllib.loads(text(draft(folder, requirements)))
    settings_of(found, folder / "layerforge.toml")
    return found


def fill(folder: Path, **files: str) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_dot_", ".").replace("_dash_", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_a_project_is_a_layer_with_its_name_and_what_else_it_has_as_comments(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "My.App"\nversion = "1"\n[project.optional-dependencies]\nml = []\n'
        "[dependency-groups]\ndev = []\nlambda = []\n"
    )
    fill(tmp_path, requirements_dot_txt="", requirements_dash_dev_dot_txt="")
    assert written(tmp_path) == {"layer": {"My-App": {"project": "."}}}
    lines = text(draft(tmp_path)).splitlines()
    assert '# extra = ["ml"]  # of the project\'s extras' in lines
    assert '# group = ["dev", "lambda"]  # of its dependency groups' in lines
    assert "# requirements.txt does not count: what is named above counts instead" in lines
    assert "# requirements-dev.txt does not count: it is for those who work on it" in lines


def test_a_project_of_poetrys_has_its_name_extras_and_groups_too(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.poetry]\nname = "po-one"\n[tool.poetry.dependencies]\npython = "^3.11"\n'
        "[tool.poetry.extras]\nweb = []\n[tool.poetry.group.dev.dependencies]\n"
    )
    assert written(tmp_path) == {"layer": {"po-one": {"project": "."}}}
    lines = text(draft(tmp_path)).splitlines()
    assert '# extra = ["web"]  # of the project\'s extras' in lines
    assert '# group = ["dev"]  # of its dependency groups' in lines


def test_a_project_may_have_no_pyproject(tmp_path: Path) -> None:
    folder = tmp_path / "old"
    fill(folder, setup_dot_py="", requirements_dot_txt="")
    assert written(folder) == {"layer": {"old": {"project": "."}}}


def test_requirements_files_are_layers_without_those_of_developers(tmp_path: Path) -> None:
    folder = tmp_path / "my app"
    for name in ("requirements", "requirements-gpu", "requirements_dev", "test-requirements", "web.requirements"):
        fill(folder, **{f"{name}.txt".replace(".", "_dot_").replace("-", "_dash_"): ""})
    (folder / "pyproject.toml").write_text("[tool.ruff]\n")
    assert written(folder) == {
        "layer": {
            "my-app": {"file": "requirements.txt"},
            "gpu": {"file": "requirements-gpu.txt"},
            "web": {"file": "web.requirements.txt"},
        }
    }


def test_the_lock_of_another_tool_is_a_layer(tmp_path: Path) -> None:
    fill(tmp_path, Pipfile_dot_lock="{}", Pipfile="")
    assert list(written(tmp_path)["layer"].values()) == [{"lock": "Pipfile.lock"}]


def test_functions_of_a_template_come_with_their_pythons_and_processors(tmp_path: Path) -> None:
    fill(tmp_path, template_dot_yaml=SAM, requirements_dot_txt="", other__requirements_dot_txt="", other__a_dot_py="")
    for name in ("api", "train", "../away"):
        fill(tmp_path, **{f"{name}/requirements_dot_txt": "", f"{name}/app_dot_py": "x" * 150_000})
    assert written(tmp_path) == {
        "python": ["3.12"],
        "arch": ["arm64", "x86_64"],
        "function": {
            "Api": {"file": "api/requirements.txt", "code": "200.0 kB", "arch": "arm64"},
            "Train": {"file": "train/requirements.txt", "code": "200.0 kB", "arch": "x86_64"},
        },
    }


def test_folders_with_code_and_requirements_are_functions_by_names_of_their_own(tmp_path: Path) -> None:
    for name in ("a/api", "b/api", "cron"):
        fill(tmp_path, **{f"{name}/requirements_dot_txt": "", f"{name}/app_dot_py": "x"})
    assert written(tmp_path) == {
        "function": {
            "cron": {"file": "cron/requirements.txt", "code": "100.0 kB"},
            "a-api": {"file": "a/api/requirements.txt", "code": "100.0 kB"},
            "b-api": {"file": "b/api/requirements.txt", "code": "100.0 kB"},
        }
    }


def test_one_function_shares_nothing_and_is_a_layer(tmp_path: Path) -> None:
    fill(tmp_path, cron__requirements_dot_txt="", cron__app_dot_py="x")
    assert written(tmp_path) == {"layer": {"cron": {"file": "cron/requirements.txt"}}}


def test_requirements_that_are_named_count_alone(tmp_path: Path) -> None:
    fill(tmp_path, requirements_dot_txt="", recipes__own__recipe_dot_toml="")
    assert written(tmp_path, "pandas>=3", 'six; python_version < "4"') == {
        "recipes": "recipes",
        "layer": {"pandas-six": {"requires": ["pandas>=3", 'six; python_version < "4"']}},
    }


@pytest.mark.parametrize("content", ["", "no TOML", "[project]\nname = 3\noptional-dependencies = 3\n"])
def test_a_project_that_is_wrong_is_named_all_the_same_if_it_is_one(tmp_path: Path, content: str) -> None:
    (tmp_path / "pyproject.toml").write_text(content)
    assert [one.says[0][:2] for one in draft(tmp_path).parts] == ([("project", ".")] if content else [])


def test_nothing_is_drafted_of_nothing(tmp_path: Path) -> None:
    assert draft(tmp_path).parts == ()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_whatever_a_path_is_called_the_file_says_it(name: str) -> None:
    part = Part(kind="layer", name="a", says=(("file", name, "why"),))
    assert tomllib.loads(text(Draft(parts=(part,), passed_over=(name,)))) == {"layer": {"a": {"file": name}}}
