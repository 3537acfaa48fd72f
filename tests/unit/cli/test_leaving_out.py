"""A layer without what another place has, from the command line to the files beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from layerforge.core.runtimes import runtimes
from layerforge.resolve import excluding
from program import PYTHON, Command, Ran
from wheels import lock_of, make_wheel

DEMO = b"import six\nANSWER = six.VALUE\n"
LAZY = b"def use():\n    import huge\n    return huge.VALUE\n"


@dataclass(kw_only=True)
class Place:
    """A folder to build in, with an index of its own."""

    folder: Path
    index: Path
    run: Command

    def build(self, *words: str) -> Ran:
        made = ("--engine", "host", "--python", PYTHON, "-o", str(self.folder / "out"))
        return self.run("build", *words, *made)

    def manifest(self, name: str = "demo") -> dict[str, Any]:
        [path] = (self.folder / "out").glob(f"{name}-*.manifest.json")
        found: dict[str, Any] = json.loads(path.read_text())
        return found


@pytest.fixture
def place(layerforge: Command, index: Path, tmp_path: Path) -> Place:
    """demo imports six at once, lazy needs huge and imports it late; the runtime's packages are to be had."""
    for name in excluding.distributions(runtimes()[PYTHON]):
        make_wheel(index, name, "1.0", {f"{name.removeprefix('python-')}.py": b"VALUE = 42\n"})
    make_wheel(index, files={"demo/__init__.py": DEMO}, requires=["six"])
    make_wheel(index, "lazy", files={"lazy/__init__.py": LAZY}, requires=["huge"])
    make_wheel(index, "huge", files={"huge/__init__.py": b"VALUE = 1\n"}, requires=["only-its"])
    make_wheel(index, "only-its", files={"only_its.py": b""})
    return Place(folder=tmp_path, index=index, run=layerforge)


def test_a_layer_without_what_the_runtime_has_is_run_beside_that_and_says_so(place: Place) -> None:
    done = place.build("demo", "--leave-out", "runtime", "--json")
    assert done.code == 0, done.err
    [layer] = done.json["layers"]
    out = [{"name": "six", "version": "1.0", "why": "runtime", "bytes": None}]
    assert layer["left_out"] == out
    assert [one["name"] for one in layer["packages"]] == ["demo"]
    made = place.manifest()
    assert made["left_out"] == out
    assert (made["verified"]["engine"], made["verified"]["findings"]) == ("host", [])
    assert "  left out: six 1.0\n" in done.err
    assert "to run the layer with" in done.err


def test_what_the_runtime_has_is_left_out_by_its_name_too_and_the_zip_is_verified_beside_it(place: Place) -> None:
    assert place.build("demo", "--leave-out", "six").code == 0
    [path] = (place.folder / "out").glob("demo-*.zip")
    done = place.run("verify", str(path), "--engine", "host", "--json")
    assert done.code == 0, done.err
    assert done.json["findings"] == []
    assert done.json["engine"] == "host"


def test_a_layer_that_holds_all_has_to_prove_itself_alone(place: Place) -> None:
    make_wheel(place.index, "sly", files={"sly/__init__.py": DEMO})
    done = place.build("sly")
    assert done.code == 7
    assert "No module named 'six'" in done.err
    assert not (place.folder / "store" / "store-v2" / "runtime-packages").exists()


def test_a_package_goes_with_what_only_it_needs_and_the_layer_is_smaller(place: Place) -> None:
    assert place.build("lazy", "--leave-out", "huge").code == 0
    made = place.manifest("lazy")
    assert [one["name"] for one in made["packages"]] == ["lazy"]
    assert [(one["name"], one["why"]) for one in made["left_out"]] == [
        ("huge", "asked"),
        ("only-its", "only needed by it"),
    ]


def test_what_is_imported_at_once_cannot_be_left_out_and_the_finding_names_the_option(place: Place) -> None:
    make_wheel(place.index, "eager", files={"eager/__init__.py": b"import huge\n"}, requires=["huge"])
    done = place.build("eager", "--leave-out", "huge")
    assert done.code == 7
    assert "No module named 'huge'" in done.err
    assert "--leave-out has taken huge away, which is needed at once" in " ".join(done.err.split())


def test_without_the_runtimes_packages_nothing_is_run_and_that_is_not_kept(place: Place) -> None:
    (place.index / "boto3-1.0-py3-none-any.whl").unlink()
    first = place.build("demo", "--leave-out", "six")
    assert first.code == 0
    assert "counts on packages of Lambda's own Python, which cannot be had" in " ".join(first.err.split())
    make_wheel(place.index, "boto3", "1.0", {"boto3.py": b""})
    assert place.build("demo", "--leave-out", "six").code == 0
    assert place.manifest()["verified"]["skipped"] == ""


def test_a_plan_tells_what_is_left_out_and_each_choice_is_a_plan_of_its_own(place: Place) -> None:
    plans = [
        place.run("plan", "lazy", "--engine", "host", "--python", PYTHON, "--json", *words).json
        for words in ((), ("--leave-out", "huge"))
    ]
    assert plans[0]["recipe"]["left_out"] == []
    assert [one["name"] for one in plans[1]["recipe"]["left_out"]] == ["huge", "only-its"]
    assert plans[0]["key"] != plans[1]["key"]
    shown = place.run("plan", "lazy", "--engine", "host", "--python", PYTHON, "--leave-out", "huge").out
    assert "  left out huge 1.0 (asked)\n  left out only-its 1.0 (only needed by it)\n" in shown


def test_a_lock_is_written_without_it_and_a_layer_is_built_from_that(place: Place) -> None:
    assert place.run("lock", "lazy", "--leave-out", "huge", "--python", PYTHON, "-o", "mine.lock").code == 0
    text = Path("mine.lock").read_text()
    assert "Renew with: layerforge lock lazy --leave-out huge -o mine.lock" in text.splitlines()[0]
    assert "huge==" not in text
    done = place.build("lazy", "--lock", "mine.lock")
    assert done.code == 0, done.err
    assert [one["name"] for one in place.manifest("lazy")["left_out"]] == ["huge", "only-its"]


def test_a_lock_that_holds_all_is_built_from_without_it(place: Place) -> None:
    wheels = [next(place.index.glob(f"{name}-*")) for name in ("lazy", "huge", "only_its")]
    Path("mine.lock").write_text(lock_of(*wheels).replace("only_its", "only-its"))
    assert place.build("lazy", "--lock", "mine.lock", "--leave-out", "huge").code == 0
    assert [one["name"] for one in place.manifest("lazy")["packages"]] == ["lazy"]


@pytest.mark.parametrize("command", ["build", "plan", "lock"])
def test_what_stays_out_cannot_be_compiled_whatever_the_command(command: str, place: Place) -> None:
    done = place.run(command, "lazy", "--leave-out", "Huge", "--from-source", "huge")
    assert done.code != 0
    if command == "lock":
        assert "huge cannot be left out and compiled" in done.err
