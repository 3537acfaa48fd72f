"""Plans and results of a publication as rows, JSON and Markdown; and the JSON read again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, assert_never

from layerforge.core import guarded
from layerforge.core.text import cell, megabytes
from layerforge.publish.artifact import Artifact, LayerVersion, Storage
from layerforge.publish.plan import Action, Allow, Discard, Publish, PublishJob, Refuse, Remove, Unchanged

SCHEMA = 1
"""Of the file, raised when what stands in it means something else."""


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
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that a function with the layer has to have."""
    version: LayerVersion | None = None
    """The wanted version, also where something failed once it was there."""
    code_sha256: str = ""
    """Base64; empty where there is no version."""
    error: str = ""
    hint: str = ""
    warnings: tuple[str, ...] = ()


def does(job: PublishJob) -> str:
    """Such as ``publish 45.1 MB; grant layerforge-public; remove 3, 4``."""
    old = [str(action.version.number) for action in job.actions if isinstance(action, Remove)]
    words = [_words(job, action) for action in job.actions if not isinstance(action, Remove)]
    return "; ".join(words + ([f"remove {', '.join(old)}"] if old else []))


def besides(job: PublishJob) -> tuple[str, ...]:
    """What was done beside the version itself: ``granted layerforge-public``, ``removed 3, 4``."""
    done = {
        "granted": [action.grant.statement for action in job.actions if isinstance(action, Allow)],
        "removed": [str(action.version.number) for action in job.actions if isinstance(action, Remove)],
        "cleared away": [_address(one) for one in job.actions if isinstance(one, Discard)],
    }
    return tuple(f"{verb} {', '.join(what)}" for verb, what in done.items() if what)


def _address(action: Discard) -> str:
    return f"s3://{action.leftover.bucket}/{action.leftover.key}"


def purpose(layer: Artifact | Result) -> str:
    """What a layer is for: ``python3.13, arm64``."""
    return ", ".join((*layer.runtimes, *layer.architectures))


def _words(job: PublishJob, action: Action) -> str:
    match action:
        case Publish(location=None):
            return f"publish {megabytes(job.artifact.zipped)}"
        case Publish(location=location):
            assert location
            way = "from" if action.storage is Storage.REFERENCE else "through"
            return f"publish {megabytes(job.artifact.zipped)} {way} {location.bucket_in(job.region)}"
        case Unchanged():
            return f"unchanged, version {action.version.number}"
        case Allow():
            return f"grant {action.grant.statement}"
        case Remove():
            return f"remove {action.version.number}"
        case Discard():
            return f"clear away {_address(action)}"
        case Refuse():
            return f"cannot: {action.message}"
        case _:
            assert_never(action)


def plan_data(jobs: Iterable[PublishJob]) -> dict[str, Any]:
    """A plan as data for JSON."""
    return {"plan": [_job_data(job) for job in jobs]}


def _job_data(job: PublishJob) -> dict[str, Any]:
    artifact = job.artifact
    return {
        "region": job.region,
        "layer": artifact.name,
        "path": str(artifact.path),
        "zip_bytes": artifact.zipped,
        "code_sha256": artifact.code_sha256,
        "runtimes": list(artifact.runtimes),
        "architectures": list(artifact.architectures),
        "description": artifact.description,
        "licence": artifact.licence,
        "actions": [_action_data(job, action) for action in job.actions],
    }


def _action_data(job: PublishJob, action: Action) -> dict[str, Any]:
    match action:
        case Publish():
            bucket = action.location.bucket_in(job.region) if action.location else None
            return {"do": "publish", "bucket": bucket, "storage": str(action.storage)}
        case Unchanged():
            return {"do": "unchanged", "version": action.version.number, "version_arn": action.version.arn}
        case Allow():
            grant = action.grant
            organization = grant.organization or None
            return {
                "do": "grant",
                "statement": grant.statement,
                "principal": grant.principal,
                "organization": organization,
            }
        case Remove():
            return {"do": "remove", "version": action.version.number, "version_arn": action.version.arn}
        case Discard(leftover=left):
            return {"do": "discard", "bucket": left.bucket, "key": left.key}
        case Refuse():
            return {"do": "refuse", "error": action.message, "hint": action.hint}
        case _:
            assert_never(action)


def results_data(results: Iterable[Result]) -> dict[str, Any]:
    """Results in the form of the contract. What is not known is ``null``."""
    return {"schema": SCHEMA, "published": [_result_data(result) for result in results]}


def _result_data(result: Result) -> dict[str, Any]:
    version = result.version
    return {
        "region": result.region,
        "runtimes": list(result.runtimes),
        "architectures": list(result.architectures),
        "env": dict(result.env),
        "layer_arn": version.layer_arn if version else None,
        "version_arn": version.arn if version else None,
        "version": version.number if version else None,
        "code_sha256": result.code_sha256 or None,
        "status": str(result.status),
        "error": f"{result.name}: {result.error}" if result.error else None,
    }


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """What of a result of ``layerforge publish`` is needed, one layer in one Region."""

    version_arn: str | None = None
    region: str | None = None
    error: str | None = None
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Published:
    """What ``layerforge publish`` wrote."""

    published: tuple[PublishedRow, ...]


def read_published(text: str) -> tuple[PublishedRow, ...]:
    """The rows of a result from its file. Raises ``guarded.Unreadable`` where it is none."""
    return guarded.file_as(text, Published, SCHEMA).published


def markdown(results: Iterable[Result]) -> str:
    """Results as a Markdown table."""
    rows = [f"| {one.region} | {one.name} | {purpose(one)} | {one.status} | {_cell(one)} |" for one in results]
    return "\n".join(["| Region | layer | for | | version |", "|---|---|---|---|---|", *rows, ""])


def _cell(result: Result) -> str:
    if result.error:
        return cell(result.error)
    return f"`{result.version.arn}`" if result.version else ""


def grouped(rows: Iterable[tuple[str, str, str]]) -> tuple[str, ...]:
    """Lines of what failed: each message with its hint once, behind the Regions it is about.

    ``rows`` are Region, message and hint.
    """
    regions: dict[tuple[str, str], list[str]] = {}
    for region, message, hint in rows:
        regions.setdefault((message, hint), []).append(region)
    return tuple(
        f"{', '.join(dict.fromkeys(places))}: {message}" + (f" → {hint}" if hint else "")
        for (message, hint), places in regions.items()
    )
