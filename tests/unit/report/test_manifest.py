import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fakes import a_file, a_tree, target
from layerforge.build.plan import Plan
from layerforge.core import guarded
from layerforge.core.findings import Finding, Severity
from layerforge.layer.archive import Archive
from layerforge.layer.passes.setting import LeftAlone, PassResult
from layerforge.layer.tree import Edit, Package, Tree
from layerforge.report import manifest
from layerforge.report.manifest import Manifest
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Budget, Check, CheckScript, Compression
from layerforge.verify.verdict import Figures, Verdict, run_data

PLAN = Plan(
    spec=LayerSpec(
        name="demo",
        requires=("demo>=1",),
        folder=Path("/home/me/recipes/demo"),
        budget=Budget(zipped=5),
        check=Check(
            imports=("demo",), scripts=(CheckScript(package="demo", text="assert True"),), single=("libgomp*",)
        ),
    ),
    target=target(),
    compression=Compression.FAST,
    interpreter="3.13.0",
    steps=(),
    epoch=0,
    key="k",
)
ARCHIVE = Archive(sha256="a" * 64, content_sha256="b" * 64, zipped=10, unzipped=20, data=b"")
PASSES = (
    PassResult(
        name="prune",
        edits=(
            Edit(path="python/b", entry=None, reason="tests", saved=5),
            Edit(path="python/a", entry=None, reason="tests", saved=7),
            Edit(path="python/c", entry=None, reason="type stubs", saved=20),
        ),
        left=(LeftAlone(path="python/d", reason="imported by python/e"),),
    ),
    PassResult(name="link", edits=()),
)


def a_layer(*packages: Package) -> Tree:
    return a_tree(
        a_file("python/demo.libs/libx-1.so.2", b"\x7fELF", package="demo"),
        a_file("python/demo/_a.cpython-313-x86_64-linux-gnu.so", b"\x7fELF", package="demo"),
        packages=packages,
    )


def a_manifest(*packages: Package) -> Manifest:
    return manifest.manifest(PLAN, a_layer(*packages), PASSES, ARCHIVE, "host")


DEMO = Package(name="demo", version="1.0", info="python/demo-1.0.dist-info", licence="MIT")


def test_edits_are_grouped_by_reason_with_their_bytes_and_files() -> None:
    made = a_manifest(DEMO)
    assert [(one.reason, one.bytes, one.files) for one in made.edits] == [
        ("type stubs", 20, ("python/c",)),
        ("tests", 12, ("python/a", "python/b")),
    ]
    assert manifest.saved(made) == [{"pass": "prune", "bytes": 32, "files": 3}]


def test_a_manifest_reads_back_as_it_was() -> None:
    made = a_manifest(DEMO)
    assert manifest.read_manifest(manifest.manifest_json(made)) == made


def test_a_manifest_holds_no_path_of_the_machine_and_the_findings() -> None:
    finding = Finding(rule="LF101", severity=Severity.WARNING, path="a", message="m", hint="h")
    text = manifest.manifest_json(
        a_manifest(DEMO), Verdict(engine="host", skipped="", findings=(finding,), notes=("n",))
    )
    assert "/home/me" not in text
    assert json.loads(text)["verified"]["findings"][0]["severity"] == "warning"
    assert json.loads(manifest.manifest_json(a_manifest(DEMO)))["verified"] is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": 1}'])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(guarded.Unreadable):
        manifest.read_manifest(text)


FIGURES = Figures(init_ms=1119.4, peak_memory=109_000_000, import_seconds=0.95, import_cpu_seconds=0.9)


def test_a_verdict_reads_back_as_it_was_and_its_figures_stay_out_of_the_manifest() -> None:
    finding = Finding(rule="LF408", severity=Severity.WARNING, path="", message="m", hint="h")
    verdict = Verdict(engine="docker", skipped="", findings=(finding,), notes=("n",), figures=FIGURES)
    assert guarded.json_as(json.dumps(asdict(verdict)), Verdict) == verdict
    assert run_data(verdict)["figures"]["import_cpu_seconds"] == 0.9
    # The manifest of the same layer is the same, whenever and wherever it was verified.
    again = replace(verdict, figures=replace(FIGURES, init_ms=1200.0), notes=())
    assert manifest.manifest_json(a_manifest(DEMO), verdict) == manifest.manifest_json(a_manifest(DEMO), again)


def test_a_verdict_that_was_kept_before_there_were_figures_can_still_be_read() -> None:
    kept = '{"engine": "host", "skipped": "", "findings": [], "notes": []}'
    assert guarded.json_as(kept, Verdict) == Verdict(engine="host", skipped="", findings=(), notes=())


def test_of_the_variables_that_recipes_set_those_count_that_name_something_in_the_layer() -> None:
    env = {"DEMO_LIBS": "/opt/python/demo.libs", "DEMO_DATA": "/opt/share/demo", "LEVEL": "1"}
    plan = replace(PLAN, spec=replace(PLAN.spec, env=env))
    made = manifest.manifest(plan, a_layer(DEMO), PASSES, ARCHIVE, "host")
    assert made.env == {"DEMO_LIBS": "/opt/python/demo.libs", "LEVEL": "1"}
    assert manifest.read_manifest(manifest.manifest_json(made)) == made


@pytest.mark.parametrize("env", [{"LD_LIBRARY_PATH": "/x"}, {"AWS_REGION": "x"}, {"A=B": "1"}, {"A": "1\x00"}])
def test_a_manifest_with_variables_that_no_recipe_can_set_is_refused(env: dict[str, str]) -> None:
    text = manifest.manifest_json(replace(a_manifest(DEMO), env=env))
    with pytest.raises(guarded.Unreadable, match="env must"):
        manifest.read_manifest(text)
