"""Layers whose recipes have imports wait: from the recipe's key to the bytecode, and what is told of it."""

from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeProgress, target
from forging import forge
from layerforge.build.host import HostEngine
from layerforge.build.interpreters import Interpreter
from layerforge.build.machine import Machine
from layerforge.build.options import Options
from layerforge.build.session import Session
from layerforge.cli import ingredients
from layerforge.core.errors import VerificationError
from layerforge.core.store.disk import DiskStore
from layerforge.report.delivery import Layer
from layerforge.report.manifest import read_manifest
from layerforge.resolve import targets
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import BytecodeMode, Compression
from wheels import make_wheel

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = Interpreter(path=Path(sys.executable), version=sys.version.split()[0])
STEM = f"demo-py{RUNNING.replace('.', '')}-x86_64"
FILES = {
    "demo/__init__.py": b"from demo.near import use\n",
    "demo/near.py": b"from demo.far import answer\n\n\ndef use():\n    return answer()\n",
    "demo/far.py": b"def answer():\n    return 42\n",
    "demo/loads.py": b"from demo.far import answer\n\nX = answer()\n",
}
WAITS = '"demo/near.py" = ["demo.far"]'
CHECK = """
import sys
import demo
assert ("demo.far" in sys.modules) is {eager}, "it was loaded"
assert demo.use() == 42 and "demo.far" in sys.modules
"""


@dataclass(kw_only=True)
class Place:
    """A folder with a recipe of the package demo."""

    folder: Path

    def recipe(self, defer: str, check: str = "", versions: str = ">=1,<2") -> None:
        folder = self.folder / "recipes" / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "recipe.toml").write_text(
            f'schema = 2\n[package]\nname = "demo"\nversions = "{versions}"\n[defer]\n{defer}\n'
            '[check]\nimports = ["demo"]\nscript = "check.py"\n'
        )
        (folder / "check.py").write_text(check)

    def forge(self, mode: BytecodeMode | None = None, progress: FakeProgress | None = None) -> Layer:
        [request] = targets.requests(["demo"], None, catalogue(self.folder / "recipes"))
        options = Options(
            target=target(RUNNING),
            interpreter=HERE,
            compression=Compression.FAST,
            output=self.folder / "out",
            epoch=0,
            bytecode=mode,
        )
        engine = HostEngine(interpreter=HERE, machine=Machine(system="linux", processor="x86_64", glibc=(2, 36)))
        progress = progress or FakeProgress()
        store = DiskStore(root=self.folder / "store", progress=progress)
        return forge(request, options, Session(store=store, progress=progress, engine=engine))

    def beside(self, ending: str) -> Any:
        return json.loads((self.folder / "out" / f"{STEM}.{ending}.json").read_text())


@pytest.fixture
def place(index: Path, tmp_path: Path) -> Place:
    make_wheel(index, files=FILES)
    return Place(folder=tmp_path)


@pytest.mark.parametrize("mode", [BytecodeMode.BESIDE, BytecodeMode.ONLY])
def test_the_layer_loads_later_what_its_recipe_has_wait_and_that_is_told_everywhere(
    place: Place, mode: BytecodeMode
) -> None:
    place.recipe(WAITS, CHECK.format(eager=False))
    layer = place.forge(mode)
    assert layer.verdict is not None
    assert (layer.verdict.engine, layer.verdict.findings) == ("host", ())
    waits = [{"package": "demo", "file": "demo/near.py", "modules": ["demo.far"]}]
    assert place.beside("manifest")["deferred"] == waits
    assert read_manifest((place.folder / "out" / f"{STEM}.manifest.json").read_text()) == layer.manifest
    assert ingredients.as_data(layer.manifest)["deferred"][0]["file"] == "demo/near.py"
    assert list(ingredients.told(layer.manifest)) == ["1 import waits in 1 file (demo)"]
    [demo] = place.beside("sbom")["components"]
    assert demo["pedigree"]["notes"] == "imports wait in the bytecode of demo/near.py: demo.far"
    if mode is BytecodeMode.BESIDE:
        with zipfile.ZipFile(layer.path) as archive:
            assert archive.read("python/demo/near.py") == FILES["demo/near.py"]


