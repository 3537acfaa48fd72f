from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import FakeProgress, FakeStep
from layerforge.publish.artifact import Artifact, S3Location, Storage, grants
from layerforge.publish.cloud import LostError, UncertainError
from layerforge.publish.errors import PublishError
from layerforge.publish.execute import execute_jobs, perform
from layerforge.publish.outgoing import direct
from layerforge.publish.plan import PublishOptions
from layerforge.publish.results import Result, Status
from layerforge.publish.run import LOOKS, PATIENCE, Publication, Stopped
from layerforge.publish.survey import survey
from unit.publish.fake_cloud import MARK, FakeCloud, KilledError, Luck, an_artifact, its_details

GRANTS = grants(public=True, organizations=("o-a1b2c3d4e5",), accounts=("123456789012",))
ARTIFACT = an_artifact()


def run(
    clouds: list[FakeCloud], options: PublishOptions | None = None, artifact: Artifact = ARTIFACT, tries: int = 3
) -> tuple[Result, ...]:
    jobs = survey(clouds, [artifact], options or PublishOptions())
    return execute_jobs(jobs, clouds, FakeProgress(), (0.0,) * tries)


def through_a_bucket(**more: object) -> PublishOptions:
    return PublishOptions(location=S3Location(bucket="b", **more), storage=Storage.COPY)  # type: ignore[arg-type]


LARGE = an_artifact(zipped=60_000_000)


def test_every_region_gets_the_version_and_its_grants() -> None:
    clouds = [FakeCloud(region="us-east-1"), FakeCloud(region="eu-west-1")]
    results = run(clouds, PublishOptions(grants=GRANTS))
    assert [(one.region, one.status) for one in results] == [
        ("us-east-1", Status.PUBLISHED),
        ("eu-west-1", Status.PUBLISHED),
    ]
    assert all(cloud.policies == {1: {grant.statement for grant in GRANTS}} for cloud in clouds)


def test_a_second_run_changes_nothing() -> None:
    cloud = FakeCloud()
    run([cloud], PublishOptions(grants=GRANTS, keep=1))
    cloud.calls.clear()
    (result,) = run([cloud], PublishOptions(grants=GRANTS, keep=1))
    assert (result.status, cloud.calls) == (Status.UNCHANGED, [])


def test_a_lost_answer_makes_no_second_version() -> None:
    cloud = FakeCloud(luck=[Luck.LOST_AFTER])
    (result,) = run([cloud])
    assert result.status is Status.PUBLISHED
    assert (len(cloud.there), cloud.calls) == (1, ["publish"])


def test_a_version_that_lambda_is_still_making_is_waited_for() -> None:
    cloud = FakeCloud(luck=[Luck.LOST_AFTER], slow=LOOKS - 1)
    (result,) = run([cloud])
    assert (result.status, len(cloud.there), cloud.calls) == (Status.PUBLISHED, 1, ["publish"])


def test_the_last_lost_answer_is_found_too() -> None:
    cloud = FakeCloud(luck=[Luck.LOST_BEFORE, Luck.LOST_BEFORE, Luck.LOST_AFTER])
    (result,) = run([cloud])
    assert (result.status, len(cloud.there)) == (Status.PUBLISHED, 1)


def test_a_version_of_other_bytes_that_appears_meanwhile_is_not_taken_for_ours() -> None:
    cloud = FakeCloud()
    jobs = survey([cloud], [ARTIFACT], PublishOptions())
    cloud.add(description=ARTIFACT.description)
    cloud.luck = [Luck.LOST_BEFORE]
    (result,) = execute_jobs(jobs, [cloud], FakeProgress(), (0.0, 0.0))
    assert result.version is not None
    assert (result.version.number, cloud.calls) == (2, ["publish", "publish"])


def test_a_region_that_stays_away_fails_and_says_how_often_it_was_tried() -> None:
    clouds = [FakeCloud(region="us-east-1", luck=[Luck.LOST_BEFORE] * 3), FakeCloud(region="eu-west-1")]
    lost, well = run(clouds)
    assert (lost.status, lost.error) == (Status.FAILED, "the connection broke (3 times)")
    assert well.status is Status.PUBLISHED


