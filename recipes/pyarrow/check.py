"""What a function expects of pyarrow: tables can be queried, and go through every file format unharmed."""

import importlib.metadata
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import acero, csv, dataset, feather, fs, ipc, json, orc, parquet, substrait


def main() -> None:
    assert pa.__version__ == importlib.metadata.version("pyarrow")
    table = sample()
    computing(table)
    streams(table)
    file_systems()
    with tempfile.TemporaryDirectory() as folder:
        parquet_files(table, Path(folder))
        other_files(table, Path(folder))
        datasets(table, Path(folder))


def sample() -> pa.Table:
    return pa.table(
        {
            "id": pa.array(range(1000), pa.int32()),
            "group": pa.array([f"g{number % 4}" for number in range(1000)]).dictionary_encode(),
            "value": pa.array([None if number % 10 == 0 else number / 2 for number in range(1000)]),
            "when": pa.array([number * 3_600_000_000 for number in range(1000)], pa.timestamp("us")),
            "tags": pa.array([["a", "b"][: number % 3] for number in range(1000)], pa.list_(pa.string())),
            "price": pa.array(range(1000), pa.int64()).cast(pa.decimal128(20, 0)),
        }
    )


def computing(table: pa.Table) -> None:
    assert pc.sum(table["id"]).as_py() == 499_500
    assert table["value"].null_count == 100
    assert pc.utf8_upper(pa.array(["café"])).to_pylist() == ["CAFÉ"]
    assert pc.match_substring_regex(pa.array(["abc", "xyz"]), "^a.c$").to_pylist() == [True, False]
    assert pc.year(table["when"])[0].as_py() == 1970
    groups = plain(table).group_by("group").aggregate([("id", "sum"), ("value", "mean")]).sort_by("group")
    assert groups["id_sum"].to_pylist() == [124_500, 124_750, 125_000, 125_250]
    assert table.filter(pc.field("id") >= 990).num_rows == 10
    names = pa.table({"group": ["g0", "g1"], "name": ["zero", "one"]})
    assert plain(table).join(names, "group", join_type="inner").num_rows == 500
    assert pc.count_distinct(pa.array([1, 1, 2])).as_py() == 2


def plain(table: pa.Table) -> pa.Table:
    """Only the columns that every operation and format takes."""
    return table.select(["id", "value"]).append_column("group", table["group"].cast(pa.string()))


def streams(table: pa.Table) -> None:
    for codec in ("zstd", "lz4"):
        sink = pa.BufferOutputStream()
        with ipc.new_stream(sink, table.schema, options=ipc.IpcWriteOptions(compression=codec)) as writer:
            writer.write_table(table)
        assert ipc.open_stream(sink.getvalue()).read_all().equals(table)
    for codec in ("snappy", "gzip", "brotli", "lz4", "zstd"):
        assert pa.decompress(pa.compress(b"layer" * 100, codec=codec), 500, codec=codec).to_pybytes() == b"layer" * 100
    # Substrait's library is what every other module of pyarrow is linked with.
    assert substrait.get_supported_functions()
    plan = acero.Declaration("table_source", acero.TableSourceNodeOptions(table))
    assert plan.to_table().num_rows == 1000


def file_systems() -> None:
    # The clients of the clouds load and can be set up without a network.
    assert fs.S3FileSystem(anonymous=True, region="eu-central-1").region == "eu-central-1"
    assert fs.FileSystem.from_uri("file:///tmp")[1] == "/tmp"  # noqa: S108 - nothing is written there


def parquet_files(table: pa.Table, folder: Path) -> None:
    for codec in ("zstd", "snappy", "gzip", "brotli", "lz4", "none"):
        file = folder / f"{codec}.parquet"
        parquet.write_table(table, file, compression=codec, row_group_size=300)
        assert parquet.read_table(file).equals(table), codec
    part = parquet.read_table(folder / "zstd.parquet", columns=["id"], filters=[("id", "<", 5)])
    assert part.to_pydict() == {"id": [0, 1, 2, 3, 4]}
    facts = parquet.ParquetFile(folder / "zstd.parquet").metadata
    assert facts.num_row_groups == 4
    assert facts.row_group(0).column(0).statistics.max == 299


def other_files(table: pa.Table, folder: Path) -> None:
    for codec in ("lz4", "zstd"):
        feather.write_feather(table, folder / "table.feather", compression=codec)
        assert feather.read_table(folder / "table.feather").equals(table)
    simple = plain(table)
    csv.write_csv(simple, folder / "table.csv")
    options = csv.ConvertOptions(column_types=simple.schema)
    assert csv.read_csv(folder / "table.csv", convert_options=options).equals(simple)
    (folder / "rows.json").write_text('{"a": 1, "b": {"c": "x"}}\n{"a": 2, "b": {"c": "y"}}\n', "utf-8")
    assert json.read_json(folder / "rows.json")["b"].to_pylist() == [{"c": "x"}, {"c": "y"}]
    orc.write_table(simple, folder / "table.orc")
    assert orc.read_table(folder / "table.orc").equals(simple)


def datasets(table: pa.Table, folder: Path) -> None:
    root = folder / "partitioned"
    parts = dataset.partitioning(pa.schema([("group", pa.string())]), flavor="hive")
    dataset.write_dataset(plain(table), root, format="parquet", partitioning=parts)
    assert sorted(path.name for path in root.iterdir()) == ["group=g0", "group=g1", "group=g2", "group=g3"]
    found = dataset.dataset(root, partitioning=parts).to_table(filter=pc.field("group") == "g3", columns=["id"])
    assert pc.sum(found["id"]).as_py() == 125_250


main()
