import inspect
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from fakes import target
from keys import assert_decided_by
from layerforge.build import compiler_flags
from layerforge.build import plan as planning
from layerforge.build.engine import Image
from layerforge.build.interpreters import Interpreter
from layerforge.build.plan import LibraryStep, PackageStep, Plan, SystemStep, Toolchain, as_json, plan
from layerforge.core.runtimes import Arch, Target
from layerforge.resolve import lock
from layerforge.resolve.fit import Fit, Goal, Way
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import (
    Budget,
    Bytecode,
    BytecodeMode,
    Check,
    CodeRules,
    Columns,
    Compression,
    Data,
    Docstrings,
    Library,
    Linked,
    Patch,
    Prune,
    Settings,
    Source,
    SourcePackage,
    WarmUp,
)
from layerforge.resolve.variant import Variant

RECIPE = LayerSpec(name="demo", requires=("demo",))
PINS = lock.parse(f"demo==1 --hash=sha256:{'a' * 64}", "x").pins
CPYTHON = Interpreter(path=Path("/usr/bin/python3.13"), version="3.13.0")


def made(
    *,
    spec: LayerSpec = RECIPE,
    on: Target | None = None,
    interpreter: Interpreter | None = CPYTHON,
    epoch: int = 0,
    compression: Compression = Compression.FAST,
) -> Plan:
    return plan(spec, on or target(), PINS, compression, interpreter, epoch)


def test_the_same_inputs_give_the_same_key() -> None:
    assert made().key == made().key


IMAGE = Image(reference="image:1", digest="sha256:1", arch=Arch.X86_64)
ZLIB = Library(name="zlib", version="1", source=Source(url="https://a.test/z", sha256="c" * 64), script="make")
BLAS = replace(ZLIB, name="blas", needs=("zlib",), settings=Settings(env={"A": "1"}), ship=("lib/*",))
DEMO = SourcePackage(name="demo", needs=("zlib",))
SETTINGS = Settings(flags={"CFLAGS": "-O1"})
TOOL = Pin(name="tool", version="1", hashes=(f"sha256:{'d' * 64}",))
DATA = Data(package="demo", name="d", source=Source(url="https://a.test/d", sha256="e" * 64), into="share/demo")
PATCH = Patch(package="demo", name="a.patch", text="--- a\n+++ b\n")
COMPILED = replace(RECIPE, libraries=(ZLIB, BLAS), packages=(DEMO,), system=("libgfortran.so.5",))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """All that a plan is made of."""

    spec: LayerSpec
    target: Target
    pins: tuple[Pin, ...]
    compression: Compression
    interpreter: Interpreter | None
    epoch: int
    toolchain: Toolchain | None
    goal: Goal | None = None
    without: Plan | None = None


TOOLCHAIN = Toolchain(image=IMAGE, build_pins={"demo": (TOOL,), "other": (TOOL,)})
ASKED = Asked(
    spec=COMPILED,
    target=target(),
    pins=PINS,
    compression=Compression.FAST,
    interpreter=CPYTHON,
    epoch=0,
    toolchain=TOOLCHAIN,
)


GOAL = Goal(fit=Fit(zipped=60_000_000))
OTHER = plan(RECIPE, target(), (), Compression.FAST, CPYTHON, 0)


def plan_key(asked: Asked) -> str:
    return plan(**vars(asked)).key


def step_key(name: str, asked: Asked = ASKED) -> str:
    """The key of one source step, ``system`` for the libraries of the image."""
    for step in plan(**vars(asked)).steps:
        match step:
            case LibraryStep() if step.library.name == name:
                return step.key
            case PackageStep() if step.pin.name == name:
                return step.key
            case SystemStep() if name == "system":
                return step.key
    raise AssertionError(name)


def test_whatever_a_plan_is_made_of_changes_its_key() -> None:
    assert [field.name for field in fields(Asked)] == list(inspect.signature(plan).parameters)
    assert_decided_by(
        plan_key,
        ASKED,
        {
            "spec": replace(COMPILED, name="other"),
            "target": target("3.12"),
            "pins": (replace(PINS[0], version="2"),),
            "compression": Compression.MAX,
            "interpreter": replace(CPYTHON, version="3.13.1"),
            "epoch": 1,
            "toolchain": None,
            "goal": GOAL,
        },
        # Nothing takes it without a goal.
        {"without": OTHER},
    )
    assert plan_key(replace(ASKED, target=target(arch=Arch.ARM64))) != plan_key(ASKED)
    older = replace(ASKED.target.runtime, glibc=(2, 17))
    assert plan_key(replace(ASKED, target=replace(ASKED.target, runtime=older))) != plan_key(ASKED)


