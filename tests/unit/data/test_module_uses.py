"""What a module reads of what it imports."""

from __future__ import annotations

import ast
import dis
import subprocess
import sys

import pytest

from layerforge.core import resources
from layerforge.data import module_uses
from layerforge.data.module_uses import unread


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import far\n", ["far"]),
        ("import far\ndef f(): return far.x\n", []),
        ("import far\nfar.x\n", []),
        ("import far.off\ndef f(): return far.off.x\n", []),
        ("import far.off\nimport far\ndef f(): return far.on\n", ["far.off"]),
        ("import far as far\n", []),
        ("import far as near\n", ["far"]),
        ("from far import x\n__all__ = ['x']\n", []),
        ("from far import x\n__all__ = ['y']\n__all__ += ['x']\n", []),
        ("from far import x\ndef f(x): return x\n", ["far"]),
        ("from far import x, y\ndef f(): return y\n", []),
        ("from far import *\n", []),
        ("from . import far\n", ["pkg.far"]),
        ("from .far import x\nx = 3\n", ["pkg.far"]),
    ],
)
def test_what_nothing_reads_and_the_module_does_not_offer_is_told(source: str, found: list[str]) -> None:
    assert unread(ast.parse(source), ["far", "far.off", "pkg.far"], "pkg") == found


@pytest.mark.parametrize("name", ["module_uses", "defer_imports"])
def test_the_scripts_need_the_standard_library_alone(name: str) -> None:
    folder = str(resources.path("module_uses.py").parent)
    program = (
        "import importlib.util, sys\n"
        f"for name in ('module_uses', {name!r}):\n"
        f"    place = {folder!r} + '/' + name + '.py'\n"
        "    spec = importlib.util.spec_from_file_location(name, place)\n"
        "    module = sys.modules[name] = importlib.util.module_from_spec(spec)\n"
        "    spec.loader.exec_module(module)\n"
        "print([one for one in sys.modules if one.startswith('layerforge')])\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_variables_are_found_where_dis_finds_them() -> None:
    names = "".join(f"name{number} = other{number}\n" for number in range(300))
    function = "def f():\n    global name9\n    name9 = len(name8).real\n    del name9\n"
    text = f"{names}{function}class A:\n    x = name7\n    y = x\n"
    for code in (module := compile(text, "mod.py", "exec"), *module_uses.inner_codes(module)):
        told = [one for one in dis.get_instructions(code) if one.opcode in dis.hasname]
        expected = [(one.offset, one.opname, one.argval) for one in told if one.opname not in module_uses.NOT_VARIABLES]
        assert list(module_uses.variables_of(code)) == expected
