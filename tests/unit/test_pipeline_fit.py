"""Layers that have to fit: what is chosen makes the very layer that its options make, and is told wherever it is."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from layerforge import pipeline, twice
from layerforge.build import wire
from layerforge.build.work import layer_work_of, sources_of
from layerforge.core.errors import VerificationError
from layerforge.core.limits import LAMBDA_UNZIPPED_LIMIT
from layerforge.layer.fit_search import Fitted
from layerforge.pipeline import Delivered
from layerforge.report.delivery import Layer
from layerforge.resolve.fit import Fit, Way, parse_fit
from layerforge.resolve.recipe import BytecodeMode, Compression
from sdists import publish
from unit.test_pipeline import STEM, Line, compiled, line, names_in, prepared
from wheels import lock_of, make_wheel

__all__ = ["compiled", "line"]

SMALL, RUNTIME, ONLY, MAX = Way
WORDS = [f"{letter}{number}" for letter in "abcdefgh" for number in range(97)]
DATA = random.Random(7).randbytes(150_000)
OPTIONS: Mapping[Way, dict[str, Any]] = {
    SMALL: {"compression": Compression.SMALL},
    RUNTIME: {"leave_out": ("runtime",)},
    ONLY: {"bytecode": BytecodeMode.ONLY},
    MAX: {"compression": Compression.MAX},
}


def a_module(lines: int) -> bytes:
    """A source that every compressor packs differently, with a docstring and comments, the same every time."""
    chance = random.Random(7)
    told = [" ".join(chance.choices(WORDS, k=12)) for _ in range(lines)]
    return f'"""{told[0]}"""\n'.encode() + b"".join(
        f"# {text}\nV{number} = {text!r}\n".encode() for number, text in enumerate(told)
    )


@pytest.fixture
def fitting(line: Line, index: Path) -> Line:
    """A line whose index has boto3, which Lambda's Python has, and a package that asks for it."""
    make_wheel(index, "demo", "2.0", {"demo/__init__.py": a_module(600)}, requires=["boto3"])
    make_wheel(index, "boto3", "1.40.0", {"boto3/data.bin": DATA}, requires=["jmespath<2"])
    make_wheel(index, "jmespath", "1.0.1", {"jmespath/__init__.py": b"A = 1\n"})
    return line


def explicit(line: Line, *ways: Way) -> Layer:
    """The layer that is made with the options of some ways."""
    facts = {name: value for way in ways for name, value in OPTIONS[way].items()}
    return line.forge("demo", out="-".join(ways) or "plain", **facts)


def fitted(line: Line, zipped: int | None = None, room: int = 0, **facts: Any) -> Layer:
    return line.forge("demo", out="fitted", **{"fit": Fit(zipped=zipped, room=room), "compression": None, **facts})


def of(layer: Layer) -> Fitted:
    assert layer.manifest.fit is not None
    return layer.manifest.fit


@pytest.mark.parametrize(
    "ways", [(), (SMALL,), (SMALL, RUNTIME), (SMALL, ONLY), (SMALL, RUNTIME, ONLY), (RUNTIME, ONLY, MAX)], ids=str
)
def test_a_layer_is_the_one_that_the_options_make_which_were_chosen_for_it(
    ways: tuple[Way, ...], fitting: Line
) -> None:
    # What is not to be chosen is decided otherwise.
    facts: dict[str, Any] = {} if ONLY in ways else {"bytecode": BytecodeMode.BESIDE}
    facts |= {} if RUNTIME in ways else {"verify": False}
    known = explicit(fitting, *ways)
    made = fitted(fitting, known.manifest.zip_bytes, **facts)
    assert of(made).taken == ways
    said = (
        "sha256",
        "content_sha256",
        "bytecode",
        "compression",
        "left_out",
        "packages",
        "edits",
        "env",
        "unzipped_bytes",
    )
    assert [getattr(made.manifest, name) for name in said] == [getattr(known.manifest, name) for name in said]
    files, others = fitting.written("fitted"), fitting.written("-".join(ways) or "plain")
    assert {name: data for name, data in files.items() if not name.endswith("manifest.json")} == {
        name: data for name, data in others.items() if not name.endswith("manifest.json")
    }


