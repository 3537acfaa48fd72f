from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import zips
from fakes import a_manifest
from layerforge.core import digest
from layerforge.report.manifest import manifest_json
from layerforge.resolve.recipe import Budget
from program import REFUSED_TOGETHER, Command, inside


def a_layer(path: Path, version: str, files: dict[str, bytes] | None = None) -> Path:
    """A layer with the package ``demo`` in that version."""
    path.parent.mkdir(exist_ok=True)
    made = {f"python/demo-{version}.dist-info/METADATA": f"Name: demo\nVersion: {version}\n".encode()}
    record = f"demo/__init__.py,,\ndemo/big.json,,\ndemo-{version}.dist-info/METADATA,,\n"
    made[f"python/demo-{version}.dist-info/RECORD"] = record.encode()
    return zips.of(path, {"python/demo/__init__.py": b"VALUE = 1\n", **made, **(files or {})})


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """An older layer, and a newer one with a file of 200 kB more and a package less."""
    gone = {"python/gone-3.dist-info/METADATA": b"Name: gone\nVersion: 3\n"}
    old = a_layer(tmp_path / "old" / "demo.zip", "1.0", gone)
    return old, a_layer(tmp_path / "new" / "demo.zip", "2.0", {"python/demo/big.json": os.urandom(200_000)})


def cold(path: Path, *times: int, function: str = "demo", **facts: Any) -> dict[str, Any]:
    """What ``layerforge coldstart`` would say of a layer."""
    sizes = [{"memory_mb": 1769, "init_ms": {"all": times} if times else None}]
    made = {"zip": path.name, "sha256": digest.of_file(path), "imports": [], "sizes": sizes}
    return made | {"function": {"imports": [function]}} | facts


def measured(path: Path, data: dict[str, Any]) -> None:
    path.with_suffix(".coldstart.json").write_text(json.dumps(data))


def init_row(text: str) -> list[str]:
    return next((line.split() for line in text.splitlines() if line.startswith("init at")), [])


# --- one layer


def test_the_tables_name_packages_kinds_files_and_copies(layerforge: Command, tmp_path: Path) -> None:
    copy = os.urandom(150_000)
    layer = a_layer(tmp_path / "layer.zip", "1.0", {"python/demo/a.bin": copy, "python/demo/b.bin": copy})
    ran = layerforge("inspect", layer, "--python", "3.12", "--arch", "arm64")
    assert ran.code == 0
    assert "layer.zip: for Python 3.12 on arm64" in ran.out
    assert f"sha256 {digest.of_file(layer)}" in ran.out
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["demo", "1.0", "5"] in [row[:3] for row in rows]
    assert "bytecode: none, for 1 sources" in ran.out
    assert "150.0 kB in copies of python/demo/a.bin: python/demo/b.bin" in ran.out


def test_native_code_is_told_with_its_machines_symbols_and_what_it_needs(layerforge: Command, tmp_path: Path) -> None:
    own = zips.library(tmp_path / "libown.so.1", soname="libown.so.1")
    other = zips.library(tmp_path / "libother.so.1", soname="libother.so.1")
    user = zips.library(tmp_path / "user.so", needs=[own, other])
    files = {"python/demo/user.so": user.read_bytes(), "lib/libown.so.1": own.read_bytes()}
    ran = layerforge("inspect", a_layer(tmp_path / "layer.zip", "1.0", files))
    assert "native code: 2 files for x86_64; 0 of them stripped" in ran.out
    line = next(line for line in ran.out.splitlines() if "libraries needed from outside" in line)
    assert "libother.so.1" in line
    assert "libown" not in line
    [member] = [one for one in layerforge("inspect", "layer.zip", "--json").json["native"] if "user" in one["path"]]
    assert {"libown.so.1", "libother.so.1"} <= set(member["needed"])


def test_the_json_of_a_layer_counts_every_byte_once(layerforge: Command, pair: tuple[Path, Path]) -> None:
    ran = layerforge("inspect", pair[1], "--json")
    shown = ran.json
    assert sum(one["unzipped"] for one in shown["packages"]) == shown["unzipped_bytes"] > 200_000
    assert sum(one["unzipped"] for one in shown["kinds"]) == shown["unzipped_bytes"]
    assert shown["packages"][0]["version"] == "2.0"
    assert shown["largest"][0]["path"] == "python/demo/big.json"
    assert "changes" not in shown


