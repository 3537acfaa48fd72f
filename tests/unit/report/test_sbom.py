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
from layerforge.build.engine import Image
from layerforge.build.plan import SYSTEM
from layerforge.core.runtimes import Arch
from layerforge.examine.examine import examine
from layerforge.layer.tree import Package, Tree
from layerforge.report.provenance import Origin, Origins, Taken
from layerforge.report.sbom import of_build as sbom_of_build
from layerforge.report.sbom import of_zip as sbom_of_zip
from layerforge.report.sbom import vendored
from layerforge.report.sbom.of_zip import wanted, without_metadata
from layerforge.report.sbom.reading import read_sbom
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.resolve.recipe import Linked

DEMO = Package(name="demo", version="1.0", info="python/demo-1.0.dist-info", licence="MIT")
BLAS = Package(name="openblas", version="0.3.30", info="", origin="compiled")
IMAGE = Image(reference="builder:1", digest="sha256:12", arch=Arch.X86_64)
URL = "https://example.org/openblas-0.3.30.tar.gz"


def a_layer(*packages: Package) -> Tree:
    return a_tree(
        a_file("python/demo.libs/libx-1.so.2", elves.image(soname="libx.so.2"), package="demo"),
        a_file(
            "python/demo/lib.cpython-313-x86_64-linux-gnu.so",
            elves.image(needed=["libopenblas.so.0", "libc.so.6"]),
            package="demo",
        ),
        a_file("python/demo/lib.abi3.so", elves.image(), package="demo"),
        a_file("python/demo-1.0.dist-info/RECORD", b"rows", package="demo"),
        a_file(
            "lib/libopenblas.so.0",
            elves.image(needed=["libgfortran.so.5"], soname="libopenblas.so.0"),
            package="openblas",
        ),
        a_file("lib/libgfortran.so.5", b"\x7fELF is damaged", package=SYSTEM),
        packages=packages,
    )


