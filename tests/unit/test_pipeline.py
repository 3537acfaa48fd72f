"""The order of the work, and what of it can be told without doing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest

from fakes import FakeProgress, target
from layerforge.build.engine import Builder, Image, Outcome, Task
from layerforge.build.image_sources import source_folders
from layerforge.build.options import Options
from layerforge.core.findings import Finding, Severity
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch
from layerforge.core.store.disk import DiskStore
from layerforge.pipeline import equipped
from layerforge.resolve.recipe import Compression, Recipe
from layerforge.verify.verdict import Figures, Verdict, measured, summary

IMAGE = Image(reference="test", digest="sha256:1", arch=Arch.X86_64, sources="/usr/src/carried")


@dataclass
class CarryingBuilder:
    """An image that carries an archive, and counts how often it is asked for it."""

    image: Image = IMAGE
    copies: list[str] = field(default_factory=list)

    def equipped(self, packages: tuple[str, ...], progress: Progress) -> Self:
        return replace(self, image=replace(self.image, reference=f"test with {' '.join(packages)}"))

    def copy_out(self, path: str, into: Path) -> None:
        self.copies.append(path)
        into.mkdir()
        (into / "demo.tar.gz").write_bytes(b"archive")

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        raise AssertionError(task.name)

    def stop(self) -> None: ...


def some_options(folder: Path, sources: Path | None = None) -> Options:
    return Options(
        target=target(), interpreter=None, compression=Compression.FAST, output=folder, epoch=0, sources=sources
    )


# --- where archives lie


def test_archives_are_looked_for_in_the_users_folder_and_then_in_the_images(tmp_path: Path) -> None:
    store, builder = DiskStore(root=tmp_path / "store", progress=FakeProgress()), CarryingBuilder()
    checked: Builder = builder
    users, images = source_folders(some_options(tmp_path, tmp_path / "mine"), checked, store)
    assert users == tmp_path / "mine"
    assert (images / "demo.tar.gz").read_bytes() == b"archive"
    assert source_folders(some_options(tmp_path), builder, store) == (images,)
    assert builder.copies == ["/usr/src/carried"]


def test_another_image_has_archives_of_its_own(tmp_path: Path) -> None:
    store = DiskStore(root=tmp_path / "store", progress=FakeProgress())
    builders = [CarryingBuilder(replace(IMAGE, digest=f"sha256:{number}")) for number in (1, 2)]
    folders = [source_folders(some_options(tmp_path), builder, store) for builder in builders]
    assert folders[0] != folders[1]


def test_an_image_without_archives_and_no_image_at_all_add_no_folder(tmp_path: Path) -> None:
    store = DiskStore(root=tmp_path / "store", progress=FakeProgress())
    bare = CarryingBuilder(replace(IMAGE, sources=""))
    assert source_folders(some_options(tmp_path), bare, store) == ()
    assert source_folders(some_options(tmp_path, tmp_path / "mine"), None, store) == (tmp_path / "mine",)
    assert bare.copies == []


def test_a_builder_gets_the_packages_of_its_system_that_a_recipe_asks_for() -> None:
    asked = Recipe(name="x", requires=("x",), build_packages=("autoconf", "libtool"))
    made = equipped(asked, CarryingBuilder(), FakeProgress())
    assert made is not None
    assert made.image.reference == "test with autoconf libtool"
    plain = CarryingBuilder()
    assert equipped(replace(asked, build_packages=()), plain, FakeProgress()) is plain
    assert equipped(asked, None, FakeProgress()) is None


# --- what is told of a verdict

ALL = Figures(init_ms=1119.4, peak_memory=109_000_000, import_seconds=0.95, import_cpu_seconds=0.91)
A_FINDING = Finding(rule="LF408", severity=Severity.WARNING, path="", message="m", hint="h")


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (ALL, "init 1,119 ms, peak 109.0 MB, import 950 ms (910 ms CPU)"),
        (replace(ALL, init_ms=None, peak_memory=None), "import 950 ms (910 ms CPU)"),
        (replace(ALL, import_seconds=None), "init 1,119 ms, peak 109.0 MB"),
        (Figures(), ""),
    ],
)
def test_only_what_was_measured_is_told(figures: Figures, words: str) -> None:
    assert measured(figures) == words


def test_a_verdict_is_told_on_one_line() -> None:
    clean = Verdict(engine="docker", skipped="", findings=(), notes=(), figures=ALL)
    assert summary(clean).startswith("no findings; run on docker; init 1,119 ms, peak")
    skipped = Verdict(engine="", skipped="no CPython here", findings=(A_FINDING,), notes=())
    assert summary(skipped) == "0 errors, 1 warning; not run: no CPython here"
