"""Where the parts of a layer come from."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import pytest

from fakes import FakeProgress, FakeStore, target
from keys import assert_decided_by
from layerforge.build.engine import Image, Outcome, Task
from layerforge.build.errors import EngineError
from layerforge.build.plan import SYSTEM, LibraryStep, PackageStep, Plan, PlanStep, SystemStep, WheelStep
from layerforge.core import digest
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Arch
from layerforge.report import provenance
from layerforge.report.provenance import Origin, Taken, Told, ask, origins, public
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Compression, Library, Settings, Source, SourcePackage
from layerforge.resolve.sources import Search
from sdists import archive

SOURCES = archive({"x-1/COPYING": "as you like", "x-1/x.c": ""})
SHA = digest.sha256(SOURCES)
ANSWER = """cc: clang 16
noise
gfortran: GNU Fortran 12
libgfortran.so.5 rpm amzn-2023 libgfortran 11.4.1-2 x86_64 gcc-11.4.1-2.src.rpm GPLv3+ with exceptions
libquadmath.so.0 deb debian-12 libquadmath0 12.2 amd64 gcc-12
libm.so.6 rpm
libnever.so.1 rpm amzn-2023 never 1 x86_64 never.src.rpm MIT
"""
SONAMES = ("libgfortran.so.5", "libquadmath.so.0", "libm.so.6")


@dataclass
class Builder:
    """An image that answers, and that counts how often it is asked."""

    status: int = 0
    gone: bool = False
    tasks: list[Task] = field(default_factory=list)
    image: Image = field(default_factory=lambda: Image(reference="i", digest="sha256:1", arch=Arch.X86_64))

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        self.tasks.append(task)
        if self.gone:
            raise EngineError("the engine is gone")
        if task.argv[4:]:
            texts = task.mounts[0].source / "texts/usr/share/doc"
            texts.mkdir(parents=True)
            (texts / "copyright").write_bytes(b"freely\r\n")
            (texts / "binary").write_bytes(b"\0")
            (texts / "link").symlink_to("/etc/hostname")
        return Outcome(status=self.status, output=ANSWER, seconds=0.0)

    def equipped(self, packages: tuple[str, ...], progress: Progress) -> Self:
        raise AssertionError(packages)

    def copy_out(self, path: str, into: Path) -> None:
        raise AssertionError(path)

    def stop(self) -> None: ...


def a_plan(*steps: PlanStep) -> Plan:
    return Plan(
        spec=LayerSpec(name="demo", requires=("demo",)),
        target=target(),
        compression=Compression.FAST,
        interpreter="",
        steps=steps,
        epoch=0,
        key="k",
    )


def a_library(url: str = "https://example.org/x-1.tar.gz", sha256: str = SHA) -> LibraryStep:
    library = Library(name="x", version="1", source=Source(url=url, sha256=sha256), script="")
    return LibraryStep(library=library, settings=Settings(), key="k")


def a_pin(*hashes: str) -> Pin:
    return Pin(name="demo", version="1.0", hashes=tuple(f"sha256:{one}" for one in hashes))


def a_search(store: FakeStore | None = None, *folders: Path) -> Search:
    return Search(store=store or FakeStore(), folders=folders, progress=FakeProgress())


def test_a_compiled_library_comes_from_its_source_with_its_licences(tmp_path: Path) -> None:
    store = FakeStore({("source", SHA): SOURCES})
    found = origins(a_plan(a_library()), Builder(), a_search(store), tmp_path, tmp_path)
    assert found.archives == {"x": Origin(sha256=SHA, url="https://example.org/x-1.tar.gz", compiled=True)}
    assert [(one.owner, one.place, one.text) for one in found.texts] == [("x", "x-1/COPYING", "as you like")]
    assert found.image is not None
    assert found.compilers == ("cc: clang 16", "gfortran: GNU Fortran 12")


def test_a_source_that_cannot_be_had_again_costs_its_licences_and_not_the_build(tmp_path: Path) -> None:
    search = a_search()
    gone = a_library(url=(tmp_path / "gone.tar.gz").as_uri())
    found = origins(a_plan(gone), Builder(), search, tmp_path, tmp_path)
    assert found.texts == ()
    assert isinstance(search.progress, FakeProgress)
    assert "the licences of x are not in the bundle" in search.progress.warnings[0]


@pytest.mark.parametrize("in_store", [True, False])
def test_a_compiled_package_comes_from_the_locked_archive_that_is_at_hand(in_store: bool, tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/any.tar.gz").write_bytes(b"other" if in_store else SOURCES)
    store = FakeStore({("source", SHA): SOURCES} if in_store else {})
    step = PackageStep(
        package=SourcePackage(name="demo"), pin=a_pin("0" * 64, SHA), settings=Settings(), build_pins=(), key="k"
    )
    found = origins(a_plan(step), Builder(), a_search(store, tmp_path / "sources"), tmp_path, tmp_path)
    assert found.archives == {"demo": Origin(sha256=SHA, compiled=True)}


@pytest.mark.parametrize(("hashes", "known"), [(["1" * 64], True), (["1" * 64, "2" * 64], False), ([], False)])
def test_a_wheel_is_known_where_the_lock_leaves_no_choice(hashes: list[str], known: bool, tmp_path: Path) -> None:
    found = origins(a_plan(WheelStep(pin=a_pin(*hashes))), None, a_search(), tmp_path, tmp_path)
    assert found.archives == ({"demo": Origin(sha256="1" * 64)} if known else {})
    assert (found.image, found.compilers) == (None, ())


def test_an_image_that_compiled_nothing_is_not_named(tmp_path: Path) -> None:
    builder = Builder()
    found = origins(a_plan(WheelStep(pin=a_pin("1" * 64))), builder, a_search(), tmp_path, tmp_path)
    assert (found.image, builder.tasks) == (None, [])


def test_libraries_of_the_image_name_the_image_and_their_packages(tmp_path: Path) -> None:
    found = origins(a_plan(SystemStep(sonames=SONAMES, key="k")), Builder(), a_search(), tmp_path, tmp_path)
    assert found.image is not None
    fortran, quadmath = found.taken
    assert fortran == Taken(
        name="libgfortran",
        version="11.4.1-2",
        kind="rpm",
        distro="amzn-2023",
        arch="x86_64",
        upstream="gcc-11.4.1-2.src.rpm",
        licence="GPLv3+ with exceptions",
        sonames=("libgfortran.so.5",),
    )
    assert (quadmath.name, quadmath.licence) == ("libquadmath0", "")
    assert [(one.owner, one.place, one.text, one.left_out) for one in found.texts] == [
        (SYSTEM, "/usr/share/doc/binary", "", "1 bytes that are no plain text"),
        (SYSTEM, "/usr/share/doc/copyright", "freely", ""),
    ]


def test_what_a_recipe_compiles_against_is_known(tmp_path: Path) -> None:
    package = SourcePackage(name="demo", needs=("x",))
    step = PackageStep(package=package, pin=a_pin(), settings=Settings(), build_pins=(), key="k")
    store = FakeStore({("source", SHA): SOURCES})
    found = origins(a_plan(a_library(), step), Builder(), a_search(store), tmp_path, tmp_path)
    assert found.needs == {"x": (), "demo": ("x",)}


def test_an_image_is_asked_once_about_the_same_libraries(tmp_path: Path) -> None:
    builder, store = Builder(), FakeStore()
    answers = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        answers.append(ask(builder, SONAMES, store, tmp_path / name, tmp_path))
    assert answers[0] == answers[1]
    assert answers[0].compilers == ("cc: clang 16", "gfortran: GNU Fortran 12")
    assert len(answers[0].texts) == 2
    assert len(builder.tasks) == 1
    assert set(builder.tasks[0].env) == {"PATH", "LANG"}


def test_an_answer_is_kept_by_image_libraries_and_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Builder().image

    def key(image: Image, sonames: tuple[str, ...] = SONAMES) -> str:
        store = FakeStore()
        with TemporaryDirectory(dir=tmp_path) as workspace:
            ask(Builder(image=image), sonames, store, Path(workspace), tmp_path)
        [(_, found)] = store.values
        return found

    first = key(image)
    assert_decided_by(
        key,
        image,
        {"digest": "sha256:2", "made_of": "3"},
        {"reference": "other", "arch": Arch.ARM64, "sources": "/sources", "base": "sha256:0"},
    )
    assert key(image, SONAMES[:2]) != first
    for constant in ("_SCHEMA", "_ASK"):
        with monkeypatch.context() as patch:
            patch.setattr(provenance, constant, "another")
            assert key(image) != first


@pytest.mark.parametrize("kept", [b"", b"[]", b'{"lines": "text", "texts": []}', b'{"lines": [], "texts": [1]}'])
def test_a_kept_answer_of_another_form_is_asked_for_again(kept: bytes, tmp_path: Path) -> None:
    builder, store = Builder(), FakeStore()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    right = ask(builder, SONAMES, store, tmp_path / "a", tmp_path)
    [key] = store.values
    store.values[key] = kept
    assert ask(builder, SONAMES, store, tmp_path / "b", tmp_path) == right
    assert len(builder.tasks) == 2


@pytest.mark.parametrize("builder", [Builder(status=127), Builder(gone=True)])
def test_an_image_that_cannot_answer_is_asked_again_another_time(builder: Builder, tmp_path: Path) -> None:
    store = FakeStore()
    assert ask(builder, SONAMES, store, tmp_path, tmp_path) == Told()
    assert store.values == {}


PROGRAMS = {
    "cc": 'case $1 in -print-file-name=*) echo "$HOME/${1#*=}" ;; *) echo "cc (Fake) 1.0" ;; esac',
    "rpm": """
