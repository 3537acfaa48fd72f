"""What a project says for every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerforge.resolve.errors import RecipeError
from layerforge.resolve.project_settings import NOTHING, ProjectSettings, project_settings

OWN = 'store = "s3://bucket/prefix"\ntrusted-keys = ["team:KEY"]\n'
SAID = ProjectSettings(store="s3://bucket/prefix", trusted_keys=("team:KEY",))


def test_a_project_may_say_nothing(tmp_path: Path) -> None:
    assert project_settings(tmp_path) == NOTHING
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert project_settings(tmp_path) == NOTHING


def test_its_own_file_comes_before_its_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.layerforge]\n{OWN}")
    assert project_settings(tmp_path) == SAID
    (tmp_path / "layerforge.toml").write_text('store = "other"\n')
    assert project_settings(tmp_path) == ProjectSettings(store="other")


def test_all_mistakes_are_told_at_once_with_the_nearest_key(tmp_path: Path) -> None:
    (tmp_path / "layerforge.toml").write_text('stor = "x"\nstore = 3\ntrusted-keys = "team:KEY"\n')

    with pytest.raises(RecipeError) as caught:
        project_settings(tmp_path)
    assert caught.value.exit_code == 3
    assert caught.value.details == (
        "stor is no key of it; perhaps you meant store",
        "store must be a text",
        "trusted-keys must be a list of texts",
    )


@pytest.mark.parametrize("text", ["store = ", "[[["])
def test_what_is_no_toml_is_refused_where_it_is_layerforges_own(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert project_settings(tmp_path) == NOTHING
    (tmp_path / "layerforge.toml").write_text(text)
    with pytest.raises(RecipeError, match="is not TOML"):
        project_settings(tmp_path)


def test_a_table_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool]\nlayerforge = 3\n")
    with pytest.raises(RecipeError, match="must be a table"):
        project_settings(tmp_path)
