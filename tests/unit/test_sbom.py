"""SBOMs, of what was built and of any zip: valid, complete, and the same for the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import elves
import zips
from fakes import a_file, a_manifest, a_tree, target
from layerforge import sbom
from layerforge.examine import examine
from layerforge.model import SYSTEM, Arch, Image, Package, Tree
from layerforge.origins import Origin, Origins

DEMO = Package(name="demo", version="1.0", info="python/demo-1.0.dist-info", licence="MIT")
BLAS = Package(name="openblas", version="0.3.30", info="", origin="compiled")
IMAGE = Image(reference="builder:1", digest="sha256:12", arch=Arch.X86_64)
URL = "https://example.org/openblas-0.3.30.tar.gz"


def a_layer(*packages: Package) -> Tree:
    return a_tree(
        a_file("python/demo.libs/libx-1.so.2", elves.image(soname="libx.so.2"), package="demo"),
        a_file("python/demo/_a.cpython-313-x86_64-linux-gnu.so", elves.image(), package="demo"),
        a_file("python/demo-1.0.dist-info/RECORD", b"rows", package="demo"),
        a_file("lib/libopenblas.so.0", elves.image(soname="libopenblas.so.0"), package="openblas"),
        a_file("lib/libgfortran.so.5", b"\x7fELF is damaged", package=SYSTEM),
        packages=packages,
    )


def valid(text: str) -> Any:
    """The document, which fits the schema and names each part by a reference of its own."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    data = json.loads(text)
    refs = [one["bom-ref"] for one in every(data)]
    assert len(set(refs)) == len(refs)
    return data


