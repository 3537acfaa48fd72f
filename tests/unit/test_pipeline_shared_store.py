"""Layers on machines that share a store: the second one asks no index, and what it writes is the same to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import served_index
from fakes import FakeStore
from layerforge.build.session import Session
from layerforge.core.store import bundles
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.protocol import Made
from layerforge.layer import compiler
from layerforge.resolve import wheels
from served_index import NOWHERE, ServedIndex
from unit.test_pipeline import Line
from wheels import lock_of, make_wheel


@dataclass
class Behind(FakeStore):
    """What others read: wheels and bundles go there, and layers do not."""

    shared: bool = True

    def put(self, kind: str, key: str, value: bytes, made: Made | None = None) -> None:
        if bundles.is_bundle(kind) or kind in {wheels.KIND, wheels.CHOSEN}:
            super().put(kind, key, value, made)


@dataclass(kw_only=True)
class Machine(Line):
    """A machine of a team."""

    far: Behind

    @property
    def session(self) -> Session:
        store = DiskStore(root=self.folder / self.store, progress=self.progress, behind=self.far)
        return Session(store=store, progress=self.progress, engine=self.engine)


def built(line: Line, locked: Path, index: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    (line.folder / "uv.toml").write_text("")
    monkeypatch.setenv("UV_CONFIG_FILE", str(line.folder / "uv.toml"))
    monkeypatch.setenv("UV_CACHE_DIR", str(line.folder / "uv-cache"))
    monkeypatch.setenv("UV_DEFAULT_INDEX", index)
    line.forge("demo", "other", given=locked, out="out")
    return line.written()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[ServedIndex]:
    with served_index.serving(tmp_path / "served") as served:
        yield served


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """The lock of two packages of the index, of which one has a program and a module that does not compile."""
    served = tmp_path / "served"
    files = {
        "demo/__init__.py": b"'''Doc.'''\nVALUE = 1\n",
        "demo/bad.py": b"x =\n",
        "demo/data.bin": bytes(range(256)) * 300,
        "demo-1.0.data/scripts/tool": b"#!python\nprint(1)\n",
    }
    path = tmp_path / "requirements.lock"
    path.write_text(lock_of(make_wheel(served, files=files), make_wheel(served, "other")))
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_new_machine_writes_the_same_files_without_an_index(
    tmp_path: Path, locked: Path, index: ServedIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = built(Line(folder=folder(tmp_path / "alone")), locked, index.url, monkeypatch)
    far = Behind()
    first = built(Machine(folder=folder(tmp_path / "first"), far=far), locked, index.url, monkeypatch)
    kinds = {kind for kind, _ in far.values}
    assert kinds == {wheels.KIND, wheels.CHOSEN, compiler.KIND, "libdeflate-6-bundle"}
    shared = dict(far.values)
    second = Machine(folder=folder(tmp_path / "second"), far=far)
    asked = len(index.asked)
    assert built(second, locked, NOWHERE, monkeypatch) == first == alone
    assert len(index.asked) == asked
    assert far.values == shared
    assert (second.progress.warnings, [line for line in second.progress.lines if "shared" in line]) == ([], [])


def test_a_machine_that_pulled_writes_the_same_files_with_neither_index_nor_store(
    tmp_path: Path, locked: Path, index: ServedIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Behind()
    first = built(Machine(folder=folder(tmp_path / "first"), far=far), locked, index.url, monkeypatch)
    away = Line(folder=folder(tmp_path / "away"))
    for (kind, key), value in far.values.items():
        away.session.store.keep(kind, key, value)
    assert built(away, locked, NOWHERE, monkeypatch) == first
