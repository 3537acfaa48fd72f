"""Objects in a bucket of S3."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from threading import Event
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, NoCredentialsError

from layerforge.core.errors import UsageError
from layerforge.core.store.aws import code_of, new_session, status_of
from layerforge.core.store.objects import MOST, ForeignObjectError, Listed
from layerforge.core.store.s3_errors import CUT, Where, credentials_told, failure, odd, told
from layerforge.core.text import megabytes

CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 5},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=64,
    tcp_keepalive=True,
)
"""The client repeats by itself what S3 throttles or fails at, and what does not reach it."""

PAUSES = (0.1, 0.5, 2.0, 5.0)
"""Seconds before a call is repeated that botocore does not repeat by itself."""

MOST_NAMES = 1000
"""Objects that S3 removes in one call."""

_TOLD_LATER = frozenset({"ConditionalRequestConflict", "OperationAborted"})
_DAMAGED = frozenset({"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"})
_PASSING = frozenset({"InternalError", "SlowDown", "ServiceUnavailable", "OperationAborted"})
_BARE = frozenset({301, 400, 403, 404})
"""Statuses of a HEAD whose answer has no body, and so no code that says what is meant."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[\w!.*'()+=@,:-]+(/[\w!.*'()+=@,:-]+)*", re.ASCII)
_FORM = "it has the form s3://bucket or s3://bucket/prefix"


@dataclass(frozen=True, kw_only=True)
class S3Objects:
    """Objects below a prefix of a bucket; satisfies ``Objects``. Its client may be shared between threads.

    An object is created by one request that S3 carries out only where there is none of that name, and which holds the
    SHA-256 of the bytes: S3 takes them whole, undamaged and once, or not at all. A request whose answer was lost may
    have been carried out; when it is repeated, S3 says that there is one already.
    """

    bucket: str
    prefix: str
    """Without slashes at its ends; empty for the whole bucket."""
    client: Any
    """boto3's, for S3."""
    pauses: tuple[float, ...] = PAUSES
    """Seconds before each repetition."""
    sleep: Callable[[float], None] = time.sleep
    found: Event = field(default_factory=Event)
    """Set once an answer has shown that the bucket is there."""

    @property
    def place(self) -> str:
        """``s3://bucket/prefix``."""
        return self._where.place

    def read(self, name: str, most: int = MOST) -> bytes | None:
        """The bytes of an object. What comes in part, or damaged, is asked for again."""
        with told(self._where):
            for pause in (*self.pauses, None):
                answer = self._answer(name, most)
                if answer is None:
                    return None
                try:
                    # It raises where it ends before its length, or has another checksum than S3 keeps of it.
                    return bytes(answer["Body"].read())
                except CUT:
                    if pause is None:
                        raise
                    self.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _answer(self, name: str, most: int) -> dict[str, Any] | None:
        """S3's answer before its bytes are read."""
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self._key(name), ChecksumMode="ENABLED")
        except ClientError as error:
            if code_of(error) != "NoSuchKey":
                raise
            self.found.set()
            return None
        size = int(self._of_s3(answer)["ContentLength"])
        if size > most:
            raise ForeignObjectError(
                f"{self.place}/{name} has {megabytes(size)}, of which at most {megabytes(most)} are read",
                hint="layerforge put nothing of that size there: remove it",
            )
        return dict(answer)

    def size(self, name: str) -> int | None:
        """How many bytes an object has."""
        with told(self._where):
            try:
                answer = self.client.head_object(Bucket=self.bucket, Key=self._key(name))
            except ClientError as error:
                if status_of(error) == 404 and self.found.is_set():
                    return None
                if status_of(error) not in _BARE:
                    raise
            else:
                return int(self._of_s3(answer)["ContentLength"])
            return self._size_as_listed(self._key(name))

    def _size_as_listed(self, key: str) -> int | None:
        """The size by a call that, where it is refused, says why: whether there is no such object or no such bucket,
        and whether credentials have ended or give no right.
        """
        answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1)
        self._of_s3(answer, "Name")
        return next((int(one["Size"]) for one in answer.get("Contents", ()) if one["Key"] == key), None)

    def create(self, name: str, data: bytes) -> bool:
        """Makes an object, where S3 has none of that name."""
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        with told(self._where):
            for pause in (*self.pauses, None):
                try:
                    answer = self.client.put_object(
                        Bucket=self.bucket, Key=self._key(name), Body=data, IfNoneMatch="*", ChecksumSHA256=checksum
                    )
                except ClientError as error:
                    if status_of(error) == 412:
                        self.found.set()
                        return False
                    if pause is None or code_of(error) not in _TOLD_LATER | _DAMAGED:
                        raise
                    self.sleep(pause)
                else:
                    self._of_s3(answer)
                    return True
        raise AssertionError("the last try returns or raises")

    def listed(self, below: str = "") -> Iterator[Listed]:
        """Every object, by pages of a thousand that are asked for as they are needed."""
        start = self._key("")
        pages = iter(self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start + below))
        while (page := self._page(pages)) is not None:
            for name, listed in ((one["Key"].removeprefix(start), one) for one in page.get("Contents", ())):
                # Consoles and other tools make empty objects that stand for a folder.
                if name and not name.endswith("/"):
                    yield Listed(name=name, size=listed["Size"], modified=listed["LastModified"].timestamp())

    def _page(self, pages: Iterator[dict[str, Any]]) -> dict[str, Any] | None:
        with told(self._where):
            page = next(pages, None)
            return None if page is None else self._of_s3(page, "Name")

    def remove(self, names: Iterable[str]) -> None:
        """Removes objects, a thousand with a call. What S3 fails at in one of them is tried again."""
        keys = (self._key(name) for name in names)
        while batch := list(islice(keys, MOST_NAMES)):
            with told(self._where):
                self._remove(batch)

    def _remove(self, keys: list[str]) -> None:
        for pause in (*self.pauses, None):
            left = self._refused(keys)
            if not left:
                return
            lasting = [one for one in left if one.get("Code") not in _PASSING]
            if lasting or pause is None:
                raise ClientError({"Error": (lasting or left)[0]}, "DeleteObjects")
            keys = [one["Key"] for one in left]
            self.sleep(pause)

    def _refused(self, keys: list[str]) -> list[dict[str, Any]]:
        listed = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        answer = self.client.delete_objects(Bucket=self.bucket, Delete=listed)
        return list(answer.get("Errors", ()))

    def _of_s3(self, answer: dict[str, Any], sign: str = "ETag") -> dict[str, Any]:
        """The answer itself, where it has what all answers of S3 have and no proxy's page."""
        if sign not in answer:
            raise odd(self._where, f"it has no {sign}")
        self.found.set()
        return answer

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    @property
    def _where(self) -> Where:
        return _where(self.bucket, self.prefix, self.client.meta.region_name)