def valid(text: str) -> Any:
    """The document, which fits the schema and names each part by a reference of its own."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    data = json.loads(text)
    refs = [data["metadata"]["component"]["bom-ref"], *(one["bom-ref"] for one in every(data))]
    assert len(set(refs)) == len(refs)
    assert {ref for row in data["dependencies"] for ref in (row["ref"], *row.get("dependsOn", ()))} <= set(refs)
    return data


def every(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for one in data.get("components", ()):
        yield one
        yield from every(one)


def needs(data: Mapping[str, Any], ref: str) -> list[str]:
    """What the component of that reference depends on."""
    [row] = [row for row in data["dependencies"] if row["ref"] == ref]
    return list(row.get("dependsOn", ()))


def properties(component: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"].removeprefix("layerforge:"): one["value"] for one in component.get("properties", ())}


def built(*packages: Package, origins: Origins | None = None) -> dict[str, Any]:
    data = valid(sbom_of_build.of_build(a_manifest(*packages), a_layer(*packages), origins))
    return {one["name"]: one for one in every(data)} | {"metadata": data["metadata"]}


# --- of a build


def test_what_the_layer_is_without_is_listed_as_excluded_with_the_reason_and_is_none_of_its_components() -> None:
    out = (
        LeftOut(name="six", version="1.17.0", why=Why.RUNTIME),
        LeftOut(name="huge", why=Why.ASKED),
    )
    text = sbom_of_build.of_build(a_manifest(DEMO, left_out=out), a_layer(DEMO))
    data = valid(text)
    found = {one["name"]: one for one in data["components"]}
    six = found["six"]
    assert (six["scope"], six["purl"], "version" in six) == ("excluded", "pkg:pypi/six", False)
    assert properties(six) == {"left_out": "runtime", "left_out_version": "1.17.0"}
    assert properties(found["huge"]) == {"left_out": "asked"}
    assert found["demo"].get("scope") is None
    assert {one.name for one in read_sbom("x.json", text).components}.isdisjoint({"six", "huge"})


@pytest.mark.parametrize(
    ("licence", "told"),
    [
        ("", None),
        ("MIT", {"license": {"id": "MIT", "acknowledgement": "declared"}}),
        ("bsd-3-clause and MIT", {"expression": "BSD-3-Clause AND MIT", "acknowledgement": "declared"}),
        ("LicenseRef-Mine", {"expression": "LicenseRef-Mine", "acknowledgement": "declared"}),
        ("Dual License", {"license": {"name": "Dual License", "acknowledgement": "declared"}}),
    ],
)
def test_a_licence_is_told_by_its_identifier_an_expression_or_any_name(
    licence: str, told: dict[str, Any] | None
) -> None:
    demo = built(replace(DEMO, licence=licence))["demo"]
    assert demo.get("licenses") == ([told] if told else None)


def test_a_package_has_its_address_and_the_hash_of_its_record() -> None:
    demo = built(DEMO)["demo"]
    assert demo["purl"] == "pkg:pypi/demo@1.0"
    assert properties(demo)["origin"] == "wheel"
    assert properties(demo)["record_sha256"] == a_file("x", b"rows").blob.sha256


def test_the_shared_libraries_that_a_wheel_carries_are_parts_of_it() -> None:
    """An extension module is none, whatever its name."""
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
    assert blas["cpe"] == "cpe:2.3:a:*:openblas:0.3.30:*:*:*:*:*:*:*"


def test_a_version_of_any_spelling_makes_a_valid_cpe() -> None:
    odd = replace(BLAS, name="OpenBLAS++", version="0.3.30~rc1+ds")
    assert built(odd)["OpenBLAS++"]["cpe"] == r"cpe:2.3:a:*:openblas\+\+:0.3.30\~rc1\+ds:*:*:*:*:*:*:*"


def test_a_wheel_that_the_lock_names_alone_has_its_hash() -> None:
    demo = built(DEMO, origins=Origins(archives={"demo": Origin(sha256="d" * 64)}))["demo"]
    assert demo["hashes"] == [{"alg": "SHA-256", "content": "d" * 64}]


@pytest.mark.parametrize(
    ("unless", "into", "there"),
    [
        ("libgfortran.so.5", "demo/lib.cpython*.so", True),
        ("", "demo/lib.cpython*.so", True),
        ("libopenblas.so.0", "demo/lib.cpython*.so", False),
        ("libgfortran.so.5", "demo/absent*.so", False),
        ("libgfortran.so.5", "demo-1.0.dist-info/RECORD", False),
    ],
)
def test_an_archive_that_is_linked_in_is_part_of_the_package_with_its_licence(
    unless: str, into: str, there: bool
) -> None:
    licence = "GPL-3.0-or-later WITH GCC-exception-3.1"
    row = Linked(package="demo", name="libfortran-archive", licence=licence, into=into, unless=unless)
    other = replace(row, package="other", name="of-another")
    found = built(DEMO, origins=Origins(linked=(row, other)))
    assert "of-another" not in found
    assert ("libfortran-archive" in found) is there
    if there:
        one = found["libfortran-archive"]
        assert one["licenses"] == [{"expression": licence, "acknowledgement": "declared"}]
        assert properties(one) == {"linked_into": "python/demo/lib.cpython-313-x86_64-linux-gnu.so"}
        assert one in found["demo"]["components"]


def test_libraries_of_the_image_are_there_and_say_so() -> None:
    fortran = built(DEMO)["libgfortran.so.5"]
    assert properties(fortran) == {"path": "lib/libgfortran.so.5", "origin": "image"}


GFORTRAN = Taken(
    name="libgfortran",
    version="11.4.1-2.amzn2023",
    kind="rpm",
    distro="amzn-2023",
    arch="x86_64",
    upstream="gcc-11.4.1-2.amzn2023.src.rpm",
    licence="GPLv3+ and GPLv3+ with exceptions",
    sonames=("libgfortran.so.5",),
)


def test_a_library_of_the_image_is_part_of_the_package_that_it_came_with() -> None:
    absent = replace(GFORTRAN, name="libgomp", sonames=("libgomp.so.1",))
    data = valid(sbom_of_build.of_build(a_manifest(DEMO), a_layer(DEMO), Origins(taken=(GFORTRAN, absent))))
    found = [one["name"] for one in every(data)]
    assert (found.count("libgfortran.so.5"), found.count("libgomp")) == (1, 0)
    [package] = [one for one in data["components"] if one["name"] == "libgfortran"]
    assert package["purl"] == (
        "pkg:rpm/amzn/libgfortran@11.4.1-2.amzn2023?arch=x86_64&distro=amzn-2023&upstream=gcc-11.4.1-2.amzn2023.src.rpm"
    )
    assert package["licenses"][0]["license"]["name"] == GFORTRAN.licence
    assert properties(package) == {"origin": "image"}
    assert [one["name"] for one in package["components"]] == ["libgfortran.so.5"]


def test_image_and_compilers_are_told() -> None:
    metadata = built(DEMO, origins=Origins(image=IMAGE, compilers=("cc: clang: version 16",)))["metadata"]
    told = properties(metadata)
    assert (told["image"], told["image_digest"]) == ("builder:1", "sha256:12")
    here = replace(IMAGE, made_of="abc")
    made = properties(built(DEMO, origins=Origins(image=here))["metadata"])
    assert made["image_made_of"] == "abc"
    assert "image_digest" not in made, "it would be no other machine's"
    assert told["compiler:cc"] == "clang: version 16"
    assert metadata["tools"]["components"][0]["name"] == "layerforge"
    assert "timestamp" not in metadata


def test_the_sbom_of_the_same_bytes_is_the_same() -> None:
    documents = {sbom_of_build.of_build(a_manifest(DEMO, BLAS), a_layer(DEMO, BLAS)) for _ in range(3)}
    assert len(documents) == 1


def test_parts_depend_on_what_they_require_are_compiled_against_and_are_linked_to() -> None:
    metadata = 'Name: demo\nRequires-Dist: Helper>=1 ; sys_platform == "linux"\nRequires-Dist: absent\n'
    metadata += (
        'Requires-Dist: extra; extra == "more"\nRequires-Dist: other; sys_platform == "win32"\nRequires-Dist: ??\n'
    )
    packages = (DEMO, BLAS, *(Package(name=name, version="1", info=f"python/{name}-1.dist-info") for name in NEEDS))
    tree = a_layer(*packages)
    tree = replace(
        tree, entries=(*tree.entries, a_file("python/demo-1.0.dist-info/METADATA", metadata.encode(), package="demo"))
    )
    origins = Origins(needs={"helper": ("openblas", "unknown")})
    data = valid(sbom_of_build.of_build(a_manifest(*packages), tree, origins))
    blas = "pkg:generic/openblas@0.3.30"
    assert needs(data, "pkg:pypi/demo@1.0") == [blas, "pkg:pypi/helper@1"]
    assert needs(data, "pkg:pypi/helper@1") == [blas]
    assert needs(data, blas) == ["lib/libgfortran.so.5"]
    assert needs(data, "layer") == sorted(one["bom-ref"] for one in data["components"])


NEEDS = ("helper", "extra", "other")


@pytest.mark.parametrize(("place", "found"), [("lib", True), ("python/other", False)])
def test_code_is_linked_to_libraries_that_the_loader_finds_and_first_to_its_own(
    place: str, found: bool, tmp_path: Path
) -> None:
    library, user = elves.image(soname="libz.so.1"), elves.image(needed=["libz.so.1"])
    own = {"python/own/_a.so": user, "python/own/libz.so.1": library}
    files = {"python/user/_a.so": user, f"{place}/libz.so.1": library, **own}
    data = of_zip(tmp_path, files)
    assert needs(data, "python:user") == (["lib/libz.so.1"] if found else [])
    assert needs(data, "python:own") == []


def test_another_document_on_the_same_bytes_has_another_serial_number() -> None:
    numbers = {
        valid(sbom_of_build.of_build(a_manifest(DEMO), a_layer(DEMO), origins))["serialNumber"]
        for origins in (None, None, Origins(image=IMAGE))
    }
    assert len(numbers) == 2


def carried(**row: Any) -> Any:
    """What comes of a wheel's own SBOM with one component."""
    listed = {"bomFormat": "CycloneDX", "components": [{"name": "inner", "version": "2", **row}]}
    return of_sboms(json.dumps(listed).encode())


