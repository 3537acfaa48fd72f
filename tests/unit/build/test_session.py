"""What a run works with: the archives and the packages of the build image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from fakes import FakeEngine, FakeProgress
from layerforge.build.engine import Builder, Image, Outcome, Task
from layerforge.build.session import Session, equipped
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch
from layerforge.core.store.disk import DiskStore
from layerforge.resolve.layer_spec import LayerSpec

IMAGE = Image(reference="test", digest="sha256:1", arch=Arch.X86_64, sources="/usr/src/carried")
PLAIN = LayerSpec(name="x", requires=("x",))


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


def a_session(tmp_path: Path, builder: Builder | None, *folders: Path) -> Session:
    store = DiskStore(root=tmp_path / "store", progress=FakeProgress())
    return Session(
        store=store, progress=store.progress, engine=FakeEngine(outcomes=[]), builder=builder, folders=folders
    )


def test_archives_are_looked_for_in_the_users_folder_and_then_in_the_images(tmp_path: Path) -> None:
    builder = CarryingBuilder()
    users, images = equipped(a_session(tmp_path, builder, tmp_path / "mine"), PLAIN).folders
    assert users == tmp_path / "mine"
    assert (images / "demo.tar.gz").read_bytes() == b"archive"
    assert equipped(a_session(tmp_path, builder), PLAIN).folders == (images,)
    assert builder.copies == ["/usr/src/carried"]


def test_another_image_has_archives_of_its_own(tmp_path: Path) -> None:
    images = [IMAGE, replace(IMAGE, digest="sha256:other"), replace(IMAGE, sources="/usr/src/others")]
    folders = {equipped(a_session(tmp_path, CarryingBuilder(image)), PLAIN).folders for image in images}
    assert len(folders) == len(images)
    renamed = CarryingBuilder(replace(IMAGE, reference="another name"))
    assert equipped(a_session(tmp_path, renamed), PLAIN).folders in folders
    assert renamed.copies == []


def test_an_image_without_archives_and_no_image_at_all_add_no_folder(tmp_path: Path) -> None:
    bare = CarryingBuilder(replace(IMAGE, sources=""))
    assert equipped(a_session(tmp_path, bare), PLAIN).folders == ()
    assert equipped(a_session(tmp_path, None, tmp_path / "mine"), PLAIN).folders == (tmp_path / "mine",)
    assert bare.copies == []


def test_a_builder_gets_the_packages_of_its_system_that_a_recipe_asks_for(tmp_path: Path) -> None:
    asked = replace(PLAIN, build_packages=("autoconf", "libtool"))
    made = equipped(a_session(tmp_path, CarryingBuilder()), asked).builder
    assert made is not None
    assert made.image.reference == "test with autoconf libtool"
    plain = CarryingBuilder()
    assert equipped(a_session(tmp_path, plain), PLAIN).builder is plain
    assert equipped(a_session(tmp_path, None), asked).builder is None
