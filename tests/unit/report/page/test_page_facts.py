from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import zips
from fakes import target
from layerforge.cli.inspect import as_data
from layerforge.core.findings import Finding, Severity
from layerforge.examine import examine
from layerforge.examine.examination import Examination, Kind
from layerforge.examine.summary import summarize
from layerforge.layer.distributions import Distribution
from layerforge.layer.pyc import PycFacts, PycState
from layerforge.measure.coldstart.reading import ColdStart, Runs
from layerforge.measure.importtime import Import
from layerforge.report.beside import Beside
from layerforge.report.page.page_data import InspectedLayer, newest_symbols, page_data
from layerforge.report.sbom.reading import read_sbom
from layerforge.resolve.left_out import LeftOut, Why
from unit.report.page.samples import MANIFEST, SBOM, VERDICT

FINDING = Finding(rule="LF103", severity=Severity.ERROR, path="lib/a.so", message="needs b", hint="ship it")


def a_subject(seen: Examination, beside: Beside | None = None, **facts: Any) -> InspectedLayer:
    plain = InspectedLayer(target=target(), examination=seen, summary=summarize(seen), findings=(), notes=())
    return replace(plain, **facts, beside=beside or Beside())


def demo() -> Examination:
    members = (
        zips.a_member("python/demo/__init__.py", b"1" * 10, package="demo", kind=Kind.PYTHON, zipped=4),
        zips.an_elf(
            "lib/a.so",
            b"2" * 50,
            package="",
            needed=("libc.so.6",),
            stripped=False,
            versions={"libc.so.6": ("GLIBC_2.9", "GLIBC_2.17"), "libstdc++.so.6": ("GLIBCXX_3.4", "OPENSSL_3")},
        ),
        zips.a_member("lib/l.so", b"a.so", package="", link="a.so"),
    )
    one = Distribution(name="demo", version="1.0", info="python/demo-1.0.dist-info", record=None)
    return zips.an_examination(*members, distributions=[one], zipped=100)


def test_the_numbers_are_those_of_the_json() -> None:
    seen = demo()
    subject = a_subject(seen, findings=(FINDING,), notes=("a note",))
    told, shown = as_data(subject, ()), page_data(subject)
    for key in ("python", "arch", "zip_bytes", "unzipped_bytes", "sha256", "content_sha256", "overhead_bytes", "notes"):
        assert shown[key] == told[key], key
    assert shown["kind_sums"] == told["kinds"]
    for row, expected in zip(shown["packages"], told["packages"], strict=True):
        assert row.items() >= expected.items()
    [finding] = shown["findings"]
    assert finding["message"] == [told["findings"][0]["message"]]


def test_a_native_file_says_what_it_needs() -> None:
    files = {row[0]: row for row in page_data(a_subject(demo()))["files"]}
    assert files["lib/a.so"][5]["elf"] == {
        "machine": "x86_64",
        "bits": 64,
        "soname": "",
        "needed": ["libc.so.6"],
        "runpath": [],
        "stripped": False,
        "symbols": {"GLIBC": "GLIBC_2.17", "GLIBCXX": "GLIBCXX_3.4"},
    }
    assert files["lib/l.so"][5] == {"link": "a.so"}
    assert len(files["python/demo/__init__.py"]) == 5


@pytest.mark.parametrize(
    ("facts", "more"),
    [
        ({"damaged": "cut short"}, {"trouble": "cut short"}),
        ({"foreign": "Mach-O"}, {"trouble": "Mach-O"}),
        ({"unsafe": "climbs"}, {"trouble": "climbs"}),
        ({"pyc": PycFacts(state=PycState.STALE, magic=1)}, {"pyc": "stale"}),
    ],
)
def test_a_file_with_something_wrong_says_it(facts: dict[str, Any], more: dict[str, str]) -> None:
    [row] = page_data(a_subject(zips.an_examination(zips.a_member("python/x", **facts))))["files"]
    assert row[5] == more


def test_versions_are_compared_as_numbers() -> None:
    assert newest_symbols([{"libc.so.6": ("GLIBC_2.9", "GLIBC_2.17", "GLIBC_PRIVATE")}]) == {"GLIBC": "GLIBC_2.17"}


