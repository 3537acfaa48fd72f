"""How Dask is set where layerforge starts it, and which of its settings matter where somebody else did."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import dask.config

TTL = "distributed.scheduler.worker-ttl"

NOWHERE = "127.0.0.1:0"
"""Where Dask's pages are, which cannot be left out: at any port that is free, and for this machine alone."""

SCHEDULER: Mapping[str, Any] = {
    # A worker that is not heard of for so long is taken for lost; one that compiles with all it has may be slow.
    TTL: "15 minutes",
    # Which worker a job goes to is decided before it is sent, and stealing knows nothing of resources in use.
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.allowed-failures": 10,
}

PROCESS: Mapping[str, Any] = {
    # The containers have limits of their own, and a worker holds next to nothing.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    # Figures that nobody looks at. Each process, and each nanny in this one, would take them some fifty times a second.
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "1s",
    "distributed.comm.timeouts.connect": "10s",
    # What is left of its pages is behind no certificate.
    "distributed.worker.http.routes": [],
    "distributed.scheduler.http.routes": [],
    "logging": {"distributed": "critical", "distributed.client": "critical", "distributed.worker": "critical"},
}


def apply() -> None:
    """Sets Dask up in this process and in those that it starts. Its own log says nothing: what matters is told."""
    dask.config.set({**SCHEDULER, **PROCESS})
    for name in ("distributed", *(one for one in logging.root.manager.loggerDict if one.startswith("distributed."))):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def require_encryption() -> None:
    """From now on this process talks in TLS alone."""
    dask.config.set({"distributed.comm.require-encryption": True})
