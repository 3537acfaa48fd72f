"""Plans and results in words, as data and as Markdown."""

from __future__ import annotations

from typing import NoReturn

import pytest

from fakes import FakeProgress
from layerforge.publish.artifact import PUBLIC, Grant, S3Location, Storage
from layerforge.publish.cloud import Leftover
from layerforge.publish.errors import PublishError
from layerforge.publish.execute import execute_jobs
from layerforge.publish.plan import (
    Action,
    Allow,
    Discard,
    Publish,
    PublishJob,
    PublishOptions,
    Refuse,
    Remove,
    Seen,
    Unchanged,
)
from layerforge.publish.results import Result, Status, besides, does, grouped, markdown, plan_data, results_data
from layerforge.publish.survey import survey
from unit.publish.fake_cloud import FakeCloud, a_version, an_artifact

LOCATION = S3Location(bucket="mine-{region}")
LEFT = Leftover(bucket="mine-us-east-1", key="k.zip", object_version="v1")


def a_job(*actions: Action) -> PublishJob:
    return PublishJob(
        region="us-east-1", artifact=an_artifact(zipped=45_100_000), seen=Seen(region="us-east-1"), actions=actions
    )


WORDS: tuple[tuple[Action, str, dict[str, object]], ...] = (
    (Publish(location=None), "publish 45.1 MB", {"do": "publish", "bucket": None, "storage": "copy"}),
    (
        Publish(location=LOCATION),
        "publish 45.1 MB through mine-us-east-1",
        {"do": "publish", "bucket": "mine-us-east-1", "storage": "copy"},
    ),
    (
        Publish(location=LOCATION, storage=Storage.REFERENCE),
        "publish 45.1 MB from mine-us-east-1",
        {"do": "publish", "bucket": "mine-us-east-1", "storage": "reference"},
    ),
    (
        Unchanged(version=a_version(3), code_sha256="x"),
        "unchanged, version 3",
        {"do": "unchanged", "version": 3, "version_arn": a_version(3).arn},
    ),
    (
        Allow(grant=PUBLIC),
        f"grant {PUBLIC.statement}",
        {"do": "grant", "statement": PUBLIC.statement, "principal": "*", "organization": None},
    ),
    (
        Allow(grant=Grant(statement="s", principal="*", organization="o-1")),
        "grant s",
        {"do": "grant", "statement": "s", "principal": "*", "organization": "o-1"},
    ),
    (
        Remove(version=a_version(2)),
        "remove 2",
        {"do": "remove", "version": 2, "version_arn": a_version(2).arn},
    ),
    (
        Discard(leftover=LEFT),
        "clear away s3://mine-us-east-1/k.zip",
        {"do": "discard", "bucket": "mine-us-east-1", "key": "k.zip"},
    ),
    (Refuse(message="no room", hint="h"), "cannot: no room", {"do": "refuse", "error": "no room", "hint": "h"}),
)


@pytest.mark.parametrize(("action", "words", "data"), WORDS, ids=[words for _, words, _ in WORDS])
def test_each_action_has_its_words_and_its_data(action: Action, words: str, data: dict[str, object]) -> None:
    assert does(a_job(action)) == words
    assert plan_data([a_job(action)])["plan"][0]["actions"] == [data]


def test_versions_that_go_are_named_last_and_together() -> None:
    job = a_job(Remove(version=a_version(3)), Publish(location=None), Remove(version=a_version(4)), Allow(grant=PUBLIC))
    assert does(job) == f"publish 45.1 MB; grant {PUBLIC.statement}; remove 3, 4"
    assert besides(job) == (f"granted {PUBLIC.statement}", "removed 3, 4")
    assert besides(a_job(Publish(location=None), Discard(leftover=LEFT))) == ("cleared away s3://mine-us-east-1/k.zip",)


def test_results_tell_versions_and_failures_alike() -> None:
    made = Result(region="us-east-1", name="layer", status=Status.PUBLISHED, version=a_version(7), code_sha256="x")
    failed = Result(region="eu-west-1", name="layer", status=Status.FAILED, error="no | room")
    rows = results_data([made, failed])["published"]
    assert (rows[0]["version"], rows[0]["layer_arn"], rows[0]["error"]) == (7, a_version(7).layer_arn, None)
    assert (rows[1]["version"], rows[1]["code_sha256"], rows[1]["error"]) == (None, None, "layer: no | room")
    lines = markdown([made, failed, Result(region="r", name="n", status=Status.FAILED)]).splitlines()
    assert lines[2].endswith(f"| published | `{a_version(7).arn}` |")
    assert r"no \| room" in lines[3]
    assert lines[4].endswith("| failed |  |")


def test_one_failure_of_many_regions_is_told_once() -> None:
    rows = [("a", "no room", "h"), ("b", "no room", "h"), ("a", "no room", "h"), ("c", "other", "")]
    assert grouped(rows) == ("a, b: no room → h", "c: other")


# --- what is refused, and what nobody thought of


def test_a_region_whose_limits_cannot_be_read_gets_a_plan_that_says_so() -> None:
    class Closed(FakeCloud):
        def limits(self) -> NoReturn:
            raise PublishError("no credentials", hint="log in")

    class Odd(FakeCloud):
        def limits(self) -> NoReturn:
            raise KeyError("AccountLimit")

    jobs = survey([Closed(region="a"), Odd(region="b"), FakeCloud(region="c")], [an_artifact()], PublishOptions())
    assert jobs[0].actions == (Refuse(message="no credentials", hint="log in"),)
    [refused] = jobs[1].actions
    assert isinstance(refused, Refuse)
    assert "an error in layerforge itself: KeyError: 'AccountLimit'" in refused.message
    assert jobs[2].publishes
    progress = FakeProgress()
    results = execute_jobs(jobs, [Closed(region="a"), Odd(region="b"), FakeCloud(region="c")], progress, (0.0,))
    assert [one.status for one in results] == [Status.FAILED, Status.FAILED, Status.PUBLISHED]
    assert results[0].error == "no credentials"
    assert "a: layer: no credentials" in progress.warnings


def test_a_bucket_that_cannot_be_tidied_holds_up_no_plan() -> None:
    class Shut(FakeCloud):
        def find_object(self, bucket: str, key: str, artifact: object) -> NoReturn:
            raise PublishError("denied")

    cloud, large = Shut(), an_artifact(zipped=60_000_000)
    cloud.add(large)
    [job] = survey([cloud], [large], PublishOptions(location=LOCATION))
    assert [type(action) for action in job.actions] == [Unchanged]
    assert not job.publishes


def test_a_zip_that_went_away_fails_its_region() -> None:
    class Gone(FakeCloud):
        def publish_bytes(self, artifact: object, sent: object) -> NoReturn:
            raise FileNotFoundError(2, "No such file or directory", "layer.zip")

    clouds = [Gone()]
    [result] = execute_jobs(survey(clouds, [an_artifact()], PublishOptions()), clouds, FakeProgress(), (0.0,))
    assert (result.status, result.error) == (Status.FAILED, "layer.zip cannot be read: No such file or directory")
