"""The image that a layer is compiled and checked in: one that the user names, or one built from ``docker/``."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, Any

from docker import DockerClient
from docker.errors import APIError, ImageNotFound, NotFound
from docker.utils import parse_repository_tag

from layerforge.build.container.cleanup import container
from layerforge.build.container.errors import EMULATION, FAILURES, as_engine_error, failure
from layerforge.build.container.made_images import LABEL, ChildError, Found, MadeImage, identity, made, unless_failed
from layerforge.build.container.run import LOCKED
from layerforge.build.engine import Image
from layerforge.build.errors import EngineError
from layerforge.core import digest, resources, tars
from layerforge.core.progress import Progress, Step
from layerforge.core.runtimes import Arch, Target, arch_of

SOURCES = "layerforge.sources"
"""Label of an image that carries source archives: the folder that they lie in."""


def find_image(client: DockerClient, target: Target, reference: str | None, progress: Progress) -> Image:
    """The image that ``reference`` names, pulled where it is not here; without one, the build image of the target.

    Raises ``EngineError`` where it can be neither found nor made, or has another processor than the target.
    """
    if reference is None:
        text = dockerfile(target)
        found, name = _build_image(client, target, text, progress)
        made_of = identity(found, _key(target, text))
    else:
        found, name, made_of = _named(client, target, reference, progress), reference, ""
    carried = str(found.labels.get(SOURCES, ""))
    image = Image(
        reference=name, digest=str(found.id), arch=_arch(found, target, name), sources=carried, made_of=made_of
    )
    _refuse_unrunnable(client, image)
    return image


def dockerfile(target: Target) -> str:
    """Text of the Dockerfile of the target's operating system."""
    return (resources.carried("docker", "docker") / target.runtime.os / "Dockerfile").read_text("utf-8")


INSTALL = """\
FROM {image}
USER root
RUN set -eu; \\
    if command -v dnf; then dnf install -y --setopt=install_weak_deps=False {packages} && dnf clean all; \\
    elif command -v microdnf; then microdnf install -y --setopt=install_weak_deps=0 {packages} && microdnf clean all; \\
    elif command -v yum; then yum install -y {packages} && yum clean all; \\
    elif command -v apt-get; then apt-get update && DEBIAN_FRONTEND=noninteractive \\
        apt-get install -y --no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*; \\
    else echo "the image has none of dnf, microdnf, yum and apt-get" >&2; exit 1; fi
"""
"""Dockerfile of an image with more packages. Their names are checked where a recipe is read."""


def with_packages(client: DockerClient, image: Image, packages: tuple[str, ...], progress: Progress) -> Image:
    """The image with more packages of its own system, found by its label, else built.

    The label is the digest of the image and of the packages' names, so each is installed once.
    """
    key = digest.of_json([INSTALL, image.identity, sorted(packages)])
    text = INSTALL.format(image=image.digest, packages=" ".join(sorted(packages)))
    what = f"{image.reference} with {', '.join(packages)}"
    hint = "are the packages called so in the image, and can its package lists be reached? `docker pull` renews them"
    wanted = MadeImage(
        tag=f"layerforge-build:{key[:16]}",
        key=key,
        text=text,
        arch=image.arch,
        what=what,
        hint=hint,
        facts=(INSTALL, image.identity, *sorted(packages)),
    )
    found = made(client, wanted, progress)
    known = identity(found, key)
    return replace(image, reference=wanted.tag, digest=str(found.id), made_of=known, base=image.base or image.identity)


def build_image_here(client: DockerClient, target: Target) -> bool:
    """Whether the build image of a target is there, so that it need not be made."""
    with as_engine_error():
        return bool(client.images.list(filters={"label": f"{LABEL}={_key(target, dockerfile(target))}"}))


def _key(target: Target, text: str) -> str:
    return digest.of_json([text, target.python, target.arch])


def copy_out(client: DockerClient, image: Image, path: str, into: Path) -> None:
    """Copies the files of a folder of the image into ``into``, which is made. Raises ``EngineError``."""
    with container(client, LOCKED | {"image": image.digest, "entrypoint": ["/bin/true"]}) as box, as_engine_error():
        try:
            stream, _ = box.get_archive(path)
        except NotFound as error:
            raise EngineError(
                f"the image {image.reference} has no folder {path}", hint=f"its label {SOURCES} names it"
            ) from error
        with tempfile.TemporaryFile() as file:
            for chunk in stream:
                file.write(chunk)
            file.seek(0)
            with tempfile.TemporaryDirectory(dir=into.parent) as name:
                _extract(file, name, image)
                _settle(Path(name) / PurePosixPath(path).name, into)