def test_a_refusal_is_not_tried_again() -> None:
    cloud = FakeCloud(luck=[Luck.REFUSED])
    (result,) = run([cloud])
    assert (result.status, result.error, result.hint, cloud.calls) == (Status.FAILED, "refused", "ask", ["publish"])


def test_a_failed_grant_names_the_version_that_is_there_and_the_next_run_makes_it() -> None:
    cloud = FakeCloud(luck=[Luck.WELL, Luck.WELL, Luck.REFUSED])
    options = PublishOptions(grants=GRANTS)
    (failed,) = run([cloud], options)
    assert (failed.status, failed.error) == (Status.FAILED, "version 1 is there, but refused")
    assert failed.version is not None
    cloud.calls.clear()
    (mended,) = run([cloud], options)
    assert (mended.status, cloud.calls) == (Status.UNCHANGED, ["allow", "allow"])


def test_nothing_old_goes_where_the_new_version_did_not_come() -> None:
    cloud = FakeCloud(luck=[Luck.REFUSED])
    for _ in range(3):
        cloud.add(description=MARK)
    run([cloud], PublishOptions(keep=1))
    assert sorted(cloud.there) == [1, 2, 3]


def test_a_zip_goes_through_the_bucket_and_leaves_nothing_there() -> None:
    cloud = FakeCloud()
    (result,) = run([cloud], through_a_bucket(), LARGE)
    assert result.status is Status.PUBLISHED
    assert (cloud.calls, cloud.objects) == (["put", "publish", "delete object"], {})


def test_the_object_goes_where_publishing_fails_too() -> None:
    cloud = FakeCloud(luck=[Luck.WELL, Luck.REFUSED])
    (result,) = run([cloud], through_a_bucket(), LARGE)
    assert (result.error, cloud.objects) == ("refused", {})


def test_an_object_that_cannot_be_removed_is_a_warning() -> None:
    cloud = FakeCloud(luck=[Luck.WELL, Luck.WELL, Luck.REFUSED])
    (result,) = run([cloud], through_a_bucket(), LARGE)
    assert result.status is Status.PUBLISHED
    assert result.warnings == (
        f"s3://b/layer/{LARGE.sha256}.python3.13-x86_64.upload.zip stays behind, the next run clears it away: refused",
    )


@pytest.mark.parametrize(
    "options",
    [through_a_bucket(keep=True), PublishOptions(location=S3Location(bucket="b"), storage=Storage.REFERENCE)],
    ids=["--keep-object", "--storage reference"],
)
def test_an_object_stays_where_that_is_asked_for(options: PublishOptions) -> None:
    cloud = FakeCloud()
    run([cloud], options, LARGE)
    assert (cloud.calls, len(cloud.objects)) == (["put", "publish"], 1)


def test_an_object_that_was_to_stay_is_used_and_stays() -> None:
    cloud = FakeCloud(objects={("b", S3Location(bucket="b", keep=True).key(LARGE)): LARGE.sha256})
    run([cloud], through_a_bucket(keep=True), LARGE)
    assert (cloud.calls, len(cloud.objects)) == (["publish"], 1)


def test_an_object_that_a_killed_run_left_behind_is_used_and_goes() -> None:
    cloud = FakeCloud(luck=[Luck.KILLED_AFTER])
    with pytest.raises(KilledError):
        run([cloud], through_a_bucket(), LARGE)
    assert len(cloud.objects) == 1
    run([cloud], through_a_bucket(), LARGE)
    assert (cloud.calls, cloud.objects) == (["put", "publish", "delete object"], {})


def test_an_object_whose_removal_failed_goes_with_the_next_run() -> None:
    cloud = FakeCloud(luck=[Luck.WELL, Luck.WELL, Luck.LOST_BEFORE])
    run([cloud], through_a_bucket(), LARGE)
    assert len(cloud.objects) == 1
    (result,) = run([cloud], through_a_bucket(), LARGE)
    assert (result.status, cloud.objects, len(cloud.there)) == (Status.UNCHANGED, {}, 1)


def test_an_object_that_is_uploaded_for_another_processor_is_not_cleared_away() -> None:
    arm = replace(LARGE, architectures=("arm64",))
    cloud = FakeCloud(luck=[Luck.KILLED_AFTER])
    with pytest.raises(KilledError):
        run([cloud], through_a_bucket(), arm)
    theirs = dict(cloud.objects)
    run([cloud], through_a_bucket(), LARGE)
    run([cloud], through_a_bucket(), LARGE)
    assert cloud.objects == theirs


