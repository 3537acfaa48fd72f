"""Wheels that a team has installed before: no index is asked for them, and the layer is the same to the byte."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import served_index
from fakes import FakeProgress, FakeStep, FakeStore, target
from layerforge.core import digest
from layerforge.resolve import lock, uv_install, wheels
from layerforge.resolve.errors import LockError
from layerforge.resolve.lock import Pin
from layerforge.resolve.sources import Search
from layerforge.resolve.wheels import Shelf
from served_index import NOWHERE, ServedIndex
from wheels import lock_of, make_wheel

SCRIPT = {"demo/__init__.py": b"VALUE = 1\n", "demo-1.0.data/scripts/tool": b"#!python\n"}


@dataclass
class Machine:
    """A machine of the team, with an own cache of uv's and an own folder of wheels."""

    folder: Path
    store: FakeStore
    monkeypatch: pytest.MonkeyPatch
    progress: FakeProgress = field(default_factory=FakeProgress)
    installed: int = 0

    @property
    def search(self) -> Search:
        return Search(store=self.store, folders=(), progress=self.progress, wheels=self.folder / "wheels")

    def asks(self, url: str) -> None:
        """Points uv at an index, with nothing in its cache."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "uv.toml").write_text("")
        self.monkeypatch.setenv("UV_CONFIG_FILE", str(self.folder / "uv.toml"))
        self.monkeypatch.setenv("UV_CACHE_DIR", str(self.folder / "uv-cache"))
        self.monkeypatch.setenv("UV_DEFAULT_INDEX", url)

    def install(self, pins: Sequence[Pin], search: Search | None = None) -> dict[str, bytes]:
        """What lies where pins were installed, by path."""
        search = search or self.search
        self.installed += 1
        into = self.folder / f"into-{self.installed}"
        shelf = wheels.shelved(pins, target(), search, step=FakeStep())
        uv_install.install(lock.render(pins), target(), into, lambda _line: None, shelf=shelf)
        wheels.keep(shelf, search)
        paths = (path for path in into.rglob("*") if path.is_file() and path.name != ".lock")
        return {path.relative_to(into).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def store() -> FakeStore:
    return FakeStore(shared=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the index has."""
    return tmp_path / "served"


@pytest.fixture
def index(folder: Path) -> Iterator[ServedIndex]:
    with served_index.serving(folder) as served:
        yield served


