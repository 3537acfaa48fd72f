from __future__ import annotations

import elves
from builders import a_library
from fakes import a_file, a_tree, target
from layerforge.build.plan import LibraryStep, PackageStep, Plan, SystemStep
from layerforge.layer.package_sizes import package_sizes
from layerforge.layer.tree import Entry, Link, Package, Tree
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Compression, Settings, SourcePackage


def a_plan(*steps: LibraryStep | PackageStep | SystemStep) -> Plan:
    return Plan(
        spec=LayerSpec(name="functions", requires=()),
        target=target(),
        compression=Compression.FAST,
        interpreter="",
        steps=steps,
        epoch=0,
        key="k",
    )


def installed(*entries: Entry, requires: tuple[str, ...] = (), shared: str = "") -> Tree:
    """The packages one and two, with their metadata; both RECORDs list ``shared``."""
    packages = [Package(name=name, version="1.0", info=f"python/{name}-1.0.dist-info") for name in ("one", "two")]
    needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
    metadata = [a_file("python/one-1.0.dist-info/METADATA", f"Name: one\n{needs}".encode(), package="one")]
    rows = f"{shared},,\n" if shared else ""
    records = [a_file(f"{one.info}/RECORD", rows.encode(), package=one.name) for one in packages]
    return a_tree(*metadata, *records, *entries, packages=packages)


def finished(*entries: Entry) -> Tree:
    return a_tree(*entries, packages=installed().packages)


def test_a_package_has_the_bytes_of_its_files_and_what_its_metadata_asks_for() -> None:
    entries = (a_file("python/one/a.py", b"12345", package="one"), a_file("python/one/b.py", b"1", package="one"))
    found = package_sizes(installed(requires=("two>1", "three ; extra == 'x'")), finished(*entries), a_plan())
    assert [(one.name, one.bytes) for one in found.packages] == [("one", 6), ("two", 0)]
    assert found.packages[0].requires == ("two>1", 'three; extra == "x"')
    assert found.ties == ()


def test_a_link_into_another_package_counts_as_the_file_that_it_would_be_there() -> None:
    entries = (
        a_file("python/one/lib.so", b"12345", package="one"),
        Link(path="python/two/lib.so", target="../one/lib.so", package="two"),
        Link(path="python/one/other.so", target="lib.so", package="one"),
    )
    found = package_sizes(installed(), finished(*entries), a_plan())
    assert {one.name: one.bytes for one in found.packages} == {"one": 5 + len("lib.so"), "two": 5}


def test_packages_that_bring_the_same_file_are_tied_while_it_is_there() -> None:
    tree = installed(shared="space/__init__.py")
    for left in ("python/space/__init__.py", "python/space/__init__.pyc"):
        assert package_sizes(tree, finished(a_file(left, package="two")), a_plan()).ties == (("one", "two"),)
    assert package_sizes(tree, finished(), a_plan()).ties == ()


def test_native_code_that_needs_a_library_of_another_package_ties_the_two() -> None:
    needs = elves.image(needed=("libdeep.so.1",), runpath="$ORIGIN/../two.libs")
    entries = (
        a_file("python/one/fast.so", needs, package="one"),
        a_file("python/two.libs/libdeep.so.1", elves.image(soname="libdeep.so.1"), package="two"),
    )
    found = package_sizes(installed(), finished(*entries), a_plan())
    assert found.ties == (("one", "two"),)
    assert found.packages[0].libraries == ("two",)


def test_a_library_of_its_own_or_of_the_runtime_ties_nothing() -> None:
    needs = elves.image(needed=("libown.so.1", "libc.so.6"), runpath="$ORIGIN")
    entries = (
        a_file("python/one/fast.so", needs, package="one"),
        a_file("python/one/libown.so.1", elves.image(soname="libown.so.1"), package="one"),
    )
    assert package_sizes(installed(), finished(*entries), a_plan()).ties == ()


def test_what_is_compiled_together_and_what_comes_from_the_image_is_tied() -> None:
    pins = [Pin(name=name, version="1.0", hashes=("sha256:" + "a" * 64,)) for name in ("one", "two")]
    one, two = (SourcePackage(name=pin.name, needs=("blas",) if pin.name == "one" else ("one",)) for pin in pins)
    steps: list[LibraryStep | PackageStep | SystemStep] = [
        LibraryStep(library=a_library("blas"), settings=Settings(), key="a"),
        SystemStep(sonames=("libgomp.so.1",), key="c"),
    ]
    for part, pin in zip((one, two), pins, strict=True):
        steps.append(PackageStep(package=part, pin=pin, settings=Settings(), build_pins=(), key=pin.name))
    blas = Package(name="blas", version="1.0", info="", origin="compiled")
    entries = (
        a_file("lib/libblas.so", b"1", package="blas"),
        a_file("lib/libgomp.so.1", b"12", package="system libraries"),
    )
    done = a_tree(*entries, packages=[*installed().packages, blas])
    found = package_sizes(installed(), done, a_plan(*steps), shipping=("two",))
    assert found.ties == (("blas", "one"), ("one", "two"), ("system libraries", "two"))
    assert {one.name: (one.bytes, one.libraries) for one in found.packages} == {
        "blas": (1, ()),
        "one": (0, ("blas",)),
        "system libraries": (2, ()),
        "two": (0, ("one", "system libraries")),
    }