def of_sboms(*texts: bytes) -> list[Any]:
    tree = a_layer(DEMO)
    more = [a_file(f"{DEMO.info}/sboms/{n}.cdx.json", text, package="demo") for n, text in enumerate(texts)]
    made = valid(sbom_of_build.of_build(a_manifest(DEMO), replace(tree, entries=(*tree.entries, *more))))
    [demo] = [one for one in made["components"] if one["name"] == "demo"]
    return [one for one in demo["components"] if "said_in" in properties(one)]


def test_what_a_wheel_says_that_it_carries_is_part_of_it() -> None:
    purl = "pkg:rpm/almalinux/libgomp@8.5.0-28.el8_10.alma.1"
    [inner] = carried(purl=purl, licenses=[{"license": {"id": "MIT"}}], properties=[{"name": "x"}])
    assert (inner["name"], inner["version"], inner["purl"]) == ("inner", "2", purl)
    assert inner["licenses"][0]["license"]["id"] == "MIT"
    assert properties(inner) == {"said_in": "python/demo-1.0.dist-info/sboms/0.cdx.json"}
    assert {one["name"] for one in carried(components=[{"name": "innermost"}])} == {"inner", "innermost"}


@pytest.mark.parametrize(
    "row", [{"purl": "pkg:pypi/Demo@1.0?file_name=demo.whl"}, {"scope": "excluded"}, {"name": 7}, {"name": ""}]
)
def test_the_package_itself_and_what_it_does_not_carry_are_no_part_of_it(row: Mapping[str, Any]) -> None:
    assert carried(**row) == []


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff{",
        b"[" * 100_000,
        b"[1]",
        b'{"components": 7}',
        b'{"components": [7, [], {"components": {}}]}',
        b'{"components": [{"name": [], "version": {}, "licenses": 3, "purl": 4}]}',
    ],
)
def test_a_broken_sbom_of_a_wheel_says_nothing(text: bytes) -> None:
    assert of_sboms(text) == []


