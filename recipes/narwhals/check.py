"""What a function expects of Narwhals: one interface to the data frames that are there, and a word on what is none."""

import importlib.metadata
import importlib.util

import narwhals as nw
from narwhals.stable import v1, v2


def main() -> None:
    assert nw.__version__ == importlib.metadata.version("narwhals")
    others()
    # It brings no data frames of its own, so it computes with those that the layer happens to hold.
    for name in ("pandas", "pyarrow", "polars"):
        if importlib.util.find_spec(name):
            frames(name)


def others() -> None:
    thing = {"no": "frame"}
    for interface in (nw, v1, v2):
        assert interface.from_native(thing, pass_through=True) is thing
    problem = ""
    try:
        nw.from_native(thing)
    except TypeError as error:
        problem = str(error)
    assert "dict" in problem
    assert nw.Datetime("us", "UTC") == nw.Datetime("us", "UTC") != nw.Datetime("ms", "UTC")
    assert nw.Int64.is_integer()
    assert not nw.String.is_numeric()


def frames(backend: str) -> None:
    sales = nw.from_dict({"shop": ["a", "b", "a"], "sold": [1, 2, 3]}, backend=backend)
    sums = sales.group_by("shop").agg(nw.col("sold").sum()).sort("shop")
    assert sums["sold"].to_list() == [4, 2], backend
    doubled = sales.filter(nw.col("shop") == "a").with_columns(twice=nw.col("sold") * 2)
    assert doubled["twice"].to_list() == [2, 6], backend
    assert doubled.schema["twice"] == nw.Int64, backend


main()
