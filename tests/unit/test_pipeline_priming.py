"""Layers that have something to load before a snapshot: from the recipe's keys to a layer that was proved."""

from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes import FakeProgress, target
from forging import forge
from layerforge.build.host import HostEngine
from layerforge.build.interpreters import Interpreter
from layerforge.build.machine import Machine
from layerforge.build.options import Options
from layerforge.build.session import Session
from layerforge.core.errors import VerificationError
from layerforge.core.store.disk import DiskStore
from layerforge.examine.examine import examine
from layerforge.report.delivery import Layer
from layerforge.resolve import targets
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import BytecodeMode, Compression
from wheels import make_wheel

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = Interpreter(path=Path(sys.executable), version=sys.version.split()[0])
FILES = {
    "demo/__init__.py": b"from demo.near import use\n",
    "demo/near.py": b"'''Near.'''\nfrom demo.far import answer\n\n\ndef use():\n    return answer()\n",
    "demo/far.py": b"def answer():\n    return 42\n",
}
WAITS = '[defer]\n"demo/near.py" = ["demo.far"]\n'
WARMS = '[prime]\nscript = "prime.py"\n'
FOLDER = "python/layerforge_prime/"


@dataclass(kw_only=True)
class Place:
    """A folder with a recipe of the package demo."""

    folder: Path

    def recipe(self, more: str, prime: str = "import demo\nassert demo.use() == 42\n") -> None:
        folder = self.folder / "recipes" / "demo"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "recipe.toml").write_text(f'schema = 2\n[package]\nname = "demo"\nversions = ">=1,<2"\n{more}')
        if prime:
            (folder / "prime.py").write_text(prime)

    def forge(self, mode: BytecodeMode | None = None, out: str = "out", *, verify: bool = False) -> Layer:
        [request] = targets.requests(["demo"], None, catalogue(self.folder / "recipes"))
        options = Options(
            target=target(RUNNING),
            interpreter=HERE,
            compression=Compression.FAST,
            output=self.folder / out,
            epoch=0,
            bytecode=mode,
            verify=verify,
        )
        progress = FakeProgress()
        engine = HostEngine(interpreter=HERE, machine=Machine(system="linux", processor="x86_64", glibc=(2, 36)))
        store = DiskStore(root=self.folder / f"store-{out}", progress=progress)
        return forge(request, options, Session(store=store, progress=progress, engine=engine))


@pytest.fixture
def place(index: Path, tmp_path: Path) -> Place:
    make_wheel(index, files=FILES)
    return Place(folder=tmp_path)


def primed(layer: Layer) -> dict[str, bytes]:
    """What a layer has for it, by name in the folder."""
    with zipfile.ZipFile(layer.path) as archive:
        names = [name for name in archive.namelist() if name.startswith(FOLDER)]
        return {name.removeprefix(FOLDER): archive.read(name) for name in names}


def test_what_waits_and_a_warm_up_are_in_the_layer_with_their_bytecode_and_proved(place: Place) -> None:
    place.recipe(WAITS + WARMS)
    layer = place.forge(verify=True)
    tag = HERE.version.replace(".", "", 1).partition(".")[0]
    cache = f"__pycache__/{{}}.cpython-{tag}.pyc"
    found = primed(layer)
    assert set(found) == {"__init__.py", "demo.json", "demo.py", cache.format("__init__"), cache.format("demo")}
    assert json.loads(found["demo.json"]) == {"demo": ["layerforge_prime.demo"], "demo.near": ["demo.far"]}
    assert layer.verdict is not None
    assert layer.verdict.findings == ()
    assert {one.package for one in examine(layer.path).members} == {"demo"}, "nothing in it belongs to nobody"


def test_a_layer_without_sources_has_them_in_their_places(place: Place) -> None:
    place.recipe(WAITS + WARMS)
    layer = place.forge(BytecodeMode.ONLY, verify=True)
    assert set(primed(layer)) == {"__init__.pyc", "demo.json", "demo.pyc"}
    assert layer.verdict is not None
    assert layer.verdict.findings == ()


def test_without_bytecode_nothing_waits_and_warm_ups_are_left(place: Place) -> None:
    place.recipe(WAITS)
    assert primed(place.forge(BytecodeMode.NONE)) == {}
    place.recipe(WAITS + WARMS)
    found = primed(place.forge(BytecodeMode.NONE, "warm"))
    assert json.loads(found["demo.json"]) == {"demo": ["layerforge_prime.demo"]}


def test_a_recipe_without_either_leaves_no_trace(place: Place) -> None:
    place.recipe("", prime="")
    assert primed(place.forge()) == {}


def test_the_shared_module_has_the_same_bytes_whatever_becomes_of_docstrings(place: Place) -> None:
    place.recipe(WAITS)
    kept = primed(place.forge())
    place.recipe(f'{WAITS}[bytecode]\ndocstrings = "drop"\noptimize = 2\n')
    dropped = primed(place.forge(out="dropped"))
    assert kept == dropped


def test_the_same_layer_comes_of_another_store_and_another_warm_up_makes_another_layer(place: Place) -> None:
    place.recipe(WAITS + WARMS)
    first = place.forge().manifest
    assert place.forge(out="again").manifest.sha256 == first.sha256
    place.recipe(WAITS + WARMS, prime="import demo\n")
    other = place.forge().manifest
    assert (other.key, other.sha256) != (first.key, first.sha256)
    assert other.key != first.key


@pytest.mark.parametrize("prime", ["assert 1 == 2, 'cold'\n", "import demo.absent\n", "raise SystemExit(0)\n"])
def test_a_warm_up_that_fails_is_found_before_the_layer_is_published(place: Place, prime: str) -> None:
    place.recipe(WARMS, prime=prime)
    with pytest.raises(VerificationError) as caught:
        place.forge(verify=True)
    [finding] = caught.value.findings
    assert finding.rule == "LF402"
    assert "layerforge_prime/check.py: AssertionError: layerforge_prime.demo: " in finding.message


def test_a_warm_up_that_is_not_there_or_a_library_that_has_one_is_a_mistake(place: Place) -> None:
    place.recipe(WARMS, prime="")
    with pytest.raises(RecipeError) as caught:
        place.forge()
    assert caught.value.details == ("prime.script names prime.py, which is not there",)
