"""A far store in S3: what boto3 and a server of S3 make of it over HTTP, and what a network does to that."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from botocore.config import Config

import far_places
from aws import world
from aws.proxy import Fault, Proxy
from layerforge.core.store.objects import FarReadOnlyError, FarStoreError, Objects
from layerforge.core.store.places import opened
from layerforge.core.store.s3 import CONFIG, PAUSES, S3Objects, s3_objects

DATA = b"a value" * 1000
NUMBERS = itertools.count()


@pytest.fixture
def bucket(aws: Proxy) -> Proxy:
    """A bucket, and a proxy that has seen no call."""
    world.a_bucket("mine")
    aws.reset()
    return aws


def at_once(seconds: float) -> None:
    """Does not wait."""


def a_place(url: str = "s3://mine/pre", **config: Any) -> S3Objects:
    """The objects below an address, by a client that soon gives up."""
    quick = Config(retries={"mode": "standard", "total_max_attempts": 2}, **config)
    return replace(s3_objects(url, CONFIG.merge(quick)), sleep=at_once)


def raw(data: bytes, length: int, *headers: str) -> bytes:
    lines = ("HTTP/1.1 200 OK", "Connection: close", f"Content-Length: {length}", 'ETag: "0"', *headers, "", "")
    return "\r\n".join(lines).encode() + data


# --- the contract


@pytest.mark.parametrize("keeps_to", [*far_places.READING, *far_places.WRITING], ids=lambda one: one.__name__)
def test_a_bucket_keeps_to_the_contract(keeps_to: Callable[[far_places.Filled], None], bucket: Proxy) -> None:
    def filled(data: dict[str, bytes]) -> Objects:
        place = opened(f"s3://mine/pre/{next(NUMBERS)}")
        assert all(place.create(name, value) for name, value in data.items())
        return place

    keeps_to(filled)


def test_places_below_two_prefixes_know_nothing_of_each_other(bucket: Proxy) -> None:
    for url in ("s3://mine/one", "s3://mine/one-more", "s3://mine"):
        assert opened(url).create("name", url.encode())
    assert opened("s3://mine/one").read("name") == b"s3://mine/one"
    assert [one.name for one in opened("s3://mine/one").listed()] == ["name"]
    assert [one.name for one in opened("s3://mine").listed()] == ["name", "one-more/name", "one/name"]


def test_more_objects_than_a_page_are_listed_and_removed(bucket: Proxy) -> None:
    place = opened("s3://mine/pre")
    names = [f"{number:05}" for number in range(1003)]
    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(lambda name: place.create(name, name.encode()), names))
    assert [one.name for one in place.listed()] == names
    assert bucket.count("ListObjectsV2") == 2
    place.remove(names[1:])
    assert bucket.count("DeleteObjects") == 2
    assert [one.name for one in place.listed()] == names[:1]


def test_a_versioned_bucket_makes_removed_objects_again(aws: Proxy) -> None:
    world.a_bucket("mine", versioned=True)
    place = opened("s3://mine")
    assert place.create("a", b"1")
    place.remove(["a"])
    assert place.read("a") is None
    assert place.create("a", b"2")
    assert place.read("a") == b"2"


def test_what_is_sent_says_its_digest_and_is_made_only_where_there_is_none(bucket: Proxy) -> None:
    place = a_place()
    assert place.create("a", DATA)
    assert not place.create("a", b"other")
    assert [(one.name, one.size) for one in bucket.calls] == [("PutObject", len(DATA)), ("PutObject", 5)]
    assert place.read("a") == DATA


# --- what passes


def test_a_conflict_passes(bucket: Proxy) -> None:
    bucket.fault(Fault(call="PutObject", status=409, code="ConditionalRequestConflict", times=2))
    slept: list[float] = []
    place = replace(a_place(), sleep=slept.append)
    assert place.create("a", DATA)
    assert place.read("a") == DATA
    assert slept == list(PAUSES[:2])


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.parametrize("call", ["PutObject", "GetObject", "HeadObject", "ListObjectsV2", "DeleteObjects"])
def test_a_server_that_fails_once_is_asked_again(bucket: Proxy, call: str, status: int) -> None:
    bucket.fault(Fault(call=call, status=status, code="SlowDown", times=1))
    place = a_place()
    assert place.create("a", DATA)
    assert place.read("a") == DATA
    assert place.size("a") == len(DATA)
    assert [one.name for one in place.listed()] == ["a"]
    place.remove(["a"])
    assert place.read("a") is None


@pytest.mark.parametrize("lost", [False, True], ids=["before", "after"])
def test_a_connection_that_ends_is_made_again_and_nothing_is_made_twice(bucket: Proxy, *, lost: bool) -> None:
    bucket.fault(Fault(call="PutObject", lost=lost, times=1))
    place = a_place()
    # Where S3 had carried it out before the answer was lost, somebody was first: this very request.
    assert place.create("a", DATA) is not lost
    assert place.read("a") == DATA
    assert len(world.client("s3").list_objects_v2(Bucket="mine")["Contents"]) == 1


def test_an_upload_that_is_cut_leaves_nothing_and_is_sent_again(bucket: Proxy) -> None:
    bucket.fault(Fault(call="PutObject", cut=100, times=1))
    place = a_place()
    assert place.create("a", DATA)
    assert place.read("a") == DATA


def test_a_late_answer_is_waited_for(bucket: Proxy) -> None:
    place = a_place()
    bucket.fault(Fault(call="PutObject", late=0.3, times=1))
    bucket.fault(Fault(call="GetObject", late=0.3, times=1))
    assert place.create("a", DATA)
    assert place.read("a") == DATA
    assert (bucket.count("PutObject"), bucket.count("GetObject")) == (1, 1)


def test_an_answer_that_never_comes_is_asked_for_again(bucket: Proxy) -> None:
    assert a_place().create("a", DATA)
    patient = Config(retries={"mode": "standard", "total_max_attempts": 6}, read_timeout=0.5)
    place = s3_objects("s3://mine/pre", CONFIG.merge(patient))
    bucket.fault(Fault(call="GetObject", cut=0, stall=2, times=1))
    assert place.read("a") == DATA


WRONG = "x-amz-checksum-sha256: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
BAD = {
    "cut": raw(DATA[:100], len(DATA)),
    "no bytes": raw(b"", len(DATA)),
    "damaged": raw(DATA, len(DATA), WRONG),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bytes_that_are_cut_or_damaged_are_asked_for_again(bucket: Proxy, bad: bytes) -> None:
    place = a_place()
    assert place.create("a", DATA)
    bucket.fault(Fault(call="GetObject", raw=bad, times=3))
    assert place.read("a") == DATA
    assert bucket.count("GetObject") == 4


# --- what does not pass


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bytes_that_are_always_cut_or_damaged_are_told(bucket: Proxy, bad: bytes) -> None:
    bucket.fault(Fault(call="GetObject", raw=bad))
    with pytest.raises(FarStoreError, match="again and again"):
        a_place().read("a")
    assert bucket.count("GetObject") == len(PAUSES) + 1


def every_call(place: Objects) -> dict[str, Callable[[], object]]:
    return {
        "GetObject": lambda: place.read("a"),
        "HeadObject": lambda: place.size("a"),
        "PutObject": lambda: place.create("new", DATA),
        "ListObjectsV2": lambda: list(place.listed()),
        "DeleteObjects": lambda: place.remove(["a"]),
    }


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (503, "SlowDown", "asked for too much at once|fails again and again"),
        (500, "InternalError", "fails again and again"),
        (400, "ExpiredToken", "the AWS session has ended"),
        (403, "RequestTimeTooSkewed", "this machine's clock is wrong"),
        (403, "AccessDenied", "S3 denies"),
        (403, "InvalidAccessKeyId", "does not accept these credentials in us-east-1"),
        (403, "SignatureDoesNotMatch", "does not accept the signature"),
    ],
)
def test_what_goes_on_is_told_at_each_call(bucket: Proxy, status: int, code: str, words: str) -> None:
    place = a_place(region_name="us-east-1")
    assert place.create("a", DATA)
    assert place.size("a") == len(DATA)
    for call in every_call(place):
        bucket.fault(Fault(call=call, status=status, code=code))
    for call, ask in every_call(place).items():
        with pytest.raises(FarStoreError, match=words) as caught:
            ask()
        assert caught.value.hint
        assert str(status) in caught.value.details[0]
        denied = code == "AccessDenied" and call in {"PutObject", "DeleteObjects"}
        assert isinstance(caught.value, FarReadOnlyError) is denied
        assert "very-secret" not in " ".join((caught.value.message, caught.value.hint, *caught.value.details))


def test_with_credentials_that_end_in_the_middle_what_was_made_stays(bucket: Proxy) -> None:
    place = a_place()
    assert place.create("a", DATA)
    bucket.fault(Fault(call="PutObject", status=400, code="ExpiredToken", times=1))
    with pytest.raises(FarStoreError, match="the AWS session has ended") as caught:
        place.create("b", DATA)
    assert "log in again" in caught.value.hint
    assert place.create("b", DATA)
    assert [one.name for one in place.listed()] == ["a", "b"]


def test_where_writing_is_denied_reading_goes_on(bucket: Proxy) -> None:
    place = a_place()
    assert place.create("a", DATA)
    bucket.fault(Fault(call="PutObject", status=403, code="AccessDenied"))
    with pytest.raises(FarReadOnlyError, match="nothing can be put into s3://mine/pre"):
        place.create("b", DATA)
    assert place.read("a") == DATA
    assert place.read("b") is None


def test_a_bucket_that_is_not_there_is_told_at_each_call(aws: Proxy) -> None:
    for ask in every_call(a_place("s3://nobodys/pre")).values():
        with pytest.raises(FarStoreError, match="there is no bucket nobodys"):
            ask()


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None], ids=["nothing", "empty", "page"]
)
def test_what_is_no_answer_of_s3s_is_never_taken_for_one(bucket: Proxy, answer: bytes | None) -> None:
    place = a_place()
    assert place.create("a", DATA)
    page = b"<!DOCTYPE html><html><body>Please log in to the guest network</body></html>"
    html = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page)
    for call in ("GetObject", "HeadObject", "PutObject", "ListObjectsV2"):
        bucket.fault(Fault(call=call, raw=html if answer is None else answer))
        with pytest.raises(FarStoreError):
            every_call(place)[call]()


def test_an_endpoint_that_nobody_listens_at_is_told(aws: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for ask in every_call(a_place()).values():
        with pytest.raises(FarStoreError, match="s3://mine/pre cannot be reached") as caught:
            ask()
        assert "AWS_ENDPOINT_URL" in caught.value.hint


# --- Regions


ELSEWHERE = "x-amz-bucket-region: eu-west-1"


def moved(status: int, code: str, region: str = "") -> bytes:
    body = f"<Error><Code>{code}</Code><Message>elsewhere</Message>{region}</Error>".encode()
    head = f"HTTP/1.1 {status} Moved\r\nConnection: close\r\n{ELSEWHERE}\r\nContent-Type: application/xml"
    head += f"\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def test_a_bucket_of_another_region_is_found(aws: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    world.a_bucket("mine", "eu-west-1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    aws.reset()
    aws.fault(Fault(call="PutObject", region="us-east-1", raw=moved(301, "PermanentRedirect")))
    place = a_place()
    assert place.create("a", DATA)
    assert place.read("a") == DATA
    assert [(one.name, one.region) for one in aws.calls if one.name != "HeadBucket"] == [
        ("PutObject", "us-east-1"),
        ("PutObject", "eu-west-1"),
        ("GetObject", "eu-west-1"),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        moved(301, "PermanentRedirect"),
        moved(400, "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
        moved(400, "IllegalLocationConstraintException"),
    ],
    ids=["301", "signed", "constraint"],
)
def test_a_bucket_that_is_sent_for_in_vain_is_told_with_its_region(
    bucket: Proxy, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    place = a_place()
    for call, ask in every_call(place).items():
        if call != "HeadObject":
            bucket.fault(Fault(call=call, raw=answer))
            with pytest.raises(FarStoreError, match="the bucket mine does not lie in us-east-1") as caught:
                ask()
            assert caught.value.hint == "set AWS_REGION to eu-west-1"
