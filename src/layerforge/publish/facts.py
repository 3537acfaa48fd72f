"""What publishing is about: what is to be published, what is there already, and what is to be done."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from layerforge.errors import PublishError
from layerforge.model import DIRECT_UPLOAD_LIMIT, LAMBDA_UNZIPPED_LIMIT

LONGEST_DESCRIPTION = 256
LONGEST_LICENCE = 512

MARK = re.compile(r"\(layerforge content_sha256=([0-9a-f]{64})\)$")
"""How the description of a version ends that layerforge published."""

AGAIN = "run the command again, it does only what is left"

Sent = Callable[[int], None]
"""Is told how many more bytes have gone out; negative where they have to go again."""


class Storage(StrEnum):
    """Where Lambda takes a layer's code from once it is published."""

    COPY = "copy"
    """Lambda's own storage."""
    REFERENCE = "reference"
    """The object in the user's bucket, which has to stay."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A finished zip and what Lambda is told of it."""

    name: str
    """Of the layer."""
    path: Path
    sha256: str
    """Of the zip, hexadecimal."""
    zipped: int
    unzipped: int
    runtimes: tuple[str, ...]
    """``python3.13``"""
    architectures: tuple[str, ...]
    description: str
    """At most 256 characters, the last of them layerforge's mark."""
    licence: str
    """SPDX expression of at most 512 characters; empty where it is not known."""

    @property
    def code_sha256(self) -> str:
        """The digest as Lambda writes it."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()

    @property
    def kind(self) -> str:
        """What it is for, such as ``python3.13-x86_64``. Versions of one name and one kind replace each other."""
        return "-".join((*self.runtimes, *self.architectures))

    def is_for(self, other: Version | Details) -> bool:
        """Whether a version is for the same runtimes and processors."""
        return other.runtimes == frozenset(self.runtimes) and other.architectures == frozenset(self.architectures)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Somebody who may use a version. Equal grants have equal statement ids."""

    statement: str
    principal: str
    """A 12-digit account, or ``*``."""
    organization: str = ""
    """``o-…``; empty for an account or for everybody."""


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Where in S3 a zip is put for Lambda to fetch."""

    bucket: str
    """May hold ``{region}``."""
    prefix: str = ""
    keep: bool = False
    """Whether the object stays once Lambda has its copy; with ``Storage.REFERENCE`` it has to."""

    def bucket_in(self, region: str) -> str:
        """The bucket's name in a Region."""
        return self.bucket.replace("{region}", region)

    def key(self, artifact: Artifact) -> str:
        """The object's key: equal bytes have equal keys.

        An object that is to go has a name of its own, so that one which another run left behind goes with the next,
        and one that was meant to stay never does. Runtime and processor are part of that name: a run that clears away
        takes nothing from one that publishes the same bytes for another processor.
        """
        return f"{self.prefix}{artifact.name}/{artifact.sha256}{'' if self.keep else f'.{artifact.kind}.upload'}.zip"


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What the user wants of every layer in every Region."""

    grants: tuple[Grant, ...] = ()
    keep: int | None = None
    """How many versions stay, the newest included; ``None`` removes none."""
    foreign: bool = False
    """Whether versions that layerforge did not publish count among them, and may be removed."""
    shelf: Shelf | None = None
    storage: Storage = Storage.COPY


# --- what is there ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version as Lambda lists it."""

    number: int
    arn: str
    description: str = ""
    runtimes: frozenset[str] = frozenset()
    architectures: frozenset[str] = frozenset()

    @property
    def own(self) -> bool:
        """Whether layerforge published it."""
        return MARK.search(self.description) is not None

    @property
    def layer_arn(self) -> str:
        """The version's ARN without its number."""
        return self.arn.rpartition(":")[0]


@dataclass(frozen=True, kw_only=True)
class Details:
    """What Lambda tells of one version when asked for it."""

    code_sha256: str
    """Base64."""
    runtimes: frozenset[str] = frozenset()
    architectures: frozenset[str] = frozenset()
    reference: bool = False
    """Whether Lambda runs the code from the user's bucket."""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """An object of layerforge's own that should have gone."""

    bucket: str
    key: str
    object_version: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bytes that an account may use in a Region."""

    zipped: int = DIRECT_UPLOAD_LIMIT
    """Of a direct upload."""
    unzipped: int = LAMBDA_UNZIPPED_LIMIT
    left: int | None = None
    """Of code storage; ``None`` where it is not known."""


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A bucket that exists in the right Region."""

    versioned: bool | None = None
    """``None`` where it was not asked or may not be read; so below."""
    readable: bool | None = None
    """Whether its policy lets Lambda read objects of any version."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What read-only calls found of one layer in one Region."""

    region: str
    limits: Limits = Limits()
    versions: tuple[Version, ...] = ()
    """Those for the layer's runtimes and processors, newest first; older ones only where they are to go."""
    newest: Details | None = None
    """Of the first of ``versions``."""
    statements: frozenset[str] = frozenset()
    """Ids in the policy of the newest version, where that may be the one that is wanted."""
    bucket: Bucket | None = None
    """``None`` where none was looked at."""
    leftover: Leftover | None = None
    """What an earlier run left in the bucket."""


