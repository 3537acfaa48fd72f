"""What a function expects of joblib: work in parallel, results that are kept, and objects that go through files."""

import importlib.metadata
import math
import tempfile
from pathlib import Path

import joblib


def main() -> None:
    assert joblib.__version__ == importlib.metadata.version("joblib")
    # In threads: processes of a pool need semaphores, which Lambda does not have.
    tasks = (joblib.delayed(math.factorial)(number) for number in range(6))
    assert joblib.Parallel(n_jobs=2, backend="threading")(tasks) == [1, 1, 2, 6, 24, 120]
    assert joblib.hash({"a": [1, 2]}) == joblib.hash({"a": [1, 2]}) != joblib.hash({"a": [2, 1]})
    with tempfile.TemporaryDirectory() as folder:
        files(Path(folder))
        kept(Path(folder))


def files(folder: Path) -> None:
    thing = {"rows": list(range(1000)), "name": "größer"}
    for suffix in ("pkl", "pkl.gz", "pkl.xz", "pkl.bz2"):
        file = folder / f"thing.{suffix}"
        joblib.dump(thing, file)
        assert joblib.load(file) == thing, suffix


def kept(folder: Path) -> None:
    calls: list[int] = []
    square = joblib.Memory(folder, verbose=0).cache(squared, ignore=["calls"])
    assert [square(7, calls), square(7, calls), square(8, calls)] == [49, 49, 64]
    assert calls == [7, 8]


def squared(number: int, calls: list[int]) -> int:
    calls.append(number)
    return number**2


main()
