from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builders import IMAGE, a_library
from fakes import target
from layerforge import __version__
from layerforge.build import wire
from layerforge.build.errors import EngineError
from layerforge.build.interpreters import Interpreter
from layerforge.build.plan import Plan, Toolchain, plan
from layerforge.build.work import LackingError, StepWork, Work, layer_work_of, sources_of, work_of
from layerforge.core.errors import LayerforgeError, StepError, StoreError, UsageError, VerificationError
from layerforge.core.findings import Finding, Severity
from layerforge.core.runtimes import Arch
from layerforge.core.store.objects import FarStoreError
from layerforge.resolve import lock
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.compose import compose
from layerforge.resolve.errors import LockError, RecipeError
from layerforge.resolve.fit import Fit, Goal
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Compression, Data, Patch, Source
from layerforge.resolve.targets import requests

LAYERS = [recipe.name for recipe in catalogue().all() if recipe.layer]
TOOL = Pin(name="tool", version="1", hashes=("sha256:" + "a" * 64,), extras=("x",))


def plan_of(name: str, arch: Arch = Arch.X86_64) -> Plan:
    """The plan of a bundled recipe's layer, compiled."""
    [request] = requests([name], None)
    assert request.lock is not None
    pins = lock.applicable(lock.parse(request.lock.read_text(), name), target(arch=arch))
    spec = compose(request.spec, pins, request.catalogue, target(arch=arch), compiling=True, image=True).spec
    build_pins = {part.name: (TOOL,) for part in spec.packages}
    interpreter = Interpreter(path=Path("python"), version="3.13.1")
    toolchain = Toolchain(image=IMAGE, build_pins=build_pins)
    return plan(spec, target(arch=arch), pins, Compression.MAX, interpreter, 315532800, toolchain)


def works_of(planned: Plan) -> Iterator[Work]:
    """The layer of a plan, and each of its steps, as work."""
    yield layer_work_of(planned, "sha256:1", verify=True, made=("a", "b"))
    for step in sources_of(planned).values():
        yield work_of(planned, step, Source(url="https://nowhere.invalid/a.tar.gz", sha256="b" * 64), "sha256:1")
        yield work_of(planned, step, None, "sha256:1")


@pytest.mark.parametrize("arch", list(Arch))
@pytest.mark.parametrize("name", LAYERS)
def test_the_work_of_every_recipe_that_comes_along_is_the_same_behind_the_wire(name: str, arch: Arch) -> None:
    for work in works_of(plan_of(name, arch)):
        text = wire.text_of(work)
        assert wire.work_of(text) == work
        assert wire.text_of(wire.work_of(text)) == text


def test_some_recipes_that_come_along_compile_so_that_steps_of_every_kind_were_on_the_wire() -> None:
    steps = [step for name in LAYERS for step in sources_of(plan_of(name)).values()]
    assert {type(step).__name__ for step in steps} == {"LibraryStep", "PackageStep", "SystemStep"}


def a_plan() -> Plan:
    spec = LayerSpec(
        name="demo",
        requires=("demo",),
        folder=Path("/somewhere/secret"),
        libraries=(a_library("a"),),
        data=(
            Data(package="demo", name="d", source=Source(url="file:///d", sha256="c" * 64), into="share", files=("*",)),
        ),
        patches=(Patch(package="demo", name="p.patch", text="--- a\n+++ b\n\u00e9\n"),),
    )
    planned = plan(spec, target(), (TOOL,), Compression.FAST, None, 0, Toolchain(image=IMAGE, build_pins={}))
    # One that has to fit may become another, which is told beside it.
    planned = replace(planned, goal=Goal(fit=Fit(zipped=9)), without=replace(planned, key="another"))
    return replace(planned, indexes=("--index-url https://user:password@nowhere.invalid",))