def s3_objects(url: str, config: Config = CONFIG) -> S3Objects:
    """The objects below ``s3://bucket/prefix``, with the credentials that boto3 finds, in the Region of AWS_REGION.

    A bucket of another Region is found by S3's own redirects. Raises ``UsageError`` for an address of another form,
    and ``FarStoreError`` where there are no credentials, without asking S3.
    """
    bucket, prefix = parsed(url)
    where = _where(bucket, prefix, "")
    with credentials_told(where):
        session = new_session()
        # Otherwise each call would look for them again, and wait for a machine on EC2 to answer.
        if session.get_credentials() is None:
            raise failure(NoCredentialsError(), where)
    with told(where):
        try:
            client = session.client("s3", config=config)
        except ValueError as error:
            raise UsageError(
                "AWS_ENDPOINT_URL is no whole address", hint="it begins with https:// or http://"
            ) from error
    return S3Objects(bucket=bucket, prefix=prefix, client=client)


def parsed(url: str) -> tuple[str, str]:
    """Bucket and prefix of ``s3://bucket/prefix``. Raises ``UsageError``, which does not repeat what may be secret."""
    bucket, _, prefix = url.partition("://")[2].partition("/")
    prefix = prefix.rstrip("/")
    if "@" in bucket:
        raise UsageError(
            "the address of the store holds credentials", hint=f"{_FORM}; AWS_PROFILE or variables have credentials"
        )
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise UsageError(
            f"{bucket!r} is no name of a bucket" if bucket else f"{url!r} names no bucket",
            hint=f"{_FORM}; a bucket's name has 3 to 63 small letters, digits, dots and hyphens",
        )
    parts = prefix.split("/")
    if prefix and (not _PREFIX.fullmatch(prefix) or {".", ".."} & set(parts)):
        raise UsageError(
            f"{prefix!r} is no prefix of a store",
            hint="it has letters, digits and - _ . ! * ' ( ) + = @ , : with single slashes between them",
        )
    return bucket, prefix


def _where(bucket: str, prefix: str, region: str) -> Where:
    return Where(place=f"s3://{bucket}/{prefix}".rstrip("/"), bucket=bucket, region=region)