def every(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for one in data.get("components", ()):
        yield one
        yield from every(one)


def properties(component: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"].removeprefix("layerforge:"): one["value"] for one in component.get("properties", ())}


def built(*packages: Package, origins: Origins | None = None) -> dict[str, Any]:
    data = valid(sbom.of_build(a_manifest(*packages), a_layer(*packages), origins))
    return {one["name"]: one for one in every(data)} | {"metadata": data["metadata"]}


# --- of a build


@pytest.mark.parametrize("licence", ["", "MIT", "BSD-3-Clause AND MIT", "BSD 3-Clause License", "Dual License"])
def test_a_package_has_its_address_its_licence_and_the_hash_of_its_record(licence: str) -> None:
    demo = built(replace(DEMO, licence=licence))["demo"]
    assert demo["purl"] == "pkg:pypi/demo@1.0"
    assert ("licenses" in demo) == bool(licence)
    assert properties(demo)["origin"] == "wheel"
    assert properties(demo)["record_sha256"] == a_file("x", b"rows").blob.sha256


def test_the_shared_libraries_that_a_wheel_carries_are_parts_of_it() -> None:
    [library] = built(DEMO)["demo"]["components"]
    assert (library["name"], library["hashes"][0]["alg"]) == ("libx-1.so.2", "SHA-256")
    assert properties(library) == {"path": "python/demo.libs/libx-1.so.2", "soname": "libx.so.2"}


def test_a_compiled_library_has_its_source_with_address_and_hash() -> None:
    archive = Origin(sha256="c" * 64, url=URL, compiled=True)
    blas = built(DEMO, BLAS, origins=Origins(archives={"openblas": archive}))["openblas"]
    assert blas["purl"] == f"pkg:generic/openblas@0.3.30?checksum=sha256:{'c' * 64}&download_url={URL}"
    [reference] = blas["externalReferences"]
    assert (reference["type"], reference["url"]) == ("source-distribution", URL)
    assert reference["hashes"] == [{"alg": "SHA-256", "content": "c" * 64}]
    assert properties(blas)["source_sha256"] == "c" * 64
    assert "hashes" not in blas
    assert [one["name"] for one in blas["components"]] == ["libopenblas.so.0"]


def test_a_wheel_that_the_lock_names_alone_has_its_hash() -> None:
    demo = built(DEMO, origins=Origins(archives={"demo": Origin(sha256="d" * 64)}))["demo"]
    assert demo["hashes"] == [{"alg": "SHA-256", "content": "d" * 64}]


def test_libraries_of_the_image_are_there_and_say_so() -> None:
    fortran = built(DEMO)["libgfortran.so.5"]
    assert properties(fortran) == {"path": "lib/libgfortran.so.5", "origin": "image"}


def test_image_and_compilers_are_told() -> None:
    metadata = built(DEMO, origins=Origins(image=IMAGE, compilers=("cc: clang: version 16",)))["metadata"]
    told = properties(metadata)
    assert (told["image"], told["image_digest"]) == ("builder:1", "sha256:12")
    assert told["compiler:cc"] == "clang: version 16"
    assert metadata["tools"]["components"][0]["name"] == "layerforge"
    assert "timestamp" not in metadata


def test_the_sbom_of_the_same_bytes_is_the_same() -> None:
    documents = {sbom.of_build(a_manifest(DEMO, BLAS), a_layer(DEMO, BLAS)) for _ in range(3)}
    assert len(documents) == 1


# --- of any zip

INFO = "python/demo-1.0.dist-info"
FILES = {
    "python/demo/__init__.py": b"1",
    "python/demo.libs/libx-1.so.2": elves.image(soname="libx.so.2"),
    f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
    f"{INFO}/RECORD": b"".join(
        f"{path},,\n".encode()
        for path in (
            "demo/__init__.py",
            "demo.libs/libx-1.so.2",
            "demo-1.0.dist-info/METADATA",
            "demo-1.0.dist-info/RECORD",
        )
    ),
    "python/orphan/__init__.py": b"2",
    "lib/libloose.so.1": elves.image(soname="libloose.so.1"),
    "bin/program": elves.image(),
}


def of_zip(folder: Path, files: Mapping[str, bytes], licences: Mapping[str, str] | None = None) -> Any:
    return valid(sbom.of_zip(examine(zips.of(folder / "layer.zip", files), target()), licences or {}))


def test_any_zip_has_its_packages_and_the_native_code_of_none(tmp_path: Path) -> None:
    data = of_zip(tmp_path, FILES, {INFO: "MIT"})
    found = {one["name"]: one for one in data["components"]}
    assert found.keys() == {"demo", "orphan", "libloose.so.1", "program"}
    assert found["demo"]["purl"] == "pkg:pypi/demo@1.0"
    assert found["demo"]["licenses"] == [{"expression": "MIT"}]
    assert [one["name"] for one in found["demo"]["components"]] == ["libx-1.so.2"]
    assert "version" not in found["orphan"]
    assert properties(found["libloose.so.1"])["soname"] == "libloose.so.1"
    assert data["metadata"]["component"]["name"] == "layer"


def test_the_zip_of_a_build_tells_the_same_digest_of_its_package_as_the_build(tmp_path: Path) -> None:
    tree = a_tree(*(a_file(path, data, package="demo") for path, data in FILES.items() if "demo" in path))
    [of_build] = valid(sbom.of_build(a_manifest(DEMO), tree))["components"]
    [zipped] = [one for one in of_zip(tmp_path, FILES)["components"] if one["name"] == "demo"]
    assert properties(zipped)["content_sha256"] == properties(of_build)["content_sha256"]
    assert properties(zipped)["record_sha256"] == properties(of_build)["record_sha256"]


def test_a_package_that_is_there_twice_is_listed_twice_and_its_files_once(tmp_path: Path) -> None:
    again = {path.replace("python/", "python/lib/python3.13/site-packages/", 1): data for path, data in FILES.items()}
    demos = [one for one in of_zip(tmp_path, FILES | again)["components"] if one["name"] == "demo"]
    assert len(demos) == 2
    assert len({one["bom-ref"] for one in demos}) == 2
    assert sum(len(one.get("components", ())) for one in demos) == 2


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    names=st.lists(NAMES, unique=True, max_size=5),
    data=st.sampled_from([b"", elves.image(soname="x"), b"Name: \nVersion: \xff\n\n", b"a,,\n"]),
    place=st.sampled_from(
        ["python/{}", "python/{}.dist-info/METADATA", "python/{}-1.dist-info/RECORD", "lib/lib{}.so"]
    ),
)
def test_the_sbom_of_whatever_zip_fits_the_schema(names: list[str], data: bytes, place: str, tmp_path: Path) -> None:
    document = of_zip(tmp_path, {place.format(name): data for name in names}, {})
    assert document["specVersion"] == "1.6"
