"""``layerforge publish`` against a Lambda whose every answer a test names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

import zips
from aws.proxy import Fault, Proxy, proxied
from fakes import FakeProgress, a_manifest
from layerforge.cli import publish
from layerforge.cli.screen import Screen
from layerforge.core import digest
from layerforge.core.errors import UsageError, VerificationError
from layerforge.examine.examine import examine
from layerforge.publish.artifact import PUBLIC, Grant, S3Location, Storage
from layerforge.publish.plan import Allow, Publish, PublishJob, PublishOptions, Seen
from layerforge.report.manifest import manifest_json
from program import Command
from unit.publish.fake_cloud import an_artifact

NOTHING: dict[str, Any] = {
    "bucket": None,
    "key_prefix": "",
    "storage": "copy",
    "keep_object": False,
    "public": False,
    "organizations": (),
    "accounts": (),
    "keep": None,
    "keep_foreign": False,
}
ARN = "arn:aws:lambda:us-east-1:123456789012:layer:pkg:1"


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """A sound layer for Python 3.11."""
    return zips.of(tmp_path / "pkg.zip", zips.sound())


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, layer: Path) -> Iterator[Proxy]:
    """A Lambda that holds no layer yet and takes the one of the test."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    code = an_artifact(digest.of_file(layer)).code_sha256
    kinds = {"CompatibleRuntimes": ["python3.11"], "CompatibleArchitectures": ["x86_64"]}
    made = {"Version": 1, "LayerVersionArn": ARN, "Content": {"CodeSha256": code}, **kinds}
    with proxied("http://127.0.0.1:1") as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        answers: tuple[tuple[str, int, dict[str, object]], ...] = (
            ("GetAccountSettings", 200, {"AccountLimit": {}, "AccountUsage": {}}),
            ("ListLayerVersions", 200, {"LayerVersions": []}),
            ("PublishLayerVersion", 201, made),
            ("AddLayerVersionPermission", 201, {"Statement": "{}"}),
        )
        for call, status, body in answers:
            proxy.fault(Fault(call=call, status=status, body=body))
        yield proxy


# --- the whole command


def test_a_version_is_published_told_and_written(layerforge: Command, aws: Proxy, layer: Path) -> None:
    ran = layerforge("publish", layer, "--region", "us-east-1", "--json", "--write", "arns.md")
    assert ran.code == 0, ran.err
    [row] = ran.json["published"]
    assert (row["version_arn"], row["status"], row["error"]) == (ARN, "published", None)
    assert f"| us-east-1 | pkg | python3.11, x86_64 | published | `{ARN}` |" in Path("arns.md").read_text()
    assert ARN in ran.err
    assert aws.changes == ["PublishLayerVersion"]


def test_a_dry_run_shows_the_plan_and_changes_nothing(layerforge: Command, aws: Proxy, layer: Path) -> None:
    ran = layerforge("publish", layer, "--region", "us-east-1", "--dry-run", "--json", "--public")
    assert ran.code == 0, ran.err
    assert [one["do"] for one in ran.json["plan"][0]["actions"]] == ["publish", "grant"]
    assert "grant layerforge-public" in ran.err
    assert aws.changes == []


def test_everybody_is_let_in_only_with_a_yes(layerforge: Command, aws: Proxy, layer: Path) -> None:
    ran = layerforge("publish", layer, "--region", "us-east-1", "--public")
    assert ran.code == 2
    assert "there is no terminal to ask on" in ran.err
    assert aws.calls == []
    assert layerforge("publish", layer, "--region", "us-east-1", "--public", "--yes").code == 0
    assert aws.changes == ["PublishLayerVersion", "AddLayerVersionPermission"]


def test_a_region_that_refuses_ends_the_run_with_8(layerforge: Command, aws: Proxy, layer: Path) -> None:
    aws.faults.insert(0, (Fault(call="PublishLayerVersion", status=403, code="AccessDeniedException"), [99]))
    ran = layerforge("publish", layer, "--region", "us-east-1", "--json")
    assert ran.code == 8
    assert ran.json["published"][0]["error"].startswith("pkg: AWS denies PublishLayerVersion in us-east-1")
    assert "1 of 1 failed" in ran.err
    aws.faults.insert(0, (Fault(call="ListLayerVersions", status=403, code="AccessDeniedException"), [99]))
    plan = layerforge("publish", layer, "--region", "us-east-1", "--dry-run")
    assert plan.code == 8
    assert "1 of 1 cannot be done" in plan.err
    assert "nothing was changed" in plan.err