# --- what is to be done ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Publish:
    """Make a new version."""

    shelf: Shelf | None
    """``None`` for a direct upload."""
    storage: Storage = Storage.COPY


@dataclass(frozen=True, kw_only=True)
class Unchanged:
    """The newest version is the wanted one."""

    version: Version
    code_sha256: str


@dataclass(frozen=True, kw_only=True)
class Allow:
    """Let somebody use the version."""

    grant: Grant


@dataclass(frozen=True, kw_only=True)
class Remove:
    """Delete an older version."""

    version: Version


@dataclass(frozen=True, kw_only=True)
class Discard:
    """Remove what an earlier run left in the bucket."""

    leftover: Leftover


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """Nothing can be done here."""

    message: str
    hint: str


Action = Publish | Unchanged | Allow | Remove | Discard | Refuse


@dataclass(frozen=True, kw_only=True)
class Job:
    """One layer in one Region: what was seen there, and what is to be done, in this order."""

    region: str
    artifact: Artifact
    seen: Seen
    actions: tuple[Action, ...]

    @property
    def publishes(self) -> bool:
        """Whether a new version is to be made."""
        return any(isinstance(action, Publish) for action in self.actions)


class Status(StrEnum):
    """How a layer fared in a Region."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a job."""

    region: str
    name: str
    """Of the layer."""
    status: Status
    runtimes: tuple[str, ...] = ()
    """Of the layer, ``python3.13``."""
    architectures: tuple[str, ...] = ()
    version: Version | None = None
    """The wanted version, also where something failed once it was there."""
    code_sha256: str = ""
    """Base64; empty where there is no version."""
    error: str = ""
    hint: str = ""
    warnings: tuple[str, ...] = ()


# --- the calls -------------------------------------------------------------------------------------------------------


class UncertainError(PublishError):
    """A call that may succeed when repeated."""


class LostError(UncertainError):
    """A call whose answer is lost: it may have been carried out, or AWS may still be at it."""


class OddError(LostError):
    """An answer that is none: empty, cut, or not AWS's."""


class Cloud(Protocol):
    """One Region of AWS, in the words of this package. Every call raises ``PublishError`` where it fails."""

    @property
    def region(self) -> str:
        """Its name."""

    def limits(self) -> Limits:
        """The account's limits; the usual ones where they may not be read."""

    def versions(self, artifact: Artifact, *, every: bool) -> tuple[Version, ...]:
        """Versions of a layer for the artifact's runtimes and processors, newest first; none where there is none.

        Without ``every`` only the newest ones, as many as come with one call.
        """

    def details(self, name: str, number: int) -> Details:
        """What a version holds."""

    def statements(self, name: str, number: int) -> frozenset[str]:
        """Ids of the statements in a version's policy."""

    def bucket(self, name: str, key: str, *, reference: bool) -> Bucket:
        """Looks at a bucket; with ``reference``, also at what Lambda needs to run from it."""

    def publish_bytes(self, artifact: Artifact, sent: Sent) -> tuple[Version, Details]:
        """Makes a version from the zip itself. Tries once; raises ``LostError`` where it may have been made."""

    def publish_object(
        self, artifact: Artifact, bucket: str, key: str, object_version: str, storage: Storage
    ) -> tuple[Version, Details]:
        """Makes a version from an object. Tries once; raises ``LostError`` where it may have been made."""

    def find_object(self, bucket: str, key: str, artifact: Artifact) -> str | None:
        """Version of the object that holds the artifact, empty in an unversioned bucket; ``None`` without one."""

    def put_object(self, bucket: str, key: str, artifact: Artifact, sent: Sent) -> str:
        """Uploads the zip. Returns the object's version, empty in an unversioned bucket."""

    def delete_object(self, bucket: str, key: str, object_version: str) -> None:
        """Removes an object."""

    def allow(self, name: str, number: int, grant: Grant) -> None:
        """Grants; nothing happens where it is granted already."""

    def remove(self, name: str, number: int) -> None:
        """Deletes a version; nothing happens where it is gone already."""