def test_the_manifest_gives_the_variables_of_the_function() -> None:
    told = replace(MANIFEST, env={"DEMO_DATA": "/opt/share/demo"})
    shown = page_data(a_subject(demo(), Beside(manifest=told)))
    assert shown["made"]["env"] == {"DEMO_DATA": "/opt/share/demo"}


def test_the_manifest_gives_the_ledger_and_the_origin_of_packages() -> None:
    shown = page_data(a_subject(demo(), Beside(manifest=MANIFEST, verdict=VERDICT)))
    made = shown["made"]
    assert made["saved"] == [{"pass": "prune", "bytes": 70, "files": 1}]
    assert made["edits"] == [{"pass": "prune", "reason": "tests", "bytes": 70, "files": ["python/demo/tests/a.py"]}]
    assert made["left"] == [{"reason": "does not compile: line 1", "bytes": 0, "files": ["python/demo/x.py"]}]
    [package] = [row for row in shown["packages"] if row["name"] == "demo"]
    assert (package["origin"], package["licence"], package["version"]) == ("compiled", "MIT", "1.0")
    assert shown["ran"]["engine"] == "docker"


def test_what_the_layer_is_without_on_purpose_is_shown_with_the_reason() -> None:
    out = (LeftOut(name="six", version="1.17.0", why=Why.RUNTIME, bytes=11_000),)
    shown = page_data(a_subject(demo(), Beside(manifest=replace(MANIFEST, left_out=out))))
    assert shown["made"]["left_out"] == [{"name": "six", "version": "1.17.0", "why": "runtime"}]


def test_a_zip_with_nothing_beside_it_states_the_licences_of_its_own_metadata(tmp_path: Path) -> None:
    files = zips.sound()
    files[f"{zips.INFO}/METADATA"] += b"License-Expression: BSD-3-Clause\n"
    seen = examine.examine(zips.of(tmp_path / "layer.zip", files), target("3.11"))
    [package] = [row for row in page_data(a_subject(seen))["packages"] if row["name"] == "pkg"]
    assert (package["version"], package["licence"]) == ("1.0", "BSD-3-Clause")


def test_what_only_the_build_found_is_shown_once_with_its_rule() -> None:
    static = Finding(rule="LF103", severity=Severity.ERROR, path="lib/a.so", message="needs b", hint="ship it")
    verdict = replace(VERDICT, findings=(static, *VERDICT.findings))
    shown = page_data(a_subject(demo(), Beside(verdict=verdict), findings=(static,)))
    assert [(one["rule"], one["ran"]) for one in shown["findings"]] == [("LF103", False), ("LF401", True)]
    assert shown["findings"][1]["message"] == ["a", "b"]
    assert shown["rules"]["LF401"]["title"] == "A module cannot be imported"
    assert shown["rules"]["LF103"]["why"].startswith("The import fails")


def test_a_rule_of_a_later_layerforge_is_shown_without_an_explanation() -> None:
    later = Finding(rule="LF999", severity=Severity.WARNING, path="", message="new", hint="")
    shown = page_data(a_subject(demo(), Beside(verdict=replace(VERDICT, findings=(later,)))))
    assert [one["rule"] for one in shown["findings"]] == ["LF999"]
    assert set(shown["rules"]["LF999"].values()) == {"LF999", ""}


def test_a_package_finds_its_entry_in_an_sbom_that_spells_it_otherwise() -> None:
    sbom = read_sbom("demo.sbom.json", json.dumps(SBOM).replace('"name": "demo"', '"name": "Demo"'))
    [package] = [row for row in page_data(a_subject(demo(), Beside(sbom=sbom)))["packages"] if row["name"] == "demo"]
    assert package["ref"] == "pkg:pypi/demo@1.0"


