"""AWS itself: one Region behind the Protocol ``LambdaRegion``, through boto3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import boto3.session
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from layerforge.core.errors import UsageError
from layerforge.publish import answers
from layerforge.publish.artifact import Artifact, Details, Grant, LayerVersion, Storage
from layerforge.publish.aws_errors import CallPlace, as_publish_error, is_code
from layerforge.publish.bucket_policy import lets_lambda_read, read_policy, unless_closed
from layerforge.publish.cloud import AGAIN, AccountLimits, Bucket, Sent
from layerforge.publish.errors import PublishError
from layerforge.publish.upload_body import streamed

Answer = TypeVar("Answer")
GONE = 204
"""Status of the answer to a call that deletes."""

PART = 8 << 20
"""Bytes of one part of a multipart upload."""

_TRANSFER = {
    "multipart_threshold": PART,
    "multipart_chunksize": PART,
    "max_concurrency": 4,
    "preferred_transfer_client": "classic",
}

_DIGEST = "layerforge-sha256"
"""Metadata of an object: the digest of what it holds."""


@dataclass(frozen=True, kw_only=True)
class AwsRegion:
    """One Region, by boto3's clients. Satisfies ``LambdaRegion``."""

    region: str
    reads: Any
    """Repeats what fails by itself."""
    once: Any
    s3: Any
    sts: Any
    bucket_owner: str | None
    """Account that buckets have to belong to; ``None`` for the caller's own."""
    pauses: tuple[float, ...] = answers.PAUSES
    """Seconds before a call is repeated that got an odd answer."""

    @cached_property
    def _owned(self) -> Mapping[str, str]:
        """What every call of S3 gets along, so that nobody else's bucket of that name is taken for ours."""
        return {"ExpectedBucketOwner": self.bucket_owner or self._account()}

    def _account(self) -> str:
        try:
            return self._ask(self.sts.get_caller_identity, answers.Caller).account
        except PublishError as error:
            raise PublishError(
                f"whose bucket it has to be cannot be found out: {error.message}",
                hint="name the account that it belongs to with --bucket-owner",
            ) from error

    def _ask(self, call: Callable[[], Any], kind: type[Answer], bucket: str = "") -> Answer:
        """Asks for what may be asked for twice."""
        return answers.repeated(CallPlace(region=self.region, bucket=bucket), call, kind, self.pauses)

    def limits(self) -> AccountLimits:
        """The account's limits in this Region; the usual ones where they may not be read."""

        def ask() -> Any:
            try:
                return self.reads.get_account_settings()
            except ClientError:
                # Credentials that are no good are found out by the next call, which everything depends on.
                return {"AccountLimit": {}, "AccountUsage": {}}

        settings = self._ask(ask, answers.Settings)
        most, used, usual = settings.account_limit, settings.account_usage, AccountLimits()
        known = most.total_code_size is not None and used.total_code_size is not None
        return AccountLimits(
            zipped=most.code_size_zipped or usual.zipped,
            unzipped=most.code_size_unzipped or usual.unzipped,
            left=(most.total_code_size or 0) - (used.total_code_size or 0) if known else None,
        )

    def versions(self, artifact: Artifact, *, every: bool) -> tuple[LayerVersion, ...]:
        """Versions for the artifact's runtimes and processors, newest first; the newest alone unless ``every``."""
        found: set[LayerVersion] = set()
        marker = ""
        while True:
            page = self._page(artifact, marker)
            rows = [answers.version(row) for row in page.layer_versions]
            found.update(row for row in rows if artifact.is_for(row))
            numbers = [row.number for row in rows]
            # Lambda lists the newest first. Should it ever not, all pages are read.
            enough = found and not every and numbers == sorted(numbers, reverse=True)
            if enough or not page.next_marker or page.next_marker == marker:
                return tuple(sorted(found, key=lambda version: -version.number))
            marker = page.next_marker

    def _page(self, artifact: Artifact, marker: str) -> answers.Page:
        """A page of the versions that are for the artifact's first runtime and processor among others."""
        runtime = {"CompatibleRuntime": artifact.runtimes[0]} if artifact.runtimes else {}
        arch = {"CompatibleArchitecture": artifact.architectures[0]} if artifact.architectures else {}
        more = {"Marker": marker} if marker else {}

        def ask() -> Any:
            try:
                return self.reads.list_layer_versions(LayerName=artifact.name, MaxItems=50, **runtime, **arch, **more)
            except ClientError as error:
                if is_code(error, "ResourceNotFoundException"):
                    return {"LayerVersions": []}
                raise

        return self._ask(ask, answers.Page)

    def details(self, name: str, number: int) -> Details:
        """What a version holds."""
        whole = self._ask(lambda: self.reads.get_layer_version(LayerName=name, VersionNumber=number), answers.Whole)
        return answers.details(CallPlace(region=self.region), whole)

    def statements(self, name: str, number: int) -> frozenset[str]:
        """Ids of the statements in a version's policy; none where it has no policy."""

        def ask() -> Any:
            try:
                return self.reads.get_layer_version_policy(LayerName=name, VersionNumber=number)
            except ClientError as error:
                if is_code(error, "ResourceNotFoundException"):
                    return {"Policy": '{"Statement": []}'}
                raise

        return answers.statements(CallPlace(region=self.region), self._ask(ask, answers.Policy))

    def bucket(self, name: str, key: str, *, reference: bool) -> Bucket:
        """Looks at a bucket. Raises ``PublishError`` where it is absent, closed, or in another Region."""
        place = CallPlace(region=self.region, bucket=name)
        found = self._region_of(name, place)
        if found != self.region:
            raise PublishError(
                f"the bucket {name} lies in {found}, not in {self.region}",
                hint="Lambda reads from buckets of its own Region: give each one, such as --bucket 'NAME-{region}'",
            )
        if not reference:
            return Bucket()
        require_reference(self.once)
        with as_publish_error(place):
            status = unless_closed(lambda: self.s3.get_bucket_versioning(Bucket=name, **self._owned).get("Status", ""))
            policy = unless_closed(lambda: read_policy(self.s3, name, self._owned))
            return Bucket(
                versioned=None if status is None else status == "Enabled",
                readable=None if policy is None else lets_lambda_read(json.loads(policy), f"{name}/{key}"),
            )

    def _region_of(self, bucket: str, place: CallPlace) -> str:
        """The Region of a bucket. Raises ``PublishError`` where it is not there, or not the expected owner's."""
        with as_publish_error(place):
            try:
                return self.s3.head_bucket(Bucket=bucket, **self._owned).get("BucketRegion") or self.region
            except ClientError as error:
                if not is_code(error, "403", "AccessDenied"):
                    raise
        raise PublishError(
            f"the bucket {bucket} does not belong to the account {self._owned['ExpectedBucketOwner']}, "
            "or may not be looked at",
            hint="a bucket of another account has to be meant: --bucket-owner ACCOUNT; looking needs s3:ListBucket",
        )

    def publish_bytes(self, artifact: Artifact, sent: Sent) -> tuple[LayerVersion, Details]:
        """Makes a version from the zip, which is streamed from the disk."""
        with streamed(self.once, artifact.path, artifact.zipped, sent):
            return self._publish(artifact, {"ZipFile": b""})

    def publish_object(
        self, artifact: Artifact, bucket: str, key: str, object_version: str, storage: Storage
    ) -> tuple[LayerVersion, Details]:
        """Makes a version from an object."""
        content = {"S3Bucket": bucket, "S3Key": key}
        if object_version:
            content["S3ObjectVersion"] = object_version
        if storage is Storage.REFERENCE:
            content["S3ObjectStorageMode"] = "REFERENCE"
        return self._publish(artifact, content)

    def _publish(self, artifact: Artifact, content: Mapping[str, object]) -> tuple[LayerVersion, Details]:
        more = {"LicenseInfo": artifact.licence} if artifact.licence else {}
        place = CallPlace(region=self.region, bucket=str(content.get("S3Bucket", "")))

        def ask() -> Any:
            return self.once.publish_layer_version(
                LayerName=artifact.name,
                Description=artifact.description,
                Content=content,
                CompatibleRuntimes=list(artifact.runtimes),
                CompatibleArchitectures=list(artifact.architectures),
                **more,
            )

        answer = answers.once(place, ask, answers.Whole)
        return answers.version(answer), answers.details(place, answer)

    def find_object(self, bucket: str, key: str, artifact: Artifact) -> str | None:
        """Version of the object that holds the artifact; ``None`` where no such object can be seen."""

        def ask() -> Any:
            try:
                return self.s3.head_object(Bucket=bucket, Key=key, **self._owned)
            except ClientError as error:
                # Without the right to list a bucket, what is absent is forbidden.
                if is_code(error, "404", "403", "NoSuchKey"):
                    return {"ContentLength": 0, "Metadata": {}}
                raise

        found = self._ask(ask, answers.Object, bucket)
        same = found.content_length == artifact.zipped and found.metadata.get(_DIGEST) == artifact.sha256
        return _object_version(found) if same else None

    def put_object(self, bucket: str, key: str, artifact: Artifact, sent: Sent) -> str:
        """Uploads the zip in parts that S3 checks by their SHA-256, a few at a time."""
        with as_publish_error(CallPlace(region=self.region, bucket=bucket)), _stoppable(self.s3, sent):
            self.s3.upload_file(
                str(artifact.path),
                bucket,
                key,
                ExtraArgs={
                    "ChecksumAlgorithm": "SHA256",
                    "ContentType": "application/zip",
                    "Metadata": {_DIGEST: artifact.sha256},
                    **self._owned,
                },
                Callback=sent,
                Config=TransferConfig(**_TRANSFER),
            )
        found = self._ask(lambda: self.s3.head_object(Bucket=bucket, Key=key, **self._owned), answers.Object, bucket)
        if found.content_length != artifact.zipped:
            raise PublishError(f"{bucket} holds {found.content_length:,} bytes of {artifact.path}", hint=AGAIN)
        return _object_version(found)

    def delete_object(self, bucket: str, key: str, object_version: str) -> None:
        """Removes an object, and not only from sight where the bucket keeps versions."""
        which = {"VersionId": object_version} if object_version else {}
        self._ask(lambda: self.s3.delete_object(Bucket=bucket, Key=key, **which, **self._owned), answers.Gone, bucket)

    def allow(self, name: str, number: int, grant: Grant) -> None:
        """Grants; a statement of that id is the same grant, made before."""
        more = {"OrganizationId": grant.organization} if grant.organization else {}

        def ask() -> Any:
            try:
                return self.reads.add_layer_version_permission(
                    LayerName=name,
                    VersionNumber=number,
                    StatementId=grant.statement,
                    Action="lambda:GetLayerVersion",
                    Principal=grant.principal,
                    **more,
                )
            except ClientError as error:
                if is_code(error, "ResourceConflictException"):
                    return {"Statement": grant.statement}
                raise

        self._ask(ask, answers.Granted)

    def remove(self, name: str, number: int) -> None:
        """Deletes a version, and looks whether it is gone where the answer is not quite that."""
        which = {"LayerName": name, "VersionNumber": number}

        def ask() -> Any:
            answer = self.reads.delete_layer_version(**which)
            return answer if answer["ResponseMetadata"]["HTTPStatusCode"] == GONE else look()

        def look() -> Any:
            try:
                return self.reads.get_layer_version(**which)
            except ClientError as error:
                if is_code(error, "ResourceNotFoundException"):
                    return {"ResponseMetadata": {"HTTPStatusCode": GONE}}
                raise

        self._ask(ask, answers.Gone)


@contextmanager
def _stoppable(s3: Any, sent: Sent) -> Iterator[None]:
    """Within, what ``sent`` raises ends an upload to S3 at once.

    Raised while a request is on its way it looks like a broken connection, and botocore sends the request again.
    """

    def ask(**_: Any) -> None:
        sent(0)

    events = [f"before-send.s3.{call}" for call in ("PutObject", "UploadPart")]
    for event in events:
        s3.meta.events.register(event, ask)
    try:
        yield
    finally:
        for event in events:
            s3.meta.events.unregister(event, ask)


def require_reference(client: Any) -> None:
    """Raises ``UsageError`` where the installed boto3 cannot leave a layer's code in the user's bucket."""
    content = client.meta.service_model.shape_for("LayerVersionContentInput")
    if "S3ObjectStorageMode" not in content.members:
        raise UsageError(
            f"boto3 {boto3.__version__} does not know --storage reference", hint="pip install --upgrade 'boto3>=1.44'"
        )


def _object_version(found: answers.Object) -> str:
    """The version of an object. S3 says ``null`` of one that was put before the bucket kept versions."""
    return "" if found.version_id == "null" else found.version_id
