"""The connection to a cluster that somebody started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import dask.config
from distributed import Client

from layerforge.build.cluster import settings
from layerforge.build.cluster.addresses import Remote, context, security
from layerforge.build.cluster.events import Watch
from layerforge.build.cluster.knock import SECONDS, knock
from layerforge.build.cluster.roll import lost
from layerforge.build.errors import ClusterError


@contextmanager
def connected(found: Remote, tls: Path | None, watch: Watch) -> Iterator[Client]:
    """A client of a cluster; the watch is told what may not be as it should.

    Raises ``ClusterError`` within some ten seconds where there is none, or where it does not let us in.
    """
    settings.apply()
    knock(found, context(found, tls, "client"))
    try:
        client = Client(found.url, security=security(found, tls), timeout=SECONDS, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        raise ClusterError(
            f"the scheduler at {found.url} does not let us in",
            hint="is it Dask's, of the same version? `dask --version` tells it",
            details=tuple(str(error).splitlines()),
        ) from error
    with client:
        try:
            lines = doubts(client)
        except OSError as error:  # as Dask's own errors of connections are
            raise lost(found.url, str(error)) from error
        for line in lines:
            watch.say(line)
        yield client


def doubts(client: Client) -> list[str]:
    """What of a scheduler is not as layerforge would have started it, a line each.

    Raises ``ClusterError`` where it was started without layerforge, which it needs to read what is submitted.
    """
    try:
        client.run_on_scheduler(version, "layerforge")
    except PackageNotFoundError as error:
        raise ClusterError(
            "the scheduler was started where layerforge is not installed, so it cannot read jobs",
            hint="start it again from an environment with layerforge and its extra `cluster`",
        ) from error
    theirs, ours = client.run_on_scheduler(version, "distributed"), version("distributed")
    lines = [] if theirs == ours else [f"the scheduler runs distributed {theirs}, this machine {ours}"]
    if client.run_on_scheduler(dask.config.get, settings.TTL, None) is None:
        lines.append("the scheduler never gives a worker up that hangs: set distributed.scheduler.worker-ttl")
    return lines
