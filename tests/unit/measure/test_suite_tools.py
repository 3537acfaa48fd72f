"""What the tests of a package need beside it, and what is said where they fare otherwise than on the wheels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from fakes import FakeProgress, target
from layerforge.build.engine import Image
from layerforge.core.runtimes import Arch
from layerforge.layer.distributions import Distribution
from layerforge.measure.suite import test_tools
from layerforge.measure.suite.compare import Proof, compare
from layerforge.measure.suite.prepare import locked_beside
from layerforge.measure.suite.pytest_run import End, SuiteRun
from layerforge.resolve.errors import LockError
from wheels import lock_of, make_wheel

DEMO = Distribution(name="demo", version="1.0", info="python/demo-1.0.dist-info", record=None)
WISHES = "Name: demo\nProvides-Extra: test\nRequires-Dist: {0} ; extra == 'test'\n"


@pytest.fixture
def packages(index: Path) -> Path:
    """An index with the package and what every suite is run with."""
    for name in ("pytest", "pytest-xdist", "pytest-timeout", "hypothesis"):
        make_wheel(index, name, "9.0")
    make_wheel(index, "demo", "1.0")
    make_wheel(index, "wished", "2.0")
    return index


def test_what_a_package_asks_for_to_be_tested_comes_along_at_the_layers_versions(packages: Path) -> None:
    make_wheel(packages, "demo", "1.1")
    progress = FakeProgress()
    found = test_tools.tools(DEMO, WISHES.format("wished"), [DEMO], target(), progress)
    assert {pin.name: pin.version for pin in found}.items() >= {"wished": "2.0", "demo": "1.0"}.items()
    assert progress.warnings == []


def test_wishes_that_cannot_be_met_are_told_and_left_out(packages: Path) -> None:
    progress = FakeProgress()
    found = test_tools.tools(DEMO, WISHES.format("wished>=3"), [DEMO], target(), progress)
    assert "wished" not in {pin.name for pin in found}
    assert "demo" in {pin.name for pin in found}
    [warning] = progress.warnings
    assert warning.startswith("without what the tests of demo ask for: ")


def test_a_layer_whose_own_packages_the_index_lacks_is_no_matter_of_wishes(packages: Path) -> None:
    lost = Distribution(name="lost", version="1.0", info="python/lost-1.0.dist-info", record=None)
    for metadata in ("Name: demo\n", WISHES.format("wished")):
        with pytest.raises(LockError, match="lost"):
            test_tools.tools(DEMO, metadata, [DEMO, lost], target(), FakeProgress())


def test_the_metadata_of_a_package_is_found_whatever_its_folder_is_called(tmp_path: Path) -> None:
    for folder, name in (("other-1.dist-info", "other"), ("De.Mo-1.dist-info", "DEMO")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "METADATA").write_text(f"Name: {name}\nSummary: of {name}\n")
    assert "of DEMO" in test_tools.metadata_of(tmp_path, DEMO)
    assert test_tools.metadata_of(tmp_path / "De.Mo-1.dist-info", DEMO) == ""
    assert test_tools.recorded(tmp_path, "demo") == []


def test_a_layer_without_a_lock_beside_it_is_held_against_the_index_alone(packages: Path, tmp_path: Path) -> None:
    assert locked_beside(tmp_path / "layer.zip", target()) == {}
    (tmp_path / "layer.lock").write_text(lock_of(packages / "demo-1.0-py3-none-any.whl"))
    assert locked_beside(tmp_path / "layer.zip", target())["demo"].version == "1.0"


# --- findings


def a_run(tests: Mapping[str, str], ending: str = "") -> SuiteRun:
    made = {name: End(outcome=end, seconds=0.1, message="") for name, end in tests.items()}
    return SuiteRun(tests=made, seconds=1.0, total=len(tests), ending=ending, log="layerforge-suite: x\n\nlast words\n")


def a_proof(layer: SuiteRun, wheels: SuiteRun) -> Proof:
    return Proof(
        package="demo",
        version="1.0",
        image=Image(reference="test", digest="sha256:1", arch=Arch.X86_64),
        selection=(),
        layer=layer,
        wheels=wheels,
        compared=compare(layer, wheels),
        excused={},
        unused=(),
        flaky=(),
        alone={},
        seconds={},
    )


def told(layer: SuiteRun, wheels: SuiteRun) -> list[tuple[str, str, str]]:
    return [(one.rule, one.path, one.message) for one in a_proof(layer, wheels).findings]


def test_tests_that_are_gone_are_told_by_function_with_how_many_of_its_parameters() -> None:
    wheels = a_run(
        {f"t.py::many[{letter}]": "passed" for letter in "abc"} | {"t.py::one": "passed", "t.py::k": "passed"}
    )
    layer = a_run({"t.py::k": "passed", "t.py::many[a]": "passed"})
    assert told(layer, wheels) == [
        ("LF406", "t.py::many", "2 of its parameters are not there, and on the index's wheels did not fail"),
        ("LF406", "t.py::one", "is not there, and on the index's wheels did not fail"),
    ]


def test_a_test_that_fails_and_that_the_wheels_do_not_have_counts_too() -> None:
    [(rule, path, message)] = told(a_run({"t.py::new": "failed"}), a_run({"t.py::old": "failed"}))
    assert (rule, path) == ("LF405", "t.py::new")
    assert message == "failed here, not there on the index's wheels: no message"


def test_a_run_that_was_stopped_is_told_with_the_last_words_of_its_log() -> None:
    [(rule, _, message)] = told(
        a_run({"t.py::a": "passed"}, "pytest ended with status 3"), a_run({"t.py::a": "passed"})
    )
    assert (rule, message) == ("LF407", "pytest ended with status 3\n    last words")
