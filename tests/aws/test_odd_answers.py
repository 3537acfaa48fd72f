"""Every call is answered by what is no answer, in one Region of three: never two versions, always a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import zips
from aws.proxy import Fault, Proxy
from aws.world import a_bucket, small_limit
from fakes import FakeProgress
from layerforge.examine.examine import examine
from layerforge.examine.guess import guess_target
from layerforge.publish import artifact as artifacts
from layerforge.publish import aws as amazon
from layerforge.publish import session
from layerforge.publish.artifact import Artifact, S3Location, grants
from layerforge.publish.execute import execute_jobs
from layerforge.publish.plan import PublishOptions
from layerforge.publish.results import Result, Status
from layerforge.publish.survey import survey

REGIONS = ("us-east-1", "eu-west-1", "ap-northeast-1")
PAGE = b"<!DOCTYPE html><html><body>Please log in to the guest network</body></html>"

RAW = {
    "nothing": b"",
    "the status alone": b"HTTP/1.1 200 OK\r\n",
    "cut in the headers": b"HTTP/1.1 200 OK\r\nDate: Sat, 28 Nov 2026 03:00:00 GMT\r\nContent-Le",
    "empty": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "a proxy's page": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE),
    "a proxy's refusal": b"HTTP/1.1 429 Slow\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b"
    % (len(PAGE), PAGE),
    "a list": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
    "other types": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 68\r\n\r\n"
    b'{"Version": "1", "LayerVersions": 5, "Policy": {}, "Content": "text"}'[:68],
    "half": b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"LayerVersions": [',
}
LAMBDA = (
    *("GetAccountSettings", "ListLayerVersions", "GetLayerVersion", "GetLayerVersionPolicy"),
    *("PublishLayerVersion", "AddLayerVersionPermission", "DeleteLayerVersion"),
)
BUCKET = ("GetCallerIdentity", "HeadBucket", "HeadObject", "PutObject", "DeleteObject", "PublishLayerVersion")


def artifact(folder: Path, name: str, text: bytes) -> Artifact:
    seen = examine(zips.of(folder / f"{name}.zip", {**zips.sound(), "python/more.txt": text}))
    return artifacts.artifact(seen, None, guess_target(seen), name)


def run(clouds: Sequence[amazon.AwsRegion], made: Artifact, options: PublishOptions) -> tuple[Result, ...]:
    # Nothing that was learnt of the owner is carried over from one run to the next.
    fresh = [replace(cloud) for cloud in clouds]
    jobs = survey(fresh, [made], options)
    return execute_jobs(jobs, fresh, FakeProgress(), (0.0,) * 3)


def held(cloud: amazon.AwsRegion, made: Artifact) -> list[str]:
    """Digests of a layer's versions."""
    rows = cloud.reads.list_layer_versions(LayerName=made.name)["LayerVersions"]
    found = [cloud.reads.get_layer_version(LayerName=made.name, VersionNumber=row["Version"]) for row in rows]
    return [one["Content"]["CodeSha256"] for one in found]


def connected() -> list[amazon.AwsRegion]:
    return [replace(cloud, pauses=(0.0, 0.0)) for cloud in session.connect(REGIONS)]


def faults(call: str) -> list[Fault]:
    """Each answer once, in turn before the call was carried out and after it."""
    return [Fault(call=call, raw=raw, lost=number % 2 == 1, times=1) for number, raw in enumerate(RAW.values())]


def tried(aws: Proxy, clouds: list[amazon.AwsRegion], made: Artifact, options: PublishOptions, fault: Fault) -> None:
    """A run with the fault in one Region, and one without."""
    aws.faults[:] = [one for one in aws.faults if one[0].call == "GetAccountSettings" and one[0].body]
    aws.faults.insert(0, (fault, [fault.times]))
    results = run(clouds, made, options)
    assert [one.region for one in results] == list(REGIONS)
    fine = [one.status for one in results if one.region != fault.region]
    assert Status.FAILED not in fine, (fault, results)
    assert not any("layerforge itself" in one.error for one in results), (fault, results)
    aws.faults.remove(next(one for one in aws.faults if one[0] is fault))
    again = run(clouds, made, options)
    assert Status.FAILED not in {one.status for one in again}, (fault, again)
    for cloud in clouds:
        assert held(cloud, made) == [made.code_sha256], (fault, cloud.region)


@pytest.mark.parametrize("call", LAMBDA)
def test_an_odd_answer_of_lambda_makes_no_second_version(aws: Proxy, tmp_path: Path, call: str) -> None:
    clouds = connected()
    options = PublishOptions(grants=grants(public=True, organizations=(), accounts=()), keep=1)
    for number, fault in enumerate(faults(call)):
        name = f"pkg-{number}"
        run(clouds, artifact(tmp_path, name, b"older"), options)
        made = artifact(tmp_path, name, b"newer")
        tried(aws, clouds, made, options, replace(fault, region=REGIONS[number % 3]))


@pytest.mark.parametrize("call", BUCKET)
def test_an_odd_answer_on_the_way_through_a_bucket_makes_no_second_version_and_leaves_nothing(
    aws: Proxy, tmp_path: Path, call: str
) -> None:
    for region in REGIONS:
        a_bucket(f"mine-{region}", region)
    small_limit(aws)
    clouds = connected()
    options = PublishOptions(location=S3Location(bucket="mine-{region}"))
    for number, fault in enumerate(faults(call)):
        made = artifact(tmp_path, f"pkg-{number}", b"newer")
        tried(aws, clouds, made, options, replace(fault, region=REGIONS[number % 3]))
        for cloud in clouds:
            assert cloud.s3.list_objects_v2(Bucket=f"mine-{cloud.region}")["KeyCount"] == 0, fault