def test_the_sbom_gives_packages_their_entries_and_licences() -> None:
    sbom = read_sbom("demo.sbom.json", json.dumps(SBOM))
    shown = page_data(a_subject(demo(), Beside(sbom=sbom)))
    [package] = [row for row in shown["packages"] if row["name"] == "demo"]
    assert (package["ref"], package["licence"]) == ("pkg:pypi/demo@1.0", "MIT AND 0BSD AND Mine")
    assert [row["ref"] for row in shown["sbom"]["components"]] == ["pkg:pypi/demo@1.0", ""]
    assert shown["sbom"]["file"] == "demo.sbom.json"


def test_a_cold_start_is_shown_with_the_bytes_of_its_modules() -> None:
    measured = ColdStart(sha256="", imports=(Import(name="demo", self_us=2, total_us=2, bytes=10),))
    shown = page_data(a_subject(demo(), Beside(coldstart=measured)))["coldstart"]
    assert shown["imports"] == [{"name": "demo", "self_us": 2, "total_us": 2, "bytes": 10, "children": []}]


def test_the_runs_of_a_cold_start_are_shown_one_by_one() -> None:
    runs = Runs(
        layer="demo.zip",
        memory_mb=512,
        init_ms=(800.0, 812.5),
        first_invoke_ms=(1.0,),
        second_invoke_ms=(),
        peak_memory=(9e7,),
        dollars_per_million=None,
    )
    measured = ColdStart(sha256="", imports=(), runs=(runs,), against=(replace(runs, layer="old.zip"),))
    shown, other = page_data(a_subject(demo(), Beside(coldstart=measured)))["coldstart"]["runs"]
    assert other["layer"] == "old.zip"
    assert (shown["memory_mb"], shown["init_ms"], shown["dollars_per_million"]) == (512, (800.0, 812.5), None)


def test_where_a_start_goes_is_told_by_package_and_by_module_before_and_after() -> None:
    zlib = Import(name="zlib", self_us=5, total_us=5)
    new = Import(name="demo", self_us=30, total_us=35, bytes=4, children=(zlib,))
    gone = Import(name="gone.core", self_us=50, total_us=50, bytes=9)
    old = (replace(new, self_us=40), replace(zlib, self_us=1), gone)
    measured = ColdStart(
        sha256="", imports=(new,), name="new.zip", against_name="old.zip", against_imports=old, runs=()
    )
    shown = page_data(a_subject(demo(), Beside(coldstart=measured)))["coldstart"]["start"]
    assert (shown["layers"], shown["modules"]) == (["old.zip", "new.zip"], [3, 1 + 1])
    assert shown["by_package"] == [["gone", 50, 0], ["demo", 40, 30], ["Python and its runtime", 6, 5]]
    assert shown["by_module"] == [["gone.core", 50, 0], ["demo", 40, 30], ["zlib", 6, 5]]


def test_a_start_without_another_layer_has_one_figure_and_without_imports_none() -> None:
    one = ColdStart(sha256="", imports=(Import(name="zlib", self_us=5, total_us=5),), name="new.zip")
    shown = page_data(a_subject(demo(), Beside(coldstart=one)))["coldstart"]["start"]
    assert (shown["layers"], shown["by_module"]) == (["new.zip"], [["zlib", 5]])
    none = replace(one, imports=(), against_imports=one.imports)
    assert page_data(a_subject(demo(), Beside(coldstart=none)))["coldstart"]["start"] is None


def test_advice_and_changes_are_shown_as_they_are_told() -> None:
    advice, changes = [{"message": "less", "how": "do it"}], {"files": {"before": 1, "after": 2, "change": 1}}
    shown = page_data(a_subject(demo()), advice=advice, changes=changes)
    assert (shown["advice"], shown["changes"]) == (advice, changes)


def test_a_zip_alone_is_shown_from_itself() -> None:
    shown = page_data(a_subject(demo()))
    assert [shown[key] for key in ("made", "ran", "sbom", "coldstart", "changes")] == [None] * 5
    assert json.loads(json.dumps(shown)) == json.loads(json.dumps(page_data(a_subject(demo()))))


def test_the_name_of_the_folder_stays_out_of_the_page() -> None:
    shown = page_data(a_subject(replace(demo(), path=Path("/home/me/secret/demo.zip"))))
    assert shown["name"] == "demo.zip"
    assert "secret" not in json.dumps(shown)
