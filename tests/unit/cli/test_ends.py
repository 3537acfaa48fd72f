"""How the layers of one call end: the table, the errors, the exit code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fakes import a_manifest, target
from layerforge.cli import call, ends, terminal
from layerforge.cli.call import Asked
from layerforge.core.errors import LayerforgeError, StepError, VerificationError
from layerforge.core.findings import Finding, Severity
from layerforge.core.runtimes import Arch
from layerforge.pipeline import Delivered, Ended, NotBegunError
from layerforge.report.delivery import Layer
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.request import Request
from layerforge.verify.verdict import Verdict
from program import LABEL, PYTHON, Command
from wheels import make_wheel

WARNING = Finding(rule="LF308", severity=Severity.WARNING, path="bin/x", message="m", hint="h")


def asked(name: str, arch: Arch = Arch.X86_64) -> Asked:
    return Asked(request=Request(spec=LayerSpec(name=name, requires=(name,)), text=name), target=target(arch=arch))


def delivered(*findings: Finding, kept: bool = False, verified: bool = True) -> Delivered:
    verdict = Verdict(engine="host", skipped="", findings=findings) if verified else None
    made = a_manifest(zip_bytes=29_700_000, unzipped_bytes=80_300_000)
    return Delivered(layer=Layer(path=Path("a.zip"), manifest=made, verdict=verdict), kept=kept, seconds=41.2)


def shown(capsys: pytest.CaptureFixture[str], *rows: tuple[str, Ended]) -> tuple[int, list[str]]:
    code = ends.show(terminal.notes(), [asked(name) for name, _ in rows], [ended for _, ended in rows])
    return code, [re.sub(" +", " ", line).strip() for line in capsys.readouterr().err.splitlines()]


def test_the_table_tells_of_each_layer_what_it_took_and_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = shown(
        capsys,
        ("made", delivered()),
        ("kept", delivered(WARNING, WARNING, kept=True)),
        ("unseen", delivered(verified=False)),
    )
    assert code == 0
    assert lines[-3:] == [
        "made-py313-x86_64 29.7 MB 80.3 MB 41 s none",
        "kept-py313-x86_64 29.7 MB 80.3 MB from the store 2 warnings",
        "unseen-py313-x86_64 29.7 MB 80.3 MB 41 s not verified",
    ]


def test_every_error_is_shown_in_full_once_and_the_first_one_has_the_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shared = StepError("openblas failed with status 2", hint="look", details=("the last line",))
    code, lines = shown(
        capsys,
        ("idle", NotBegunError("idle was not begun")),
        ("numpy", shared),
        ("fine", delivered()),
        ("scipy", shared),
        ("other", LockError("no such package")),
    )
    assert code == StepError.exit_code
    told = "\n".join(lines)
    assert "idle-py313-x86_64 not begun" in told
    assert "numpy-py313-x86_64 failed: openblas failed with status 2" in told
    assert "scipy-py313-x86_64 failed: openblas failed with status 2" in told
    assert lines.count("✕ build: openblas failed with status 2") == 1
    assert lines.count("the last line") == 1
    assert lines.index("✕ build: openblas failed with status 2") < lines.index("✕ lock: no such package")
    assert "✕ build: idle was not begun" not in told


def test_what_failed_is_data_in_the_order_of_the_layers() -> None:
    error = VerificationError("unfit", hint="h", details=("d",), findings=(WARNING,))
    rows: list[tuple[Asked, Ended]] = [(asked("a"), delivered()), (asked("b", Arch.ARM64), error)]
    assert ends.failed_json([one for one, _ in rows], [end for _, end in rows]) == [
        {
            "name": "b",
            "python": "3.13",
            "arch": "arm64",
            "error": {"title": "verify", "message": "unfit", "hint": "h", "details": ["d"], "exit_code": 7},
        }
    ]


def test_layers_that_come_from_the_store_fail_or_are_made_end_in_one_call(
    layerforge: Command, index: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        make_wheel(index, name)
    make_wheel(index, "broken", files={"broken/__init__.py": b"import nowhere_to_be_found\n"})
    assert layerforge("build", "one", "--python", PYTHON).code == 0
    ran = layerforge("build", "broken", "one", "two", "absent", "--each", "--python", PYTHON, "--json")
    assert ran.code == 7
    assert [one["name"] for one in ran.json["layers"]] == ["one", "two"]
    assert [one["name"] for one in ran.json["failed"]] == ["broken", "absent"]
    assert re.search(rf"^one-{LABEL} .* from the store +none", ran.err, re.MULTILINE)
    assert re.search(rf"^two-{LABEL} .* \d+ s +none", ran.err, re.MULTILINE)
    assert f"✓ two-{LABEL} install" in ran.err
    # What fails is said at once, too.
    for name, what in (("absent", "there is no package absent"), ("broken", "the layer broken is not fit for Lambda")):
        assert ran.err.index(f"! {name}-{LABEL} failed: {what}") < ran.err.index("made in")
    early = layerforge("build", "broken", "two", "--each", "--python", PYTHON, "--fail-fast", "--jobs", "1")
    assert early.code == 7


def test_a_target_that_the_engine_cannot_serve_fails_with_its_layers_alone(layerforge: Command, index: Path) -> None:
    make_wheel(index, "one")
    both = ["--python", PYTHON, "--arch", "x86_64,arm64", "--engine", "docker"]
    ran = layerforge("build", "one", *both, "--json")
    assert ran.code == 5
    assert [(one["name"], one["arch"], one["error"]["title"]) for one in ran.json["failed"]] == [
        ("one", "x86_64", "engine"),
        ("one", "arm64", "engine"),
    ]
    compiling = layerforge("build", "one", "--python", PYTHON, "--arch", "x86_64,arm64", "--compile")
    assert compiling.code == 5
    assert compiling.err.count("takes a container engine") >= 2
    assert layerforge("build", "one", *both[:2], "--compile").code == 5


def test_where_there_is_but_one_target_its_error_is_raised(index: Path) -> None:
    with pytest.raises(LayerforgeError, match="cannot be had"):
        call.plan_of(asked("a"), LockError("it cannot be had"))
