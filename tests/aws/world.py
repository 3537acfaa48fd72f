"""What tests put into AWS and look at, past the program and the proxy's log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import boto3.session

import zips
from aws.proxy import Fault, Proxy

PART = 8 << 20
"""Bytes of a part of an upload to S3."""


def client(service: str, region: str = "us-east-1") -> Any:
    return boto3.session.Session().client(service, region_name=region)


def versions(region: str = "us-east-1", name: str = "pkg") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client("lambda", region).list_layer_versions(LayerName=name)["LayerVersions"]
    return found


def a_bucket(name: str = "mine-us-east-1", region: str = "us-east-1", *, versioned: bool = False) -> Any:
    s3 = client("s3", region)
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=name, **where)
    if versioned:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return s3


def small_limit(aws: Proxy, most: int = 100) -> None:
    """From now on even small zips need a bucket."""
    limit = {"CodeSizeZipped": most, "CodeSizeUnzipped": 262_144_000, "TotalCodeSize": 10**11}
    aws.fault(Fault(call="GetAccountSettings", status=200, body={"AccountLimit": limit, "AccountUsage": {}}))


def a_large_layer(folder: Path, size: int) -> Path:
    return zips.of(folder / "large.zip", {"python/data.bin": os.urandom(size), **zips.sound()})