@pytest.fixture
def ours(tmp_path: Path, store: FakeStore, index: ServedIndex, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The machine that was first."""
    machine = Machine(tmp_path / "ours", store, monkeypatch)
    machine.asks(index.url)
    return machine


@pytest.fixture
def theirs(tmp_path: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A new machine."""
    return Machine(tmp_path / "theirs", store, monkeypatch)


def pins_of(*made: Path) -> tuple[Pin, ...]:
    return lock.parse(lock_of(*made), "x").pins


def three(folder: Path) -> tuple[Pin, ...]:
    return pins_of(
        make_wheel(folder, files=SCRIPT, requires=["other"], tag="cp313-cp313-manylinux_2_17_x86_64"),
        make_wheel(folder, "other"),
        make_wheel(folder, "with-dash"),
    )


def test_a_new_machine_gets_the_same_files_without_any_index(
    folder: Path, index: ServedIndex, ours: Machine, theirs: Machine
) -> None:
    pins = three(folder)
    alone = ours.install(pins, replace(ours.search, wheels=None))
    assert ours.store.values == {}
    ours.asks(index.url)
    first = ours.install(pins)
    theirs.asks(NOWHERE)
    assert first == theirs.install(pins) == theirs.install(pins) == alone
    assert not any(path.endswith((".json", "uv_cache.json")) for path in alone)
    assert (ours.progress.warnings, theirs.progress.warnings, theirs.progress.lines) == ([], [], [])


def test_each_wheel_is_downloaded_once_and_kept_under_its_hash(folder: Path, index: ServedIndex, ours: Machine) -> None:
    pins = three(folder)
    ours.install(pins)
    ours.install(pins)
    files = [path for path in index.asked if path.startswith("/files/")]
    assert sorted(files) == sorted(f"/files/{path.name}" for path in folder.iterdir())
    kept = {key: value for (kind, key), value in ours.store.values.items() if kind == wheels.KIND}
    assert kept == {digest.of_file(path): path.read_bytes() for path in folder.iterdir()}
    chosen = {kind: value for (kind, _), value in ours.store.values.items() if kind == wheels.CHOSEN}
    assert json.loads(chosen[wheels.CHOSEN]).keys() == {"file", "sha256"}


def test_the_wheel_that_serves_the_target_best_is_kept(folder: Path, ours: Machine, theirs: Machine) -> None:
    best, plain, foreign = (
        make_wheel(folder, tag=tag, files={"demo/tag.py": tag.encode()})
        for tag in ("cp313-cp313-manylinux_2_28_x86_64", "py3-none-any", "cp313-cp313-manylinux_2_28_aarch64")
    )
    hashes = tuple(sorted(f"sha256:{digest.of_file(one)}" for one in (best, plain, foreign)))
    [pin] = [replace(pin, hashes=hashes) for pin in pins_of(best)]
    alone = ours.install([pin], replace(ours.search, wheels=None))
    assert ours.install([pin]) == alone
    assert alone["demo/tag.py"] == b"cp313-cp313-manylinux_2_28_x86_64"
    [key] = [key for kind, key in ours.store.values if kind == wheels.KIND]
    assert key == digest.of_file(best)
    [without] = [replace(pin, hashes=(f"sha256:{digest.of_file(plain)}",))]
    assert ours.install([without])["demo/tag.py"] == b"py3-none-any"


def test_what_only_the_index_has_comes_from_there(
    folder: Path, index: ServedIndex, ours: Machine, theirs: Machine
) -> None:
    known = pins_of(make_wheel(folder))
    ours.install(known)
    pins = (*known, *pins_of(make_wheel(folder, "other")))
    index.asked.clear()
    theirs.asks(index.url)
    files = theirs.install(pins)
    assert {"demo/__init__.py", "other/__init__.py"} <= files.keys()
    assert not any("demo" in path for path in index.asked)
    assert len([kind for kind, _ in theirs.store.values if kind == wheels.KIND]) == 2


def test_wheels_of_an_index_with_credentials_stay_with_uv_and_that_is_said_once(
    folder: Path, index: ServedIndex, ours: Machine
) -> None:
    pins = three(folder)
    index.password = "sesame"
    ours.asks(index.private_url)
    assert "demo/__init__.py" in ours.install(pins)
    assert ours.store.values == {}
    [said] = ours.progress.lines
    assert said == "not shared with others: demo, other, with-dash (an index with credentials has them)"


def test_uv_may_not_use_the_network_then_neither_does_this(
    folder: Path, index: ServedIndex, ours: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = three(folder)
    ours.install(pins, replace(ours.search, wheels=None))
    index.asked.clear()
    monkeypatch.setenv("UV_OFFLINE", "1")
    assert "demo/__init__.py" in ours.install(pins)
    assert (index.asked, ours.store.values) == ([], {})


def damaged(store: FakeStore, kind: str, value: bytes) -> None:
    for place in list(store.values):
        if place[0] == kind:
            store.values[place] = value


def test_a_wheel_that_was_damaged_in_the_store_comes_from_the_index_again(
    folder: Path, index: ServedIndex, ours: Machine, theirs: Machine
) -> None:
    pins = three(folder)
    files = ours.install(pins)
    damaged(theirs.store, wheels.KIND, b"PK\3\4 something else")
    theirs.asks(index.url)
    assert theirs.install(pins) == files
    written = list((theirs.folder / "wheels").rglob("*.whl"))
    assert [digest.of_file(path) for path in written] == [path.parent.name for path in written]
    assert len(written) == len(pins)


def test_a_wheel_that_was_damaged_on_this_machine_comes_from_the_store_again(folder: Path, ours: Machine) -> None:
    pins = three(folder)
    files = ours.install(pins)
    for path in (ours.folder / "wheels").rglob("*.whl"):
        path.write_bytes(b"nothing")
    ours.asks(NOWHERE)
    assert ours.install(pins) == files


@pytest.mark.parametrize("value", [b"", b"[]", b"\xff", b'{"file": "x"}', b'{"file": 1, "sha256": "x"}'])
def test_what_the_store_says_of_a_wheel_and_nobody_understands_is_asked_anew(
    value: bytes, folder: Path, ours: Machine
) -> None:
    pins = three(folder)
    files = ours.install(pins)
    damaged(ours.store, wheels.CHOSEN, value)
    assert ours.install(pins) == files


@pytest.mark.parametrize(
    ("file", "theirs"),
    [
        ("demo-1.0-py3-none-any.whl", True),
        ("demo-2.0-py3-none-any.whl", False),
        ("other-1.0-py3-none-any.whl", False),
        ("demo-1.0-cp313-cp313-manylinux_2_28_aarch64.whl", False),
        ("demo-1.0-py3-none-any./../../evil.whl", False),
    ],
)
def test_a_wheel_that_the_pin_does_not_allow_is_never_used_and_that_is_said(
    file: str, theirs: bool, folder: Path, tmp_path: Path, ours: Machine
) -> None:
    pins = pins_of(make_wheel(folder))
    evil = make_wheel(tmp_path / "evil", files={"demo/__init__.py": b"EVIL = 1\n"})
    sha256 = digest.of_file(evil if theirs else next(folder.iterdir()))
    ours.store.put(wheels.KIND, sha256, (evil if theirs else next(folder.iterdir())).read_bytes())
    record = json.dumps({"file": file, "sha256": sha256}).encode()
    ours.store.put(wheels.CHOSEN, wheels.key_of(pins[0], target()), record)
    assert ours.install(pins)["demo/__init__.py"] == b"VALUE = 1\n"
    assert ours.progress.warnings == ["the stored wheel of demo 1.0 is none that the lock allows; it is not used"]
    assert [path.name for path in (ours.folder / "wheels").rglob("*.whl")] == ["demo-1.0-py3-none-any.whl"]


def test_a_lock_that_lacks_a_package_is_found_out_as_ever(folder: Path, ours: Machine) -> None:
    pins = three(folder)
    ours.install(pins)
    make_wheel(folder, "other")
    with pytest.raises(LockError, match="the lock is incomplete"):
        ours.install([pin for pin in pins if pin.name != "other"])


def test_a_wheel_on_this_machines_disk_is_left_out_and_needs_no_index_either(
    folder: Path, tmp_path: Path, ours: Machine, theirs: Machine
) -> None:
    own = lock.local_pin("mine", make_wheel(tmp_path / "disk", "mine"))
    pins = (*three(folder), own)
    ours.install(pins)
    assert len([kind for kind, _ in ours.store.values if kind == wheels.KIND]) == 3
    theirs.asks(NOWHERE)
    assert "mine/__init__.py" in theirs.install(pins)


def test_where_nothing_is_shared_nothing_is_looked_for(folder: Path, ours: Machine) -> None:
    search = replace(ours.search, wheels=None)
    assert wheels.shelved(three(folder), target(), search) == Shelf()
    assert ours.store.hits == 0


def test_a_hostile_wheel_never_reaches_the_store(folder: Path, ours: Machine) -> None:
    pins = pins_of(make_wheel(folder, files={"demo/__init__.py": b"", "../evil.py": b""}))
    for _ in range(2):
        with pytest.raises(LockError, match="outside the layer"):
            ours.install(pins)
    assert ours.store.values == {}


def test_programs_of_a_build_environment_start_the_images_python_from_a_shelf_too(folder: Path, ours: Machine) -> None:
    pins = three(folder)
    shelf = wheels.shelved(pins, target(), ours.search)
    uv_install.install_for_image(lock.render(pins), target(), ours.folder / "env", shelf=shelf)
    assert (ours.folder / "env/bin/tool").read_bytes() == b"#!/var/lang/bin/python3.13\n"


def test_what_decides_which_wheel_serves_is_in_the_key() -> None:
    base = Pin(name="demo", version="1.0", hashes=("sha256:a", "sha256:b"))
    keys = [
        wheels.key_of(pin, place)
        for pin, place in [
            (base, target()),
            (replace(base, name="other"), target()),
            (replace(base, version="1.1"), target()),
            (replace(base, hashes=("sha256:a",)), target()),
            (base, target("3.12")),
            (base, replace(target(), runtime=replace(target().runtime, manylinux="manylinux_2_28"))),
        ]
    ]
    assert len(set(keys)) == len(keys)
    same = replace(base, hashes=base.hashes[::-1], marker="python_version > '3'", extras=("x",))
    assert wheels.key_of(same, target()) == keys[0]


def test_what_was_brought_here_is_taken_where_nothing_is_shared_and_nothing_else_is_kept(
    folder: Path, index: ServedIndex, ours: Machine, theirs: Machine
) -> None:
    pins = three(folder)
    first = ours.install(pins[:2])
    kept = dict(ours.store.values)
    theirs.store = FakeStore(values=dict(kept))

    theirs.asks(NOWHERE)
    assert theirs.install(pins[:2]) == first
    theirs.asks(index.url)
    assert len(theirs.install(pins)) > len(first)
    assert theirs.store.values == kept
