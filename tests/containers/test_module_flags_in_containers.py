"""Flags of single files in a real build: a C++ package whose equal functions are folded, and a glob without a file."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from layerforge.build import interpreters
from sdists import archive

MODULE = "folds/_many.cpython-313-x86_64-linux-gnu.so"
COUNT = 60
PACKAGE = {
    "folds-1.0/PKG-INFO": "Metadata-Version: 2.2\nName: folds\nVersion: 1.0\n",
    "folds-1.0/pyproject.toml": """
[build-system]
requires = ["setuptools>=75"]
build-backend = "setuptools.build_meta"
[project]
name = "folds"
version = "1.0"
""",
    "folds-1.0/setup.py": """
from setuptools import Extension, setup
setup(packages=["folds"], ext_modules=[Extension("folds._many", ["folds/_many.cpp"], language="c++")])
""",
    "folds-1.0/folds/__init__.py": "from folds._many import total\n",
    # One body by a type that changes nothing of it, as in `std::vector<long>` and `std::vector<long long>`.
    "folds-1.0/folds/_many.cpp": f"""
#define PY_SSIZE_T_CLEAN
#include <Python.h>
template <int N> struct Tag {{ }};
template <class T> __attribute__((noinline)) long long work(const long long *values, long long count) {{
    long long sum = 0;
    for (long long i = 0; i < count; i++) {{
        if (values[i] % 7 == 3) sum += values[i] * values[count - 1 - i];
        else if (values[i] % 11 == 5) sum ^= values[i] << 3;
        else sum -= values[i] / 3 + i % 5;
    }}
    return sum;
}}
static PyObject *total(PyObject *, PyObject *) {{
    long long values[4] = {{3, 10, 5, 17}}, sum = 0;
    {" ".join(f"sum += work<Tag<{number}>>(values, 4);" for number in range(COUNT))}
    return PyLong_FromLongLong(sum);
}}
static PyMethodDef methods[] = {{{{"total", total, METH_NOARGS, ""}}, {{nullptr}}}};
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "_many", "", -1, methods}};
PyMODINIT_FUNC PyInit__many(void) {{ return PyModule_Create(&module); }}
""",
}
RECIPE = """
schema = 2
[package]
name = "folds"
versions = ">=1,<2"
build = "source"
{flags}
[check]
imports = ["folds"]
script = "check.py"
[layer]
requires = ["folds"]
"""
FOLD = "-fuse-ld=lld -Wl,--icf=all"


@pytest.fixture
def build(tmp_path: Path, standin: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Builds the package in ``tmp_path`` with rows of ``module-flags``, by glob."""
    if interpreters.find("3.13") is None:
        pytest.skip("there is no CPython 3.13 here")
    folder = tmp_path / "recipes/folds"
    folder.mkdir(parents=True)
    (tmp_path / "index").mkdir()
    sdist = tmp_path / "index/folds-1.0.tar.gz"
    sdist.write_bytes(archive(PACKAGE))
    (folder / "requirements.lock").write_text(
        f"folds==1.0 --hash=sha256:{hashlib.sha256(sdist.read_bytes()).hexdigest()}\n"
    )
    env = {**os.environ, "LAYERFORGE_CACHE": str(tmp_path / "store"), "UV_FIND_LINKS": str(tmp_path / "index")}
    argv = [sys.executable, "-m", "layerforge", "build", "folds", "--recipes", "recipes", "--engine", "docker"]

    def run(rows: dict[str, str], output: str) -> subprocess.CompletedProcess[str]:
        lines = "\n".join(f'"{glob}" = "{flags}"' for glob, flags in rows.items())
        (folder / "recipe.toml").write_text(RECIPE.format(flags=f"[package.module-flags]\n{lines}" if rows else ""))
        (folder / "check.py").write_text(f"import folds\nassert folds.total() == {expected()}\n")
        return subprocess.run(
            [*argv, "--image", standin, "--output", output], env=env, cwd=tmp_path, capture_output=True, text=True
        )

    return run


def expected() -> int:
    """What the module's function gives."""
    values, sum_ = (3, 10, 5, 17), 0
    for at, value in enumerate(values):
        if value % 7 == 3:
            sum_ += value * values[3 - at]
        elif value % 11 == 5:
            sum_ ^= value << 3
        else:
            sum_ -= value // 3 + at % 5
    return sum_ * COUNT


def module(folder: Path) -> bytes:
    """The extension module in the layer that was made into a folder."""
    [layer] = folder.glob("*.zip")
    with zipfile.ZipFile(io.BytesIO(layer.read_bytes())) as zipped:
        return zipped.read(f"python/{MODULE}")


def test_equal_functions_of_the_files_that_a_glob_matches_are_folded_and_the_layer_still_proves_itself(
    build: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    plain = build({}, "plain")
    assert plain.returncode == 0, plain.stderr
    folded = build({"**/folds/*.so": FOLD}, "folded")
    assert folded.returncode == 0, folded.stderr
    assert len(module(tmp_path / "folded")) < len(module(tmp_path / "plain")) - COUNT * 50


def test_flags_that_the_image_does_not_take_are_left_out_and_the_log_says_so(
    build: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    assert build({"**/folds/*.so": "-fuse-ld=nothing-of-that-name"}, "without").returncode == 0
    [log] = (tmp_path / "store").rglob("folds-*.log")
    assert "takes no -fuse-ld=nothing-of-that-name: **/folds/*.so is made without" in log.read_text()


def test_a_glob_that_matches_nothing_that_was_made_fails_the_step_and_is_named(
    build: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    failed = build({"**/fold/*.so": "-Os"}, "none")
    assert failed.returncode == 6
    assert re.search(r"no file was made that \*\*/fold/\*\.so in module-flags matches", failed.stderr)