def test_an_object_that_is_to_stay_does_not_go_with_a_run_that_leaves_nothing() -> None:
    cloud = FakeCloud()
    run([cloud], PublishOptions(location=S3Location(bucket="b"), storage=Storage.REFERENCE), LARGE)
    kept = dict(cloud.objects)
    run([cloud], through_a_bucket(), replace(LARGE, runtimes=("python3.12",)))
    assert (len(cloud.there), cloud.objects) == (2, kept)


def test_what_is_done_beside_the_version_is_said() -> None:
    cloud, progress = FakeCloud(), FakeProgress()
    for _ in range(2):
        cloud.add(description=MARK)
    jobs = survey([cloud], [ARTIFACT], PublishOptions(grants=GRANTS[:1], keep=1))
    execute_jobs(jobs, [cloud], progress, (0.0,))
    assert progress.lines == ["us-east-1: layer version 3 published; granted layerforge-public; removed 2, 1"]


def test_other_bytes_than_were_checked_are_told_of() -> None:
    (result,) = run([FakeCloud(wrong_digest=True)])
    assert result.status is Status.FAILED
    assert "holds other bytes" in result.error


def test_layers_of_one_name_for_two_processors_live_side_by_side() -> None:
    cloud = FakeCloud()
    intel, arm = ARTIFACT, replace(an_artifact("cd" * 32), architectures=("arm64",))
    for _ in range(3):
        for artifact in (intel, arm):
            run([cloud], PublishOptions(keep=1), artifact)
    assert [details for _, details in cloud.there.values()] == [its_details(intel), its_details(arm)]
    assert cloud.calls == ["publish", "publish"]


def test_two_who_planned_at_the_same_moment_make_one_version() -> None:
    cloud = FakeCloud()
    plans = [survey([cloud], [ARTIFACT], PublishOptions(grants=GRANTS)) for _ in range(2)]
    (first,), (second,) = [execute_jobs(jobs, [cloud], FakeProgress(), (0.0,)) for jobs in plans]
    assert (first.status, second.status) == (Status.PUBLISHED, Status.UNCHANGED)
    assert second.version == first.version
    assert len(cloud.there) == 1


@pytest.mark.parametrize("when", ["planning", "publishing"])
def test_an_error_that_nobody_thought_of_fails_its_region_alone(when: str) -> None:
    clouds = [FakeCloud(region="us-east-1", broken=when == "planning"), FakeCloud(region="eu-west-1")]
    jobs = survey(clouds, [ARTIFACT], PublishOptions())
    clouds[0].broken = True
    bad, well = execute_jobs(jobs, clouds, FakeProgress(), (0.0,))
    assert (bad.status, well.status) == (Status.FAILED, Status.PUBLISHED)
    assert bad.error == "an error in layerforge itself: KeyError: 'LayerVersions'"
    assert "report" in bad.hint


def test_a_region_that_does_not_answer_is_left_alone_and_the_others_go_on() -> None:
    forever = threading.Event()
    clouds = [FakeCloud(region="us-east-1", waits=forever), FakeCloud(region="eu-west-1")]
    jobs = survey(clouds, [ARTIFACT], PublishOptions(), limit=0.2)
    late, well = execute_jobs(jobs, clouds, FakeProgress(), (0.0,))
    forever.set()
    assert (late.status, well.status) == (Status.FAILED, Status.PUBLISHED)
    assert late.error == "us-east-1 did not answer within 0 seconds"


def test_a_region_that_hangs_while_it_publishes_is_given_up_with_a_result_for_each_layer() -> None:
    forever = threading.Event()
    clouds = [FakeCloud(region="us-east-1"), FakeCloud(region="eu-west-1")]
    layers = [ARTIFACT, an_artifact("cd" * 32, name="other")]
    jobs = survey(clouds, layers, PublishOptions())
    clouds[0].waits = forever
    results = execute_jobs(jobs, clouds, FakeProgress(), (0.0,), limit=0.2)
    forever.set()
    assert [(one.region, one.name, one.status) for one in results] == [
        ("us-east-1", "layer", Status.FAILED),
        ("us-east-1", "other", Status.FAILED),
        ("eu-west-1", "layer", Status.PUBLISHED),
        ("eu-west-1", "other", Status.PUBLISHED),
    ]
    assert results[0].error == "us-east-1 was not done within 0 seconds"


