"""A C library, and a Python package on it: the smallest recipes that compile both."""

from __future__ import annotations

LIBRARY = {
    "tiny-1.0/tiny.h": "int tiny_answer(void);\n",
    "tiny-1.0/tiny.c": '#include "tiny.h"\nint tiny_answer(void) { return 42; }\n',
    "tiny-1.0/Makefile": """
libtiny.so.1: tiny.c tiny.h
\t$(CC) $(CFLAGS) $(LDFLAGS) -fPIC -shared -Wl,-soname,libtiny.so.1 -o $@ tiny.c
install: libtiny.so.1
\tmkdir -p $(PREFIX)/lib $(PREFIX)/include
\tcp libtiny.so.1 $(PREFIX)/lib/
\tln -s libtiny.so.1 $(PREFIX)/lib/libtiny.so
\tcp tiny.h $(PREFIX)/include/
""",
}
PACKAGE = {
    "tinypy-1.0/PKG-INFO": "Metadata-Version: 2.2\nName: tinypy\nVersion: 1.0\n",
    "tinypy-1.0/pyproject.toml": """
[build-system]
requires = ["setuptools>=75"]
build-backend = "setuptools.build_meta"
[project]
name = "tinypy"
version = "1.0"
""",
    "tinypy-1.0/setup.py": """
from setuptools import Extension, setup
setup(packages=["tinypy"], ext_modules=[Extension("tinypy._tiny", ["tinypy/_tiny.c"], libraries=["tiny"])])
""",
    "tinypy-1.0/tinypy/__init__.py": '"""Doc."""\nfrom tinypy._tiny import answer\n',
    "tinypy-1.0/tinypy/_tiny.c": """
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <tiny.h>
static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(tiny_answer()); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_tiny", "", -1, methods};
PyMODINIT_FUNC PyInit__tiny(void) { return PyModule_Create(&module); }
""",
}
LIBRARY_RECIPE = """
schema = 2
[library]
name = "tiny"
version = "1.0"
source = {{ url = "https://nowhere.invalid/tiny-1.0.tar.gz", sha256 = "{sha256}" }}
script = '''
{script}
'''
ship = ["lib/libtiny.so.1"]
[build]
packages = []
"""
PACKAGE_RECIPE = """
schema = 2
[package]
name = "tinypy"
versions = ">=1,<2"
build = "source"
needs = ["tiny"]
system = ["libgfortran.so.5", "libquadmath.so.0"]
[check]
imports = ["tinypy"]
script = "check.py"
[layer]
requires = ["tinypy"]
"""
CHECK = """
import os
import tinypy
assert tinypy.answer() == 42
assert not os.path.exists("/opt/python/tinypy/_tiny.c")
try:
    open("/opt/python/x", "w")
    raise SystemExit("/opt can be written")
except OSError:
    pass
"""
