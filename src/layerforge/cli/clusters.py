"""The cluster that does the jobs of a call, where one is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layerforge.build.cluster.extra import refuse_without_dask
from layerforge.build.engine import Image
from layerforge.build.graph import Runner
from layerforge.cli import engines, sharing
from layerforge.cli.call import Place
from layerforge.cli.cluster_view import ClusterView
from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.store.disk import DiskStore
from layerforge.core.text import counted
from layerforge.planning import Graph, Prepared

if TYPE_CHECKING:
    from layerforge.build.cluster.offers import Release
    from layerforge.build.container.own_images import OwnImage

LOCAL = "local:"


def refuse_absent(address: str | None, tls: Path | None) -> None:
    """Raises ``ClusterError`` where nothing can be had at an address, before what takes minutes has begun."""
    if not address:
        return
    refuse_without_dask()
    from layerforge.build.cluster.addresses import Remote, context
    from layerforge.build.cluster.addresses import address as named
    from layerforge.build.cluster.knock import knock

    found = named(address)
    if isinstance(found, Remote):
        knock(found, context(found, tls, "client"))


@contextmanager
def opened(
    address: str | None,
    tls: Path | None,
    image: str | None,
    planned: Sequence[Prepared | LayerforgeError],
    store: DiskStore,
    progress: Progress,
) -> Iterator[Callable[[Graph], Runner] | None]:
    """What does the jobs of a call at an address; ``None`` where none is named, and where there is nothing to do.

    Raises ``ClusterError`` where it cannot be reached, ``UsageError`` for layers that only this machine can make.
    """
    ready = [one for one in planned if isinstance(one, Prepared)]
    if not address or not ready:
        yield None
        return
    refuse_without_dask()
    if not address.startswith(LOCAL):
        _refuse_of_this_machine(ready)
    from layerforge.build.cluster import start
    from layerforge.build.cluster.offers import OfferedImage
    from layerforge.build.cluster.worker import Making
    from layerforge.shop import Equipment

    said = sharing.sharing()
    release = _release(store, progress)
    images = {one.session.builder.image for one in ready if one.session.builder}
    own = Equipment(near=str(store.root), sharing=said, images=tuple(_own(ready, image)))
    making = Making(shop="layerforge.shop:shop", settings=own.text)
    with progress.step("cluster") as step:
        view = ClusterView(progress, step)
        offered = {_base(image): OfferedImage(identity=_base(image), arch=image.arch) for image in images}
        with start.runner_for(
            address, release=release, watch=view, making=making, tls=tls, images=tuple(offered.values())
        ) as runner:
            yield lambda _graph: runner
        step.note(view.summary)


def place(call_of: Mapping[str, Any], store: DiskStore, progress: Progress) -> Place:
    """Where the layers of a call are made, whose options are ``call_of``. Raises ``ClusterError``; see ``planning``."""
    engine, image = call_of["engine"], call_of["image"]
    elsewhere = planning(call_of["cluster"], call_of["tls_dir"], engine, image, store, progress)
    sources = call_of["sources"]
    return Place(engine=engine, image=image, sources=sources, store=store, progress=progress, elsewhere=elsewhere)


def planning(
    address: str | None, tls: Path | None, engine: str, image: str | None, store: DiskStore, progress: Progress
) -> Callable[[Target], engines.Chosen | None]:
    """What the layers of a target are planned with: the images of the workers at an address, who need not be like this
    machine. Gives ``None`` where this machine plans for itself: without a cluster, with ``--engine host``, for
    processes of its own, and where no worker has any image.

    Raises ``ClusterError`` where the cluster cannot be reached.
    """
    if not address or address.startswith(LOCAL) or engine == "host":
        return lambda _target: None
    refuse_without_dask()
    from layerforge.build.cluster import images, start
    from layerforge.build.container.own_images import engine_here

    release = _release(store, progress)
    with progress.step("workers") as step:
        offers = start.offers_at(address, watch=ClusterView(progress, step), tls=tls)
        step.note(counted(len(offers), "worker"))
    if not any(offer.images for offer in offers):
        return lambda _target: None

    def chosen(target: Target) -> engines.Chosen:
        own = engine_here(target, image or "", progress)
        found = images.chosen(offers, target, own, release, image or "")
        return engines.Chosen(engine=found, builder=found)

    return chosen


def _release(store: DiskStore, progress: Progress) -> Release:
    from layerforge.build.cluster import start

    return start.release(sharing.far_store(progress).objects.place if sharing.sharing().place else "", store.root)


def _base(image: Image) -> str:
    return image.base or image.identity


def _own(ready: Sequence[Prepared], image: str | None) -> Iterator[OwnImage]:
    """The build images of a call, as another process of this machine finds them; ``image`` is what was named."""
    from layerforge.build.container.own_images import OwnImage

    found: dict[str, OwnImage] = {}
    for one in ready:
        builder = one.session.builder
        if builder is not None:
            target = one.options.target
            own = OwnImage(python=target.python, arch=target.arch, reference=image or "")
            found.setdefault(_base(builder.image), own)
    yield from found.values()


def _refuse_of_this_machine(ready: Sequence[Prepared]) -> None:
    """Raises ``UsageError`` for layers of indexes, wheels and projects that other machines do not know."""
    for one in ready:
        files = [pin.name for pin in one.plan.pins if pin.address.startswith("file:")]
        if one.plan.indexes or files:
            what = f"{', '.join(files)} from this machine's disk" if files else "an index of its own"
            raise UsageError(
                f"the layer {one.plan.spec.name} takes {what}, which the workers of a cluster do not know",
                hint="build it here, or let the workers' own uv know the index (UV_DEFAULT_INDEX, UV_INDEX); "
                "--no-project leaves a project's own code out",
            )
