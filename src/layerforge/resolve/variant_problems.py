"""What is wrong with a ``recipe.toml`` that is a variant, beyond its single values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from packaging.utils import canonicalize_name

from layerforge.resolve.recipe_values import shown

_TOGETHER = frozenset({"schema", "variant", "check", "layer"})
"""Keys of a variant; what is known of packages stands in their own recipes."""


def variant_problems(data: Mapping[str, Any]) -> Iterator[str]:
    """A line for all that does not go together in a recipe with ``[variant]``."""
    variant = data.get("variant")
    if not isinstance(variant, dict):
        return
    yield from (f"{key} does not go with [variant]: it is known of a package" for key in data if key not in _TOGETHER)
    if not isinstance(data.get("layer"), dict):
        yield "layer is missing: a variant is a layer of its own"
    check = data.get("check")
    if not isinstance(check, dict) or "script" not in check:
        yield "check.script is missing: it proves what is promised of the variant"
    rows = variant.get("without", [])
    sound = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if not sound:
        yield "variant.without is empty: what is a variant without?"
    yield from _of_rows(sound)
    yield from _of_proves(variant.get("proves"), sound)


def _of_rows(rows: list[dict[str, Any]]) -> Iterator[str]:
    seen: set[str] = set()
    for number, row in enumerate(rows):
        if not row.get("modules") and not row.get("files"):
            yield f"variant.without[{number}] names no modules and no files"
        for name in _texts(row.get("modules")):
            if name in seen:
                yield f"variant.without[{number}].modules has {shown(name)}, which is named already"
            seen.add(name)
    for name in sorted(seen):
        if above := next((one for one in _above(name) if one in seen), ""):
            yield f"variant.without names {shown(name)}, which lies in {above}, and all of that goes"


def _above(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))


def _of_proves(proves: object, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Packages whose own checks would not count though nothing of them is left out."""
    packages = {canonicalize_name(row["package"]) for row in rows if isinstance(row.get("package"), str)}
    for name in _texts(proves):
        if canonicalize_name(name) not in packages:
            yield f"variant.proves names {shown(name)}, of which nothing is left out"


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
