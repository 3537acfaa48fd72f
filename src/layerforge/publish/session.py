"""Connections to the Regions that a layer is published in."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from layerforge.core.errors import UsageError
from layerforge.core.store.aws import new_session
from layerforge.publish.aws import AwsRegion
from layerforge.publish.aws_errors import CallPlace, as_publish_error, credentials_told

_READS = Config(retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5, read_timeout=15)
_OBJECTS = Config(retries={"mode": "standard", "total_max_attempts": 6}, connect_timeout=10, read_timeout=60)
_ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=10, read_timeout=300)
"""For the one call that must not be repeated blindly. Unpacking 250 MB takes Lambda a while."""


def regions_wanted(named: Iterable[str], session: Any) -> tuple[str, ...]:
    """The Regions to publish in: those that are named, separated by commas or spaces, else the session's own.

    Raises ``UsageError`` for one that does not exist, and for Regions that need credentials of two kinds.
    """
    names = [name for text in named for name in text.replace(",", " ").split()]
    names = list(dict.fromkeys(names)) or ([session.region_name] if session.region_name else [])
    if not names:
        raise UsageError("no Region is named", hint="name some with --region, or set AWS_REGION")
    partitions = {
        region: partition
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("lambda", partition)
    }
    for name in names:
        if name not in partitions:
            near = difflib.get_close_matches(name, partitions, 1)
            hint = f"perhaps you meant {near[0]}" if near else "a new Region may need a newer boto3"
            raise UsageError(f"there is no Region {name!r} with Lambda", hint=hint)
    if len({partitions[name] for name in names}) > 1:
        groups = ", ".join(f"{name} in {partitions[name]}" for name in names)
        raise UsageError(
            f"these Regions need credentials of their own: {groups}", hint="publish to each partition by itself"
        )
    return tuple(names)


def connect(
    regions: Iterable[str], session: Any | None = None, bucket_owner: str | None = None
) -> tuple[AwsRegion, ...]:
    """A connection to each Region. Credentials are looked for once, by boto3's own chain.

    Buckets have to belong to ``bucket_owner``, by default the account that these credentials are of. Raises
    ``PublishError`` where there are none: each client would look again, and wait for a machine on EC2 to answer.
    """
    session, regions = session or open_session(), tuple(regions)
    with credentials_told():
        if session.get_credentials() is None:
            raise NoCredentialsError
    clients = []
    for region in regions:
        with as_publish_error(CallPlace(region=region)):
            try:
                # Clients may be shared between threads; only making them may not.
                clients.append(
                    AwsRegion(
                        region=region,
                        reads=session.client("lambda", region_name=region, config=_READS),
                        once=session.client("lambda", region_name=region, config=_ONCE),
                        s3=session.client("s3", region_name=region, config=_OBJECTS),
                        sts=session.client("sts", region_name=region, config=_READS),
                        bucket_owner=bucket_owner,
                    )
                )
            except ValueError as error:
                raise UsageError(str(error), hint="is AWS_ENDPOINT_URL a whole address?") from error
    return tuple(clients)


def open_session() -> Any:
    """boto3's session, in the Region of AWS_REGION. Raises ``PublishError`` for a profile that does not exist."""
    with credentials_told():
        return new_session()