@pytest.mark.parametrize(
    "row",
    [{"purl": "nonsense"}, {"version": "\ud800"}, {"licenses": [{"license": 3}]}, {"licenses": [{}, {}]}],
)
def test_an_odd_component_of_a_wheel_keeps_its_name(row: Mapping[str, Any]) -> None:
    [inner] = carried(**row)
    assert (inner["name"], "purl" in inner, "licenses" in inner) == ("inner", False, False)


def test_what_two_sboms_of_a_wheel_say_is_told_of_both() -> None:
    [one, other] = of_sboms(*[b'{"components": [{"name": "inner"}, {"name": "inner"}]}'] * 2)
    assert properties(one) != properties(other)


def test_a_vendored_package_is_part_of_the_one_that_vendors_it() -> None:
    tree = a_layer(DEMO)
    metadata = b"Name: Inner_Thing\nVersion: 3\nLicense-Expression: 0BSD\n"
    path = "python/demo/_vendor/inner_thing-3.dist-info/METADATA"
    tree = replace(tree, entries=(*tree.entries, a_file(path, metadata, package="demo")))
    [demo] = [
        one for one in valid(sbom_of_build.of_build(a_manifest(DEMO), tree))["components"] if one["name"] == "demo"
    ]
    [inner] = [one for one in demo["components"] if "purl" in one]
    assert (inner["purl"], inner["licenses"][0]["license"]["id"]) == ("pkg:pypi/inner-thing@3", "0BSD")


