"""A first recipe for a package, from an index that is a folder."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import elves
from layerforge.resolve import recipe_check, recipe_file
from layerforge.resolve.catalogue import catalogue
from program import PYTHON, Command, inside
from sdists import make_sdist, publish
from wheels import make_wheel

TAG = f"cp{PYTHON.replace('.', '')}-cp{PYTHON.replace('.', '')}-manylinux_2_17_x86_64"
EXTENSION = f"demo/_fast.cpython-{PYTHON.replace('.', '')}-x86_64-linux-gnu.so"
NATIVE = elves.image(needed=("libgomp.so.1", "libc.so.6", "libown-1.so.2", "libodd.so.9"))
SOURCE = b"""\
import os
PLACE = os.environ.get("DEMO_DATA", "")
LEVEL = os.getenv("DEMO_LEVEL") or os.environ["DEMO_DATA"]
HOME = os.environ["HOME"]
"""
FILES = {
    "demo/__init__.py": SOURCE,
    "demo/testing/big.txt": b"x" * 5000,
    "demo/docs/guide.txt": b"z" * 3200,
    "demo/models/large.bin": b"y" * 90_000,
    EXTENSION: NATIVE,
    "demo.libs/libown-1.so.2": elves.image(soname="libown-1.so.2"),
    "helper/__init__.py": b"",
    "demo-1.4.dist-info/entry_points.txt": b"[console_scripts]\ndemo-run = demo:main\n",
}


@pytest.fixture
def layerforge(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    make_wheel(index, version="1.4", files=FILES, tag=TAG, requires=["numpy", 'other; extra == "more"'])
    make_wheel(index, "numpy", "2.5.5")
    return inside(tmp_path, monkeypatch, capsys)


def written(folder: Path) -> str:
    return (folder / "recipes/demo/recipe.toml").read_text()


def test_a_recipe_tells_what_the_wheel_holds_and_is_sound(layerforge: Command, tmp_path: Path) -> None:
    ran = layerforge("recipes", "new", "demo", "--python", PYTHON)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[:2] == ["recipes/demo/recipe.toml", "recipes/demo/check.py"]
    assert "layerforge lock ./recipes/demo" in ran.out
    text = written(tmp_path)
    for line in (
        f"# demo 1.4, from its wheel for Python {PYTHON} on x86_64:",
        "# It requires numpy; of these, recipes are there for numpy.",
        "# It has native code, and no source distribution: it comes from its wheel.",
        "# Its native code wants these too, which neither the layer nor Lambda nor every image has.",
        '# system = ["libgomp.so.1", "libodd.so.9"]',
        "#   demo/models/large.bin",
        '#     "demo/docs/**",   # 1 file, 3.2 kB',
        '#     "demo/testing/**",   # 1 file, 5.0 kB',
        "# Its code reads these variables: DEMO_DATA, DEMO_LEVEL.",
        '# DEMO_DATA = "/opt/share/…"',
        "# Programs: demo-run. A check should start them.",
        "# Its wheel brings these too: helper. They may want more packages.",
    ):
        assert line in text
    assert "demo.libs/libown-1.so.2" in text
    assert tomllib.loads(text) == {
        "schema": 2,
        "package": {"name": "demo", "versions": ">=1.4,<2", "system": ["libgomp.so.1"]},
        "check": {"imports": ["demo"]},
        "layer": {"requires": ["demo>=1.4,<2"]},
    }
    found = recipe_check.check((tmp_path / "recipes/demo",), catalogue().with_those_beside(tmp_path / "recipes/demo"))
    assert found.errors == ()
    assert recipe_file.load(tmp_path / "recipes/demo").name == "demo"


def test_the_check_that_is_written_fails_until_somebody_writes_one(layerforge: Command, tmp_path: Path) -> None:
    assert layerforge("recipes", "new", "demo", "--python", PYTHON).code == 0
    with pytest.raises(SystemExit, match="write here what your functions do with demo"):
        exec((tmp_path / "recipes/demo/check.py").read_text(), {})
    ran = layerforge("recipes", "check", "recipes")
    assert ran.code == 0
    assert "nothing but imports proves the package" in ran.out


def test_what_a_source_distribution_declares_is_told_without_running_it(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    make_sdist(
        index, version="1.4", files={"setup.py": "raise SystemExit('run')"}, requires=("setuptools>=75", "cython")
    )
    (tmp_path / "uv.toml").write_text(f'index-url = "{publish(index, tmp_path / "simple")}"\n')
    ran = layerforge("recipes", "new", "demo", "--python", PYTHON)
    assert ran.code == 0, ran.err
    text = written(tmp_path)
    assert "could be compiled from demo-1.4.tar.gz, which declares to be built with" in text
    assert "setuptools>=75, cython." in text.replace("\n# ", " ")
    assert '# build = "source"\n# needs = ["numpy"]\n' in text


def test_a_pure_package_has_nothing_to_compile(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_wheel(index, "pure", "0.9")
    assert layerforge("recipes", "new", "Pure>=0.5", "--python", PYTHON, "-o", "mine").code == 0
    text = (tmp_path / "mine/pure/recipe.toml").read_text()
    assert "# No native code: there is nothing to compile." in text
    assert 'versions = ">=0.9,<1"' in text


def test_no_file_is_overwritten(layerforge: Command, tmp_path: Path) -> None:
    assert layerforge("recipes", "new", "demo", "--python", PYTHON).code == 0
    before = written(tmp_path)
    ran = layerforge("recipes", "new", "demo", "--python", PYTHON)
    assert ran.code == 2
    assert "recipes/demo is there already, and nothing is overwritten" in ran.err
    assert written(tmp_path) == before
    (tmp_path / "recipes/other").symlink_to("nowhere")
    assert "recipes/other is in the way" in layerforge("recipes", "new", "other").err


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("numpy", 2, "there is a recipe for the package numpy already"),
        ("openblas", 2, "there is a recipe for the library openblas already"),
        ("demo[more]", 2, "a recipe is about a package: layerforge recipes new demo"),
        ("demo @ https://nowhere.invalid/x.whl", 2, "says more than a recipe can be about"),
        ("not a name", 2, "is no package"),
        ("absent-package", 4, "there is no package absent-package"),
        ("demo>=9", 4, "demo"),
    ],
)
def test_what_no_recipe_can_be_written_for_is_told(
    layerforge: Command, tmp_path: Path, name: str, code: int, words: str
) -> None:
    ran = layerforge("recipes", "new", name, "--python", PYTHON)
    assert ran.code == code
    assert words in ran.err
    assert not (tmp_path / "recipes").exists()


def test_a_package_without_a_wheel_is_told_what_was_tried(layerforge: Command, index: Path, tmp_path: Path) -> None:
    make_sdist(index, "bare")
    (tmp_path / "uv.toml").write_text(f'index-url = "{publish(index, tmp_path / "simple")}"\n')
    ran = layerforge("recipes", "new", "bare", "--python", PYTHON)
    assert ran.code == 4
    assert "bare has no wheel" in ran.err
    assert "→ compile it: `--from-source bare` and a container engine" in ran.err
