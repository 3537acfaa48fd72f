"""What a module is compiled under: the key that the store knows it by, and the process of the worker."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fakes import FakeStore
from keys import assert_decided_by
from layerforge.build.interpreters import Interpreter
from layerforge.core import resources
from layerforge.layer import compiler, tree
from layerforge.layer.compiler import Module


@pytest.fixture(scope="module")
def running() -> Interpreter:
    return Interpreter(path=Path(sys.executable), version=sys.version.split()[0])


def a_module(text: str) -> Module:
    return Module(filename="/opt/python/mod.py", source=tree.blob(text.encode()))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """All that ``compile_all`` makes the bytes of one module from."""

    module: Module
    interpreter: Interpreter


def kept_under(asked: Asked) -> str:
    """The only key under which the store holds what became of a module."""
    store = FakeStore()
    compiler.compile_all([asked.module], interpreter=asked.interpreter, store=store)
    [(kind, key)] = store.values
    assert kind == compiler.KIND
    return key


def test_everything_that_changes_the_bytes_is_part_of_the_key(running: Interpreter, tmp_path: Path) -> None:
    base = Asked(module=a_module("'doc'\n"), interpreter=running)
    link = tmp_path / "python"
    link.symlink_to(running.path)
    assert_decided_by(kept_under, base, {"module": a_module("1"), "interpreter": replace(running, version="3.99.0")})
    assert_decided_by(
        lambda module: kept_under(replace(base, module=module)),
        base.module,
        {
            "filename": "/opt/python/other.py",
            "source": tree.blob(b"'dog'\n"),
            "drop_docstrings": True,
            "drop_columns": True,
            "optimize": 1,
            "defer": ("json",),
            "lazy": True,
        },
        {"package": "demo", "submodules": ("a",)},
    )
    waiting = replace(base, module=replace(base.module, source=tree.blob(b"import os\n"), defer=("os",)))
    assert kept_under(replace(waiting, module=replace(waiting.module, submodules=("a",)))) != kept_under(waiting)
    assert_decided_by(
        lambda interpreter: kept_under(replace(base, interpreter=interpreter)),
        running,
        {"version": "3.99.0"},
        {"path": link},
    )


def test_where_a_source_lies_is_no_part_of_the_key(running: Interpreter, tmp_path: Path) -> None:
    module = a_module("'doc'\n")
    (tmp_path / "mod.py").write_bytes(b"'doc'\n")
    on_disk = replace(module, source=replace(module.source, source=tmp_path / "mod.py"))
    assert kept_under(Asked(module=on_disk, interpreter=running)) == kept_under(
        Asked(module=module, interpreter=running)
    )


@pytest.mark.parametrize("part", ["USES", "DEFERRING"])
def test_another_rewriting_gives_another_key_to_what_it_is_for(
    running: Interpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    plain = Asked(module=a_module("import os\n"), interpreter=running)
    waiting = replace(plain, module=replace(plain.module, defer=("os",)))
    before = kept_under(plain), kept_under(waiting)
    (tmp_path / "other.py").write_text("# other\n")
    monkeypatch.setattr(compiler, part, tmp_path / "other.py")
    assert kept_under(plain) == before[0]
    assert kept_under(waiting) != before[1]


def test_another_worker_gives_another_key(
    running: Interpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(module=a_module("'doc'\n"), interpreter=running)
    keys = [kept_under(asked)]
    for name, more in (("moved.py", b""), ("changed.py", b"# changed\n")):
        (tmp_path / name).write_bytes(resources.path("compile_worker.py").read_bytes() + more)
        monkeypatch.setattr(compiler, "WORKER", tmp_path / name)
        keys.append(kept_under(asked))
    assert keys[1] == keys[0], "where the worker lies says nothing of what it makes"
    assert keys[2] != keys[0]


PROBE = b"""
import json, os, sys
flags = sys.flags
told = json.dumps([flags.dont_write_bytecode, flags.no_site, flags.no_user_site, os.environ["PYTHONHASHSEED"]]).encode()
sys.stdin.read()
sys.stdout.buffer.write(b"E" + len(told).to_bytes(4, "little") + told)
"""


def test_the_worker_leaves_no_bytecode_behind_and_knows_no_site_packages(
    running: Interpreter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "probe.py").write_bytes(PROBE)
    monkeypatch.setattr(compiler, "WORKER", tmp_path / "probe.py")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    [told] = compiler.compile_all([a_module("")], interpreter=running, store=FakeStore())
    assert json.loads(told.reason) == [1, 1, 1, "0"]
