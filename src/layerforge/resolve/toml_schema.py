"""What is wrong with a table of TOML as a whole: keys that are unknown, and values that their rules refuse."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from layerforge.resolve.recipe_values import SHOWN, shown

Schema = Mapping[str, Any]
"""A callable checks a value, a mapping is a table with these keys, a list an array of such tables."""


def problems(data: Mapping[str, Any], schema: Schema, where: str = "") -> Iterable[str]:
    """Everything that is wrong with a table that begins its keys with ``where``, a line each."""
    for key, value in data.items():
        if key not in schema:
            near = difflib.get_close_matches(key[:SHOWN], list(schema), 1)
            yield f"{where}{key[:SHOWN]} is unknown" + (f"; perhaps you meant {where}{near[0]}" if near else "")
        else:
            yield from _problem(value, schema[key], f"{where}{key}")


def _problem(value: Any, rule: Any, where: str) -> Iterable[str]:
    match rule:
        case dict():
            if isinstance(value, dict):
                yield from problems(value, rule, f"{where}.")
            else:
                yield f"{where} must be a table"
        case [row]:
            if isinstance(value, list) and all(isinstance(item, dict) for item in value):
                for number, item in enumerate(value):
                    yield from problems(item, row, f"{where}[{number}].")
            else:
                yield f"{where} must be an array of tables, [[{where}]]"
        case _:
            if wrong := rule(value):
                yield f"{where} {wrong}, not {shown(value)}"
