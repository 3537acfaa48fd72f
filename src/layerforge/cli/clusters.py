"""The cluster that does the jobs of a call, where one is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from layerforge.build.cluster.extra import refuse_without_dask
from layerforge.build.engine import Image
from layerforge.build.graph import Runner
from layerforge.cli import sharing
from layerforge.cli.cluster_view import ClusterView
from layerforge.core.errors import LayerforgeError, UsageError
from layerforge.core.progress import Progress
from layerforge.core.store.disk import DiskStore
from layerforge.pipeline import Graph, Prepared

if TYPE_CHECKING:
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
    from layerforge.build.cluster.worker import Making
    from layerforge.shop import Equipment

    said = sharing.sharing()
    release = start.release(sharing.far_store(progress).objects.place if said.place else "", store.root)
    images = {one.session.builder.image for one in ready if one.session.builder}
    own = Equipment(near=str(store.root), sharing=said, images=tuple(_own(ready, image)))
    making = Making(shop="layerforge.shop:shop", settings=own.text)
    with progress.step("cluster") as step:
        view = ClusterView(progress, step)
        identities = tuple(sorted({_base(image) for image in images}))
        with start.runner_for(
            address, release=release, watch=view, making=making, tls=tls, images=identities
        ) as runner:
            yield lambda _graph: runner
        step.note(view.summary)


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
                hint="build it here, or let the workers' own uv know the index (UV_DEFAULT_INDEX, UV_INDEX)",
            )