def test_whatever_a_plan_of_wheels_is_made_of_changes_its_key() -> None:
    wheels = replace(ASKED, spec=RECIPE, toolchain=None)
    assert_decided_by(
        plan_key,
        wheels,
        {
            "spec": replace(RECIPE, name="other"),
            "target": target("3.12"),
            "pins": (replace(PINS[0], version="2"),),
            "compression": Compression.MAX,
            "interpreter": replace(CPYTHON, version="3.13.1"),
            "epoch": 1,
            "goal": GOAL,
        },
        {"toolchain": TOOLCHAIN, "without": OTHER},
    )
    assert_decided_by(
        lambda target: plan_key(replace(wheels, target=target)),
        wheels.target,
        {"arch": Arch.ARM64, "runtime": replace(wheels.target.runtime, python="3.99")},
    )


def test_whatever_a_layer_is_to_fit_into_and_may_become_for_it_changes_the_key() -> None:
    asked = replace(ASKED, goal=GOAL, without=OTHER)
    assert_decided_by(
        lambda goal: plan_key(replace(asked, goal=goal)),
        GOAL,
        {"fit": Fit(zipped=1), "ways": (Way.SMALL,), "required": False},
    )
    assert_decided_by(
        lambda fit: plan_key(replace(asked, goal=replace(GOAL, fit=fit))), GOAL.fit, {"zipped": 1, "room": 1}
    )
    assert plan_key(replace(asked, without=replace(OTHER, key="another"))) != plan_key(asked)


def test_what_of_a_recipe_changes_the_bytes_changes_the_key_and_nothing_else() -> None:
    assert_decided_by(
        lambda spec: plan_key(replace(ASKED, spec=spec)),
        COMPILED,
        {
            "name": "other",
            "requires": ("demo", "more"),
            "bytecode": Bytecode(docstrings=Docstrings.DROP),
            "prune": {"demo": Prune(remove=("a",))},
            "libraries": (ZLIB, replace(BLAS, version="2")),
            "packages": (replace(DEMO, needs=()),),
            "system": ("libgomp.so.1",),
            "env": {"HOME_OF_DEMO": "/opt/share/demo"},
            "data": (DATA,),
            "patches": (PATCH,),
            "linked": (Linked(package="demo", name="libx", licence="MIT", into="demo/*.so"),),
            "prime": (WarmUp(package="demo", text="1"),),
            "variant": Variant(name="less", of="demo", says="to be less"),
            # They are named beside the layer, each with why.
            "left_out": (LeftOut(name="boto3", version="1.43.0", why=Why.ASKED),),
        },
        {
            "folder": Path("/elsewhere"),
            # What stays out is not among the pins.
            "leave_out": ("boto3",),
            "budget": Budget(zipped=1, unzipped=1),
            "check": Check(imports=("demo",)),
            # Its pins are all that it holds in any case; that nothing more is required is for whoever installs them.
            "exact": True,
            # What these stand for comes in with the toolchain: its image.
            "build_packages": ("gcc",),
        },
    )


def test_how_modules_are_compiled_and_what_is_pruned_changes_the_key() -> None:
    assert_decided_by(
        lambda bytecode: plan_key(replace(ASKED, spec=replace(COMPILED, bytecode=bytecode))),
        Bytecode(),
        {
            "mode": BytecodeMode.ONLY,
            "docstrings": Docstrings.DROP,
            "packages": {"demo": CodeRules()},
        },
    )
    assert_decided_by(
        lambda rules: plan_key(replace(ASKED, spec=replace(COMPILED, bytecode=Bytecode(packages={"demo": rules})))),
        CodeRules(),
        {
            "docstrings": Docstrings.DROP,
            "keep_docstrings": ("a/*",),
            "columns": Columns.DROP,
            "optimize": 2,
            "lazy": ("a/*",),
            "defer": {"demo/a.py": ("os",)},
        },
    )
    assert_decided_by(
        lambda prune: plan_key(replace(ASKED, spec=replace(COMPILED, prune={"demo": prune}))),
        Prune(),
        {"remove": ("a",), "keep": ("a",)},
    )


