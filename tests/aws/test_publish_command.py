"""``layerforge publish`` as people run it."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import elves
import zips
from aws.proxy import Fault, Proxy
from aws.world import PART, a_bucket, a_large_layer, client, small_limit, versions
from layerforge import cli

TWO = ("--region", "us-east-1", "--region", "eu-west-1")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command. Gives exit code, standard output, and standard error in one line."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = cli.run(["publish", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, " ".join(captured.err.split())

    return run


def test_json_has_the_form_of_the_contract(aws: Proxy, layer: Path, said: Any) -> None:
    code, out, err = said(layer, *TWO, "--json")
    assert code == 0, err
    rows = json.loads(out)["published"]
    assert [set(row) for row in rows] == [
        {
            "region",
            "runtimes",
            "architectures",
            "env",
            "layer_arn",
            "version_arn",
            "version",
            "code_sha256",
            "status",
            "error",
        }
    ] * 2
    assert rows[0] | {"code_sha256": ""} == {
        "region": "us-east-1",
        "runtimes": ["python3.11"],
        "architectures": ["x86_64"],
        "env": {},
        "layer_arn": "arn:aws:lambda:us-east-1:123456789012:layer:pkg",
        "version_arn": "arn:aws:lambda:us-east-1:123456789012:layer:pkg:1",
        "version": 1,
        "code_sha256": "",
        "status": "published",
        "error": None,
    }
    assert [row["status"] for row in json.loads(said(layer, *TWO, "--json")[1])["published"]] == ["unchanged"] * 2


def test_a_dry_run_shows_the_plan_and_changes_nothing(aws: Proxy, layer: Path, said: Any) -> None:
    code, out, err = said(layer, *TWO, "--dry-run", "--json", "--public")
    assert code == 0
    assert "publish" in err
    assert "grant layerforge-public" in err
    rows = json.loads(out)["plan"]
    assert [row["region"] for row in rows] == ["us-east-1", "eu-west-1"]
    assert rows[0]["actions"] == [
        {"do": "publish", "bucket": None, "storage": "copy"},
        {"do": "grant", "statement": "layerforge-public", "principal": "*", "organization": None},
    ]
    assert aws.changes == []


def test_a_layer_for_a_runtime_that_aws_has_not_announced_is_published_and_told_of_once(
    aws: Proxy, said: Any, tmp_path: Path
) -> None:
    layers = [
        zips.of(tmp_path / f"{name}.zip", {f"python/lib/python3.15/site-packages/{name}.py": b"x = 1\n"})
        for name in ("first", "second")
    ]
    code, out, err = said(*layers, *TWO, "--json", "--force")
    assert code == 0, err
    assert {tuple(row["runtimes"]) for row in json.loads(out)["published"]} == {("python3.15",)}
    assert err.count("Lambda's interface has a runtime python3.15, but AWS has not announced it") == 1


def test_a_dry_run_fails_where_the_run_would(aws: Proxy, layer: Path, said: Any) -> None:
    aws.fault(Fault(call="ListLayerVersions", region="eu-west-1", status=403, code="AccessDeniedException"))
    code, _, err = said(layer, *TWO, "--dry-run")
    assert code == 8
    assert "1 of 2 cannot be done eu-west-1: AWS denies ListLayerVersions" in err


def test_a_failed_region_exits_8_and_the_next_run_does_the_rest(aws: Proxy, layer: Path, said: Any) -> None:
    aws.fault(Fault(call="PublishLayerVersion", region="eu-west-1", times=1, status=403, code="AccessDenied"))
    code, out, err = said(layer, *TWO, "--json")
    assert code == 8
    rows = json.loads(out)["published"]
    assert [row["status"] for row in rows] == ["published", "failed"]
    assert (rows[1]["layer_arn"], rows[1]["version"]) == (None, None)
    assert rows[1]["error"].startswith("pkg: AWS denies PublishLayerVersion in eu-west-1")
    assert "1 of 2 failed" in err
    code, out, _ = said(layer, *TWO, "--json")
    assert (code, [row["status"] for row in json.loads(out)["published"]]) == (0, ["unchanged", "published"])


def test_results_are_written_where_that_is_asked_for(aws: Proxy, layer: Path, said: Any, tmp_path: Path) -> None:
    code, out, _ = said(layer, *TWO, "--json", "--write", tmp_path / "arns.json")
    assert code == 0
    assert json.loads((tmp_path / "arns.json").read_text()) == json.loads(out)
    said(layer, *TWO, "--write", tmp_path / "arns.md")
    assert (
        "| us-east-1 | pkg | python3.11, x86_64 | unchanged | `arn:aws:lambda:us-east-1:"
        in (tmp_path / "arns.md").read_text()
    )


def test_the_step_summary_gets_the_versions(
    aws: Proxy, layer: Path, said: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    said(layer, *TWO)
    assert (
        "| eu-west-1 | pkg | python3.11, x86_64 | published | `arn:aws:lambda:eu-west-1:"
        in (tmp_path / "summary").read_text()
    )


def test_several_layers_are_published_in_one_run(aws: Proxy, layer: Path, said: Any, tmp_path: Path) -> None:
    other = zips.of(tmp_path / "other.zip", zips.sound())
    code, out, _ = said(layer, other, "--region", "us-east-1", "--json")
    assert code == 0
    assert [row["layer_arn"].split(":")[-1] for row in json.loads(out)["published"]] == ["pkg", "other"]


def test_two_processors_of_one_name_are_published_in_one_run_and_stay(
    aws: Proxy, layer: Path, said: Any, tmp_path: Path
) -> None:
    arm = zips.of(tmp_path / "arm.zip", {**zips.sound(), "python/pkg/native.so": elves.image(machine=elves.ARM64)})
    for status in ("published", "unchanged"):
        code, out, err = said(layer, arm, "--name", "np", "--keep", "1", "--region", "us-east-1", "--json", "--force")
        assert code == 0, err
        assert [row["status"] for row in json.loads(out)["published"]] == [status] * 2
    assert [row["CompatibleArchitectures"] for row in versions(name="np")] == [["arm64"], ["x86_64"]]


def test_consent_is_neither_force_nor_a_right_to_remove_what_others_made(
    aws: Proxy, layer: Path, said: Any, tmp_path: Path
) -> None:
    client("lambda").publish_layer_version(
        LayerName="pkg",
        Content={"ZipFile": b"theirs"},
        CompatibleRuntimes=["python3.11"],
        CompatibleArchitectures=["x86_64"],
    )
    one = ("--region", "us-east-1", "--public", "--yes", "--keep", "1")
    assert said(layer, *one)[0] == 0
    assert [row["Version"] for row in versions()] == [2, 1]
    broken = zips.of(tmp_path / "broken.zip", {**zips.sound(), "python/../../etc/x": b""})
    code, _, err = said(broken, *one)
    assert (code, "--force publishes it all the same" in err) == (7, True)
    assert said(layer, *one, "--keep-foreign")[0] == 0
    assert [row["Version"] for row in versions()] == [2]


def test_no_secret_is_ever_shown(aws: Proxy, layer: Path, said: Any, tmp_path: Path) -> None:
    aws.fault(Fault(call="PublishLayerVersion", region="eu-west-1", status=403, code="SignatureDoesNotMatch"))
    code, out, err = said(layer, *TWO, "--json", "--write", tmp_path / "arns.json")
    assert code == 8
    assert "clock" in err
    assert "very-secret" not in out + err + (tmp_path / "arns.json").read_text()


# --- bad input -------------------------------------------------------------------------------------------------------

BAD = {
    "an unknown Region": (("--region", "us-eats-1"), "perhaps you meant us-east-1"),
    "no Region": ((), "name some with --region, or set AWS_REGION"),
    "a name that Lambda refuses": (("--name", "my layer!", *TWO), "perhaps my-layer"),
    "no account": (("--account", "1234-5678-9012", *TWO), "twelve digits"),
    "no organization": (("--organization", "acme", *TWO), "o-a1b2c3d4e5"),
    "no bucket's name": (("--bucket", "{account}-x", *TWO), "{region} stands for the Region"),
    "a key prefix without a bucket": (("--key-prefix", "x/", *TWO), "name it with --bucket"),
    "an ARN for a name": (("--name", "arn:aws:lambda:us-east-1:123456789012:layer:np:3", *TWO), "--name np"),
    "no account that owns": (("--bucket", "mine", "--bucket-owner", "12", *TWO), "twelve digits"),
    "an owner without a bucket": (("--bucket-owner", "123456789012", *TWO), "name it with --bucket"),
    "foreign without keep": (("--keep-foreign", *TWO), "--keep N"),
    "public in a script": (("--public", *TWO), "no terminal to ask on → add --yes"),
    "an unknown way to write": (("--write", "arns.yaml", *TWO), ".json and .md"),
    "nowhere to write": (("--write", "absent/arns.md", *TWO), "there is no folder absent"),
    "reference without a bucket": (("--storage", "reference", *TWO), "needs a bucket"),
}


@pytest.mark.parametrize(("options", "hint"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_meant_is_refused(
    aws: Proxy, layer: Path, said: Any, options: tuple[str, ...], hint: str
) -> None:
    code, _, err = said(layer, *options)
    assert (code, hint in err) == (2, True), err
    assert aws.changes == []


def test_a_name_cannot_be_shared(aws: Proxy, layer: Path, said: Any) -> None:
    for named in ((), ("--name", "pkg")):
        code, _, err = said(layer, layer, *named, *TWO)
        assert (code, "two zips would become the layer pkg for python3.11, x86_64" in err) == (2, True)


def test_a_file_that_is_no_zip_is_refused(aws: Proxy, said: Any, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("hello")
    code, _, err = said(tmp_path / "x.zip", *TWO)
    assert (code, "is not a zip archive" in err, aws.calls) == (2, True, [])


def test_a_zip_that_is_no_layer_is_refused_whatever_is_said(aws: Proxy, said: Any, tmp_path: Path) -> None:
    path = zips.of(tmp_path / "x.zip", {"lambda_function.py": b"def handler(*_): pass"})
    code, _, err = said(path, *TWO, "--yes")
    assert (code, "is no layer" in err, aws.calls) == (7, True, [])


def test_a_layer_with_errors_is_refused_unless_that_is_overridden_aloud(aws: Proxy, said: Any, tmp_path: Path) -> None:
    path = zips.of(tmp_path / "x.zip", {**zips.sound(), "python/../../etc/x": b""})
    code, _, err = said(path, *TWO)
    assert (code, "LF307 error" in err, "is not fit for Lambda" in err, aws.calls) == (7, True, True, [])
    code, _, err = said(path, *TWO, "--force")
    assert (code, "is published in spite of 1 error, because of --force" in err) == (0, True)


def test_a_manifest_that_is_none_is_told_of(aws: Proxy, layer: Path, said: Any) -> None:
    layer.with_suffix(".manifest.json").write_text('{"schema": 2}')
    code, _, err = said(layer, *TWO)
    assert (code, "pkg.manifest.json is not what its name says" in err) == (0, True)


def test_missing_credentials_are_told_once(aws: Proxy, layer: Path, said: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    code, _, err = said(layer, *TWO)
    assert (code, err.count("there are no AWS credentials"), "AWS_PROFILE" in err) == (8, 1, True)


def test_an_address_that_is_none_is_told_of(
    aws: Proxy, layer: Path, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:4566")
    code, _, err = said(layer, *TWO)
    assert (code, "AWS_ENDPOINT_URL" in err) == (2, True)


# --- at a terminal ---------------------------------------------------------------------------------------------------


def at_a_terminal(answer: str, *arguments: str | Path) -> tuple[int, str]:
    """Runs the command with a terminal, and answers what it asks. Gives exit code and what the terminal shows."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "layerforge", "publish", *map(str, arguments)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown, answered = "", False
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                break
            shown += data.decode()
            if "[y/N]" in shown and not answered:
                answered = bool(os.write(ours, answer.encode()))
    os.close(ours)
    return process.returncode, shown