def test_what_was_tried_stands_in_the_manifest_with_its_sizes(fitting: Line) -> None:
    plain, small = explicit(fitting), explicit(fitting, SMALL)
    made = fitted(fitting, small.manifest.zip_bytes)
    [first, second] = json.loads(fitting.written("fitted")[f"{STEM}.manifest.json"])["fit"]["tries"]
    assert (first["ways"], first["zipped"], first["fits"]) == ([], plain.manifest.zip_bytes, False)
    assert (second["ways"], second["zipped"]) == (["--compression small"], made.manifest.zip_bytes)
    assert "trying --compression small" in fitting.progress.lines


def test_a_layer_that_comes_from_the_store_tells_what_was_chosen_and_is_not_made_or_run_again(fitting: Line) -> None:
    limit = explicit(fitting, SMALL, RUNTIME, ONLY).manifest.zip_bytes
    first = fitted(fitting, limit)
    runs = len(fitting.engine.jobs)
    before = fitting.written("fitted")
    again = fitted(fitting, limit)
    assert "compress" not in fitting.progress.steps
    assert again.manifest == first.manifest
    assert again.verdict == first.verdict
    assert len(fitting.engine.jobs) == runs
    assert fitting.written("fitted") == before
    assert f"{STEM}.lock" in before
    assert b"boto3" not in before[f"{STEM}.lock"], "the lock is that of what is in the layer"


def test_every_part_of_the_work_is_done_once(fitting: Line) -> None:
    limit = explicit(fitting, RUNTIME, ONLY, MAX).manifest.zip_bytes
    fitting.store = "another"
    fitted(fitting, limit)
    steps = fitting.progress.steps
    assert steps.count("install") == 2, "with the runtime's packages and without"
    assert steps.count("strip") == 2
    assert steps.count("bytecode") == 4
    assert steps.count("compress") == 6


def test_other_machines_choose_the_same(fitting: Line) -> None:
    limit = explicit(fitting, SMALL, ONLY).manifest.zip_bytes
    fitted(fitting, limit, verify=False)
    first = fitting.written("fitted")
    fitting.store = "another"
    fitted(fitting, limit, verify=False)
    assert fitting.written("fitted") == first


def test_room_for_the_function_is_made_without_packing_anything_twice(fitting: Line) -> None:
    size = explicit(fitting, RUNTIME).manifest.unzipped_bytes
    made = fitted(fitting, room=LAMBDA_UNZIPPED_LIMIT - size)
    assert of(made).taken == (RUNTIME,)
    assert fitting.progress.steps.count("compress") == 1
    assert made.manifest.compression is Compression.FAST
    assert {one.name for one in made.manifest.left_out} == {"boto3", "jmespath"}


@pytest.mark.parametrize("requirement", ["boto3>=1", "boto3[crt]"])
def test_the_runtimes_packages_stay_where_a_person_names_a_version_or_an_extra(requirement: str, fitting: Line) -> None:
    limit = explicit(fitting, SMALL, RUNTIME).manifest.zip_bytes
    with pytest.raises(VerificationError) as caught:
        fitting.forge("demo", requirement, fit=Fit(zipped=limit), compression=None)
    assert any(f"{requirement} is asked for, and the runtime may have another" in one for one in caught.value.details)


@pytest.mark.parametrize("requirement", ["boto3<1.41", "boto3>=1.39", "boto3[crt]"])
def test_they_stay_where_a_package_that_stays_asks_for_certain_versions(
    requirement: str, fitting: Line, index: Path
) -> None:
    make_wheel(index, "demo", "3.0", {"demo/__init__.py": a_module(600)}, requires=[requirement])
    limit = explicit(fitting, SMALL, RUNTIME).manifest.zip_bytes
    with pytest.raises(VerificationError) as caught:
        fitted(fitting, limit)
    assert any(f"demo asks for {requirement}" in one for one in caught.value.details)


