"""What a recipe changes of its package and lays beside it, from its folder to a layer that was run."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import sdists
from fakes import FakeProgress, target
from forging import forge
from layerforge.build.host import HostEngine
from layerforge.build.interpreters import Interpreter
from layerforge.build.machine import Machine
from layerforge.build.options import Options
from layerforge.build.session import Session
from layerforge.core import digest
from layerforge.core.errors import StepError, VerificationError
from layerforge.core.progress import Step
from layerforge.core.store.disk import DiskStore
from layerforge.report.delivery import Layer
from layerforge.resolve import targets
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.errors import LockError
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

    def forge(self, out: str = "out", progress: FakeProgress | None = None, *, verify: bool = False) -> Layer:
        self.progress = progress or FakeProgress()
        [request] = targets.requests(["demo"], None, catalogue(self.folder / "recipes"))
        options = Options(
            target=target(RUNNING),
            interpreter=HERE,
            compression=Compression.FAST,
            output=self.folder / out,
            epoch=0,
            verify=verify,
        )
        engine = HostEngine(interpreter=HERE, machine=LAMBDA_LIKE)
        session = Session(store=self.store, progress=self.progress, engine=engine, folders=self.archives)
        return forge(request, options, session)

    @property
    def store(self) -> DiskStore:
        return DiskStore(root=self.folder / "store", progress=self.progress)

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
    layer = place.forge(verify=True)
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


def test_the_check_sees_what_the_patch_made(place: Place) -> None:
    place.recipe(check="import demo\nassert demo.answer() == 42\n", mend=MEND.replace("42", "43"))
    with pytest.raises(VerificationError):
        place.forge(verify=True)


ARCHIVE = sdists.archive({"words/en.txt": "one\ntwo\n", "words/de.txt": "eins\n", "README": "Read it.\n"})
DATA = f"""
[[data]]
url = "https://user:secret@nowhere.invalid/d/words.tar.gz?token=1"
sha256 = "{digest.sha256(ARCHIVE)}"
into = "share/demo"
unpack = true
files = ["words/*"]
[[data]]
url = "https://nowhere.invalid/d/plain.txt"
sha256 = "{digest.sha256(b"plain")}"
into = "share/demo"
"""
READS = """
from pathlib import Path
import demo
share = Path(demo.__file__).parents[2] / "share/demo"
assert (share / "words/en.txt").read_text() == "one\\ntwo\\n"
assert (share / "plain.txt").read_text() == "plain"
"""


@pytest.fixture
def brought(place: Place) -> Place:
    """The same with data that a folder of the user's has."""
    archives = place.folder / "archives"
    archives.mkdir()
    (archives / "words").write_bytes(ARCHIVE)
    (archives / "plain").write_bytes(b"plain")
    place.archives = (archives,)
    return place


def test_data_lies_in_the_layer_is_read_there_and_is_told_of_in_record_manifest_and_sbom(brought: Place) -> None:
    brought.recipe(DATA, check=READS)
    layer = brought.forge(verify=True)
    files = files_in(layer)
    names = {name for name in files if name.startswith("share/")}
    assert names == {"share/demo/plain.txt", "share/demo/words/de.txt", "share/demo/words/en.txt"}
    assert "../share/demo/words/en.txt,sha256=" in files["python/demo-1.0.dist-info/RECORD"].decode()
    assert layer.verdict is not None
    assert (layer.verdict.engine, layer.verdict.findings) == ("host", ())
    shas = [digest.sha256(ARCHIVE), digest.sha256(b"plain")]
    common = {"package": "demo", "into": "share/demo"}
    assert brought.beside("manifest")["data"] == [
        {**common, "name": "words.tar.gz", "sha256": shas[0], "files": 2, "bytes": 13},
        {**common, "name": "plain.txt", "sha256": shas[1], "files": 1, "bytes": 5},
    ]
    bill = brought.beside("sbom")
    parts = {one["name"]: one for one in bill["components"]}
    assert set(parts) == {"demo", "words.tar.gz", "plain.txt"}
    words = parts["words.tar.gz"]
    assert (words["type"], words["hashes"]) == ("file", [{"alg": "SHA-256", "content": shas[0]}])
    [reference] = words["externalReferences"]
    assert (reference["type"], reference["url"]) == ("distribution", "https://nowhere.invalid/d/words.tar.gz")
    assert {"name": "layerforge:path", "value": "share/demo/plain.txt"} in parts["plain.txt"]["properties"]
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    assert needs[parts["demo"]["bom-ref"]] == sorted(parts[name]["bom-ref"] for name in ("words.tar.gz", "plain.txt"))


def test_the_layer_is_the_same_without_folder_and_network_once_the_store_has_the_data(brought: Place) -> None:
    brought.recipe(DATA)
    first = brought.forge()
    for kind, content in (("words", ARCHIVE), ("plain", b"plain")):
        (brought.archives[0] / kind).unlink()
        brought.store.put("source", digest.sha256(content), content)
    shutil.rmtree(brought.store.folder / "values" / "layer")
    assert brought.forge("again").manifest.sha256 == first.manifest.sha256
    assert brought.progress.steps.count("data") == 2


def test_what_stands_in_for_data_has_its_name_and_its_own_hash(brought: Place) -> None:
    brought.recipe(DATA)
    (brought.archives[0] / "other.txt").write_bytes(b"other")
    other = digest.sha256(b"other")
    (brought.archives[0] / "sources.toml").write_text(
        f'[[source]]\ninstead_of = "{digest.sha256(b"plain")}"\nfile = "other.txt"\nsha256 = "{other}"\n'
        'version = "1"\nreason = "a closed network"\n'
    )
    layer = brought.forge()
    assert files_in(layer)["share/demo/plain.txt"] == b"other"
    assert "demo: other.txt instead of plain.txt (a closed network)" in brought.progress.lines
    assert [(one.name, one.sha256) for one in layer.manifest.data][1:] == [("plain.txt", other)]
    [part] = [one for one in brought.beside("sbom")["components"] if one["name"] == "plain.txt"]
    assert "externalReferences" not in part, "a file of this machine is nobody's business"


@dataclass
class Interrupted(FakeProgress):
    """A person who gives up while data is unpacked."""

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        if title == "data":
            raise KeyboardInterrupt
        with super().step(title) as step:
            yield step


def test_whoever_gives_up_meanwhile_has_neither_a_layer_nor_half_of_one(brought: Place) -> None:
    brought.recipe(DATA)
    with pytest.raises(KeyboardInterrupt):
        brought.forge(progress=Interrupted())
    assert not (brought.folder / "out").exists()
    assert not list((brought.store.folder / "work").glob("tmp*"))
    brought.forge()
    assert "write" in brought.progress.steps


def test_data_that_cannot_be_had_is_told_before_anything_is_installed(place: Place) -> None:
    without = DATA.replace("user:secret@", "")
    place.recipe(without.replace("https://nowhere.invalid/d/words.tar.gz?token=1", (place.folder / "absent").as_uri()))
    with pytest.raises(LockError, match="cannot be downloaded") as caught:
        place.forge()
    assert "--sources" in caught.value.hint
    assert "install" not in place.progress.steps
