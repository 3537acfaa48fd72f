"""One Region of Lambda as publishing sees it: a Protocol, what it answers, and the errors that it ends in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from layerforge.core.limits import DIRECT_UPLOAD_LIMIT, LAMBDA_UNZIPPED_LIMIT
from layerforge.publish.artifact import Artifact, Details, Grant, LayerVersion, Storage
from layerforge.publish.errors import PublishError

AGAIN = "run the command again, it does only what is left"
Sent = Callable[[int], None]
"""Is told how many more bytes have gone out; negative where they have to go again."""


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """An object of layerforge's own that should have gone."""

    bucket: str
    key: str
    object_version: str


@dataclass(frozen=True, kw_only=True)
class AccountLimits:
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


class UncertainError(PublishError):
    """A call that may succeed when repeated."""


class LostError(UncertainError):
    """A call whose answer is lost: it may have been carried out, or AWS may still be at it."""


class OddError(LostError):
    """An answer that is none: empty, cut, or not AWS's."""


class LambdaRegion(Protocol):
    """One Region of AWS, in the words of this package. Every call raises ``PublishError`` where it fails."""

    @property
    def region(self) -> str:
        """Its name."""

    def limits(self) -> AccountLimits:
        """The account's limits; the usual ones where they may not be read."""

    def versions(self, artifact: Artifact, *, every: bool) -> tuple[LayerVersion, ...]:
        """Versions of a layer for the artifact's runtimes and processors, newest first; none where there is none.

        Without ``every`` only the newest ones, as many as come with one call.
        """

    def details(self, name: str, number: int) -> Details:
        """What a version holds."""

    def statements(self, name: str, number: int) -> frozenset[str]:
        """Ids of the statements in a version's policy."""

    def bucket(self, name: str, key: str, *, reference: bool) -> Bucket:
        """Looks at a bucket; with ``reference``, also at what Lambda needs to run from it."""

    def publish_bytes(self, artifact: Artifact, sent: Sent) -> tuple[LayerVersion, Details]:
        """Makes a version from the zip itself. Tries once; raises ``LostError`` where it may have been made."""

    def publish_object(
        self, artifact: Artifact, bucket: str, key: str, object_version: str, storage: Storage
    ) -> tuple[LayerVersion, Details]:
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
