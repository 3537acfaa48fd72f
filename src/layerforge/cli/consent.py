"""Whose code may run on this machine itself: that of layers built here, and of others where the user says so."""

from __future__ import annotations

from collections.abc import Iterable

from layerforge.build.errors import EngineError
from layerforge.build.function import Invoker
from layerforge.build.host import HostEngine
from layerforge.core import digest
from layerforge.core.store.protocol import Store
from layerforge.examine.examination import Examination


def built_here(seen: Examination, store: Store) -> bool:
    """Whether the store has the very bytes of a layer, which it has of those that this machine built."""
    kept = store.get("archive", seen.sha256)
    return kept is not None and digest.sha256(kept) == seen.sha256


def require_trust(layers: Iterable[Examination], where: Invoker, store: Store, *, trust: bool) -> None:
    """Raises ``EngineError`` where the code of a layer that was made elsewhere would run on this machine unasked."""
    if trust or not isinstance(where, HostEngine):
        return
    strange = [str(one.path) for one in layers if not built_here(one, store)]
    if strange:
        one = len(strange) == 1
        raise EngineError(
            f"{', '.join(strange)}: {'a layer that was' if one else 'layers that were'} not built on this machine "
            f"{'is' if one else 'are'} not run on it unasked",
            hint="--engine docker runs it in a container; --trust runs its code here, with bounds",
        )
