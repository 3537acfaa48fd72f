"""Images that are made on this machine from a Dockerfile, and what is the same of them on every machine."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import docker.models.images
from docker import DockerClient
from docker.errors import APIError, ImageNotFound

from layerforge.build.container.cleanup import container
from layerforge.build.container.errors import as_engine_error, failure
from layerforge.build.container.run import LOCKED, StopLimits, run
from layerforge.build.errors import EngineError
from layerforge.core import digest
from layerforge.core.progress import Mark, Progress
from layerforge.core.runtimes import Arch

LABEL = "layerforge.build-image"
"""Of images only: a container inherits the labels of its image."""

IDENTITY = "layerforge.identity"
"""Label of an image that was made here: that of ``LABEL`` again, since images inherit labels, and its identity."""

Found = docker.models.images.Image

_ASK = """
if command -v rpm >/dev/null; then rpm -qa --qf '%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE} %{ARCH}\\n'
else dpkg-query -W -f '${Package} ${Version} ${Architecture} ${db:Status-Abbrev}\\n'; fi
"""
"""Tells all packages of an image's system, with their versions."""

_SECONDS = 60.0
_SCHEMA = 1


class ChildError(Exception):
    """What an engine says at the end of a stream that began well."""


def unless_failed(events: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """What an engine says. Raises ``ChildError`` where that is an error."""
    for event in events:
        if "error" in event:
            raise ChildError(str(event["error"]))
        yield event


@dataclass(frozen=True, kw_only=True)
class MadeImage:
    """An image that a Dockerfile gives."""

    tag: str
    key: str
    """Digest of all that decides what is in it; its label."""
    text: str
    """Of the Dockerfile."""
    arch: Arch
    what: str
    """For people."""
    hint: str
    """What to do where it cannot be made."""
    facts: tuple[str, ...]
    """What decides its contents, as every machine says it."""
    base: str = ""
    """The image that it is made on, by a name that may mean another one tomorrow; empty where the facts tell it."""
    arguments: Mapping[str, str] = field(default_factory=dict)


def made(client: DockerClient, wanted: MadeImage, progress: Progress) -> Found:
    """The image with the label that says what is in it, else a new one."""
    with as_engine_error():
        here = client.images.list(filters={"label": f"{LABEL}={wanted.key}"})
        if here:
            known = [one for one in here if _said(one, wanted.key) is not None]
            return known[0] if known else _labelled(client, wanted, here[0])
        with progress.step("image") as step:
            # Where it fails, an error or a line of whoever can do without it says so.
            step.note("", Mark.UNTOLD)
            _build(client, wanted, {LABEL: wanted.key})
            found = _labelled(client, wanted, client.images.get(wanted.tag))
            step.note(f"{wanted.what}, kept for next time")
        return found


def identity(found: Found, key: str) -> str:
    """What an image says that is the same on every machine that has made it so; empty where that is not known."""
    return _said(found, key) or ""


def _said(found: Found, key: str) -> str | None:
    """An image's own identity; ``None`` where it was not asked, though one that it was made on may have been."""
    own, _, said = str(found.labels.get(IDENTITY, "")).partition(" ")
    return said if own == key else None


def _labelled(client: DockerClient, wanted: MadeImage, found: Found) -> Found:
    """The image with a label that says its identity, which is known only once it is made."""
    said = f"{wanted.key} {_identity(client, wanted, found)}"
    # The arguments are the Dockerfile's.
    same = replace(wanted, text=f"FROM {found.id}\n", arguments={})
    _build(client, same, {LABEL: wanted.key, IDENTITY: said})
    return client.images.get(wanted.tag)


def _identity(client: DockerClient, wanted: MadeImage, found: Found) -> str:
    """Digest of all that decides what is in an image; empty where not all of it can be told."""
    layers = _base_layers(client, wanted.base, found) if wanted.base else ["told"]
    packages = _packages(client, found)
    if not layers or not packages:
        return ""
    return digest.of_json([_SCHEMA, list(wanted.facts), str(wanted.arch), layers, packages])


def _base_layers(client: DockerClient, base: str, found: Found) -> list[str]:
    """Digests of the contents of the image that another is made on; none where the name has another meaning by now."""
    with suppress(ImageNotFound):
        layers, own = _layers(client.images.get(base)), _layers(found)
        return layers if own[: len(layers)] == layers else []
    return []


def _layers(found: Found) -> list[str]:
    return list(found.attrs.get("RootFS", {}).get("Layers") or ())


def _packages(client: DockerClient, found: Found) -> list[str]:
    """The packages of an image's system with their versions; none where it does not tell."""
    lines: list[str] = []
    settings = LOCKED | {"image": found.id, "entrypoint": ["/bin/sh", "-c", _ASK]}
    try:
        with container(client, settings) as box:
            ended = run(box, lines.append, StopLimits(seconds=_SECONDS))
    except EngineError:
        return []
    return sorted(line.strip() for line in lines if line.strip()) if ended.status == 0 else []


def _build(client: DockerClient, wanted: MadeImage, labels: Mapping[str, str]) -> None:
    lines: list[str] = []
    try:
        events = client.api.build(
            fileobj=io.BytesIO(wanted.text.encode()),
            tag=wanted.tag,
            labels=dict(labels),
            buildargs=dict(wanted.arguments),
            platform=wanted.arch.platform,
            rm=True,
            forcerm=True,
            decode=True,
        )
        for event in unless_failed(events):
            said = str(event.get("stream") or event.get("status") or "").rstrip()
            lines += said.splitlines()
    except (APIError, ChildError) as error:
        raise _unbuilt(wanted, str(error), lines) from error


def _unbuilt(wanted: MadeImage, said: str, lines: list[str]) -> EngineError:
    if "no space left" in said.lower():
        return failure(OSError(said))
    return EngineError(f"the build image {wanted.what} cannot be made", hint=wanted.hint, details=(*lines[-12:], said))
