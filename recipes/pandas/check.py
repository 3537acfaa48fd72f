"""What a function expects of pandas: tables, dates, time zones and the formats that need no other package."""

import importlib.metadata
import io
import tempfile
import zoneinfo
from pathlib import Path

import numpy as np
import pandas as pd


def main() -> None:
    assert pd.__version__ == importlib.metadata.version("pandas")
    tables()
    text()
    dates()
    time_zones()
    formats()
    display()


def tables() -> None:
    sales = pd.DataFrame({"shop": ["a", "b", "a", "b"], "year": [1, 1, 2, 2], "sold": [1.0, 2.0, 3.0, np.nan]})
    sums = sales.groupby("shop")["sold"].agg(["sum", "mean", "count"])
    assert sums.loc["a"].tolist() == [4.0, 2.0, 2.0]
    assert sums.loc["b"].tolist() == [2.0, 2.0, 1.0]
    shops = pd.DataFrame({"shop": ["a", "c"], "town": ["Ulm", "Jena"]})
    joined = sales.merge(shops, on="shop", how="outer", indicator=True)
    assert joined["_merge"].value_counts().to_dict() == {"both": 2, "left_only": 2, "right_only": 1}
    wide = sales.pivot_table(index="shop", columns="year", values="sold")
    assert wide.loc["a", 2] == 3.0
    assert sales["sold"].rolling(2).sum().tolist()[1:3] == [3.0, 5.0]
    assert pd.cut(pd.Series([1, 5, 9]), [0, 4, 10], labels=["low", "high"]).tolist() == ["low", "high", "high"]
    assert sales.query("sold > 1.5 and shop == 'a'")["sold"].tolist() == [3.0]


def text() -> None:
    names = pd.Series(["Ada Lovelace", None, "Grace Hopper"])
    assert names.str.split().str[-1].dropna().tolist() == ["Lovelace", "Hopper"]
    assert names.str.extract(r"(?P<first>\w+)")["first"].dropna().tolist() == ["Ada", "Grace"]
    assert names.astype("category").cat.categories.tolist() == ["Ada Lovelace", "Grace Hopper"]


def dates() -> None:
    days = pd.date_range("2024-02-27", periods=4, freq="D")
    assert np.array_equal(days.to_numpy(), np.arange("2024-02-27", "2024-03-02", dtype="datetime64[D]"))
    assert days[2] == pd.Timestamp("2024-02-29")
    counts = pd.Series(range(48), index=pd.date_range("2024-01-01", periods=48, freq="h"))
    assert counts.resample("D").sum().tolist() == [276, 852]
    assert pd.Timestamp("2024-01-31") + pd.offsets.BMonthEnd() == pd.Timestamp("2024-02-29")
    assert pd.to_datetime("3 March 2024 14:05") == pd.Timestamp(2024, 3, 3, 14, 5)
    assert (pd.Timestamp("2024-03-01") - pd.Timestamp("2024-02-01")) / pd.Timedelta("1D") == 29
    assert pd.Period("2024Q1", freq="Q").end_time.date().isoformat() == "2024-03-31"


def time_zones() -> None:
    noon = pd.Timestamp("2024-07-01 12:00", tz="UTC")
    assert noon.tz_convert("UTC+02:00").isoformat() == "2024-07-01T14:00:00+02:00"
    # Others have names, and pandas asks for no package of them on Linux: there is one in the layer, or the system's.
    if "Europe/Berlin" in zoneinfo.available_timezones():
        named_zones(noon)


def named_zones(noon: pd.Timestamp) -> None:
    assert noon.tz_convert("Europe/Berlin").isoformat() == "2024-07-01T14:00:00+02:00"
    assert noon.tz_convert("America/New_York").hour == 8
    around = pd.date_range("2024-03-30", periods=3, freq="D", tz="Europe/Berlin")
    assert [date.utcoffset().total_seconds() / 3600 for date in around] == [1.0, 1.0, 2.0]


def formats() -> None:
    table = pd.DataFrame(
        {"id": [1, 2], "name": ["ä,b", 'c"d'], "when": pd.to_datetime(["2024-01-01", "2024-01-02"]), "x": [0.5, None]}
    )
    read = pd.read_csv(io.StringIO(table.to_csv(index=False)), parse_dates=["when"])
    pd.testing.assert_frame_equal(read, table, check_dtype=False)
    lines = table.to_json(orient="records", lines=True, date_format="iso")
    again = pd.read_json(io.StringIO(lines), orient="records", lines=True, dtype=False)
    assert again["name"].tolist() == table["name"].tolist()
    assert pd.to_datetime(again["when"]).dt.tz_localize(None).tolist() == table["when"].tolist()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("table.csv.gz", "table.csv.xz", "table.csv.zip"):
            table.to_csv(Path(folder) / name, index=False)
            assert pd.read_csv(Path(folder) / name).shape == table.shape
        table.to_pickle(Path(folder) / "table.pickle")
        pickled = pd.read_pickle(Path(folder) / "table.pickle")  # noqa: S301 - our own bytes
        pd.testing.assert_frame_equal(pickled, table)
        table.to_stata(Path(folder) / "table.dta", write_index=False, version=118)
        assert pd.read_stata(Path(folder) / "table.dta")["name"].tolist() == table["name"].tolist()


def display() -> None:
    table = pd.DataFrame({"a": [1, 2]}, index=["x", "y"])
    assert "<table" in table.to_html()
    assert repr(table).splitlines()[1].split() == ["x", "1"]
    assert table.describe().loc["mean", "a"] == 1.5


main()
