"""`layerforge snippet`, `layerforge matrix` and what GitHub is shown, as a user meets them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import zips
from fakes import a_tree, target
from layerforge import cli
from layerforge.build.plan import Plan
from layerforge.core import digest
from layerforge.core.runtimes import Arch
from layerforge.layer.archive import Archive
from layerforge.publish.snippets import tools
from layerforge.report import manifest
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Compression

ARN = "arn:aws:lambda:eu-west-1:123456789012:layer:numpy:7"
FAILED = {"region": "us-east-1", "version_arn": None, "status": "failed", "error": "numpy: [denied]"}
RESULT = {"published": [{"region": "eu-west-1", "version_arn": ARN, "status": "published", "error": None}, FAILED]}


@pytest.fixture(autouse=True)
def no_github(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def result(tmp_path: Path) -> Path:
    path = tmp_path / "arns.json"
    path.write_text(json.dumps(RESULT))
    return path


def a_layer(folder: Path, python: str = "3.12", arch: Arch = Arch.ARM64, *, own: bool = True) -> Path:
    """A zip whose files tell nothing of what it was made for, with its manifest or with another's."""
    path = zips.of(folder / "x.zip", {"python/demo.py": b"a = 1\n"})
    sha256 = digest.sha256(path.read_bytes()) if own else "0" * 64
    plan = Plan(
        spec=LayerSpec(name="demo", requires=("demo",)),
        target=target(python, arch),
        compression=Compression.FAST,
        interpreter="",
        steps=(),
        epoch=0,
        key="k",
    )
    made = manifest.manifest(
        plan, a_tree(), (), Archive(sha256=sha256, content_sha256="", zipped=1, unzipped=1, data=b""), "host"
    )
    path.with_suffix(".manifest.json").write_text(manifest.manifest_json(made))
    return path


def test_a_snippet_is_all_that_goes_to_standard_output(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["snippet", str(result), "--for", "serverless"]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"# {tools.HIDES}\nprovider:\n  layers:\n    - {ARN}\n"
    assert "for serverless.yml" in captured.err
    assert "us-east-1: numpy: [denied]" in captured.err


def test_regions_that_were_not_asked_for_are_not_talked_of(result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["snippet", str(result), "--for", "zappa", "--region", "eu-west-1"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"dev": {"aws_region": "eu-west-1", "layers": [ARN]}}
    assert "denied" not in captured.err


def test_a_result_may_come_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(RESULT).encode())))
    assert cli.run(["snippet", "-", "--for", "chalice"]) == 0
    assert json.loads(capsys.readouterr().out) == {"layers": [ARN]}


def test_more_layers_than_a_function_takes_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "arns.json"
    rows = [{"version_arn": ARN.replace("numpy", f"layer-{number}")} for number in range(6)]
    path.write_text(json.dumps({"published": rows}))
    assert cli.run(["snippet", str(path), "--for", "chalice"]) == 0
    assert "a function takes 5 layers, these are 6; choose with --layer" in capsys.readouterr().err
    assert cli.run(["snippet", str(path), "--for", "chalice", "--layer", "layer-3"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["layers"] == [rows[3]["version_arn"]]
    assert "takes 5" not in captured.err


def test_runtime_and_processor_of_a_zip_come_from_its_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["snippet", str(a_layer(tmp_path)), "--for", "sam"]) == 0
    text = capsys.readouterr().out
    assert "CompatibleRuntimes: [python3.12]" in text
    assert "CompatibleArchitectures: [arm64]" in text
    assert 'LayerName: "demo-py312-arm64"' in text


def test_the_manifest_of_another_zip_does_not_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["snippet", str(a_layer(tmp_path, own=False)), "--for", "sam"]) == 0
    assert "CompatibleRuntimes: [python3.13]" in capsys.readouterr().out


def test_a_zip_that_was_cut_off_is_told_to_be_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "layer.zip").write_bytes(a_layer(tmp_path).read_bytes()[:-30])
    assert cli.run(["snippet", str(tmp_path / "layer.zip"), "--for", "sam"]) == 7
    assert "is damaged: its end is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ABSENT", "--for", "sam"], "cannot be read"),
        (["NOISE", "--for", "sam"], "neither text nor a zip"),
        (["TEXT", "--for", "sam"], "neither a layer's zip nor a result"),
        (["ZIP", "--for", "zappa"], "publish it first"),
        (["ZIP", "--for", "sam", "--layer", "x"], "a zip is one layer"),
        (["ZIP", "--for", "no-such-tool"], "'no-such-tool' is not one of"),
        (["ZIP"], "Missing option '--for'"),
    ],
)
def test_what_cannot_be_attached_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    (tmp_path / "NOISE").write_bytes(b"\xff\xfe\x00noise")
    (tmp_path / "TEXT").write_text("| Region |")
    a_layer(tmp_path).rename(tmp_path / "ZIP")
    assert cli.run(["snippet", *(str(tmp_path / word) if word.isupper() else word for word in words)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert told in captured.err


def test_a_matrix_is_one_line_that_a_workflow_can_take(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["numpy", "--python", "3.12", "--python", "3.13", "--python", "3.10", "--arch", "arm64", "--arch", "arm64"]
    assert cli.run(["matrix", *words]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert json.loads(captured.out)["include"] == [
        {"recipe": "numpy", "target": "numpy", "python": python, "arch": "arm64", "runner": "ubuntu-24.04-arm"}
        for python in ("3.12", "3.13")
    ]
    assert "numpy-py310-arm64 is left out: the lock is for Python 3.12 and newer" in captured.err


def test_an_error_is_annotated_and_summed_up_where_github_runs_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert cli.run(["matrix", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = [line for line in captured.err.splitlines() if line.startswith("::")]
    assert line.startswith("::error title=layerforge%3A usage::")
    assert "holds no recipes" in (tmp_path / "summary.md").read_text()


def test_without_github_nothing_is_annotated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["matrix", str(tmp_path)]) == 2
    assert "::" not in capsys.readouterr().err