def test_neither_a_password_nor_a_folder_of_recipes_goes_over_the_wire() -> None:
    for work in works_of(a_plan()):
        text = wire.text_of(work)
        assert "password" not in text
        assert "secret" not in text
        assert wire.work_of(text) == work


STEP = json.loads(wire.text_of(next(one for one in works_of(a_plan()) if isinstance(one, StepWork))))
LAYER = json.loads(wire.text_of(next(works_of(a_plan()))))


def test_work_of_a_newer_schema_says_to_renew_this_machines_layerforge() -> None:
    with pytest.raises(UsageError, match=f"layerforge {__version__} is older") as caught:
        wire.work_of(json.dumps(STEP | {"schema": wire.SCHEMA + 1, "more": 1}))
    assert "start the worker again" in caught.value.hint


def test_a_layer_is_made_by_the_layerforge_that_planned_it_and_a_step_by_any() -> None:
    with pytest.raises(UsageError, match=r"the job is of 9\.9"):
        wire.work_of(json.dumps(LAYER | {"layerforge": "9.9"}))
    assert wire.work_of(json.dumps(STEP | {"layerforge": "9.9"}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        json.dumps(STEP | {"schema": True}),
        json.dumps(STEP | {"schema": 0}),
        json.dumps(STEP | {"schema": "1"}),
        json.dumps(STEP | {"step": None}),
        json.dumps(STEP | {"layer": LAYER["layer"]}),
        json.dumps(STEP | {"step": STEP["step"] | {"step": {}}}),
        json.dumps(STEP | {"step": STEP["step"] | {"step": LAYER["layer"]["plan"]["steps"][-1]}}),
        json.dumps(STEP | {"step": STEP["step"] | {"epoch": "0"}}),
        json.dumps(STEP | {"step": STEP["step"] | {"target": {"python": "3.13", "arch": "sparc"}}}),
    ],
)
def test_what_is_no_work_is_an_error_that_says_so(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be understood") as caught:
        wire.work_of(text)
    assert caught.value.details


def test_a_python_that_this_layerforge_does_not_know_is_an_error() -> None:
    other = STEP["step"] | {"target": {"python": "4.0", "arch": "arm64"}}
    with pytest.raises(UsageError, match="no runtime for Python"):
        wire.work_of(json.dumps(STEP | {"step": other}))


FINDING = Finding(rule="LF101", severity=Severity.WARNING, path="python/a.so", message="m", hint="h")


@pytest.mark.parametrize(
    "error",
    [
        kind("what \u00e9", hint="do", details=("a", "b"))
        for kind in (EngineError, FarStoreError, LockError, RecipeError, StepError, StoreError, UsageError)
    ]
    + [
        VerificationError("unfit", hint="h", details=("LF101",), findings=(FINDING,)),
        LackingError("gone", keys=("a", "b")),
    ],
)
def test_an_error_is_the_same_behind_the_wire(error: LayerforgeError) -> None:
    found = wire.error_of(wire.told(error))
    assert type(found) is type(error)
    assert vars(found) == vars(error)
    assert (str(found), found.exit_code, found.title) == (str(error), error.exit_code, error.title)


class OwnError(EngineError):
    """One that no other machine knows."""


def test_an_error_of_another_class_is_told_as_the_nearest_one_that_is_known() -> None:
    assert type(wire.error_of(wire.told(OwnError("what", hint="do")))) is EngineError
    assert type(wire.error_of(wire.told(LayerforgeError("what")))) is StepError


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "OSError"}', '{"kind": 1, "message": ""}'])
def test_an_answer_that_is_no_error_becomes_one_that_says_so(text: str) -> None:
    found = wire.error_of(text)
    assert isinstance(found, StepError)
    assert "cannot be understood" in found.message


def test_a_class_that_is_not_among_the_errors_is_never_made() -> None:
    found = wire.error_of(json.dumps({"kind": "SystemExit", "message": "bye"}))
    assert (type(found), found.message) == (StepError, "bye")