def test_what_is_not_run_beside_the_runtimes_packages_keeps_them(fitting: Line) -> None:
    limit = explicit(fitting, SMALL, RUNTIME).manifest.zip_bytes
    with pytest.raises(VerificationError):
        fitted(fitting, limit, verify=False)
    fitting.engine.refuses = "this machine has other plans"
    with pytest.raises(VerificationError):
        fitted(fitting, limit)


def test_a_layer_that_does_not_run_without_them_says_how_to_keep_them(fitting: Line) -> None:
    limit = explicit(fitting, SMALL, RUNTIME).manifest.zip_bytes
    fitting.store = "another"
    fitting.engine.failing = {"demo": "ImportError: cannot import name 'x' from 'boto3'"}
    with pytest.raises(VerificationError) as caught:
        fitted(fitting, limit)
    assert '"boto3>=1" as a requirement keeps them' in caught.value.hint


def test_a_layer_that_cannot_be_run_without_them_is_not_delivered(fitting: Line) -> None:
    limit = explicit(fitting, SMALL, RUNTIME).manifest.zip_bytes
    fitting.store = "another"
    # It has to install them first, and the index has not all of them.
    fitting.engine.has_runtime_packages = False
    with pytest.raises(VerificationError, match="to fit, and was not run: it counts on packages") as caught:
        fitted(fitting, limit)
    assert '"boto3>=1" as a requirement keeps them' in caught.value.hint
    assert not fitting.written("fitted")


def test_what_is_too_large_for_lambda_is_not_said_to_be_too_large_for_the_limit(line: Line, index: Path) -> None:
    make_wheel(index, "large", "1.0", {"large/zeros.bin": bytes(LAMBDA_UNZIPPED_LIMIT)})
    with pytest.raises(VerificationError, match=r"does not fit Lambda, 262\.1 MB unzipped: the sma"):
        line.forge("large", fit=Fit(zipped=60_000_000), compression=None)


def test_what_does_not_fit_is_not_written_and_what_it_says_to_take_out_is_enough(line: Line, index: Path) -> None:
    make_wheel(index, "little", "1.0", {"little/__init__.py": a_module(600)})
    make_wheel(index, "large", "1.0", {"large/__init__.py": a_module(2000)}, requires=["only-its"])
    make_wheel(index, "only-its", "1.0", {"only_its/data.bin": DATA})
    words, fit = ("demo", "little", "large"), Fit(zipped=25_000)
    with pytest.raises(VerificationError, match=r"demo-little-large does not fit 25\.0 kB zipped: the sma") as caught:
        line.forge(*words, fit=fit, compression=None)
    assert not line.written()
    [first, *_] = [one for one in caught.value.details if one.startswith("`")]
    assert first.startswith("`--leave-out large` takes ")
    assert first.endswith(" kB of the zip away: large is asked for")
    assert "add `--leave-out large` to the command, and make large a layer of its own" in caught.value.hint
    made = line.forge(*words, fit=fit, compression=None, leave_out=("large",))
    assert made.manifest.zip_bytes <= 25_000
    [larger] = re.findall(r"`--fit (\S+)`", caught.value.hint)
    assert line.forge(*words, fit=parse_fit(larger), compression=None).manifest.fit is not None


def test_a_single_package_that_does_not_fit_leaves_nothing_to_take_out(fitting: Line) -> None:
    with pytest.raises(VerificationError) as caught:
        fitting.forge("boto3", fit=Fit(zipped=100_000), compression=None)
    assert caught.value.hint == "allow more with `--fit 0.2MB`"
    with pytest.raises(VerificationError) as caught:
        fitting.forge("boto3", fit=Fit(room=LAMBDA_UNZIPPED_LIMIT - 100_000), compression=None)
    assert caught.value.hint == "leave the function less with `--fit room=261.9MB`"