def test_of_a_wheel_its_name_version_hashes_address_and_extras_change_the_key() -> None:
    wheels = replace(ASKED, spec=RECIPE)
    assert_decided_by(
        lambda pin: plan_key(replace(wheels, pins=(pin,))),
        replace(PINS[0], address="https://a.test/demo.whl"),
        {
            "name": "other",
            "version": "2",
            "hashes": (f"sha256:{'b' * 64}",),
            "address": "https://b.test/demo.whl",
            "extras": ("more",),
        },
        {"marker": "python_version > '3'"},
    )


def test_the_folder_that_a_wheel_lies_in_changes_no_key() -> None:
    keys = {
        plan_key(replace(ASKED, spec=RECIPE, pins=(replace(PINS[0], address=f"file:///{folder}/demo.whl"),)))
        for folder in ("here", "there")
    }
    assert len(keys) == 1


def test_of_an_interpreter_the_version_changes_the_key_and_not_where_it_lies() -> None:
    assert_decided_by(
        lambda interpreter: plan_key(replace(ASKED, interpreter=interpreter)),
        CPYTHON,
        {"version": "3.13.1"},
        {"path": Path("/opt/python3.13")},
    )


def test_another_version_or_schema_makes_every_layer_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, steps = [plan_key(ASKED)], [step_key("demo")]
    for name in ("SCHEMA", "__version__", "SOURCE_SCHEMA"):
        monkeypatch.setattr(planning, name, "another")
        keys.append(plan_key(ASKED))
        steps.append(step_key("demo"))
    assert len(set(keys)) == len(keys)
    assert steps[2] == steps[0], "what was compiled outlives versions of the program"
    assert steps[3] != steps[0]


def test_of_a_library_all_but_what_is_shipped_of_it_changes_its_key() -> None:
    def key(library: Library) -> str:
        return step_key(library.name, replace(ASKED, spec=replace(COMPILED, libraries=(ZLIB, library))))

    parts = {
        "name": "other",
        "version": "2",
        "source": replace(BLAS.source, sha256="e" * 64),
        "script": "make install",
        "needs": (),
        "settings": SETTINGS,
        "arch_settings": {"x86_64": SETTINGS},
    }
    assert_decided_by(key, BLAS, parts, {"ship": (), "minutes": 1.0})
    assert key(replace(BLAS, arch_settings={"arm64": SETTINGS})) == key(BLAS), "they are for another processor"
    assert_decided_by(
        lambda source: key(replace(BLAS, source=source)),
        BLAS.source,
        {"sha256": "e" * 64},
        {"url": "https://b.test/z"},
    )
    assert_decided_by(
        lambda settings: key(replace(BLAS, settings=settings)),
        Settings(),
        {"env": {"A": "1"}, "flags": {"A": "1"}, "config": {"A": ("1",)}, "module_flags": {"a.o": "-Os"}},
    )


def test_all_of_data_and_its_public_address_change_the_key() -> None:
    assert_decided_by(
        lambda data: plan_key(replace(ASKED, spec=replace(COMPILED, data=(data,)))),
        DATA,
        {
            "package": "other",
            "name": "e",
            "source": replace(DATA.source, sha256="f" * 64),
            "into": "share/other",
            "unpack": True,
            "files": ("a/**",),
        },
    )
    urls = ("https://a.test/d", "https://b.test/d", "file:///one/d", "file:///other/d")
    placed = [replace(DATA, source=replace(DATA.source, url=url)) for url in urls]
    keys = [plan_key(replace(ASKED, spec=replace(COMPILED, data=(one,)))) for one in placed]
    assert keys[0] != keys[1], "the SBOM tells the address"
    assert keys[2] == keys[3] != keys[0], "but none of this machine"


def test_all_of_a_patch_changes_the_key() -> None:
    assert_decided_by(
        lambda patch: plan_key(replace(ASKED, spec=replace(COMPILED, patches=(patch,)))),
        PATCH,
        {"package": "other", "name": "b.patch", "text": "--- b\n+++ b\n"},
    )


def test_what_a_plan_ships_of_a_library_changes_the_layers_key() -> None:
    shipped = replace(COMPILED, libraries=(ZLIB, replace(BLAS, ship=())))
    assert plan_key(replace(ASKED, spec=shipped)) != plan_key(ASKED)


