"""What stands beside a layer called demo, whose zip has the digest ``ab``."""

from __future__ import annotations

from typing import Any

from fakes import a_manifest
from layerforge.core.findings import Finding, Severity
from layerforge.layer.passes.setting import LeftAlone
from layerforge.layer.tree import Package
from layerforge.report.manifest import EditGroup
from layerforge.verify.verdict import Verdict

MANIFEST = a_manifest(
    Package(name="demo", version="1.0", info="python/demo-1.0.dist-info", origin="compiled", licence="MIT"),
    engine="docker",
    sha256="ab",
    content_sha256="cd",
    edits=(EditGroup(name="prune", reason="tests", bytes=70, files=("python/demo/tests/a.py",)),),
    left=(LeftAlone(path="python/demo/x.py", reason="does not compile: line 1"),),
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
