"""Names of temporary files that are the same every time."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from types import ModuleType

import pytest


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module as a Python of a source step has it. This process gets its own names back."""
    monkeypatch.setattr(tempfile, "_name_sequence", None)
    monkeypatch.setattr(sys, "orig_argv", ["python", "setup.py", "build"])
    monkeypatch.delitem(sys.modules, "layerforge.data.sitecustomize", raising=False)
    yield importlib.import_module("layerforge.data.sitecustomize")
    sys.modules.pop("layerforge.data.sitecustomize", None)


def first_names(module: ModuleType) -> list[str]:
    return list(islice(module.names(), 3))


def test_names_depend_on_the_command_alone_and_differ_from_one_another(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = first_names(module)
    assert len(set(names)) == 3
    assert names == first_names(module)
    monkeypatch.setattr(sys, "orig_argv", ["python", "setup.py", "install"])
    assert not set(names) & set(first_names(module))


def test_an_argument_that_utf_8_cannot_hold_is_no_reason_to_fail(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "\udcff"])
    assert len(first_names(module)) == 3


def test_temporary_files_get_these_names(module: ModuleType) -> None:
    expected = first_names(module)[0]
    with tempfile.NamedTemporaryFile() as file:
        assert file.name.endswith(expected)
