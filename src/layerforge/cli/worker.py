"""``layerforge worker``."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from layerforge.build.cluster.extra import refuse_without_dask
from layerforge.build.errors import EngineError
from layerforge.cli import helping, sharing, terminal
from layerforge.cli import options as shared
from layerforge.core import runtimes
from layerforge.core.errors import UsageError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.text import counted, megabytes
from layerforge.resolve import recipe_values

if TYPE_CHECKING:
    from layerforge.build.cluster.offers import Offer, OfferedImage
    from layerforge.build.container.own_images import OwnImage
    from layerforge.build.engine import Image

SHOP = "layerforge.shop:shop"
"""What does a worker's jobs, by its dotted name."""


class Size(click.ParamType[int]):
    """A number of bytes, with or without a unit."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes."""
        if isinstance(value, int):
            return value
        if recipe_values.size(value):
            self.fail(f"{value!r} is no size: such as 8GB, or 7.5 GiB", param, ctx)
        return recipe_values.bytes_of(str(value))


@click.command("worker", cls=helping.Grouped)
@click.argument("address", required=False, envvar="LAYERFORGE_CLUSTER")
@click.option(
    "--tls-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="LAYERFORGE_TLS_DIR",
    help="Folder of the certificates; tls:// needs it.",
)
@sharing.store_options
@click.option("--processors", type=click.IntRange(1), envvar="LAYERFORGE_PROCESSORS", help="How many jobs may use.")
@click.option("--memory", type=Size(), envvar="LAYERFORGE_MEMORY", help="How much jobs may use: 8GB.")
@click.option("--image", "images", multiple=True, metavar="REF", help="Build image to offer; repeatable.")
@click.option("--python", "pythons", type=shared.PYTHON, multiple=True, help="Pythons of the images; repeatable.")
@click.option("--name", envvar="LAYERFORGE_NAME", help="What the cluster calls this worker.")
@click.option("--make-certificates", "certificates", type=click.Path(path_type=Path), metavar="DIR", help="Make them.")
@click.option("--for", "hosts", multiple=True, metavar="HOST", help="Name of the scheduler's machine; repeatable.")
@click.option("--shop", default=SHOP, hidden=True)
@click.option("--shop-settings", hidden=True)
def command(
    address: str | None,
    certificates: Path | None,
    hosts: tuple[str, ...],
    **how: Any,
) -> None:
    """Let this machine do the jobs of the cluster at ADDRESS, tls://HOST:8786, until it is interrupted.

    The scheduler is Dask's: `dask scheduler`. Whoever holds the certificates can run code on every machine of it.
    """
    if certificates is not None:
        _make(certificates, hosts)
        return
    if address is None:
        raise click.UsageError("Missing argument 'ADDRESS'.")
    if hosts:
        raise click.UsageError("--for goes with --make-certificates.")
    refuse_without_dask()
    _work(address, **how)


def _make(folder: Path, hosts: tuple[str, ...]) -> None:
    from layerforge.build.cluster import certificates

    made = certificates.make(folder, hosts)
    out = terminal.report()
    out.line(f"{counted(len(made), 'file')} in {folder}; they count for {counted(certificates.DAYS, 'day')}:")
    for line in certificates.commands(folder, hosts[0] if hosts else "127.0.0.1"):
        out.line(f"  {line}")
    out.line("ca.key signs more of them: keep it where no worker is, or remove it")


def _work(
    address: str,
    *,
    tls_dir: Path | None,
    processors: int | None,
    memory: int | None,
    images: tuple[str, ...],
    pythons: tuple[str, ...],
    name: str | None,
    shop: str,
    shop_settings: str | None,
) -> None:
    from layerforge.build.cluster import addresses, start, worker
    from layerforge.shop import Equipment

    found = addresses.remote(address)
    progress = terminal.progress()
    near, said = sharing.near_store(progress), sharing.sharing()
    if said.place and not said.signing_key:
        raise UsageError(
            "a worker puts what it makes into the store, which has to be signed, and no key is named",
            hint="--signing-key FILE or LAYERFORGE_SIGNING_KEY; `layerforge cache key` makes one",
        )
    place = sharing.far_store(progress).objects.place if said.place else ""
    here = _images(images, pythons, progress)
    release = start.release(place, near.root)
    offered = tuple(image for _, image in here)
    has = worker.offer(release, name=name or "", processors=processors, memory=memory, images=offered)
    _say_offer(has, progress)
    own = Equipment(near=str(near.root), sharing=said, images=tuple(one for one, _ in here)).text
    worker.work(found, tls_dir, has, worker.Making(shop=shop, settings=shop_settings or own), progress.say)


def _say_offer(has: Offer, progress: Progress) -> None:
    sizes = f"{has.arch}, {counted(has.processors, 'processor')}, {megabytes(has.memory)} of memory"
    progress.say(f"worker {has.name} offers {sizes}")
    for image in has.images:
        pythons = ", ".join(image.pythons) or "no runtime of Lambda's"
        progress.say(f"image {image.reference} ({image.identity.removeprefix('sha256:')[:12]}) for {pythons}")
    if not has.images:
        progress.say("no build image is here, so it takes no steps that compile; --image names one")


def _images(
    references: tuple[str, ...], pythons: tuple[str, ...], progress: Progress
) -> list[tuple[OwnImage, OfferedImage]]:
    """The build images that are here, and what is said of them: those that are named, else those made before.

    Raises ``EngineError`` where images are named and there is no engine, or not what is named.
    """
    from layerforge.build.container import sandbox
    from layerforge.build.container.connect import connect
    from layerforge.build.container.images import build_image_here
    from layerforge.build.container.own_images import OwnImage

    try:
        client = connect()
    except EngineError as error:
        if references:
            raise
        progress.aside(f"{error.message}; {error.hint}")
        return []
    try:
        targets = _targets(pythons)
        named = [OwnImage(python=targets[0].python, arch=targets[0].arch, reference=one) for one in references]
        made = [] if named else [one for one in targets if build_image_here(client, one)]
        own = [*named, *(OwnImage(python=one.python, arch=one.arch) for one in made)]
        found = [one.found(client, progress) for one in own]
        offers = [_offered(image, sandbox.pythons(client, image)) for image in found]
        return list(zip(own, offers, strict=True))
    finally:
        client.close()


def _offered(image: Image, pythons: tuple[str, ...]) -> OfferedImage:
    from layerforge.build.cluster.offers import OfferedImage

    return OfferedImage(
        identity=image.identity,
        reference=image.reference,
        arch=image.arch,
        pythons=pythons,
        carries_sources=bool(image.sources),
    )


def _targets(pythons: tuple[str, ...]) -> list[Target]:
    arch = runtimes.arch_of(platform.machine()) or runtimes.Arch.X86_64
    return [runtimes.target(python, arch) for python in pythons or tuple(runtimes.runtimes())]
