"""Flags of single files in a plan: what of them decides its key, and what none may ask for."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from fakes import target
from layerforge.build import module_flags
from layerforge.build.engine import Image
from layerforge.build.plan import PackageStep, Toolchain, plan, settings_of
from layerforge.core import globs, resources
from layerforge.core.runtimes import Arch
from layerforge.resolve import lock
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Compression, Settings, SourcePackage

PINS = lock.parse(f"demo==1 --hash=sha256:{'a' * 64}", "x").pins
TOOLCHAIN = Toolchain(image=Image(reference="image:1", digest="sha256:1", arch=Arch.X86_64), build_pins={})


def step(settings: Settings) -> PackageStep:
    """The step that compiles a package with some settings."""
    spec = LayerSpec(name="demo", requires=("demo",), packages=(SourcePackage(name="demo", settings=settings),))
    [made] = plan(spec, target(), PINS, Compression.FAST, None, 0, TOOLCHAIN).steps
    assert isinstance(made, PackageStep)
    return made


def test_flags_of_single_files_decide_a_step_s_key_and_so_does_their_order_since_the_last_one_wins() -> None:
    rows = {"**": "-Os", "a/*.o": "-O2"}
    others = [{}, rows, dict(reversed(rows.items())), rows | {"a/*.o": "-O1"}]
    assert len({step(Settings(module_flags=one)).key for one in others}) == len(others)
    assert step(Settings(module_flags=rows)).key == step(Settings(module_flags=dict(rows))).key


def test_a_package_without_any_keeps_the_key_of_the_layerforge_that_knew_of_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[list[object]] = []

    def of_json(value: list[object]) -> str:
        told.append(value)
        return "key"

    monkeypatch.setattr("layerforge.core.digest.of_json", of_json)
    settings = Settings(env={"A": "1"}, flags={"CFLAGS": "-g"})
    step(settings)
    assert {key: value for key, value in asdict(settings).items() if key != "module_flags"} in told[0]


def test_what_one_processor_is_compiled_with_comes_behind_what_all_are() -> None:
    part = SourcePackage(
        name="demo",
        settings=Settings(module_flags={"a": "1", "b": "2"}),
        arch_settings={"x86_64": Settings(module_flags={"c": "3", "a": "4"})},
    )
    assert settings_of(part, Arch.X86_64).module_flags == {"a": "4", "b": "2", "c": "3"}
    assert settings_of(part, Arch.ARM64).module_flags == {"a": "1", "b": "2"}


def test_no_file_is_compiled_for_the_machine_that_builds_it() -> None:
    with pytest.raises(RecipeError, match="for the processor of the machine") as refused:
        step(Settings(module_flags={"a/*.o": "-march=native"}))
    assert refused.value.details == ("-march=native",)


def test_the_stand_ins_get_each_glob_as_the_regular_expression_that_layerforge_itself_matches_with(
    tmp_path: Path,
) -> None:
    mount = module_flags.mount_of({"a/**/*.o": "-Os"}, tmp_path)
    assert not mount.writable
    rows = json.loads((mount.source / "rows.json").read_text())
    assert rows == [{"glob": "a/**/*.o", "pattern": globs.pattern("a/**/*.o").pattern, "flags": "-Os"}]
    assert (mount.source / "compile_with.py").read_text() == resources.text("compile_with.py")
    assert f"{mount.target}/compile_with.py" in module_flags.BEFORE + module_flags.AFTER