def test_settings_that_are_given_stay_as_they_are(fitting: Line) -> None:
    limit = explicit(fitting, SMALL, RUNTIME).manifest.zip_bytes
    given: dict[str, Any] = {"compression": Compression.FAST, "bytecode": BytecodeMode.BESIDE}
    with pytest.raises(VerificationError) as caught:
        fitted(fitting, limit, **given)
    told = " ".join(caught.value.details)
    assert "--compression" not in told
    assert "--bytecode" not in told
    made = fitted(fitting, limit + 20_000, **given)
    assert (of(made).taken, made.manifest.compression) == ((RUNTIME,), Compression.FAST)


def test_by_itself_a_small_layer_is_compressed_fast_and_nothing_is_told(line: Line) -> None:
    fast = line.forge("demo", out="fast")
    made = line.forge("demo", compression=None)
    assert made.manifest.fit is None
    assert made.manifest.sha256 == fast.manifest.sha256
    assert line.progress.steps.count("compress") == 1


def test_the_work_of_a_layer_that_has_to_fit_is_the_same_behind_the_wire(fitting: Line) -> None:
    facts: dict[str, Any] = {"fit": Fit(zipped=5), "compression": None}
    planned = fitting.plan("demo", **facts)
    assert planned.without is not None
    work = layer_work_of(planned, "", verify=True)
    assert wire.work_of(wire.text_of(work)) == work
    assert replace(work.plan, goal=None) != work.plan


def test_sources_go_with_bytecode_alone(fitting: Line) -> None:
    made = fitted(fitting, explicit(fitting, SMALL, ONLY).manifest.zip_bytes, verify=False)
    assert "python/demo/__init__.pyc" in names_in(made.path)
    assert "python/demo/__init__.py" not in names_in(made.path)


def test_a_layer_that_is_made_twice_is_settled_twice_the_same(fitting: Line) -> None:
    limit = explicit(fitting, SMALL, RUNTIME).manifest.zip_bytes
    [one] = prepared(fitting, "demo", fit=Fit(zipped=limit), compression=None, bytecode=BytecodeMode.BESIDE)
    [(_, ended)] = twice.layers([one], lambda found: pipeline.here(found, 1))
    assert isinstance(ended, Delivered)
    assert of(ended.layer).taken == (SMALL, RUNTIME)
    assert any("was made twice, the same" in said for said in fitting.progress.lines)
    assert b"boto3" not in fitting.written("out")[f"{STEM}.lock"]


def test_what_is_compiled_is_the_same_without_the_runtimes_packages(compiled: Line, index: Path) -> None:
    boto3 = make_wheel(index, "boto3", "1.40.0")
    publish(index, compiled.folder / "simple")
    recipe = compiled.folder / "recipes" / "demo"
    lock = recipe / "requirements.lock"
    lock.write_text(lock.read_text() + lock_of(boto3))
    planned = compiled.plan(recipe, fit=Fit(zipped=1))
    assert planned.without is not None
    assert [one.name for one in planned.without.spec.left_out] == ["boto3"]
    assert sources_of(planned.without) == sources_of(planned) != {}
    assert {pin.name for pin in planned.pins} - {pin.name for pin in planned.without.pins} == {"boto3"}


def test_what_cannot_be_told_of_them_is_said_and_they_stay(compiled: Line, index: Path) -> None:
    # The lock holds it, and no index has it, so nobody knows what requires what.
    recipe = compiled.folder / "recipes" / "demo"
    lock = recipe / "requirements.lock"
    lock.write_text(lock.read_text() + lock_of(make_wheel(compiled.folder / "elsewhere", "boto3", "1.40.0")))
    (index / "demo-1.0-py3-none-any.whl").unlink()
    publish(index, compiled.folder / "simple")
    planned = compiled.plan(recipe, fit=Fit(zipped=1))
    assert planned.without is None
    assert planned.goal is not None
    assert RUNTIME not in planned.goal.ways
    assert any("whether the runtime's own packages could go cannot be told" in one for one in compiled.progress.lines)
