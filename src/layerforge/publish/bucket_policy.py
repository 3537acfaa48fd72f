"""Whether a bucket lets Lambda read what layers are published from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from layerforge.publish.aws_errors import is_code


def lets_lambda_read(policy: Mapping[str, Any], place: str) -> bool:
    """Whether a bucket's policy allows Lambda to read every version of the object at ``place``, ``bucket/key``.

    Conditions are taken as met.
    """
    return all(
        any(_allows(row, action, place) for row in _list(policy.get("Statement", ())))
        for action in ("s3:GetObject", "s3:GetObjectVersion")
    )


def _allows(row: Mapping[str, Any], action: str, place: str) -> bool:
    principal = row.get("Principal", "")
    who = _list(principal.get("Service", ())) if isinstance(principal, Mapping) else _list(principal)
    actions = [str(one).lower() for one in _list(row.get("Action", ()))]
    return (
        row.get("Effect") == "Allow"
        and any(one in {"lambda.amazonaws.com", "*"} for one in who)
        and any(fnmatchcase(action.lower(), one) for one in actions)
        and any(fnmatchcase(place, str(one).rpartition(":::")[2]) for one in _list(row.get("Resource", ())))
    )


def _list(value: Any) -> list[Any]:
    """A policy writes one of something without brackets."""
    return list(value) if isinstance(value, list | tuple) else [value]


def read_policy(s3: Any, bucket: str, owned: Mapping[str, str]) -> str:
    """The bucket's policy as JSON; empty where it has none."""
    try:
        return str(s3.get_bucket_policy(Bucket=bucket, **owned)["Policy"])
    except ClientError as error:
        if is_code(error, "NoSuchBucketPolicy"):
            return "{}"
        raise


def unless_closed(read: Callable[[], str]) -> str | None:
    """What ``read`` gives; ``None`` where it is denied."""
    try:
        return read()
    except ClientError as error:
        if is_code(error, "AccessDenied", "403"):
            return None
        raise
