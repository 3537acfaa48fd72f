"""What a function expects of NumPy: BLAS and LAPACK, FFT, random streams, files, dates."""

import importlib.metadata
import io
import tempfile
from pathlib import Path

import numpy as np


def main() -> None:
    assert np.__version__ == importlib.metadata.version("numpy")
    linear_algebra()
    transforms()
    random_numbers()
    files()
    types()


def linear_algebra() -> None:
    matrix = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 2.0]])
    assert np.allclose(np.linalg.solve(matrix, matrix @ [1.0, -2.0, 3.0]), [1.0, -2.0, 3.0])
    left, values, right = np.linalg.svd(matrix)
    assert np.allclose(left * values @ right, matrix)
    assert np.isclose(np.linalg.det(matrix), 18.0)
    assert np.isclose(np.linalg.det(np.linalg.qr(matrix)[0]) ** 2, 1.0)
    assert np.allclose(np.linalg.eigvalsh(matrix).sum(), np.trace(matrix))
    # Large enough for every kernel and thread of the BLAS; sums of small integers are exact in double precision.
    size = 512
    grid = np.arange(size * size, dtype=float).reshape(size, size) % 7
    expected = (grid.astype(np.int64)[:3] @ grid.astype(np.int64)).astype(float)
    assert np.array_equal((grid @ grid)[:3], expected)


def transforms() -> None:
    time = np.arange(256) / 256
    spectrum = np.abs(np.fft.rfft(np.sin(2 * np.pi * 10 * time)))
    assert int(spectrum.argmax()) == 10
    assert np.isclose(spectrum[10], 128.0)
    assert np.allclose(np.fft.irfft(np.fft.rfft(time)), time)


def random_numbers() -> None:
    # NumPy promises that PCG64 and the legacy generator give these streams forever.
    assert np.isclose(np.random.default_rng(42).random(), 0.7739560485559633)
    assert np.random.RandomState(0).randint(0, 100, 5).tolist() == [44, 47, 64, 67, 67]
    sample = np.random.default_rng(7).normal(5.0, 2.0, 100_000)
    assert abs(sample.mean() - 5.0) < 0.05
    assert abs(sample.std() - 2.0) < 0.05


def files() -> None:
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.npz"
        np.savez_compressed(file, table=table)
        with np.load(file) as loaded:
            assert np.array_equal(loaded["table"], table)
    assert np.genfromtxt(io.StringIO("1,2\n3,4"), delimiter=",").sum() == 10


def types() -> None:
    days = np.arange("2024-02-27", "2024-03-02", dtype="datetime64[D]")
    assert days.tolist()[2].isoformat() == "2024-02-29"
    assert np.busday_count("2024-01-01", "2024-02-01") == 23
    assert np.strings.upper(np.array(["ab", "c"])).tolist() == ["AB", "C"]
    masked = np.ma.masked_invalid([1.0, np.nan, 3.0])
    assert masked.mean() == 2.0
    assert np.allclose(np.polynomial.Polynomial([6, -5, 1]).roots(), [2, 3])
    assert np.einsum("ij,jk->", np.ones((2, 3)), np.ones((3, 4))) == 24


main()
