"""Whether a project has code of its own for a layer, told without building it."""

from __future__ import annotations

from pathlib import Path

import pytest

from layerforge.resolve import own_code
from projects import write

SETUPTOOLS = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
PROJECT = '[project]\nname = "x"\nversion = "1"\n'


@pytest.mark.parametrize(
    ("text", "files", "why"),
    [
        (PROJECT, ["app.py"], "no [build-system] and no package"),
        (PROJECT, ["app.py", "tests/test_x.py"], "no [build-system] and no package"),
        (PROJECT, ["shop/__init__.py"], ""),
        (PROJECT, ["src/shop/__init__.py"], ""),
        (PROJECT + "[tool.uv]\npackage = false\n" + SETUPTOOLS, ["src/shop/__init__.py"], "tool.uv.package is false"),
        ("[tool.poetry]\npackage-mode = false\n", ["shop/__init__.py"], "package-mode is false"),
        (PROJECT + SETUPTOOLS, ["app.py"], ""),
        (PROJECT + SETUPTOOLS, ["app.py", "more.py"], "which of these is its package: app, more"),
        (PROJECT + SETUPTOOLS, ["shop/__init__.py", "infra/x.py"], "which of these is its package: infra, shop"),
        (PROJECT + SETUPTOOLS, ["shop/__init__.py", "tests/test_x.py", "setup.py"], ""),
        (PROJECT + SETUPTOOLS + '[tool.setuptools]\npackages = ["a"]\n', ["a/x.py", "b/x.py"], ""),
        (
            PROJECT + '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
            ["a.py", "b.py"],
            "",
        ),
        ("tool = 3\nbuild-system = 4\n", ["app.py"], "no [build-system] and no package"),
        ("not TOML", ["app.py"], "no [build-system] and no package"),
    ],
)
def test_what_a_project_lacks_is_said(text: str, files: list[str], why: str, tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": text, **dict.fromkeys(files, "")})
    assert why in own_code.lacking(tmp_path)
    assert bool(why) == bool(own_code.lacking(tmp_path))


def test_what_setup_cfg_says_counts(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": PROJECT + SETUPTOOLS, "a/x.py": "", "b/x.py": ""})
    assert own_code.lacking(tmp_path)
    (tmp_path / "setup.cfg").write_text("[options]\npackages = find:\n")
    assert not own_code.lacking(tmp_path)