def test_nothing_waits_where_nothing_is_compiled_and_that_is_said(place: Place) -> None:
    place.recipe(WAITS, CHECK.format(eager=True))
    layer = place.forge(BytecodeMode.NONE)
    assert layer.manifest.deferred == ()
    assert list(ingredients.told(layer.manifest)) == [
        "no import waits, since nothing is compiled: 1 import would in 1 file (demo)"
    ]
    assert "pedigree" not in place.beside("sbom")["components"][0]


def test_a_recipe_for_other_versions_has_nothing_wait_and_the_build_says_so(place: Place) -> None:
    place.recipe('"demo/nowhere.py" = ["demo.far"]', versions=">=2")
    progress = FakeProgress()
    layer = place.forge(progress=progress)
    assert layer.manifest.deferred == ()
    assert any("demo 1.0 is not among the versions of its recipe, >=2" in line for line in progress.lines)


def test_the_same_layer_comes_again_and_another_deferral_is_another_layer(place: Place) -> None:
    place.recipe(WAITS)
    first = place.forge().manifest
    assert place.forge().manifest.sha256 == first.sha256
    place.recipe('"demo/__init__.py" = ["demo.near"]')
    other = place.forge().manifest
    assert (other.sha256, other.key) != (first.sha256, first.key)


def test_every_mistake_of_a_recipe_s_deferrals_is_told_at_once_with_file_and_line(place: Place) -> None:
    place.recipe('"demo/loads.py" = ["demo.far"]\n"demo/near.py" = ["demo.fat"]')
    with pytest.raises(RecipeError) as raised:
        place.forge()
    assert raised.value.exit_code == 3
    assert raised.value.message == "the recipe demo has imports wait that cannot"
    assert raised.value.details == (
        "demo/loads.py, line 3: answer is used while the module loads",
        "demo/near.py, demo.fat is not imported; near it: demo.far in line 1, demo.far.answer in line 1",
    )


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("demo/naer.py", "demo/naer.py is not there; perhaps it is demo/near.py"),
        ("somewhere/else.py", "somewhere/else.py is not there"),
    ],
)
def test_files_that_the_package_has_not_are_refused(place: Place, file: str, told: str) -> None:
    place.recipe(f'"{file}" = ["demo.far"]')
    with pytest.raises(
        RecipeError, match="the recipe demo has imports wait in files that are none of its package's"
    ) as raised:
        place.forge()
    assert raised.value.details == (told,)


def test_a_file_of_another_package_is_refused(place: Place, index: Path) -> None:
    make_wheel(index, name="other", files={"other/__init__.py": b"import os\n"})
    make_wheel(index, version="1.1", files=FILES, requires=("other",))
    place.recipe('"other/__init__.py" = ["os"]')
    with pytest.raises(RecipeError) as raised:
        place.forge()
    assert raised.value.details == ("other/__init__.py is a file of other",)


def test_a_cycle_that_waiting_brings_about_is_told_with_the_import_that_waits(place: Place, index: Path) -> None:
    files = {
        "demo/__init__.py": b"from demo import first, second\n",
        "demo/first.py": b"import demo.third\n\n\ndef use():\n    return demo.third.x\n",
        "demo/second.py": b"import demo\n\nX = demo.third.x\n",
        "demo/third.py": b"x = 1\n",
    }
    make_wheel(index, version="1.1", files=files)
    place.recipe('"demo/first.py" = ["demo.third"]')
    with pytest.raises(VerificationError) as raised:
        place.forge()
    text = "\n".join((raised.value.message, raised.value.hint, *raised.value.details))
    assert "an import that waits may be the cause: demo.third in demo/first.py (demo)" in text
