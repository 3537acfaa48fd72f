"""Dependencies that uv's own table takes from folders and repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerforge.resolve import requirements
from projects import project_files, write

TABLE = """[project]
name = "shop"
version = "1"
dependencies = ["near", "Far_Off[x]", "indexed", "member", "wheel", "git-lfs @ git+https://h/lfs@v1"]
[tool.uv.sources]
near = { path = "../near", editable = true }
far-off = { git = "https://h/far.git", tag = "v2", subdirectory = "py", marker = "sys_platform == 'linux'" }
indexed = { index = "other" }
member = { workspace = true }
wheel = { path = "../wheel-1.0-py3-none-any.whl" }
unused = { path = "../absent" }
[tool.uv.workspace]
members = ["packages/*", 3, "../.."]
"""


def test_what_no_index_gives_is_made_a_wheel_of_in_its_place(tmp_path: Path) -> None:
    write(tmp_path / "near", project_files())
    write(tmp_path / "shop", {"pyproject.toml": TABLE})
    write(tmp_path / "shop/packages/m", {"pyproject.toml": '[project]\nname = "Member"\n'})
    write(tmp_path / "shop/packages/n", {"pyproject.toml": "broken"})
    found = requirements.listed(tmp_path / "shop/pyproject.toml")
    assert found.instead == (
        "git-lfs @ git+https://h/lfs@v1",
        f"near @ {(tmp_path / 'near').as_uri()}",
        "far-off @ git+https://h/far.git@v2#subdirectory=py ; sys_platform == 'linux'",
        f"member @ {(tmp_path / 'shop/packages/m').as_uri()}",
    )
    assert (found.local, found.refused, found.text) == ((), (), "")
    assert found.requires == ("near", "Far_Off[x]", "indexed", "member", "wheel")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    table = '[tool.uv.sources]\na = { path = "no" }\nb = { workspace = true }\n'
    write(tmp_path, {"pyproject.toml": f'[project]\nname = "x"\ndependencies = ["a", "b"]\n{table}'})
    found = requirements.listed(tmp_path / "pyproject.toml")
    assert found.refused == (
        "pyproject.toml: tool.uv.sources of a: there is nothing of that name",
        "pyproject.toml: tool.uv.sources of b: no member of its workspace is called so",
    )


@pytest.mark.parametrize(
    "value", ["3", "[3]", "{ a = 3 }", "{ a = [3, { path = 3 }] }", "{ a = { git = 3, rev = 4 } }"]
)
def test_a_table_of_anything_ends_in_nothing_or_an_error_of_ours(value: str, tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": f'[project]\nname = "x"\ndependencies = ["a"]\n[tool.uv]\nsources = {value}\n'})
    assert requirements.listed(tmp_path / "pyproject.toml").instead == ()
