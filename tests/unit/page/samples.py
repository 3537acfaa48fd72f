"""What stands beside a layer called demo, whose zip has the digest ``ab``."""

from __future__ import annotations

from typing import Any

from layerforge.model import (
    Arch,
    Budget,
    Bytecode,
    Check,
    Compression,
    EditGroup,
    Finding,
    Left,
    Manifest,
    Package,
    Severity,
    Verdict,
)

MANIFEST = Manifest(
    name="demo",
    python="3.13",
    arch=Arch.X86_64,
    engine="docker",
    interpreter="3.13.0",
    compression=Compression.FAST,
    bytecode=Bytecode(),
    budget=Budget(),
    check=Check(),
    requires=("demo",),
    sha256="ab",
    content_sha256="cd",
    zip_bytes=1,
    unzipped_bytes=2,
    packages=(Package(name="demo", version="1.0", info="python/demo-1.0.dist-info", origin="compiled", licence="MIT"),),
    edits=(EditGroup(name="prune", reason="tests", bytes=70, files=("python/demo/tests/a.py",)),),
    left=(Left(path="python/demo/x.py", reason="does not compile: line 1"),),
    key="",
    layerforge="0.1.0",
)
VERDICT = Verdict(
    engine="docker",
    skipped="",
    findings=(Finding(rule="LF401", severity=Severity.ERROR, path="", message="a\nb", hint="c"),),
    notes=(),
)
SBOM: dict[str, Any] = {
    "metadata": {
        "component": {"name": "demo", "hashes": [{"alg": "MD5", "content": "x"}, {"alg": "SHA-256", "content": "ab"}]}
    },
    "components": [
        {
            "bom-ref": "pkg:pypi/demo@1.0",
            "name": "demo",
            "version": "1.0",
            "purl": "pkg:pypi/demo@1.0",
            "licenses": [{"expression": "MIT"}, {"license": {"id": "0BSD"}}, {"license": {"name": "Mine"}}],
            "components": [
                {"name": "libx.so", "properties": [{"name": "layerforge:path", "value": "python/demo.libs/libx.so"}]}
            ],
        }
    ],
}
