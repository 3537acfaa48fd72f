from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes import FakeEngine, FakeProgress, target
from layerforge.build.runtime_packages import ALONE, Provided, folder_for, provided
from layerforge.core.errors import LayerforgeError
from layerforge.core.store.disk import DiskStore
from layerforge.resolve import excluding
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.left_out import LeftOut, Why
from wheels import make_wheel

WITHOUT_SIX = LayerSpec(name="x", requires=("x",), left_out=(LeftOut(name="six", version="1.0", why=Why.RUNTIME),))
WITHOUT_HUGE = LayerSpec(name="x", requires=("x",), left_out=(LeftOut(name="huge", why=Why.ASKED),))


@dataclass(kw_only=True)
class BareEngine(FakeEngine):
    """An engine without the runtime's packages."""

    has_runtime_packages: bool = False


def own_packages(index: Path, version: str) -> None:
    for name in excluding.distributions(target().runtime):
        module = name.removeprefix("python-")
        make_wheel(index, name, version, {f"{module}/__init__.py": f"VERSION = {version!r}\n".encode()})


def a_store(folder: Path) -> DiskStore:
    return DiskStore(root=folder / "store", progress=FakeProgress())


def text_of(folder: Path, module: str = "six") -> str:
    return (folder / module / "__init__.py").read_text()


def test_the_newest_of_all_that_the_runtime_has_is_installed_once_and_told(index: Path, tmp_path: Path) -> None:
    own_packages(index, "1.0")
    own_packages(index, "2.0")
    store, progress = a_store(tmp_path), FakeProgress()
    folder = folder_for(target(), store, progress)
    assert text_of(folder) == text_of(folder, "dateutil") == "VERSION = '2.0'\n"
    assert folder.parent == store.place("runtime-packages")
    assert progress.told[0].notes[0].startswith("awslambdaric 2.0, boto3 2.0, ")
    own_packages(index, "3.0")
    again = FakeProgress()
    assert folder_for(target(), store, again) == folder
    assert again.steps == []
    assert text_of(folder) == "VERSION = '2.0'\n"


def test_a_month_later_they_are_looked_for_anew(index: Path, tmp_path: Path) -> None:
    store = a_store(tmp_path)
    own_packages(index, "1.0")
    first = folder_for(target(), store, FakeProgress(), month="2026-10")
    own_packages(index, "2.0")
    second = folder_for(target(), store, FakeProgress(), month="2026-11")
    assert (text_of(first), text_of(second)) == ("VERSION = '1.0'\n", "VERSION = '2.0'\n")


def test_where_they_cannot_be_had_anew_those_of_an_earlier_month_will_do(index: Path, tmp_path: Path) -> None:
    store, progress = a_store(tmp_path), FakeProgress()
    own_packages(index, "1.0")
    folder_for(target(), store, FakeProgress(), month="2026-09")
    first = folder_for(target(), store, FakeProgress(), month="2026-10")
    for wheel in index.iterdir():
        wheel.unlink()
    assert folder_for(target(), store, progress, month="2026-11") == first
    assert progress.warnings[0].startswith("the runtime's packages are those of 2026-10: ")
    with pytest.raises(LayerforgeError):
        folder_for(target("3.12"), store, progress)


def test_a_layer_that_counts_on_them_is_run_beside_them_where_the_engine_has_none(index: Path, tmp_path: Path) -> None:
    own_packages(index, "1.0")
    found = provided(WITHOUT_SIX, target(), BareEngine([]), a_store(tmp_path), FakeProgress())
    assert found.folder is not None
    assert text_of(found.folder) == "VERSION = '1.0'\n"


@pytest.mark.parametrize(
    ("spec", "engine"),
    [
        (WITHOUT_HUGE, BareEngine([])),
        (LayerSpec(name="x", requires=("x",)), BareEngine([])),
        (None, BareEngine([])),
        (WITHOUT_SIX, FakeEngine([])),
        (WITHOUT_SIX, BareEngine([], refuses="another processor")),
    ],
)
def test_every_other_layer_has_to_prove_itself_without_them(
    spec: LayerSpec | None, engine: FakeEngine, tmp_path: Path
) -> None:
    assert provided(spec, target(), engine, a_store(tmp_path), FakeProgress()) == ALONE


def test_where_they_cannot_be_had_the_reason_is_told(index: Path, tmp_path: Path) -> None:
    assert index.is_dir()
    found = provided(WITHOUT_SIX, target(), BareEngine([]), a_store(tmp_path), FakeProgress())
    assert found == Provided(lacking=found.lacking)
    assert found.lacking.startswith("it counts on packages of Lambda's own Python, which cannot be had: ")