def test_what_lambda_could_not_use_is_not_published(layerforge: Command, aws: Proxy, tmp_path: Path) -> None:
    zips.of(tmp_path / "stray.zip", {"demo.py": b""})
    stray = layerforge("publish", "stray.zip", "--region", "us-east-1", "--force")
    assert stray.code == 7
    assert "stray.zip is no layer: nothing in it lies in python/, lib/, bin/" in stray.err
    zips.of(tmp_path / "unsafe.zip", {"../out.py": b"", "python/a.py": b""})
    unfit = layerforge("publish", "unsafe.zip", "--region", "us-east-1")
    assert unfit.code == 7
    assert "unsafe.zip is not fit for Lambda, so it is not published" in unfit.err
    assert aws.changes == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--key-prefix", "p"], "are about a bucket"),
        (["--keep-object"], "are about a bucket"),
        (["--keep-foreign"], "which versions --keep may remove"),
        (["--bucket", "NO"], "'NO' is no bucket's name"),
        (["--bucket-owner", "123456789012"], "--bucket-owner is about a bucket"),
        (["--bucket", "mine", "--bucket-owner", "1234-5678"], "'1234-5678' is no account"),
        (["--name", "no spaces"], "no spaces"),
        (["--write", "arns.txt"], "does not know how to write arns.txt"),
        (["--write", "absent/arns.md"], "there is no folder absent"),
        (["--account", "12"], "12"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_before_anything_is_asked(
    layerforge: Command, aws: Proxy, layer: Path, arguments: list[str], words: str
) -> None:
    ran = layerforge("publish", layer, "--region", "us-east-1", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert aws.calls == []


# --- its parts


def test_options_become_what_is_wanted() -> None:
    asked = {"bucket": "mine-{region}", "key_prefix": "p/", "keep_object": True, "storage": "reference"}
    found = publish.publish_options(
        **(NOTHING | asked | {"accounts": ("123456789012",), "keep": 3, "keep_foreign": True})
    )
    assert found == PublishOptions(
        grants=(Grant(statement="layerforge-account-123456789012", principal="123456789012"),),
        keep=3,
        foreign=True,
        location=S3Location(bucket="mine-{region}", prefix="p/", keep=True),
        storage=Storage.REFERENCE,
    )
    assert publish.publish_options(**NOTHING) == PublishOptions()


def test_the_manifest_beside_a_zip_says_what_it_is_for_and_that_of_another_does_not(tmp_path: Path) -> None:
    seen = examine(zips.of(tmp_path / "pkg.zip", zips.sound()))
    progress = FakeProgress()
    beside = tmp_path / "pkg.manifest.json"
    beside.write_text(manifest_json(a_manifest(python="3.12", sha256=seen.sha256)))
    made, target = publish.provenance(seen, progress)
    assert (made is not None, target.python, progress.warnings) == (True, "3.12", [])
    beside.write_text(manifest_json(a_manifest(python="3.12", sha256="0" * 64)))
    made, target = publish.provenance(seen, progress)
    assert (made, target.python) == (None, "3.11")
    assert progress.warnings == [
        "pkg.manifest.json does not belong to pkg.zip: other bytes, or another layerforge, made it"
    ]
    assert progress.lines == ["pkg.zip looks like a layer for Python 3.11 on x86_64"]


def test_errors_stop_a_layer_unless_it_is_wanted_in_spite(tmp_path: Path) -> None:
    path = zips.of(tmp_path / "bad.zip", {"python/a.py": b"", "../out.py": b""})
    with pytest.raises(VerificationError, match="not fit for Lambda"):
        publish.read([path], None, FakeProgress(), a_screen(), in_spite=False)
    progress = FakeProgress()
    [made] = publish.read([path], "mine", progress, a_screen(), in_spite=True)
    assert made.name == "mine"
    assert [text for text in progress.warnings if "in spite of" in text and "--force" in text]


def test_two_zips_of_one_name_and_kind_are_one_too_many(tmp_path: Path) -> None:
    paths = [zips.of(tmp_path / f"{name}.zip", zips.sound()) for name in "ab"]
    with pytest.raises(UsageError, match=r"two zips would become the layer np for python3\.11, x86_64"):
        publish.read(paths, "np", FakeProgress(), a_screen(), in_spite=False)
    assert len(publish.read(paths, None, FakeProgress(), a_screen(), in_spite=False)) == 2


def a_screen() -> Screen:
    return Screen(Console(quiet=True))


def test_nobody_is_asked_about_what_stays_closed(capsys: pytest.CaptureFixture[str]) -> None:
    private = Allow(grant=Grant(statement="s", principal="123456789012"))
    publish.ask([a_job(Publish(location=None), private)])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("typed", "goes_on"), [("y\n", True), ("n\n", False), ("", False)])
def test_opening_a_version_to_everybody_takes_a_yes(typed: str, goes_on: bool) -> None:
    @click.command()
    def asks() -> None:
        publish.ask([a_job(Publish(location=None), Allow(grant=PUBLIC))] * 2)
        click.echo("went on")

    ran = CliRunner().invoke(asks, input=typed)
    assert "every AWS account will be able to use 2 layer versions" in ran.stderr
    assert (ran.exit_code == 0) is ("went on" in ran.stdout) is goes_on


def a_job(*actions: Any) -> PublishJob:
    return PublishJob(region="us-east-1", artifact=an_artifact(), seen=Seen(region="us-east-1"), actions=actions)
