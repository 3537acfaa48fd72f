"""Several layers of one function, held against what their manifests promise."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import zips
from fakes import FakeEngine, a_manifest, target
from layerforge.build.engine import Job, Outcome
from layerforge.build.runtime_packages import ALONE
from layerforge.examine.examine import examine
from layerforge.functions import together
from layerforge.layer.passes.deferring import Deferral, deferrals
from layerforge.layer.tree import Package
from layerforge.report.manifest import Manifest
from layerforge.resolve.recipe import Bytecode, BytecodeMode, Check, CheckScript, CodeRules
from layerforge.verify.run_check import MARKER

DEFER = {"near/__init__.py": ("far.off",)}
WAITS = Bytecode(packages={"near": CodeRules(defer=DEFER)})
SCRIPT = CheckScript(package="near", text="import near; near.use()")


@dataclass
class FailingEngine(FakeEngine):
    """An engine in which the check of ``near`` misses what waits."""

    def run(self, job: Job) -> Outcome:
        found = re.search(r"checking\('(\w+)'", job.init)
        assert found
        report = {"failed": "near/check.py", "error": "AttributeError: module 'far' has no attribute 'off'"}
        return Outcome(status=1, output=f"\n{MARKER}{found[1]}{json.dumps(report)}\n", seconds=0.0)


def manifests(near: Bytecode) -> tuple[Manifest, Manifest]:
    a, b = (a_manifest(Package(name=name, version="1", info=f"python/{name}-1.dist-info")) for name in ("near", "far"))
    return replace(a, bytecode=near, check=Check(scripts=(SCRIPT,))), b


def hints(folder: Path, near: Bytecode) -> list[str]:
    """Of what is found where the check of ``near`` fails in a function with both layers."""
    files = {"near.zip": {"python/near/__init__.py": b""}, "far.zip": {"python/far/__init__.py": b""}}
    parts = [examine(zips.of(folder / name, own)) for name, own in files.items()]
    expect = replace(together.expected(manifests(near), target()), bytecode=BytecodeMode.NONE)
    (folder / "work").mkdir()
    verdict = together.verify_together(parts, expect, FailingEngine([]), folder / "work", ALONE, unrun="")
    return [one.hint for one in verdict.findings if one.rule == "LF402" and "near/check.py" in one.message]


def test_a_check_that_fails_in_a_function_names_the_import_of_a_layer_that_waits(tmp_path: Path) -> None:
    [hint] = hints(tmp_path, WAITS)
    assert hint.startswith("an import that waits may be the cause: far.off in near/__init__.py (near)")


def test_nothing_waits_in_a_layer_without_bytecode(tmp_path: Path) -> None:
    [hint] = hints(tmp_path, replace(WAITS, mode=BytecodeMode.NONE))
    assert "an import that waits" not in hint


def test_what_waits_in_any_of_the_layers_counts() -> None:
    other = Bytecode(mode=BytecodeMode.ONLY, packages={"other": CodeRules(defer={"other.py": ("os",)})})
    assert deferrals(together.compiled([WAITS, other, Bytecode(mode=BytecodeMode.NONE)])) == (
        Deferral(package="near", file="near/__init__.py", modules=("far.off",)),
        Deferral(package="other", file="other.py", modules=("os",)),
    )