def test_what_is_lost_again_and_again_is_not_tried_for_ever() -> None:
    cloud = FakeCloud(luck=[Luck.LOST_BEFORE] * 9)
    (job,) = survey([cloud], [ARTIFACT], PublishOptions())
    clock = iter([0.0, 1.0, PATIENCE + 1])
    a_run = Publication(
        progress=FakeProgress(), step=FakeStep(), stop=threading.Event(), pauses=(0.0,) * 9, clock=lambda: next(clock)
    )
    result = perform(a_run, job, cloud)
    assert (result.error, cloud.calls) == ("the connection broke (1 time)", ["publish"])


FOREIGN = "somebody's own"


@settings(max_examples=150)
@given(
    runs=st.lists(st.lists(st.sampled_from(Luck), max_size=8), max_size=5),
    before=st.lists(st.sampled_from([FOREIGN, f"older {MARK}"]), max_size=4),
    keep=st.none() | st.integers(1, 3),
    large=st.booleans(),
)
def test_whatever_fails_in_the_end_there_is_one_new_version_with_its_grants(
    runs: list[list[Luck]], before: list[str], keep: int | None, large: bool
) -> None:
    cloud = FakeCloud()
    for description in before:
        cloud.add(description=description)
    foreign = {version.number for version, _ in cloud.there.values() if version.description == FOREIGN}
    options = PublishOptions(grants=GRANTS, keep=keep, location=S3Location(bucket="b"))
    artifact = LARGE if large else ARTIFACT
    for luck in [*runs, []]:
        cloud.luck = list(luck)
        try:
            results = run([cloud], options, artifact)
        except KilledError:
            continue
    new = [number for number, (_, details) in cloud.there.items() if details.code_sha256 == artifact.code_sha256]
    own = [version for version, _ in cloud.there.values() if version.own]
    assert len(new) == 1
    assert cloud.made == len(before) + 1
    assert cloud.policies[new[0]] == {grant.statement for grant in GRANTS}
    assert cloud.objects == {}
    assert foreign <= cloud.there.keys()
    assert keep is None or len(own) <= keep
    assert results[0].status in {Status.PUBLISHED, Status.UNCHANGED}


def test_an_interrupted_run_uploads_and_waits_no_more() -> None:
    stop = threading.Event()
    stop.set()
    run = Publication(progress=FakeProgress(), step=FakeStep(), stop=stop, pauses=(0.0,))
    with pytest.raises(Stopped):
        run.sent(1)
    with pytest.raises(Stopped):
        run.pause(60.0)
    cloud = FakeCloud()
    [job] = survey([cloud], [ARTIFACT], PublishOptions())
    with pytest.raises(Stopped):
        perform(run, job, cloud)
    assert cloud.calls == []


def test_a_failure_that_an_interruption_brought_about_is_no_result() -> None:
    class Interrupted(FakeCloud):
        def publish_bytes(self, artifact: Artifact, sent: object) -> NoReturn:
            stop.set()
            raise PublishError("the connection was closed")

    stop = threading.Event()
    run = Publication(progress=FakeProgress(), step=FakeStep(), stop=stop, pauses=(0.0,))
    [job] = survey([cloud := Interrupted()], [ARTIFACT], PublishOptions())
    with pytest.raises(Stopped):
        perform(run, job, cloud)


def test_a_request_that_did_not_arrive_whole_made_nothing_and_is_simply_sent_again() -> None:
    class Cut(FakeCloud):
        def publish_bytes(self, artifact: Artifact, sent: Callable[[int], None]) -> NoReturn:
            sent(artifact.zipped // 2)
            raise LostError("the connection broke", hint="again")

    step = FakeStep()
    run = Publication(progress=FakeProgress(), step=step, stop=threading.Event(), pauses=(0.0,))
    with pytest.raises(UncertainError, match="the connection broke") as caught:
        direct(run, ARTIFACT, Cut())
    assert not isinstance(caught.value, LostError)
    assert step.advanced == 0, "what did not arrive is taken back"
