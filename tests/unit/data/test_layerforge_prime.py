"""The module of a layer that loads before a snapshot what the layer has wait."""

from __future__ import annotations

import gc
import importlib
import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from layerforge.core import resources

NAME = "layerforge_prime"


@pytest.fixture
def layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path with the module and what a layer has besides; what is imported of it goes again."""
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / "__init__.py").write_text(resources.text(f"{NAME}.py"))
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def primer(layer: Path, tables: dict[str, dict[str, list[str]]], **modules: str) -> Any:
    """The module itself, in a layer with these tables and modules."""
    for package, table in tables.items():
        (layer / NAME / f"{package}.json").write_text(json.dumps(table))
    for name, text in modules.items():
        (layer / f"{name.replace('__', '/')}.py").write_text(text)
    importlib.invalidate_caches()
    return importlib.import_module(NAME)


def loaded(*names: str) -> list[str]:
    return [name for name in names if name in sys.modules]


def test_what_a_loaded_module_has_wait_is_imported_and_nothing_else(layer: Path) -> None:
    tables = {"lf": {"lf_a": ["lf_b"], "lf_x": ["lf_y"]}}
    prime = primer(layer, tables, lf_a="", lf_b="", lf_x="", lf_y="")
    importlib.import_module("lf_a")
    assert prime.prime() == ()
    assert loaded("lf_b", "lf_x", "lf_y") == ["lf_b"]


def test_what_is_imported_may_have_something_wait_in_the_table_of_another_package(layer: Path) -> None:
    prime = primer(layer, {"one": {"lf_b": ["lf_c"]}, "two": {"lf_a": ["lf_b"]}}, lf_a="", lf_b="", lf_c="")
    importlib.import_module("lf_a")
    assert prime.prime() == ()
    assert loaded("lf_b", "lf_c") == ["lf_b", "lf_c"]


def test_a_warm_up_comes_after_all_imports_and_runs_once(layer: Path) -> None:
    noted = "import sys; sys.modules['lf_a'].seen.append(__name__)"
    tables = {"lf": {"lf_a": [f"{NAME}.lf", "lf_b"], "lf_b": ["lf_c"]}}
    prime = primer(layer, tables, lf_a="seen = []", lf_b=noted, lf_c=noted, **{f"{NAME}__lf": noted})
    lf_a: Any = importlib.import_module("lf_a")
    assert prime.prime() == prime.prime() == ()
    assert lf_a.seen == ["lf_b", "lf_c", f"{NAME}.lf"]


def test_a_name_in_a_module_is_loaded_with_the_module(layer: Path) -> None:
    prime = primer(layer, {"lf": {"lf_a": ["lf_b.norm", "lf_c.absent"]}}, lf_a="", lf_b="norm = 1", lf_c="")
    importlib.import_module("lf_a")
    [why] = prime.prime()
    assert why.startswith("lf_c.absent: ModuleNotFoundError: No module named 'lf_c.absent'")
    assert loaded("lf_b") == ["lf_b"]


def test_what_python_imports_lazily_is_loaded_too(layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = "import sys\nsys.lazy_modules |= {'lf_c'}"
    monkeypatch.setattr(sys, "lazy_modules", {"lf_b", "lf_c.norm"}, raising=False)
    prime = primer(layer, {"lf": {}}, lf_b=lazy, lf_c="norm = 1")
    assert prime.prime() == ()
    assert loaded("lf_b", "lf_c") == ["lf_b", "lf_c"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import lf_absent", "lf_b: ModuleNotFoundError: No module named 'lf_absent'"),
        ("raise SystemExit(3)", "lf_b: SystemExit: 3"),
        ("1 / 0", "lf_b: ZeroDivisionError: division by zero"),
        ("(", "lf_b: SyntaxError: '(' was never closed (lf_b.py, line 1)"),
    ],
)
def test_what_fails_is_told_and_keeps_nothing_from_going_on(
    layer: Path, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    prime = primer(layer, {"lf": {"lf_a": ["lf_b", "lf_c"]}}, lf_a="", lf_b=text, lf_c="")
    importlib.import_module("lf_a")
    assert prime.prime() == (why,)
    assert loaded("lf_c") == ["lf_c"]
    assert capsys.readouterr().err == f"{NAME}: {why}\n"
    assert prime.prime() == (why,), "it is not tried again, and not forgotten either"
    assert capsys.readouterr().err == ""


def test_a_function_that_is_no_lambda_registers_nothing(layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", None)
    assert primer(layer, {}).register() is False


def test_lambda_is_to_prime_before_a_snapshot_and_to_seed_anew_after_it(
    layer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hooks: Any = ModuleType("snapshot_restore_py")
    before: list[Any] = []
    after: list[Any] = []
    hooks.register_before_snapshot, hooks.register_after_restore = before.append, after.append
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", hooks)
    prime = primer(layer, {"lf": {"lf_a": ["lf_b"]}}, lf_a="", lf_b="")
    importlib.import_module("lf_a")
    assert prime.register() is True
    assert (before, after) == ([prime.settle], [prime.reseed])
    assert loaded("lf_b") == [], "registering alone loads nothing"


def test_what_is_loaded_before_a_snapshot_is_none_of_the_collectors_later_business(layer: Path) -> None:
    prime = primer(layer, {"lf": {"lf_a": ["lf_b"]}}, lf_a="", lf_b="")
    importlib.import_module("lf_a")
    try:
        prime.settle()
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()
    assert loaded("lf_b") == ["lf_b"]


def test_environments_restored_from_one_snapshot_draw_other_numbers(layer: Path) -> None:
    prime = primer(layer, {})
    snapshot = random.getstate()
    drawn = set()
    for _ in range(2):
        random.setstate(snapshot)
        prime.reseed()
        drawn.add(random.random())
    assert len(drawn) == 2


def test_names_of_temporary_files_are_others_after_a_restore(layer: Path) -> None:
    prime = primer(layer, {})
    candidates: Any = tempfile._get_candidate_names()  # type: ignore[attr-defined]
    prime.reseed()
    assert tempfile._get_candidate_names() is not candidates  # type: ignore[attr-defined]


def test_numpys_shared_generator_is_seeded_too_where_it_is_loaded(
    layer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prime = primer(layer, {})
    numpys: Any = ModuleType("numpy.random")
    seeded: list[str] = []
    numpys.seed = lambda: seeded.append("numpy")
    monkeypatch.setitem(sys.modules, "numpy.random", numpys)
    prime.reseed()
    assert seeded == ["numpy"]

    def refuse() -> None:
        raise RuntimeError("not MT19937")

    numpys.seed = refuse
    prime.reseed()
    assert capsys.readouterr().err == f"{NAME}: numpy.random.seed: RuntimeError: not MT19937\n"


def test_a_random_module_that_nobody_loaded_stays_out(layer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prime = primer(layer, {})
    for name in ("random", "tempfile", "numpy.random"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    prime.reseed()
    assert loaded("random", "tempfile", "numpy.random") == []
