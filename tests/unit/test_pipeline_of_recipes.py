"""What a recipe changes of its package and lays beside it, from its folder to a layer that was run."""

from __future__ import annotations

import json
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from fakes import FakeProgress, target
from layerforge import pipeline
from layerforge.build.host import HostEngine
from layerforge.build.interpreters import Interpreter
from layerforge.build.machine import Machine
from layerforge.build.options import Options
from layerforge.build.session import Session
from layerforge.core import digest
from layerforge.core.errors import StepError
from layerforge.core.store.disk import DiskStore
from layerforge.report.delivery import Layer
from layerforge.resolve import targets
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.recipe import Compression
from wheels import make_wheel

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE = Interpreter(path=Path(sys.executable), version=sys.version.split()[0])
STEM = f"demo-py{RUNNING.replace('.', '')}-x86_64"
SOURCE = b"'''Doc.'''\n\n\ndef answer():\n    return 41\n"
MEND = """\
--- a/demo/__init__.py
+++ b/demo/__init__.py
@@ -2,4 +2,4 @@


 def answer():
-    return 41
+    return 42
"""
LAMBDA_LIKE = Machine(system="linux", processor="x86_64", glibc=(2, 36))


@dataclass(kw_only=True)
class Place:
    """A folder with a recipe of the package demo, and all that layers are made with."""

    folder: Path
    progress: FakeProgress = field(default_factory=FakeProgress)
    archives: tuple[Path, ...] = ()

    def recipe(self, more: str = "", check: str = "", **patches: str) -> None:
        folder = self.folder / "recipes" / "demo"
        (folder / "patches").mkdir(parents=True, exist_ok=True)
        checked = '[check]\nscript = "check.py"\n' if check else ""
        text = f'schema = 2\n[package]\nname = "demo"\nversions = ">=1,<2"\n{more}\n{checked}'
        (folder / "recipe.toml").write_text(text)
        (folder / "check.py").write_text(check)
        for name, patch in patches.items():
            (folder / "patches" / f"{name}.patch").write_text(patch)

    def forge(self, out: str = "out") -> Layer:
        self.progress = FakeProgress()
        [request] = targets.requests(["demo"], None, catalogue(self.folder / "recipes"))
        options = Options(
            target=target(RUNNING),
            interpreter=HERE,
            compression=Compression.FAST,
            output=self.folder / out,
            epoch=0,
        )
        session = Session(
            store=DiskStore(root=self.folder / "store", progress=self.progress),
            progress=self.progress,
            engine=HostEngine(interpreter=HERE, machine=LAMBDA_LIKE),
            folders=self.archives,
        )
        return pipeline.forge(request, options, session)

    def beside(self, ending: str) -> dict[str, Any]:
        text = (self.folder / "out" / f"{STEM}.{ending}.json").read_text()
        if ending == "sbom":
            assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        found: dict[str, Any] = json.loads(text)
        return found


@pytest.fixture
def place(index: Path, tmp_path: Path) -> Place:
    """Where the package demo has a recipe."""
    make_wheel(index, files={"demo/__init__.py": SOURCE})
    return Place(folder=tmp_path)


def files_in(layer: Layer) -> dict[str, bytes]:
    with zipfile.ZipFile(layer.path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_patched_wheel_runs_as_the_patch_says_and_is_told_of_in_manifest_and_sbom(place: Place) -> None:
    place.recipe(check="import demo\nassert demo.answer() == 42\n", mend=MEND)
    layer = place.forge()
    files = files_in(layer)
    assert files["python/demo/__init__.py"] == SOURCE.replace(b"41", b"42")
    assert "demo/__init__.py,sha256=" in files["python/demo-1.0.dist-info/RECORD"].decode()
    assert layer.verdict is not None
    assert (layer.verdict.engine, layer.verdict.findings) == ("host", ())
    made = place.beside("manifest")
    sha256 = digest.sha256(MEND.encode())
    file = "python/demo/__init__.py"
    assert made["patches"] == [{"package": "demo", "name": "mend.patch", "sha256": sha256, "files": [file]}]
    assert made["edits"][0] == {"name": "patch", "reason": "mend.patch of demo", "bytes": 0, "files": [file]}
    [demo] = place.beside("sbom")["components"]
    [patch] = demo["pedigree"]["patches"]
    assert patch == {"type": "unofficial", "diff": {"text": {"content": MEND, "contentType": "text/x-patch"}}}
    assert demo["pedigree"]["notes"] == f"changed by its recipe: mend.patch (sha256 {sha256})"


def test_another_patch_is_another_layer_and_one_that_does_not_apply_leaves_none(place: Place) -> None:
    place.recipe(mend=MEND)
    first = place.forge()
    place.recipe(mend=MEND.replace("42", "43"))
    assert place.forge().manifest.sha256 != first.manifest.sha256
    place.recipe(mend=MEND, twice=MEND)
    with pytest.raises(StepError) as caught:
        place.forge("other")
    assert caught.value.message == (
        "the patch twice.patch of demo does not apply to demo/__init__.py: hunk 1, line 2: "
        "its new lines are there already"
    )
    assert not (place.folder / "other").exists()