def test_metadata_without_any_name_vendors_nothing() -> None:
    tree = a_layer(DEMO)
    tree = replace(tree, entries=(*tree.entries, a_file("python/demo/.dist-info/METADATA", b"Name:\n", package="demo")))
    [demo] = [
        one for one in valid(sbom_of_build.of_build(a_manifest(DEMO), tree))["components"] if one["name"] == "demo"
    ]
    assert all(one["name"] for one in demo.get("components", ()))


# --- of any zip

INFO = "python/demo-1.0.dist-info"
FILES = {
    "python/demo/__init__.py": b"1",
    "python/demo.libs/libx-1.so.2": elves.image(soname="libx.so.2"),
    f"{INFO}/METADATA": b"Name: demo\nVersion: 1.0\nLicense: MIT\nRequires-Dist: orphan\n",
    f"{INFO}/sboms/x.json": b'{"components": [{"name": "inner"}]}',
    f"{INFO}/RECORD": b"".join(
        f"{path},,\n".encode()
        for path in (
            "demo/__init__.py",
            "demo.libs/libx-1.so.2",
            "demo-1.0.dist-info/METADATA",
            "demo-1.0.dist-info/sboms/x.json",
            "demo-1.0.dist-info/RECORD",
        )
    ),
    "python/orphan/__init__.py": b"2",
    "lib/libloose.so.1": elves.image(soname="libloose.so.1"),
    "bin/program": elves.image(),
}


def of_zip(folder: Path, files: Mapping[str, bytes]) -> Any:
    seen = examine(zips.of(folder / "layer.zip", files), target())
    return valid(sbom_of_zip.of_zip(seen, target(), {path: data for path, data in files.items() if wanted(path)}))


def test_any_zip_has_its_packages_and_the_native_code_of_none(tmp_path: Path) -> None:
    data = of_zip(tmp_path, FILES)
    found = {one["name"]: one for one in data["components"]}
    assert found.keys() == {"demo", "orphan", "libloose.so.1", "program"}
    assert found["demo"]["purl"] == "pkg:pypi/demo@1.0"
    assert found["demo"]["licenses"][0]["license"]["id"] == "MIT"
    assert {one["name"] for one in found["demo"]["components"]} == {"libx-1.so.2", "inner"}
    assert needs(data, "pkg:pypi/demo@1.0") == ["python:orphan"]
    assert "version" not in found["orphan"]
    assert properties(found["libloose.so.1"])["soname"] == "libloose.so.1"
    assert data["metadata"]["component"]["name"] == "layer"


def test_a_damaged_library_is_listed_by_its_name(tmp_path: Path) -> None:
    found = of_zip(tmp_path, {"lib/libcut.so.1": b"\x7fELF"})["components"]
    assert [one["name"] for one in found] == ["libcut.so.1"]


def test_the_zip_of_a_build_tells_the_same_digest_of_its_package_as_the_build(tmp_path: Path) -> None:
    tree = a_tree(*(a_file(path, data, package="demo") for path, data in FILES.items() if "demo" in path))
    [of_build] = valid(sbom_of_build.of_build(a_manifest(DEMO), tree))["components"]
    [zipped] = [one for one in of_zip(tmp_path, FILES)["components"] if one["name"] == "demo"]
    assert properties(zipped)["content_sha256"] == properties(of_build)["content_sha256"]
    assert properties(zipped)["record_sha256"] == properties(of_build)["record_sha256"]


def test_a_package_that_is_there_twice_is_listed_twice_and_its_files_once(tmp_path: Path) -> None:
    again = {path.replace("python/", "python/lib/python3.13/site-packages/", 1): data for path, data in FILES.items()}
    demos = [one for one in of_zip(tmp_path, FILES | again)["components"] if one["name"] == "demo"]
    assert len(demos) == 2
    assert len({one["bom-ref"] for one in demos}) == 2
    paths = [[properties(one).get("path") for one in demo["components"]] for demo in demos]
    assert sorted(path for row in paths for path in row if path) == [
        "python/demo.libs/libx-1.so.2",
        "python/lib/python3.13/site-packages/demo.libs/libx-1.so.2",
    ]
    assert all(len(row) == 2 for row in paths)