case "$1 $3" in
"-qf [%{FILEDIGESTS}\\n]") sha256sum <"$HOME/libgood.so.1" | cut -d' ' -f1 ;;
"-qf %{SOURCERPM}") printf good-1.src.rpm ;;
"-qf %{NAME} "*) printf 'libgood 1-2.amzn2023 x86_64 good-1.src.rpm GPLv3+ with exceptions' ;;
"-qa "*) printf 'good-1.src.rpm libgood\\nother-1.src.rpm other\\ngood-1.src.rpm good-texts\\n' ;;
"-q libgood") [ "$4" = good-texts ] && echo "$HOME/COPYING" ;;
esac
""",
}


def test_an_image_of_rpm_packages_tells_package_and_licence_of_what_is_as_its_package_has_it(tmp_path: Path) -> None:
    ask(builder := Builder(), ("libgood.so.1", "libother.so.1", "libabsent.so.1"), FakeStore(), tmp_path, tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    for name in ("libgood.so.1", "libother.so.1", "COPYING"):
        (tmp_path / name).write_text(name)
    env = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(builder.tasks[0].argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "cc: cc (Fake) 1.0"
    [told] = [line.split(" ") for line in lines if line.startswith("lib")]
    assert (told[0], told[1], told[3:5]) == ("libgood.so.1", "rpm", ["libgood", "1-2.amzn2023"])
    assert " ".join(told[7:]) == "GPLv3+ with exceptions"
    assert (tmp_path / f"texts{tmp_path}/COPYING").read_text() == "COPYING"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/x.tar.gz", "https://example.org/x.tar.gz"),
        ("https://me:secret@example.org:8443/x.tar.gz?token=1#part", "https://example.org:8443/x.tar.gz"),
        ("file:///home/me/x.tar.gz", ""),
        ("x.tar.gz", ""),
    ],
)
def test_no_secret_and_no_path_of_this_machine_is_in_an_address(url: str, shown: str) -> None:
    assert public(url) == shown
