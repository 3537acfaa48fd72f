import json
from dataclasses import replace

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from fakes import a_file, a_tree, target
from layerforge.model import Arch, Budget, Bytecode, Check, Compression, Manifest, Package, Tree
from layerforge.sbom import sbom

DEMO = Package(name="demo", version="1.0", info="python/demo-1.0.dist-info", licence="MIT")


def a_layer(*packages: Package) -> Tree:
    return a_tree(
        a_file("python/demo.libs/libx-1.so.2", b"\x7fELF", package="demo"),
        a_file("python/demo/_a.cpython-313-x86_64-linux-gnu.so", b"\x7fELF", package="demo"),
        packages=packages,
    )


def a_manifest(*packages: Package) -> Manifest:
    return Manifest(
        name="demo",
        python=target().python,
        arch=Arch.X86_64,
        engine="host",
        interpreter="3.13.0",
        compression=Compression.FAST,
        bytecode=Bytecode(),
        budget=Budget(),
        check=Check(),
        requires=("demo",),
        sha256="a" * 64,
        content_sha256="b" * 64,
        zip_bytes=10,
        unzipped_bytes=20,
        packages=packages,
        edits=(),
        left=(),
        key="k",
        layerforge="0",
    )


@pytest.mark.parametrize("licence", ["", "MIT", "BSD-3-Clause AND MIT", "BSD 3-Clause License", "Dual License"])
def test_the_sbom_fits_the_schema_of_cyclonedx(licence: str) -> None:
    package = replace(DEMO, licence=licence)
    text = sbom(a_manifest(package), a_layer(package))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    [component] = json.loads(text)["components"]
    assert component["purl"] == "pkg:pypi/demo@1.0"
    assert ("licenses" in component) == bool(licence)


def test_the_sbom_lists_the_shared_libraries_that_a_wheel_carries() -> None:
    [component] = json.loads(sbom(a_manifest(DEMO), a_layer(DEMO)))["components"]
    assert [one["name"] for one in component["components"]] == ["libx-1.so.2"]
    assert component["components"][0]["hashes"][0]["alg"] == "SHA-256"


def test_the_sbom_of_the_same_bytes_is_the_same() -> None:
    assert sbom(a_manifest(DEMO), a_layer(DEMO)) == sbom(a_manifest(DEMO), a_layer(DEMO))