def test_opening_a_layer_to_everybody_is_asked_for(aws: Proxy, layer: Path) -> None:
    code, shown = at_a_terminal("n\n", layer, *TWO, "--public")
    assert (code, aws.changes) == (130, [])
    assert "every AWS account will be able to use 2 layer versions" in shown
    code, _ = at_a_terminal("y\n", layer, *TWO, "--public")
    assert (code, aws.count("AddLayerVersionPermission")) == (0, 2)


def test_what_is_open_already_is_not_asked_for_again(aws: Proxy, layer: Path, said: Any) -> None:
    said(layer, *TWO, "--public", "--yes")
    code, shown = at_a_terminal("", layer, *TWO, "--public")
    assert (code, "y/N" in shown) == (0, False)


def test_an_interrupt_ends_an_upload_that_hangs_and_the_next_run_mends_it(
    aws: Proxy, said: Any, tmp_path: Path
) -> None:
    path = a_large_layer(tmp_path, 30 << 20)
    aws.fault(Fault(call="PublishLayerVersion", region="eu-west-1", times=1, cut=1 << 20, stall=120))
    command = [sys.executable, "-m", "layerforge", "publish", str(path), *TWO]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while aws.count("PublishLayerVersion") < 2:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in err
    code, _, err = said(path, *TWO)
    assert code == 0, err
    assert [len(versions(region, "large")) for region in ("us-east-1", "eu-west-1")] == [1, 1]


