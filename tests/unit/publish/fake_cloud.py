"""A Lambda in memory, one Region of it, whose calls fail as a test wants."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from layerforge.publish.artifact import Artifact, Details, Grant, LayerVersion, Storage
from layerforge.publish.cloud import AccountLimits, Bucket, LostError, Sent
from layerforge.publish.errors import PublishError

MARK = f"(layerforge content_sha256={'c' * 64})"


def an_artifact(
    sha256: str = "ab" * 32,
    *,
    name: str = "layer",
    zipped: int = 1000,
    unzipped: int = 2000,
    path: Path = Path("layer.zip"),
) -> Artifact:
    return Artifact(
        name=name,
        path=path,
        sha256=sha256,
        zipped=zipped,
        unzipped=unzipped,
        runtimes=("python3.13",),
        architectures=("x86_64",),
        description=f"layer {MARK}",
        licence="MIT",
    )


def a_version(
    number: int, description: str = "somebody's", region: str = "us-east-1", like: Artifact | None = None
) -> LayerVersion:
    """A version for the runtimes and processors of ``like``."""
    made = like or an_artifact()
    return LayerVersion(
        number=number,
        arn=f"arn:aws:lambda:{region}:1:layer:layer:{number}",
        description=description,
        runtimes=frozenset(made.runtimes),
        architectures=frozenset(made.architectures),
    )


def its_details(artifact: Artifact, storage: Storage = Storage.COPY) -> Details:
    return Details(
        code_sha256=artifact.code_sha256,
        runtimes=frozenset(artifact.runtimes),
        architectures=frozenset(artifact.architectures),
        reference=storage is Storage.REFERENCE,
    )


class Luck(StrEnum):
    """How the next call that changes something goes."""

    WELL = "well"
    REFUSED = "refused"
    LOST_BEFORE = "lost before it was done"
    LOST_AFTER = "lost after it was done"
    KILLED_BEFORE = "killed before it was done"
    KILLED_AFTER = "killed after it was done"


class KilledError(BaseException):
    """The end of the whole process."""


@dataclass
class FakeCloud:
    """A Region. ``luck`` is used up by the calls that change something; then all goes well."""

    region: str = "us-east-1"
    luck: list[Luck] = field(default_factory=list)
    seen_limits: AccountLimits = field(default_factory=AccountLimits)
    seen_bucket: Bucket = field(default_factory=Bucket)
    there: dict[int, tuple[LayerVersion, Details]] = field(default_factory=dict)
    policies: dict[int, set[str]] = field(default_factory=dict)
    objects: dict[tuple[str, str], str] = field(default_factory=dict)
    made: int = 0
    calls: list[str] = field(default_factory=list)
    """Those that change something."""
    wrong_digest: bool = False
    slow: int = 0
    """How often versions are listed until one that was made appears, once its answer was lost."""
    hidden: int = 0
    waits: threading.Event | None = None
    """What looking waits for."""
    broken: bool = False
    """Whether looking ends in an error that nobody thought of."""

    def _change(self, what: str) -> Luck:
        self.calls.append(what)
        luck = self.luck.pop(0) if self.luck else Luck.WELL
        if luck is Luck.REFUSED:
            raise PublishError("refused", hint="ask")
        if luck is Luck.LOST_BEFORE:
            raise LostError("the connection broke")
        if luck is Luck.KILLED_BEFORE:
            raise KilledError
        return luck

    def _after(self, luck: Luck) -> None:
        if luck is Luck.LOST_AFTER:
            raise LostError("the connection broke")
        if luck is Luck.KILLED_AFTER:
            raise KilledError

    def add(
        self,
        artifact: Artifact | None = None,
        description: str = "somebody's",
        storage: Storage = Storage.COPY,
    ) -> LayerVersion:
        """A version, as if it had always been there."""
        self.made += 1
        version = a_version(self.made, artifact.description if artifact else description, self.region, artifact)
        details = its_details(artifact, storage) if artifact else Details(code_sha256="other")
        self.there[self.made] = (version, details)
        return version

    def limits(self) -> AccountLimits:
        return self.seen_limits

    def versions(self, artifact: Artifact, *, every: bool) -> tuple[LayerVersion, ...]:
        self.hidden -= 1
        if self.waits:
            self.waits.wait()
        if self.broken:
            raise KeyError("LayerVersions")
        there = [version for _, (version, _) in sorted(self.there.items(), reverse=True)]
        found = [version for version in there if artifact.is_for(version)]
        return tuple(found[1:] if self.hidden > 0 else found)

    def details(self, name: str, number: int) -> Details:
        return self.there[number][1]

    def statements(self, name: str, number: int) -> frozenset[str]:
        return frozenset(self.policies.get(number, ()))

    def bucket(self, name: str, key: str, *, reference: bool) -> Bucket:
        return self.seen_bucket

    def _publish(self, artifact: Artifact, storage: Storage = Storage.COPY) -> tuple[LayerVersion, Details]:
        luck = self._change("publish")
        version = self.add(artifact, storage=storage)
        self.hidden = self.slow + 1
        self._after(luck)
        return version, Details(code_sha256="other") if self.wrong_digest else self.there[version.number][1]

    def publish_bytes(self, artifact: Artifact, sent: Sent) -> tuple[LayerVersion, Details]:
        sent(artifact.zipped)
        return self._publish(artifact)

    def publish_object(
        self, artifact: Artifact, bucket: str, key: str, object_version: str, storage: Storage
    ) -> tuple[LayerVersion, Details]:
        assert (bucket, key) in self.objects, "Lambda can only fetch what is there"
        return self._publish(artifact, storage)

    def find_object(self, bucket: str, key: str, artifact: Artifact) -> str | None:
        return "v1" if (bucket, key) in self.objects else None

    def put_object(self, bucket: str, key: str, artifact: Artifact, sent: Sent) -> str:
        luck = self._change("put")
        sent(artifact.zipped)
        self.objects[bucket, key] = artifact.sha256
        self._after(luck)
        return "v1"

    def delete_object(self, bucket: str, key: str, object_version: str) -> None:
        luck = self._change("delete object")
        self.objects.pop((bucket, key), None)
        self._after(luck)

    def allow(self, name: str, number: int, grant: Grant) -> None:
        luck = self._change("allow")
        self.policies.setdefault(number, set()).add(grant.statement)
        self._after(luck)

    def remove(self, name: str, number: int) -> None:
        luck = self._change("remove")
        self.there.pop(number, None)
        self._after(luck)