def _settle(folder: Path, into: Path) -> None:
    """Moves a folder to its place, unless another process has put the same one there meanwhile."""
    try:
        folder.rename(into)
    except OSError:
        if not into.is_dir():
            raise


def _extract(file: IO[bytes], into: str, image: Image) -> None:
    try:
        tars.extract(file, into)
    except tars.REFUSED as error:
        raise EngineError(
            f"the sources in the image {image.reference} lead out of their folder",
            hint=f"its label {SOURCES} names the folder",
            details=(str(error),),
        ) from error


def _arch(found: Found, target: Target, name: str) -> Arch:
    said = str(found.attrs.get("Architecture", ""))
    arch = arch_of(said)
    if arch is not target.arch:
        raise EngineError(
            f"the image {name} is for {arch or said or 'an unknown processor'}, the layer for {target.arch}",
            hint=f"`docker pull --platform {target.arch.platform} {name}` gets the other one where there is one; "
            f"--arch {arch or Arch.X86_64} makes a layer for this one",
        )
    return arch


def _refuse_unrunnable(client: DockerClient, image: Image) -> None:
    """Programs of another processor run through emulation, where that is set up."""
    with as_engine_error():
        own = arch_of(str(client.info().get("Architecture", "")))
    if own is image.arch:
        return
    try:
        with container(client, LOCKED | {"image": image.digest, "entrypoint": ["/bin/true"]}) as box:
            box.start()
            if int(box.wait()["StatusCode"]) == 0:
                return
    except (*FAILURES, EngineError):
        pass
    raise EngineError(f"this machine cannot run programs for {image.arch}", hint=EMULATION)


def _named(client: DockerClient, target: Target, reference: str, progress: Progress) -> Found:
    with as_engine_error():
        try:
            return client.images.get(reference)
        except ImageNotFound:
            _pull(client, target, reference, progress)
        except APIError as error:
            raise _unknown(reference, str(error.explanation)) from error
        return client.images.get(reference)


def _pull(client: DockerClient, target: Target, reference: str, progress: Progress) -> None:
    repository, tag = parse_repository_tag(reference)
    with progress.step("pull") as step:
        step.note(reference)
        try:
            events = client.api.pull(
                repository, tag or "latest", stream=True, decode=True, platform=target.arch.platform
            )
            _show_layers(unless_failed(events), step)
        except (APIError, ChildError) as error:
            raise _unknown(reference, str(error)) from error


def _show_layers(events: Iterator[Mapping[str, Any]], step: Step) -> None:
    """Moves the step with the bytes of every layer."""
    sizes: dict[str, int] = {}
    for event in events:
        detail, layer = event.get("progressDetail") or {}, str(event.get("id"))
        if event.get("status") != "Downloading" or "total" not in detail:
            continue
        if layer not in sizes:
            step.expect(int(detail["total"]))
        step.advance(max(0, int(detail["current"]) - sizes.get(layer, 0)))
        sizes[layer] = int(detail["current"])


def _unknown(reference: str, said: str) -> EngineError:
    if "no space left" in said.lower():
        return failure(OSError(said))
    unreachable = any(part in said.lower() for part in ("lookup", "timeout", "refused", "no route", "unreachable"))
    hint = (
        "its registry cannot be reached: on a closed network, load it with `docker load` and name it again"
        if unreachable
        else "see `docker images` for what is here; a private registry needs `docker login`"
    )
    return EngineError(f"there is no image {reference}, and it cannot be pulled", hint=hint, details=(said,))


def _base(text: str, python: str) -> str:
    """The image that a Dockerfile begins with."""
    found = re.search(r"^FROM (\S+)", text, re.MULTILINE)
    return found[1].replace("${PYTHON}", python) if found else ""


def _build_image(client: DockerClient, target: Target, text: str, progress: Progress) -> tuple[Found, str]:
    """The image that the Dockerfile gives for the target, and its tag."""
    tag = f"layerforge-build:{target.label}"
    wanted = MadeImage(
        tag=tag,
        key=_key(target, text),
        text=text,
        arch=target.arch,
        what=tag,
        hint="it needs Amazon's registry and package lists; name another image with --image, or use --engine host",
        facts=(text, target.python),
        base=_base(text, target.python),
        arguments={"PYTHON": target.python},
    )
    return made(client, wanted, progress), tag