def test_of_a_compiled_package_its_settings_and_its_pin_change_its_key() -> None:
    assert_decided_by(
        lambda package: step_key(
            package.name,
            replace(ASKED, spec=replace(COMPILED, packages=(package,)), pins=(replace(PINS[0], name=package.name),)),
        ),
        DEMO,
        {"name": "other", "needs": (), "settings": SETTINGS, "arch_settings": {"x86_64": Settings(env={"A": "1"})}},
        # What it is compiled with comes in with the toolchain: its build environment.
        {
            "build_requires": ("tool",),
            "shares_declared": True,
            "build_lock": Path("/elsewhere/build.lock"),
            "minutes": 1.0,
        },
    )
    assert_decided_by(
        lambda pin: step_key(
            pin.name,
            replace(ASKED, pins=(pin,), spec=replace(COMPILED, packages=(replace(DEMO, name=pin.name),))),
        ),
        PINS[0],
        {"name": "other", "version": "2", "hashes": (f"sha256:{'b' * 64}",)},
        {"marker": "python_version > '3'", "address": "https://a.test/demo.tar.gz", "extras": ("more",)},
    )


def test_of_a_toolchain_the_images_digest_and_the_build_environment_change_a_steps_key() -> None:
    def key(toolchain: Toolchain) -> str:
        return step_key("demo", replace(ASKED, toolchain=toolchain))

    base = TOOLCHAIN
    assert_decided_by(key, base, {"image": replace(IMAGE, digest="sha256:2"), "build_pins": {}})
    assert_decided_by(
        lambda image: key(replace(base, image=image)),
        IMAGE,
        {"digest": "sha256:2", "made_of": "3"},
        {"reference": "image:2", "arch": Arch.ARM64, "sources": "/sources", "base": "sha256:0"},
    )
    assert_decided_by(
        lambda pin: key(replace(base, build_pins={"demo": (pin,)})),
        TOOL,
        {
            "name": "other",
            "version": "2",
            "hashes": (f"sha256:{'b' * 64}",),
            "address": "https://a.test/tool.whl",
            "extras": ("more",),
        },
        {"marker": "python_version > '3'"},
    )
    assert key(replace(base, build_pins={**base.build_pins, "other": ()})) == key(base)


@pytest.mark.parametrize("name", ["zlib", "blas", "demo", "system"])
def test_target_date_flags_and_image_change_the_key_of_every_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [
        ASKED,
        replace(ASKED, target=target("3.12")),
        replace(ASKED, target=target(arch=Arch.ARM64)),
        replace(ASKED, epoch=1),
        replace(ASKED, toolchain=Toolchain(image=replace(IMAGE, digest="sha256:2"), build_pins={"demo": (TOOL,)})),
    ]
    keys = [step_key(name, asked) for asked in others]
    for constant, value in (("FLAGS", {Arch.X86_64: "-O1"}), ("LINK_FLAGS", "-Wl,-z,now")):
        with monkeypatch.context() as patch:
            patch.setattr(compiler_flags, constant, value)
            keys.append(step_key(name))
    assert len(set(keys)) == len(keys)


def test_one_set_of_flags_for_both_processors_keeps_their_steps_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler_flags, "FLAGS", dict.fromkeys(Arch, "-O2"))
    arm = replace(ASKED, target=target(arch=Arch.ARM64))
    for name in ("zlib", "blas", "demo", "system"):
        assert step_key(name, arm) != step_key(name)


@pytest.mark.parametrize(
    "asked", [replace(ASKED, compression=Compression.MAX), replace(ASKED, interpreter=None)], ids=["deflate", "python"]
)
def test_what_is_done_to_the_whole_layer_changes_the_key_of_no_step(asked: Asked) -> None:
    for name in ("zlib", "blas", "demo", "system"):
        assert step_key(name, asked) == step_key(name)


def test_a_change_of_what_is_needed_changes_the_key_of_what_needs_it() -> None:
    newer = replace(ASKED, spec=replace(COMPILED, libraries=(replace(ZLIB, version="2"), BLAS)))
    assert step_key("blas", newer) != step_key("blas")
    assert step_key("demo", newer) != step_key("demo")
    assert step_key("system", newer) == step_key("system")


def test_the_libraries_of_the_image_have_their_names_in_their_key() -> None:
    asked = replace(ASKED, spec=replace(COMPILED, system=("libgomp.so.1",)))
    assert step_key("system", asked) != step_key("system")


def test_without_bytecode_the_interpreter_does_not_matter() -> None:
    spec = replace(RECIPE, bytecode=Bytecode(mode=BytecodeMode.NONE))
    assert made(spec=spec).key == made(spec=spec, interpreter=None).key


def test_a_plan_as_json_names_every_step_and_no_folder() -> None:
    data = as_json(made())
    assert data["steps"] == [
        {"step": "wheel", "name": "demo", "version": "1", "address": "", "hashes": [f"sha256:{'a' * 64}"]}
    ]
    assert "/usr" not in str(data)