def test_advice_follows_the_tables_or_it_is_said_that_there_is_none(layerforge: Command, tmp_path: Path) -> None:
    headers = zips.of(tmp_path / "a.zip", {"python/a/_c.abi3.so": b"", "python/a/data.h": os.urandom(300_000)})
    [one] = layerforge("inspect", headers, "--json").json["advice"]
    shown = layerforge("inspect", headers).out
    assert shown.index("what would help most") < shown.index(one["message"]) < shown.index(one["how"])
    plain = zips.of(tmp_path / "b.zip", {"python/a/__init__.py": b""})
    assert "nothing was found that would save 100.0 kB or more" in layerforge("inspect", plain).out


def test_the_page_is_written_and_its_place_told(layerforge: Command, pair: tuple[Path, Path], tmp_path: Path) -> None:
    ran = layerforge("inspect", pair[1], "--against", pair[0], "--html", "page.html")
    assert ran.code == 0
    assert "page: page.html," in ran.err
    assert "big.json" in (tmp_path / "page.html").read_text()


# --- two layers


def test_growth_is_told_by_package_kind_and_file(layerforge: Command, pair: tuple[Path, Path]) -> None:
    ran = layerforge("inspect", pair[1], "--against", pair[0])
    assert ran.code == 0
    lines = [line.split() for line in ran.out.splitlines()]
    assert "new/demo.zip against" in lines[0][0] or "against" in lines[0]
    assert ["demo", "1.0", "→", "2.0"] in [line[:4] for line in lines]
    assert ["gone", "gone:", "3"] in [line[:3] for line in lines]
    assert "python/demo/big.json (new)" in ran.out
    assert "1 file new" in ran.out


def test_the_same_bytes_are_one_line(layerforge: Command, pair: tuple[Path, Path]) -> None:
    ran = layerforge("inspect", pair[0], "--against", pair[0], "--fail-if-grown", "0", "--markdown", "changes.md")
    assert ran.code == 0
    assert ran.out.count("\n") == 1
    assert "the same bytes, sha256" in ran.out
    assert Path("changes.md").read_text().startswith("### ")
    assert "|" not in Path("changes.md").read_text()


def test_the_same_files_packed_otherwise_are_said_to_be_so(layerforge: Command, tmp_path: Path) -> None:
    put = zips.Put(name="python/a.py", data=b"a = 1\n")
    old = zips.write(tmp_path / "old.zip", [put])
    new = zips.write(tmp_path / "new.zip", [replace(put, method=0)])
    assert (
        "new.zip against old.zip: the same files, packed otherwise" in layerforge("inspect", new, "--against", old).out
    )


def test_findings_that_came_and_that_went_are_told_apart(layerforge: Command, tmp_path: Path) -> None:
    clean = zips.of(tmp_path / "clean.zip", {"python/a.py": b"a = 1\n"})
    empty = {"python/a.py": b"a = 1\n", "python/e-1.dist-info/METADATA": b"Name: e\nVersion: 1\n"}
    stray = zips.of(tmp_path / "stray.zip", empty)
    worse = layerforge("inspect", stray, "--against", clean, "--markdown", "-")
    assert "new findings" in worse.err
    assert "**New findings**" in worse.out
    better = layerforge("inspect", clean, "--against", stray, "--markdown", "-")
    assert "gone" in better.err
    assert "- gone: LF" in better.out


def test_init_times_of_one_run_are_preferred_to_those_of_two(layerforge: Command, pair: tuple[Path, Path]) -> None:
    old, new = pair
    measured(old, cold(old, 900, 1000, 1300))
    measured(new, cold(new, 1500, 1600, 1700))
    apart = layerforge("inspect", new, "--against", old).out
    assert init_row(apart)[4:] == ["1,000", "ms", "1,600", "ms", "+600", "ms", "(+60.0%)"]
    assert "measures both in turns" in apart
    measured(new, cold(new, 1500, 1600, 1700, against=cold(old, 2000, 1700, 2100)))
    together = layerforge("inspect", new, "--against", old).out
    assert init_row(together)[4:] == ["2,000", "ms", "1,600", "ms", "-400", "ms", "(-20.0%)"]
    assert "in turns" not in together
    assert "may be chance" in together
    back = layerforge("inspect", old, "--against", new, "--json").json["changes"]
    assert (back["init_in_turns"], back["init_ms"]["change"]) == (True, 400)


def test_init_times_of_two_functions_are_not_held_against_each_other(
    layerforge: Command, pair: tuple[Path, Path]
) -> None:
    measured(pair[0], cold(pair[0], 900, function="other"))
    measured(pair[1], cold(pair[1], 1500))
    assert init_row(layerforge("inspect", pair[1], "--against", pair[0]).out) == []


