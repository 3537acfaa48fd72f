"""Whatever a project file holds, it is understood or refused with everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from layerforge.resolve import project_keys
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.fit import parse_fit
from layerforge.resolve.project_settings import (
    Asks,
    FunctionWish,
    LayerWish,
    ProjectSettings,
    Settings,
    settings_of,
)

PLAUSIBLE = (
    *("3.13", "python3.12", "arm64", "direct", "60 MB", "room=1MB", "beside", "small", "keep", "six", "pandas>=3"),
    *("./own.whl", "~", "runtime", "", "\0", "team:KEY", "s3://bucket/x", ".", "layers.lock"),
)
scalars = st.one_of(
    st.sampled_from(PLAUSIBLE), st.text(max_size=8), st.integers(-3, 10**9), st.booleans(), st.floats(), st.none()
)
values = st.one_of(scalars, st.lists(scalars, max_size=3), st.dictionaries(st.sampled_from(["room", "x"]), scalars))


def tables(*kinds: type[Any]) -> st.SearchStrategy[dict[str, Any]]:
    keys = [key for kind in kinds for key in project_keys.schema(kind)]
    return st.dictionaries(st.one_of(st.sampled_from([*keys, "extras", "groups"]), st.text(max_size=5)), values)


named = st.one_of(st.sampled_from(["a", "A", "a b", "web"]), st.text(max_size=5))
files = st.builds(
    lambda top, layers, functions: {**top, "layer": layers, "function": functions},
    tables(ProjectSettings, Settings),
    st.one_of(st.dictionaries(named, st.one_of(tables(Asks, Settings), values), max_size=3), values),
    st.one_of(st.dictionaries(named, st.one_of(tables(Asks, FunctionWish), values), max_size=3), values),
)


@given(files)
def test_a_project_file_is_understood_or_refused(data: dict[str, Any]) -> None:
    try:
        found = settings_of(data, Path("layerforge.toml"))
    except RecipeError as error:
        refused = error.details
        assert refused
        assert all(line.isprintable() for line in refused)
        return
    for layer in found.layers:
        assert isinstance(layer, LayerWish)
        sound(layer.settings)
        asks(layer.asks)
    for function in found.functions:
        assert type(function.code) is int
        assert function.code >= 0
        asks(function.asks)
    sound(found.defaults)


def sound(settings: Settings) -> None:
    if settings.fit is not None:
        parse_fit(settings.fit)
    for names in (settings.python, settings.arch, settings.leave_out, settings.from_source):
        assert names is None or (isinstance(names, tuple) and all(isinstance(one, str) for one in names))


def asks(found: Asks) -> None:
    assert found.requires or found.file or found.project or found.lock
