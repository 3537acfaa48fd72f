"""``inspect --against``, its gates, advice, and SBOMs, through the program on small real layers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import zips
from wheels import make_wheel

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LABEL = f"py{PYTHON.replace('.', '')}-x86_64"


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Ran]


def program(folder: Path) -> Command:
    """The program as a user would run it in ``folder``, without a container engine, on a wide screen."""

    def run(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Ran:
        own = {"LAYERFORGE_CACHE": str(folder / "store"), "NO_COLOR": "1", "COLUMNS": "200"}
        whole = {**os.environ, **own, "DOCKER_HOST": "unix:///nonexistent/docker.sock", **(env or {})}
        argv = [sys.executable, "-m", "layerforge", *map(str, arguments)]
        done = subprocess.run(argv, env=whole, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode != 1, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def layerforge(tmp_path: Path) -> Command:
    return program(tmp_path)


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
    assert (ran.code, ran.out) == (0, "")
    lines = [line.split() for line in ran.err.splitlines()]
    packages = [line[:4] for line in lines if line and line[0] in {"demo", "fresh", "gone"}]
    assert [line[0] for line in packages] == ["demo", "fresh", "gone"]
    assert packages[0] == ["demo", "1.0", "→", "2.0"]
    assert packages[1][1:3] == ["new:", "3.0"]
    assert packages[2][1:3] == ["gone:", "3.0"]
    assert "python/demo/big.json (new)" in ran.err
    assert "requirements: demo==1.0 → demo==2.0" in ran.err


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
    assert len(ran.err.splitlines()) == 1
    assert "the same bytes" in ran.err


def test_layers_of_any_make_can_be_compared(layerforge: Command, tmp_path: Path) -> None:
    old = zips.of(tmp_path / "old.zip", {"python/a.py": b"a = 1\n"})
    hostile = "python/[red]<b>|`x`.py"
    new = zips.of(tmp_path / "new.zip", {"python/a.py": b"a = 1\n", hostile: b"b" * 5000, "stray.txt": b""})
    ran = layerforge("inspect", new, "--against", old, "--markdown", "-")
    assert ran.code == 0, ran.err
    assert f"{hostile} (new)" in ran.err
    assert "<b>" not in ran.out
    assert "+5.0 kB" in ran.out


def test_measured_init_times_are_compared(layerforge: Command, pair: tuple[Path, Path]) -> None:
    for path, times in zip(pair, ([900, 1000, 1300], [1500, 1600, 1700]), strict=True):
        row = {"all": times, "median": times[1], "min": times[0], "max": times[2]}
        names = ("init_ms", "first_invoke_ms", "second_invoke_ms", "peak_memory")
        size = {"memory_mb": 1769, **dict.fromkeys(names, row)}
        told = {"zip": path.name, "imports": [], "sizes": [size]}
        path.with_suffix(".coldstart.json").write_text(json.dumps(told))
    ran = layerforge("inspect", pair[1], "--against", pair[0])
    assert "init at 1,769 MB" in ran.err
    assert "+600 ms (+60.0%)" in ran.err


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
        assert "unzipped size grew by +20" in ran.err
        assert "python/demo/big.json: +200.0 kB" in ran.err
        assert "is larger than allowed" in text


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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fail-if-grown", "2%"], "go with --against"),
        (["--markdown", "x.md"], "go with --against"),
        (["--against", "layer.zip", "--fail-if-grown", "lots"], "'lots' is no limit"),
        (["--against", "layer.zip", "--fail-if-grown", "-1%"], "'-1%' is no limit"),
        (["--against", "layer.zip", "--json", "--markdown", "-"], "standard output"),
        (["--against", "layer.zip", "--markdown", "layer.zip"], "take the place of a zip"),
        (["--against", "layer.zip", "--markdown", "absent/x.md"], "absent"),
        (["--against", "absent.zip"], "absent.zip"),
    ],
)
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
    path = zips.of(tmp_path / "layer.zip", {"python/a/__init__.py": b"", "python/a/tests/data.bin": data})
    [one] = layerforge("inspect", path, "--json").json["advice"]
    assert (one["kind"], one["bytes"], one["files"]) == ("dead-weight", 300_000, 1)
    shown = layerforge("inspect", path).err
    assert shown.index("what would help most") < shown.index(one["message"]) < shown.index(one["how"])
    assert "tests take" not in shown, "said once"


def test_a_layer_that_needs_no_advice_gets_none(layerforge: Command, pair: tuple[Path, Path]) -> None:
    assert layerforge("inspect", pair[0], "--json").json["advice"] == []
    assert "what would help" not in layerforge("inspect", pair[0]).err


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


@pytest.mark.parametrize(("arguments", "words"), [(["absent.zip"], "absent.zip"), (["x.zip", "-o", "y.zip"], "y.zip")])
def test_an_sbom_of_nothing_or_in_place_of_a_zip_is_refused(
    layerforge: Command, arguments: list[str], words: str
) -> None:
    ran = layerforge("sbom", *arguments)
    assert ran.code == 2
    assert words in ran.err


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