def test_what_lies_beside_and_cannot_be_used_is_said(layerforge: Command, pair: tuple[Path, Path]) -> None:
    pair[0].with_suffix(".coldstart.json").write_text("{")
    assert "coldstart.json is not what its name says" in layerforge("inspect", pair[1], "--against", pair[0]).err


def test_more_packages_than_a_comment_takes_are_counted(layerforge: Command, tmp_path: Path) -> None:
    old = a_layer(tmp_path / "old.zip", "1.0")
    many = {f"python/p{n}-1.dist-info/METADATA": f"Name: p{n}\nVersion: 1\n".encode() for n in range(60)}
    ran = layerforge("inspect", a_layer(tmp_path / "new.zip", "1.0", many), "--against", old, "--markdown", "-")
    assert "… and 11 packages more" in ran.out
    assert sum(line.startswith("| p") and "new: 1" in line for line in ran.out.splitlines()) == 49


def test_more_findings_that_are_gone_than_a_comment_takes_are_counted(layerforge: Command, tmp_path: Path) -> None:
    many = {f"python/p{n}-1.dist-info/METADATA": f"Name: p{n}\nVersion: 1\n".encode() for n in range(52)}
    old = a_layer(tmp_path / "old.zip", "1.0", many)
    ran = layerforge("inspect", a_layer(tmp_path / "new.zip", "1.0"), "--against", old, "--markdown", "-")
    assert sum(line.startswith("- gone: LF205") for line in ran.out.splitlines()) == 50
    assert "\n… and 2 gone findings more\n" in ran.out


# --- gates


@pytest.mark.parametrize(
    ("limit", "code"), [("0%", 7), ("10 kB", 7), (" 0 ", 7), ("900%", 7), ("1 MB", 0), ("10000000%", 0)]
)
def test_growth_beyond_the_limit_is_refused_with_its_reasons(
    layerforge: Command, pair: tuple[Path, Path], limit: str, code: int
) -> None:
    ran = layerforge("inspect", pair[1], "--against", pair[0], "--fail-if-grown", limit, "--markdown", "changes.md")
    text = Path("changes.md").read_text()
    assert ran.code == code
    assert ("is larger than allowed" in text) is ("is larger than allowed" in ran.err) is bool(code)
    if code:
        assert "demo 1.0 → 2.0: +" in ran.err
        assert "python/demo/big.json (new): +200.0 kB" in ran.err


def test_a_size_above_the_recipes_budget_is_refused_however_little_it_grew(
    layerforge: Command, pair: tuple[Path, Path]
) -> None:
    made = a_manifest(sha256=digest.of_file(pair[1]), budget=Budget(unzipped=1000, zipped=10**9))
    pair[1].with_suffix(".manifest.json").write_text(manifest_json(made))
    ran = layerforge("inspect", pair[1], "--against", pair[0], "--fail-if-grown", "1 GB")
    assert ran.code == 7
    assert "bytes unzipped are above the recipe's budget of 1,000" in ran.err
    assert "bytes zipped" not in ran.err
    assert layerforge("inspect", pair[1], "--against", pair[0]).code == 0, "without a limit nothing is too large"


def test_a_layer_that_shrank_stays_within_every_limit(layerforge: Command, pair: tuple[Path, Path]) -> None:
    assert layerforge("inspect", pair[0], "--against", pair[1], "--fail-if-grown", "0").code == 0


@pytest.mark.parametrize(("arguments", "words"), REFUSED_TOGETHER)
def test_options_that_do_not_go_together_are_refused(
    layerforge: Command, tmp_path: Path, arguments: list[str], words: str
) -> None:
    zips.of(tmp_path / "layer.zip", {"python/a.py": b""})
    ran = layerforge("inspect", "layer.zip", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


def test_a_functions_code_is_held_against_the_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layerforge = inside(tmp_path, monkeypatch, capsys)
    layer = zips.of(tmp_path / "layer.zip", {"python/both.py": b"x = 1\n"})
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.py").write_text("")
    assert "it carries nothing that the layer has" in layerforge("inspect", layer, "--code", "src").out
    (tmp_path / "src/both.py").write_text("x = 22\n")
    shown = " ".join(layerforge("inspect", layer, "--code", "src").out.split())
    assert "the code carries both (7 bytes), which layer.zip has: the code's is imported" in shown
    told = layerforge("inspect", layer, "--code", "src", "--json").json["code"]
    assert (told["files"], told["bytes"], told["bytes_left"]) == (2, 7, 262_144_000 - 7 - 6)
    assert [one["name"] for one in told["twice"]] == ["both"]
