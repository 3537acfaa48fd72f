"""What Dask wraps: the error of layerforge's own that something it raised came of."""

from __future__ import annotations

from layerforge.core.errors import LayerforgeError


def own(error: BaseException) -> LayerforgeError | None:
    """The first error of layerforge's among the causes of an error; ``None`` where there is none."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, LayerforgeError):
            return cause
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return None
