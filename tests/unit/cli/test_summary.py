from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import a_tree, target
from layerforge.build.plan import Plan
from layerforge.cli import github, job_summary
from layerforge.core.errors import VerificationError
from layerforge.core.findings import Finding, Severity
from layerforge.core.text import visible
from layerforge.layer.archive import Archive
from layerforge.layer.passes.setting import PassResult
from layerforge.layer.tree import Edit
from layerforge.report import manifest
from layerforge.report.delivery import Layer
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Compression
from layerforge.verify.verdict import Verdict

COMMAND = re.compile(r"::(error|warning) (?:file=([^,:\r\n]*),)?title=([^,:\r\n]*)::([^\r\n]*)")
FINDING = Finding(
    rule="LF101", severity=Severity.ERROR, path="python/a|b.so", message="needs GLIBC_2.99", hint="build it\nagain"
)


PLAN = Plan(
    spec=LayerSpec(name="demo", requires=("demo",)),
    target=target(),
    compression=Compression.FAST,
    interpreter="3.13.0",
    steps=(),
    epoch=0,
    key="k",
)
ARCHIVE = Archive(sha256="a" * 64, content_sha256="b" * 64, zipped=10_000_000, unzipped=131_072_000, data=b"")
PASSES = (PassResult(name="prune", edits=(Edit(path="python/b", entry=None, reason="tests", saved=5_000_000),)),)


def unescaped(text: str) -> str:
    """As GitHub reads it."""
    for mark, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(mark, character)
    return text


def shown(text: str) -> str:
    """What cannot be seen is told by its number, but for the ends of lines."""
    return "".join(char if char in "\r\n" else visible(char) for char in text)


def test_a_finding_is_annotated_on_its_file_under_its_rule() -> None:
    assert github.of_finding(FINDING, "recipes/a, b/recipe.toml") == (
        "::error file=recipes/a%2C b/recipe.toml,title=LF101::python/a|b.so: needs GLIBC_2.99 (build it%0Aagain)"
    )


def test_a_warning_without_a_file_names_none() -> None:
    warning = replace(FINDING, severity=Severity.WARNING, path="")
    assert github.of_finding(warning, "").startswith("::warning title=LF101::needs")


@given(st.text(), st.text())
def test_an_annotation_is_one_command_whatever_the_texts_hold(message: str, file: str) -> None:
    line = github.of_finding(replace(FINDING, path="", message=message, hint=""), file)
    match = COMMAND.fullmatch(line)
    assert match
    assert unescaped(match[2] or "") == shown(file)
    assert unescaped(match[4]) == f"{shown(message)} ()"


def test_an_error_is_annotated_with_its_evidence_and_its_hint() -> None:
    error = LockError("the lock is stale", hint="renew it", details=("100% of a", "b"))
    assert github.of_error(error) == (
        "::error title=layerforge%3A lock::the lock is stale%0A100%25 of a%0Ab%0A→ renew it"
    )


def test_an_error_does_not_repeat_findings_that_have_annotations_of_their_own() -> None:
    error = VerificationError("not fit", details=("LF101 …",), findings=(FINDING,))
    assert github.of_error(error) == "::error title=layerforge%3A verify::not fit"


def test_annotations_go_to_standard_error_where_github_runs_the_job(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    github.annotate_findings([FINDING], "a")
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    github.annotate_findings([FINDING], "a")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("::error file=a,title=LF101::")


def test_the_findings_of_a_refused_layer_are_annotated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(VerificationError), github.refusals_annotated("recipe.toml"):
        raise VerificationError("not fit", findings=(FINDING,))
    assert capsys.readouterr().err.startswith("::error file=recipe.toml,title=LF101::")


def a_layer(*findings: Finding) -> Layer:
    verdict = Verdict(engine="host", skipped="", findings=findings, notes=())
    return Layer(
        path=Path("dist/demo.zip"), manifest=manifest.manifest(PLAN, a_tree(), PASSES, ARCHIVE, "host"), verdict=verdict
    )


def test_the_summary_has_sizes_savings_digest_and_findings() -> None:
    text = job_summary.layers([a_layer(FINDING), replace(a_layer(), verdict=None)])
    rows = [[cell.strip() for cell in line.split(" | ")] for line in text.splitlines() if line.startswith("| `")]
    assert [row[-2] for row in rows] == ["1", "not verified"]
    assert rows[0][-1].startswith(f"`{'a' * 64}`")
    assert rows[0][:5] == ["| `demo.zip`", "10.0 MB", "131.1 MB", "50%", "5.0 MB"]
    assert "| error | LF101 | python/a\\|b.so | needs GLIBC\\_2.99 | build it again |" in text


def test_a_summary_shows_so_many_findings_and_counts_the_rest() -> None:
    text = job_summary.layers([a_layer(*[FINDING] * (github.MOST_ROWS + 3))])
    assert text.count("LF101") == github.MOST_ROWS
    assert "… and 3 more" in text


def test_a_failure_has_its_evidence_literally() -> None:
    text = github.failure(LockError("no <b>", hint="do `x`", details=("<script>", "| a |")))
    assert "no &lt;b&gt;" in text
    assert "<pre>&lt;script&gt;\n| a |</pre>" in text
    assert "→ do \\`x\\`" in text


def test_an_annotation_steers_no_terminal() -> None:
    assert github.annotation("error", "a\x1b[2J\nb", file="\u202e") == "::error file=\\u202e::a\\x1b[2J%0Ab"