def interrupted(aws: Proxy, call: str, *arguments: str | Path) -> tuple[int, str]:
    """Runs the command and interrupts it at the first call of a name. Gives exit code and standard error."""
    command = [sys.executable, "-m", "layerforge", "publish", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not aws.count(call):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, err


def test_an_interrupt_ends_a_plan_that_hangs(aws: Proxy, layer: Path) -> None:
    aws.fault(Fault(call="ListLayerVersions", cut=0, stall=120))
    code, err = interrupted(aws, "ListLayerVersions", layer, *TWO)
    assert (code, "interrupted" in err) == (130, True)


def test_an_interrupt_ends_an_upload_to_a_bucket_that_hangs(aws: Proxy, tmp_path: Path) -> None:
    path = a_large_layer(tmp_path, 3 * PART)
    a_bucket()
    small_limit(aws)
    aws.fault(Fault(call="UploadPart", times=1, cut=1 << 18, stall=120))
    code, err = interrupted(aws, "UploadPart", path, "--region", "us-east-1", "--bucket", "mine-{region}")
    assert (code, "versions that are there stay: run the command again" in err) == (130, True)
    assert aws.count("PublishLayerVersion") == 0


def test_an_interrupted_upload_to_a_bucket_leaves_nothing_there(aws: Proxy, tmp_path: Path) -> None:
    path = a_large_layer(tmp_path, 3 * PART)
    s3 = a_bucket()
    small_limit(aws)
    aws.fault(Fault(call="UploadPart", times=1, cut=1 << 18, stall=2))
    code, err = interrupted(aws, "UploadPart", path, "--region", "us-east-1", "--bucket", "mine-{region}")
    assert code == 130, err
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="mine-us-east-1")
    assert s3.list_objects_v2(Bucket="mine-us-east-1").get("KeyCount") == 0
    assert versions(name="large") == []


def test_a_large_layer_needs_a_bucket_and_goes_through_it(aws: Proxy, layer: Path, said: Any) -> None:
    small_limit(aws)
    code, _, err = said(layer, "--region", "us-east-1")
    assert (code, "needs a bucket" in err, aws.changes) == (2, True, [])
    a_bucket()
    code, _, err = said(layer, "--region", "us-east-1", "--bucket", "mine-{region}")
    assert code == 0, err
    assert client("s3").list_objects_v2(Bucket="mine-us-east-1").get("KeyCount") == 0
