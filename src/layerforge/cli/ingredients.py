"""What a manifest says of a layer that none of its files shows: what is left out, patched, brought along, to be set."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from layerforge.core import runtimes
from layerforge.core.text import megabytes
from layerforge.layer import fit_search
from layerforge.layer.passes import deferring, laziness
from layerforge.report.manifest import Manifest
from layerforge.resolve import left_out


def told(manifest: Manifest) -> Iterator[str]:
    """A line on each kind that there is."""
    if manifest.fit:
        yield from fit_search.told(manifest.fit)
    if manifest.left_out:
        yield f"left out: {left_out.told(manifest.left_out)}"
    if manifest.variant:
        yield f"a variant of {manifest.variant.of}, without {'; '.join(manifest.variant.whats)}"
    if manifest.patches:
        yield f"patched: {', '.join(f'{one.package} by {one.name}' for one in manifest.patches)}"
    yield from deferring.told(manifest.bytecode)
    yield from laziness.told(manifest.bytecode, runtimes.target(manifest.python, manifest.arch))
    if manifest.data:
        rows = (f"{one.name} of {one.package} in {one.into}, {megabytes(one.bytes)}" for one in manifest.data)
        yield f"data: {', '.join(rows)}"
    if manifest.env:
        values = " ".join(f"{name}={shlex.quote(value)}" for name, value in manifest.env.items())
        yield f"the function's variables: {values}"


def as_data(manifest: Manifest | None) -> dict[str, Any]:
    """The same for programs; empty where there is no manifest."""
    return {
        "fit": asdict(manifest.fit) | {"fits": manifest.fit.fits} if manifest and manifest.fit else None,
        "env": dict(manifest.env) if manifest else {},
        "left_out": [asdict(one) for one in manifest.left_out] if manifest else [],
        "variant": asdict(manifest.variant) if manifest and manifest.variant else None,
        "patches": [asdict(one) for one in manifest.patches] if manifest else [],
        "deferred": [asdict(one) for one in manifest.deferred] if manifest else [],
        "data": [asdict(one) for one in manifest.data] if manifest else [],
    }
