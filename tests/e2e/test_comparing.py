"""``inspect --against``, its gates, advice, and SBOMs, through the program on small real layers."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import elves
import zips
from program import LABEL, PYTHON, REFUSED_TOGETHER, Command, Ran, program
from wheels import make_wheel

WIDE = {"COLUMNS": "200"}


@pytest.fixture
def layerforge(tmp_path: Path) -> Command:
    return program(tmp_path, **WIDE)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an older layer and a newer one: a package is newer and larger, one is new, one is gone."""
    folder = tmp_path_factory.mktemp("built")
    index = folder / "index"
    (folder / "uv.toml").touch()
    env = {"UV_CONFIG_FILE": str(folder / "uv.toml"), "UV_CACHE_DIR": str(folder / "uv-cache")}
    env |= {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(index)}
    for version, files, other in (
        ("1.0", {"demo/__init__.py": b"VALUE = 1\n"}, "gone"),
        ("2.0", {"demo/__init__.py": b"VALUE = 2\n", "demo/big.json": os.urandom(200_000)}, "fresh"),
    ):
        make_wheel(index, "demo", version, files, requires=[other])
        make_wheel(index, other, "3.0")
        arguments = ["build", f"demo=={version}", "--python", PYTHON, "--output", version, "--no-verify"]
        ran = program(folder)(*arguments, env=env)
        assert ran.code == 0, ran.err
    return folder


