"""The rights that docs/scale.md names are enough for what it says, and allow nothing else, as moto's IAM holds them."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from aws.proxy import Proxy
from layerforge.core.store import places
from layerforge.core.store.objects import FarReadOnlyError, Objects

TEXT = (Path(__file__).parents[2] / "docs/scale.md").read_text("utf-8")
POLICIES = dict(re.findall(r"<!-- file: store-(\w+)\.json -->\n```json\n(.*?)```", TEXT, re.DOTALL))

As = Callable[[str], Objects]


def held(url: str, *, rights: bool) -> None:
    """Lets moto hold every request against the rights of who sends it, or none."""
    count, plain = b"0" if rights else b"inf", {"Content-Type": "text/plain"}
    address = f"{url}/moto-api/reset-auth"
    urllib.request.urlopen(urllib.request.Request(address, data=count, method="POST", headers=plain)).close()


@pytest.fixture
def store(aws: Proxy, moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[As]:
    """The store as somebody who has the rights of one of the documented policies sees it."""
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="the-store")
    iam = boto3.client("iam", region_name="us-east-1")
    keys = {}
    for name, text in POLICIES.items():
        if name != "bucket":
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="it", PolicyDocument=text.replace(":::STORE", ":::the-store"))
            keys[name] = iam.create_access_key(UserName=name)["AccessKey"]

    def as_(name: str) -> Objects:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys[name]["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys[name]["SecretAccessKey"])
        return places.opened("s3://the-store/layers")

    held(moto, rights=True)
    yield as_
    held(moto, rights=False)


def test_whoever_may_add_creates_objects_and_whoever_may_read_finds_them(store: As) -> None:
    assert store("writer").create("cas/sha256/ab/abcd", b"bytes")
    assert not store("writer").create("cas/sha256/ab/abcd", b"other")
    for name in ("reader", "writer", "keeper"):
        found = store(name)
        assert found.read("cas/sha256/ab/abcd") == b"bytes"
        assert found.read("absent") is None
        assert found.size("cas/sha256/ab/abcd") == 5
        assert found.size("absent") is None
        assert [one.name for one in found.listed()] == ["cas/sha256/ab/abcd"]


@pytest.mark.parametrize("name", ["reader", "keeper"])
def test_nobody_else_adds(store: As, name: str) -> None:
    with pytest.raises(FarReadOnlyError, match="PutObject"):
        store(name).create("a", b"bytes")


@pytest.mark.parametrize("name", ["reader", "writer"])
def test_neither_readers_nor_those_who_add_remove(store: As, name: str) -> None:
    store("writer").create("a", b"bytes")
    with pytest.raises(FarReadOnlyError, match="DeleteObjects"):
        store(name).remove(["a"])
    assert store("reader").read("a") == b"bytes"


def test_nothing_is_allowed_in_another_bucket_or_beside_the_prefix() -> None:
    for name, text in POLICIES.items():
        resources = {one["Resource"] for one in json.loads(text)["Statement"] if one["Effect"] == "Allow"}
        assert resources <= {"arn:aws:s3:::STORE/layers/*", "arn:aws:s3:::STORE"}, name