def test_modules_without_metadata_are_known_in_both_folders_with_their_native_code(tmp_path: Path) -> None:
    site = "python/lib/python3.13/site-packages"
    files = {
        "python/numpy/__init__.py": b"",
        "python/numpy.libs/libx.so": elves.image(),
        f"{site}/six.py": b"",
        "python/_x.cpython-313-x86_64-linux-gnu.so": elves.image(),
        "python/data/x.txt": b"",
        "python/bin/tool.py": b"",
    }
    data = of_zip(tmp_path, files)
    assert [(one["name"], len(one.get("components", ()))) for one in data["components"]] == [
        ("_x", 1),
        ("numpy", 1),
        ("six", 0),
    ]
    assert not any("purl" in one or "version" in one for one in data["components"])
    seen = examine(tmp_path / "layer.zip", target())
    assert without_metadata(seen) == ("_x", "numpy", "six")


def test_a_name_that_no_index_could_have_gets_no_address_there(tmp_path: Path) -> None:
    metadata = b"Name: ../x\nVersion: 1?x=y\n"
    [one] = of_zip(tmp_path, {"python/x-1.dist-info/METADATA": metadata})["components"]
    assert "purl" not in one


def test_a_file_that_is_called_as_the_layer_is_does_not_make_the_sbom_random(tmp_path: Path) -> None:
    documents = [of_zip(tmp_path, {"layer": elves.image(), "python/a.py": b""}) for _ in range(2)]
    assert documents[0] == documents[1]
    assert {one["bom-ref"] for one in documents[0]["components"]} == {"layer#2", "python:a"}


def test_metadata_belongs_to_its_package_where_no_record_says_so(tmp_path: Path) -> None:
    inner = b'{"components": [{"name": "inner"}]}'
    files = {"python/x-1.dist-info/METADATA": b"Name: x\nVersion: 1\n", "python/x-1.dist-info/sboms/a.json": inner}
    [one] = of_zip(tmp_path, files)["components"]
    assert [row["name"] for row in one["components"]] == ["inner"]


def test_an_empty_layer_has_an_sbom_too(tmp_path: Path) -> None:
    assert "components" not in of_zip(tmp_path, {"python/a.txt": b""})


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(NAMES, unique=True, max_size=5),
    data=st.sampled_from([b"", elves.image(soname="x"), b"Name: \nVersion: \xff\n\n", b"a,,\n"]),
    place=st.sampled_from(
        ["python/{}", "python/{}.dist-info/METADATA", "python/{}-1.dist-info/RECORD", "lib/lib{}.so"]
    ),
)
def test_the_sbom_of_whatever_zip_fits_the_schema(names: list[str], data: bytes, place: str, tmp_path: Path) -> None:
    document = of_zip(tmp_path, {place.format(name): data for name in names})
    assert document["specVersion"] == "1.6"


@pytest.mark.parametrize(("number", "told"), [(vendored.MOST_COMPONENTS, True), (vendored.MOST_COMPONENTS + 1, False)])
def test_an_sbom_of_more_components_than_any_package_has_is_passed_over(number: int, *, told: bool) -> None:
    flat = [{"name": f"a{one}", "version": "1"} for one in range(number - 1)]
    document = {"bomFormat": "CycloneDX", "components": [{"name": "top", "version": "1", "components": flat}]}
    found = vendored.declared_components("python/x-1.dist-info/sboms/x.cdx.json", json.dumps(document).encode(), "x")
    assert len(found) == (number if told else 0)


def test_the_variables_of_the_function_are_among_the_layers_properties() -> None:
    made = replace(a_manifest(DEMO), env={"DEMO_DATA": "/opt/share/demo"})
    data = json.loads(sbom_of_build.of_build(made, a_layer(DEMO)))
    assert properties(data["metadata"])["env:DEMO_DATA"] == "/opt/share/demo"
