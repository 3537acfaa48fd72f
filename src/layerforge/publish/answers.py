"""What AWS answers, as types: the one place where an answer is read.

An answer that does not have the form that AWS documents is no answer. A proxy's page, an empty one, or one that was cut
in the middle says nothing about whether the call was carried out, so it counts as lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from layerforge.core import guarded
from layerforge.publish.artifact import Details, LayerVersion
from layerforge.publish.aws_errors import CallPlace, as_publish_error
from layerforge.publish.cloud import OddError

PAUSES = (0.5, 2.0)
"""Seconds before a call that may be repeated is repeated after an odd answer."""

T = TypeVar("T")
Number = Annotated[int, msgspec.Meta(ge=1)]
Size = Annotated[int, msgspec.Meta(ge=0)]
Filled = Annotated[str, msgspec.Meta(min_length=1)]
Arn = Annotated[str, msgspec.Meta(pattern=r"^arn:[^:]+:lambda:[^:]*:[^:]*:layer:[^:]+:[0-9]+$")]


class VersionRow(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A version in a list."""

    version: Number
    layer_version_arn: Arn
    description: str = ""
    compatible_runtimes: tuple[str, ...] = ()
    compatible_architectures: tuple[str, ...] = ()


class Page(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A page of a list."""

    layer_versions: tuple[VersionRow, ...]
    next_marker: str = ""


class Content(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What a version holds."""

    code_sha256: str = ""
    resolved_s3_object: dict[str, str] | None = None
    """There where the code stays in a bucket of the user's."""


class Whole(VersionRow, frozen=True, kw_only=True, rename="pascal"):
    """A version as it is told when it is made, and when it is asked for."""

    content: Content


class Statement(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A row of a policy."""

    sid: str = ""


class Document(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The text of a policy."""

    statement: tuple[Statement, ...]


class Policy(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A policy that was asked for."""

    policy: Filled


class Granted(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A grant that was made."""

    statement: Filled


class CodeLimit(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Bytes that an account may use."""

    code_size_zipped: Size = 0
    code_size_unzipped: Size = 0
    total_code_size: Size | None = None


class Usage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Bytes that an account uses."""

    total_code_size: Size | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What an account may use and uses."""

    account_limit: CodeLimit
    account_usage: Usage


class Object(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """An object in a bucket."""

    content_length: Size
    metadata: dict[str, str]
    version_id: str = ""


class Caller(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Who asks."""

    account: Annotated[str, msgspec.Meta(pattern="^[0-9]{12}$")]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended that answers nothing when it is carried out."""

    status: Literal[204] = msgspec.field(name="HTTPStatusCode")


class Gone(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Something was deleted."""

    response_metadata: Ended


def once(place: CallPlace, call: Callable[[], Any], kind: type[T]) -> T:
    """Calls, and gives the answer as a ``kind``. Raises ``OddError`` for one that has another form."""
    with as_publish_error(place):
        return guarded.as_(call(), kind)


def repeated(place: CallPlace, call: Callable[[], Any], kind: type[T], pauses: tuple[float, ...] = PAUSES) -> T:
    """The same for a call that does no harm when it is made again, which it is after odd answers."""
    for seconds in pauses:
        try:
            return once(place, call, kind)
        except OddError:
            time.sleep(seconds)
    return once(place, call, kind)


def version(row: VersionRow) -> LayerVersion:
    """A version as it is listed."""
    return LayerVersion(
        number=row.version,
        arn=row.layer_version_arn,
        description=row.description,
        runtimes=frozenset(row.compatible_runtimes),
        architectures=frozenset(row.compatible_architectures),
    )


def details(place: CallPlace, whole: Whole) -> Details:
    """What a version holds. Raises ``OddError`` where the answer does not say."""
    reference = whole.content.resolved_s3_object is not None
    if not whole.content.code_sha256 and not reference:
        with as_publish_error(place):
            raise guarded.Unreadable(f"version {whole.version} has no digest")
    return Details(
        code_sha256=whole.content.code_sha256,
        runtimes=frozenset(whole.compatible_runtimes),
        architectures=frozenset(whole.compatible_architectures),
        reference=reference,
    )


def statements(place: CallPlace, policy: Policy) -> frozenset[str]:
    """Ids of a policy's statements."""
    with as_publish_error(place):
        return frozenset(row.sid for row in guarded.json_as(policy.policy, Document).statement)