@pytest.fixture
def pair(built: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The older layer and the newer one, with what stands beside each."""
    for version in ("1.0", "2.0"):
        shutil.copytree(built / version, tmp_path / version)
    return tmp_path / "1.0" / f"demo-{LABEL}.zip", tmp_path / "2.0" / f"demo-{LABEL}.zip"


# --- what changed


def test_what_changed_is_told_with_the_largest_growth_first(layerforge: Command, pair: tuple[Path, Path]) -> None:
    old, new = pair
    ran = layerforge("inspect", new, "--against", old)
    assert (ran.code, ran.err) == (0, "")
    lines = [line.split() for line in ran.out.splitlines()]
    packages = [line[:4] for line in lines if line and line[0] in {"demo", "fresh", "gone"}]
    assert [line[0] for line in packages] == ["demo", "fresh", "gone"]
    assert packages[0] == ["demo", "1.0", "→", "2.0"]
    assert packages[1][1:3] == ["new:", "3.0"]
    assert packages[2][1:3] == ["gone:", "3.0"]
    assert "python/demo/big.json (new)" in ran.out
    assert "requirements: demo==1.0 → demo==2.0" in ran.out


def test_the_changes_as_json_agree_with_the_zips(layerforge: Command, pair: tuple[Path, Path]) -> None:
    old, new = pair
    ran = layerforge("inspect", new, "--against", old, "--json")
    changes = ran.json["changes"]
    assert changes["zip_bytes"] == {
        "before": old.stat().st_size,
        "after": new.stat().st_size,
        "change": new.stat().st_size - old.stat().st_size,
    }
    assert changes["unzipped_bytes"]["after"] == ran.json["unzipped_bytes"]
    growth = changes["unzipped_bytes"]["change"]
    assert sum(one["unzipped"]["change"] for one in changes["packages"]) == growth > 200_000
    assert sum(one["unzipped"]["change"] for one in changes["changed_files"]) == growth
    assert [one["name"] for one in changes["packages"]] == ["demo", "fresh", "gone"]


def test_the_same_bytes_are_told_on_one_line(layerforge: Command, pair: tuple[Path, Path]) -> None:
    ran = layerforge("inspect", pair[0], "--against", pair[0], "--fail-if-grown", "0")
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 1
    assert "the same bytes" in ran.out


def test_layers_of_any_make_can_be_compared(layerforge: Command, tmp_path: Path) -> None:
    old = zips.of(tmp_path / "old.zip", {"python/a.py": b"a = 1\n"})
    hostile = "python/[red]<b>|`x`.py"
    new = zips.of(tmp_path / "new.zip", {"python/a.py": b"a = 1\n", hostile: b"b" * 5000, "stray.txt": b""})
    ran = layerforge("inspect", new, "--against", old, "--markdown", "-")
    assert ran.code == 0, ran.err
    assert f"{hostile} (new)" in ran.err
    assert "<b>" not in ran.out
    assert "+5.0 kB" in ran.out
    assert "| (no package) | new |" not in ran.out
    assert "unknown" not in ran.out + ran.err


def test_hostile_names_steer_no_terminal_and_fill_no_comment(layerforge: Command, tmp_path: Path) -> None:
    old = zips.of(tmp_path / "old.zip", {"python/a.py": b"a = 1\n"})
    metadata = b"Name: evil\x1b[31m|<b>\nVersion: 1\x1b[2J\n\n"
    names = [f"python/\x1b[31m\u202e{letter * 3900}.py" for letter in "abc"]
    files = {"python/a.py": b"a = 1\n", "python/e-1.dist-info/METADATA": metadata} | dict.fromkeys(
        names, os.urandom(9_000)
    )
    new = zips.of(tmp_path / "new.zip", files)
    for arguments in (["--against", old, "--markdown", "-"], []):
        ran = layerforge("inspect", new, *arguments)
        assert ran.code == 0, ran.err
        assert "\x1b" not in ran.out + ran.err
        assert "\u202e" not in ran.out + ran.err
        if "--markdown" in arguments:
            assert len(ran.out) < 6000
        else:
            assert all(letter * 3900 in ran.out for letter in "abc"), "in a pipe nothing is cut"
        assert "evil\\x1b[31m|<b>" in ran.err + ran.out


def cold(path: Path, *times: int, function: str = "demo", **facts: Any) -> dict[str, Any]:
    """What ``layerforge coldstart`` says of a layer; no times where it did not fit."""
    sizes = [{"memory_mb": 1769, "init_ms": {"all": times} if times else None}]
    made = {"zip": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "imports": [], "sizes": sizes}
    return made | {"function": {"imports": [function]}} | facts


def measured(path: Path, data: dict[str, Any]) -> None:
    path.with_suffix(".coldstart.json").write_text(json.dumps(data))


def init_row(ran: Ran) -> list[str]:
    return next((line.split() for line in (ran.out + ran.err).splitlines() if line.startswith("init at")), [])


def test_measured_init_times_are_compared(layerforge: Command, pair: tuple[Path, Path]) -> None:
    old, new = pair
    measured(old, cold(old, 900, 1000, 1300))
    measured(new, cold(new, 1500, 1600, 1700))
    ran = layerforge("inspect", new, "--against", old)
    assert init_row(ran)[4:] == ["1,000", "ms", "1,600", "ms", "+600", "ms", "(+60.0%)"]
    assert "measures both in turns" in ran.out
    assert "may be chance" not in ran.out


def test_times_that_were_measured_in_turns_are_preferred(layerforge: Command, pair: tuple[Path, Path]) -> None:
    old, new = pair
    measured(old, cold(old, 9999))
    measured(new, cold(new, 1500, 1600, 1700, against=cold(old, 2000, 1700, 2100)))
    ran = layerforge("inspect", new, "--against", old, "--markdown", "-")
    assert init_row(ran)[4:] == ["2,000", "ms", "1,600", "ms", "-400", "ms", "(-20.0%)"]
    assert "in turns" not in ran.out
    assert "- the init times of the two overlap: their difference may be chance" in ran.out
    back = layerforge("inspect", old, "--against", new, "--json")
    assert back.json["changes"]["init_ms"] == {"before": 1600, "after": 2000, "change": 400}
    assert (back.json["changes"]["init_in_turns"], back.json["changes"]["init_overlap"]) == (True, True)


def test_a_measurement_without_runs_is_no_measurement(layerforge: Command, pair: tuple[Path, Path]) -> None:
    empty = {"sizes": [{"memory_mb": 1769, "init_ms": {"all": []}}]}
    for path in pair:
        measured(path, {**cold(path), **empty})
    assert layerforge("inspect", pair[1], "--against", pair[0]).code == 0


@pytest.mark.parametrize("theirs", [{"function": "other"}, {"against": "itself"}])
def test_times_that_cannot_be_held_against_each_other_are_not(
    layerforge: Command, pair: tuple[Path, Path], theirs: dict[str, Any]
) -> None:
    """Of another function, or of a layer that did not start, whose file holds those of yet another one."""
    old, new = pair
    measured(new, cold(new, 1500))
    if theirs == {"against": "itself"}:
        measured(old, cold(old, against={**cold(old, 700), "sha256": "0" * 64}))
    else:
        measured(old, cold(old, 1000, **theirs))
    ran = layerforge("inspect", new, "--against", old)
    assert ran.code == 0
    assert init_row(ran) == []


def test_what_is_beside_either_zip_and_cannot_be_used_is_said(layerforge: Command, pair: tuple[Path, Path]) -> None:
    """Without its manifest, a layer has no budget to be held against."""
    shutil.copy(pair[0].with_suffix(".manifest.json"), pair[1].with_suffix(".manifest.json"))
    pair[0].with_suffix(".coldstart.json").write_text("{")
    ran = layerforge("inspect", pair[1], "--against", pair[0], "--fail-if-grown", "1 GB")
    assert "manifest.json is about another zip" in ran.err
    assert "coldstart.json is not what its name says" in ran.err


def test_layers_for_different_functions_say_so(layerforge: Command, tmp_path: Path) -> None:
    old, new = (
        zips.of(
            tmp_path / f"{python}.zip",
            {"python/a/__init__.py": b"a = 1", f"python/a/x.cpython-{python}-{machine}-linux-gnu.so": library},
        )
        for python, machine, library in (
            ("312", "x86_64", elves.image()),
            ("313", "aarch64", elves.image(machine=elves.ARM64)),
        )
    )
    ran = layerforge("inspect", new, "--against", old, "--markdown", "-")
    assert "- Python: 3.12 → 3.13\n- processor: x86\\_64 → arm64\n" in ran.out
    assert "python/a/x.cpython-313-aarch64-linux-gnu.so (new)" not in ran.out


# --- gates


@pytest.mark.parametrize(
    ("limit", "code"), [("0%", 7), ("10 kB", 7), ("0", 7), ("900%", 7), ("1 MB", 0), ("10000000%", 0)]
)
def test_growth_beyond_the_limit_fails_with_its_reasons(
    layerforge: Command, pair: tuple[Path, Path], tmp_path: Path, limit: str, code: int
) -> None:
    page = tmp_path / "summary.md"
    ran = layerforge(
        "inspect", pair[1], "--against", pair[0], "--fail-if-grown", limit, env={"GITHUB_STEP_SUMMARY": str(page)}
    )
    assert ran.code == code, ran.err
    text = page.read_text()
    assert "| demo | 1.0 → 2.0 |" in text
    if code:
        assert "unzipped size grew by 20" in ran.err
        assert "python/demo/big.json (new): +200.0 kB" in ran.err
        assert text.count("is larger than allowed") == 1


def test_the_comment_says_first_what_the_gate_refused(
    layerforge: Command, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    arguments = ["inspect", pair[1], "--against", pair[0], "--markdown", "changes.md", "--fail-if-grown"]
    ran = layerforge(*arguments, "1%")
    text = (tmp_path / "changes.md").read_text()
    assert ran.code == 7
    assert ", of 1% allowed" in text
    assert text.index("###") < text.index("is larger than allowed") < text.index("| unzipped |")
    assert layerforge(*arguments, "1 MB").code == 0
    assert "allowed" not in (tmp_path / "changes.md").read_text()


def test_a_layer_that_shrank_passes(layerforge: Command, pair: tuple[Path, Path]) -> None:
    assert layerforge("inspect", pair[0], "--against", pair[1], "--fail-if-grown", "0").code == 0


def test_a_size_above_the_budget_fails_too(layerforge: Command, pair: tuple[Path, Path]) -> None:
    beside = pair[1].with_suffix(".manifest.json")
    made = json.loads(beside.read_text())
    beside.write_text(json.dumps(made | {"budget": {"unzipped": 1000, "zipped": None}}))
    ran = layerforge("inspect", pair[1], "--against", pair[0], "--fail-if-grown", "1 GB")
    assert ran.code == 7
    assert "above the recipe's budget of 1,000" in ran.err
    assert layerforge("inspect", pair[1], "--against", pair[0]).code == 0


@pytest.mark.parametrize(("arguments", "words"), REFUSED_TOGETHER)
def test_what_does_not_go_together_is_refused(
    layerforge: Command, tmp_path: Path, arguments: list[str], words: str
) -> None:
    zips.of(tmp_path / "layer.zip", {"python/a.py": b""})
    ran = layerforge("inspect", "layer.zip", *arguments)
    assert ran.code == 2
    assert words in ran.err


# --- advice


def test_advice_stands_at_the_end_and_in_the_json(layerforge: Command, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    path = zips.of(
        tmp_path / "layer.zip",
        {"python/a/__init__.py": b"", "python/a/fast.so": elves.image(), "python/a/data.h": data},
    )
    [one] = layerforge("inspect", path, "--json").json["advice"]
    assert (one["kind"], one["bytes"], one["files"]) == ("dead-weight", 300_000, 1)
    shown = layerforge("inspect", path).out
    assert shown.index("what would help most") < shown.index(one["message"]) < shown.index(one["how"])
    assert "stubs, headers" not in shown, "said once"


def test_a_layer_that_needs_no_advice_gets_none(layerforge: Command, pair: tuple[Path, Path]) -> None:
    assert layerforge("inspect", pair[0], "--json").json["advice"] == []
    shown = layerforge("inspect", pair[0]).out
    assert "what would help" not in shown
    assert "nothing was found that would save 100.0 kB or more" in shown


# --- SBOM and licences


def test_any_zip_has_an_sbom_on_standard_output(layerforge: Command, pair: tuple[Path, Path], tmp_path: Path) -> None:
    ran = layerforge("sbom", pair[1])
    assert ran.code == 0, ran.err
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(ran.out) is None
    assert {one["purl"] for one in ran.json["components"]} == {"pkg:pypi/demo@2.0", "pkg:pypi/fresh@3.0"}
    assert "2 packages" in ran.err
    assert f"{pair[1].stem}.sbom.json beside the zip" in ran.err
    assert layerforge("sbom", pair[1], "-o", "mine.json").out == ""
    assert (tmp_path / "mine.json").read_text() == ran.out


def test_the_sbom_of_a_build_tells_the_one_wheel_of_its_lock(pair: tuple[Path, Path]) -> None:
    beside = pair[1].with_suffix(".sbom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(beside) is None
    [demo] = [one for one in json.loads(beside)["components"] if one["name"] == "demo"]
    assert demo["hashes"][0]["content"] in pair[1].with_suffix(".lock").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.zip"], "absent.zip"),
        (["layer.zip", "-o", "y.zip"], "y.zip would take the place of a zip"),
        (["layer.zip", "-o", "y.ZIP"], "y.ZIP would take the place of a zip"),
        (["layer.lambda", "-o", "./layer.lambda"], "layer.lambda would take the place of a zip"),
        (["layer.zip", "-o", "no/such/y.json"], "there is no folder no/such"),
        (["layer.zip", "-o", "."], "is a directory"),
    ],
)
def test_an_sbom_of_nothing_or_in_an_impossible_place_is_refused(
    layerforge: Command, tmp_path: Path, arguments: list[str], words: str
) -> None:
    for name in ("layer.zip", "layer.lambda"):
        zips.of(tmp_path / name, {"python/a.py": b""})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    ran = layerforge("sbom", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_layer_without_metadata_is_not_said_to_be_empty(layerforge: Command, tmp_path: Path) -> None:
    path = zips.of(tmp_path / "layer.zip", {"python/a.py": b"", "python/b/__init__.py": b""})
    ran = layerforge("sbom", path, "-o", "-")
    assert "0 packages, 2 top-level modules without metadata" in ran.err
    assert [one["name"] for one in ran.json["components"]] == ["a", "b"]


def test_what_a_package_says_that_it_carries_is_in_the_sbom_of_the_build_and_of_the_zip(
    layerforge: Command, index: Path
) -> None:
    purl = "pkg:cargo/inner@2.0"
    inner = json.dumps({"bomFormat": "CycloneDX", "components": [{"name": "inner", "purl": purl}]}).encode()
    make_wheel(index, "fresh", "9.0")
    files = {"demo/__init__.py": b"", "demo-9.0.dist-info/sboms/inner.cdx.json": inner}
    make_wheel(index, version="9.0", files=files, requires=["fresh"])
    ran = layerforge("build", "demo==9.0", "--python", PYTHON, "--json", "--no-verify")
    assert ran.code == 0, ran.err
    path = index.parent / ran.json["layers"][0]["path"]
    for document in (json.loads(path.with_suffix(".sbom.json").read_text()), layerforge("sbom", path).json):
        [demo] = [one for one in document["components"] if one["name"] == "demo"]
        assert [one["purl"] for one in demo["components"]] == [purl]
        [row] = [row for row in document["dependencies"] if row["ref"] == demo["bom-ref"]]
        assert row["dependsOn"] == ["pkg:pypi/fresh@9.0"]


def test_the_licences_of_a_layer_stand_beside_it_from_the_store_too(layerforge: Command, index: Path) -> None:
    text = b"You may do with this as you like.\n"
    files = {"demo/__init__.py": b"", "demo-1.0.dist-info/licenses/LICENSE": text}
    make_wheel(index, files=files, metadata="License-Expression: MIT-0\n")
    texts = []
    for output in ("first", "again"):
        ran = layerforge("build", "demo", "--python", PYTHON, "--output", output, "--json", "--no-verify")
        assert ran.code == 0, ran.err
        path = Path(ran.json["layers"][0]["path"])
        texts.append((index.parent / path).with_suffix(".licences.txt").read_text())
    assert texts[0] == texts[1]
    assert "demo 1.0: MIT-0" in texts[0]
    assert text.decode() in texts[0]
    assert "the store has it" in ran.err
