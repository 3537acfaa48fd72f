"""What the recipes of locked packages make of a layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import target
from layerforge.core.runtimes import Arch
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.compose import Composition, compose
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.left_out import LeftOut, Why
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import Budget, CheckScript, CodeRules, Docstrings, Prune, SourcePackage

SHA256 = "a" * 64
ENGINE = "takes a container engine"


def a_package(name: str, *needs: str, versions: str = ">=1,<2", build: bool = True, more: str = "") -> tuple[str, str]:
    """Name and text of a package's recipe; ``more`` goes on in ``[package]``."""
    compiled = f'build = "source"\nneeds = {list(needs)!r}\n' if build else ""
    return name, f'schema = 2\n[package]\nname = "{name}"\nversions = "{versions}"\n{compiled}{more}'


def a_library(name: str, *needs: str, version: str = "1.0", more: str = "") -> tuple[str, str]:
    """Name and text of a library's recipe; ``more`` goes on in ``[library]``."""
    source = f'source = {{ url = "https://nowhere.invalid/{name}.tar.gz", sha256 = "{SHA256}" }}\n'
    head = f'schema = 2\n[library]\nname = "{name}"\nversion = "{version}"\nscript = "make"\n'
    return name, f"{head}{source}needs = {list(needs)!r}\n{more}"


def written(folder: Path, recipes: Iterable[tuple[str, str]]) -> Path:
    """A folder with these recipes."""
    for name, text in recipes:
        (folder / name).mkdir(parents=True)
        (folder / name / "recipe.toml").write_text(text)
        (folder / name / "check.py").write_text(f"import {name}\n")
    return folder


def pin(text: str) -> Pin:
    """``name==1.5``, ``name @ file:///there/name-1.5-py3-none-any.whl``."""
    name, _, address = text.partition(" @ ")
    name, _, version = name.partition("==")
    return Pin(name=name, version=version or ("" if address else "1.5"), hashes=(f"sha256:{SHA256}",), address=address)


SPEC = LayerSpec(name="mine", requires=("top",), budget=Budget(unzipped=9))


def composed(
    folder: Path,
    recipes: Iterable[tuple[str, str]],
    *pins: str,
    spec: LayerSpec = SPEC,
    arch: Arch = Arch.X86_64,
    compiling: bool = True,
    image: bool = True,
) -> Composition:
    """What recipes that are written below ``folder`` make of these pins."""
    known = Catalogue(folders=(written(folder, recipes),))
    found = sorted(map(pin, pins), key=lambda one: one.name)
    return compose(spec, found, known, target(arch=arch), compiling=compiling, image=image)


def compiled(found: Composition) -> tuple[list[str], list[str]]:
    """Names of the packages and libraries that are compiled."""
    return [one.name for one in found.spec.packages], [one.name for one in found.spec.libraries]


# --- the union


def test_a_layer_without_recipes_is_what_it_was(tmp_path: Path) -> None:
    found = composed(tmp_path, [a_package("other")], "top", "more")
    assert found == Composition(spec=SPEC)


def test_a_layer_is_the_union_of_what_its_packages_recipes_say(tmp_path: Path) -> None:
    data = f'[[data]]\nurl = "https://nowhere.invalid/x.txt"\nsha256 = "{SHA256}"\ninto = "share/x"\n'
    check = '[check]\nimports = ["NAME.b", "NAME.a"]\nscript = "check.py"\nsingle = ["libNAME*"]\n'
    both = [
        a_package(
            name,
            build=False,
            more=f'system = ["lib{name}.so.1", "libboth.so.1"]\narch.arm64.system = ["libarm.so.1"]\n'
            f'[build]\npackages = ["{name}-libs", "both"]\n[prune]\nremove = ["{name}/x/**"]\nkeep = ["{name}/y/**"]\n'
            f'[bytecode]\ndocstrings = "drop"\n[env]\n{name.upper()} = "1"\nBOTH = "2"\n'
            + data
            + check.replace("NAME", name)
            + f'excused = {{ "{name}/test.py" = "why {name}" }}\n',
        )
        for name in ("one", "two")
    ]
    spec = composed(
        tmp_path, [*both, a_package("absent", build=False, more="[env]\nABSENT = '1'\n")], "two", "one"
    ).spec
    assert spec.prune == {name: Prune(remove=(f"{name}/x/**",), keep=(f"{name}/y/**",)) for name in ("one", "two")}
    assert spec.bytecode.packages == dict.fromkeys(["one", "two"], CodeRules(docstrings=Docstrings.DROP))
    assert spec.env == {"BOTH": "2", "ONE": "1", "TWO": "1"}
    assert [one.package for one in spec.data] == ["one", "two"]
    assert spec.system == ("libboth.so.1", "libone.so.1", "libtwo.so.1")
    assert spec.build_packages == ("both", "one-libs", "two-libs")
    assert spec.check.imports == ("one.a", "one.b", "two.a", "two.b")
    assert spec.check.covered == ("one", "two")
    assert spec.check.scripts == tuple(CheckScript(package=name, text=f"import {name}\n") for name in ("one", "two"))
    assert spec.check.single == ("libone*", "libtwo*")
    assert spec.check.excused == {"one/test.py": "why one", "two/test.py": "why two"}
    assert (spec.name, spec.requires, spec.budget) == (SPEC.name, SPEC.requires, SPEC.budget)


def test_libraries_of_the_image_that_a_processor_needs_are_its_own(tmp_path: Path) -> None:
    recipe = a_package(
        "top", build=False, more='system = ["a"]\narch.arm64.system = ["b"]\narch.x86_64.system = ["c"]\n'
    )
    assert composed(tmp_path / "1", [recipe], "top").spec.system == ("a", "c")
    assert composed(tmp_path / "2", [recipe], "top", arch=Arch.ARM64).spec.system == ("a", "b")
    assert composed(tmp_path / "3", [recipe], "top", image=False, compiling=False).spec.system == ()


def test_a_patch_goes_with_its_package_whether_that_is_compiled_or_not(tmp_path: Path) -> None:
    written(tmp_path, [a_package("top")])
    (tmp_path / "top/patches").mkdir()
    (tmp_path / "top/patches/b.patch").write_text("--- top/x.py\n+++ top/x.py\n@@ -1 +1 @@\n-a\n+b\n")
    for compiling in (True, False):
        found = composed(tmp_path, [], "top", compiling=compiling)
        assert [(one.package, one.name) for one in found.spec.patches] == [("top", "b.patch")]


# --- versions


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("top==0.9", "top 0.9 is not"),
        ("top==2.0", "top 2.0 is not"),
        ("top @ file:///there/top-2.0-py3-none-any.whl", "top 2.0 is not"),
        ("top @ https://there/top-1.5-py3-none-any.whl", "top from an address is not"),
    ],
)
def test_a_package_outside_of_its_recipes_versions_comes_from_its_wheel_and_that_is_said(
    line: str, told: str, tmp_path: Path
) -> None:
    found = composed(tmp_path, [a_package("top", more='[env]\nTOP = "1"\n'), a_package("other")], line, "other")
    assert compiled(found) == (["other"], [])
    assert found.spec.env == {}
    assert found.said == (
        f"{told} among the versions of its recipe, >=1,<2: it comes from its wheel, by the general rules",
    )


@pytest.mark.parametrize("version", ["1", "1.0", "1.9.9", "1.5rc1", "1.5.post1", "1.5+local"])
def test_a_version_that_a_recipe_was_proved_for_has_all_that_it_says(version: str, tmp_path: Path) -> None:
    found = composed(tmp_path, [a_package("top")], f"top=={version}")
    assert (compiled(found), found.said) == ((["top"], []), ())


def test_a_package_outside_of_its_recipes_versions_that_is_asked_to_be_compiled_is_compiled_without_it(
    tmp_path: Path,
) -> None:
    found = composed(tmp_path, [a_package("top", "lib"), a_library("lib")], "top==3", spec=SPEC.compiling(["top"]))
    assert found.spec.packages == (SourcePackage(name="top", shares_declared=True),)
    assert found.spec.libraries == ()
    assert [line.partition(": ")[2] for line in found.said] == ["it is compiled, by the general rules"]


def test_a_targets_own_lock_holds_a_version_that_its_recipe_is_for(tmp_path: Path) -> None:
    recipe = a_package("top", more='[layer]\nrequires = ["top"]\n')
    spec = replace(SPEC, name="top", folder=tmp_path / "top")
    with pytest.raises(
        RecipeError, match=r"the recipe top is for the versions >=1,<2, and its lock holds 2\.0"
    ) as caught:
        composed(tmp_path, [recipe, a_package("other")], "top==2.0", "other", spec=spec)
    assert "then write the lock anew" in caught.value.hint
    [told] = composed(tmp_path, [], "top", "other==3", spec=spec).said
    assert told.startswith("other 3 is not among the versions of its recipe")
    [told] = composed(tmp_path, [], "top==2.0", spec=replace(SPEC, name="top")).said
    assert told.startswith("top 2.0 is not among the versions of its recipe")


# --- what is compiled


CHAIN = [
    a_package("top", "middle"),
    a_package("middle", "base", "blas"),
    a_package("base", "blas"),
    a_library("blas", "zlib"),
    a_library("zlib"),
    a_library("alone"),
]


def test_packages_are_compiled_with_their_libraries_and_what_these_need_and_no_others(tmp_path: Path) -> None:
    found = composed(tmp_path, CHAIN, "top", "middle", "base", "other")
    assert compiled(found) == (["base", "middle", "top"], ["blas", "zlib"])
    assert found.said == ()
    assert found.spec.budget == SPEC.budget


def test_without_an_engine_all_come_from_wheels_which_is_said_and_no_budget_of_compiled_ones_counts(
    tmp_path: Path,
) -> None:
    found = composed(tmp_path, CHAIN, "top", "middle", "base", compiling=False, image=False)
    assert compiled(found) == ([], [])
    assert found.said == (
        f"base, middle, top come from their wheels: compiling them {ENGINE}, and the budget does not count",
    )
    assert found.spec.budget == Budget()


def test_where_no_budget_is_asked_for_none_is_spoken_of(tmp_path: Path) -> None:
    spec = replace(SPEC, budget=Budget())
    found = composed(tmp_path, CHAIN, "base", spec=spec, compiling=False, image=False)
    assert found.said == (f"base comes from its wheel: compiling it {ENGINE}",)


def test_wheels_that_are_asked_for_beside_an_engine_need_no_line(tmp_path: Path) -> None:
    found = composed(tmp_path, CHAIN, "top", "middle", "base", compiling=False)
    assert (compiled(found), found.said, found.spec.budget) == (([], []), (), Budget())


def test_archives_are_linked_into_what_is_compiled_alone(tmp_path: Path) -> None:
    row = '[[linked]]\nname = "libx"\nlicence = "MIT"\ninto = "top/*.so"\n'
    top = a_package("top", more=row)
    assert [one.name for one in composed(tmp_path / "a", [top], "top").spec.linked] == ["libx"]
    assert composed(tmp_path / "b", [top], "top", compiling=False).spec.linked == ()


def test_a_layer_that_compiles_nothing_keeps_its_budget(tmp_path: Path) -> None:
    found = composed(tmp_path, [a_package("top", build=False)], "top", compiling=False, image=False)
    assert (found.spec.budget, found.said) == (SPEC.budget, ())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "base==2.5",
            "base 2.5 is not among the versions of its recipe, >=1,<2: it comes from its wheel, by the general",
        ),
        ("base @ file:///there/base-1.5-py3-none-any.whl", "base comes from the wheel that is named"),
    ],
)
def test_what_is_compiled_with_a_package_that_comes_from_its_wheel_does_too_and_that_is_said(
    line: str, why: str, tmp_path: Path
) -> None:
    found = composed(tmp_path, [*CHAIN, a_package("apart", "blas")], "top", "middle", line, "apart")
    assert compiled(found) == (["apart"], ["blas", "zlib"])
    assert found.said[0].startswith(why)
    assert found.said[1:] == (
        "middle comes from its wheel, since base, which it is compiled with, does",
        "top comes from its wheel, since middle, which it is compiled with, does",
    )
    assert found.spec.budget == Budget()


def test_a_package_whose_need_comes_from_its_wheel_cannot_be_asked_to_be_compiled(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="top cannot be compiled: middle comes from its wheel") as caught:
        composed(tmp_path, CHAIN, "top", "middle", "base==2.5", spec=SPEC.compiling(["top"]))
    assert caught.value.hint == "--from-source middle"


def test_a_package_that_is_asked_to_be_compiled_is_compiled_as_its_recipe_says(tmp_path: Path) -> None:
    found = composed(tmp_path, CHAIN, "base", "plain", spec=SPEC.compiling(["plain", "base"]))
    assert [(one.name, one.needs) for one in found.spec.packages] == [("base", ("blas",)), ("plain", ())]


@pytest.mark.parametrize(("versions", "fits"), [(">=1.2", True), (">=1.6", False), ("==1.5", True), ("<1.5", False)])
def test_a_need_may_ask_for_versions_of_the_layers_package(versions: str, fits: bool, tmp_path: Path) -> None:
    recipes = [a_package("top", f"base{versions}"), a_package("base")]
    found = composed(tmp_path / "1", recipes, "top", "base==1.5")
    assert compiled(found)[0] == (["base", "top"] if fits else ["base"])
    why = f"top comes from its wheel, since it is compiled with base {versions}, and the layer has 1.5"
    assert found.said == (() if fits else (why,))
    if not fits:
        with pytest.raises(RecipeError, match="top cannot be compiled: it is compiled with base") as caught:
            composed(tmp_path / "2", recipes, "top", "base==1.5", spec=SPEC.compiling(["top"]))
        assert caught.value.hint == f"require base{versions} too"


def test_a_package_and_its_libraries_are_the_same_in_whatever_order_recipes_are_found(tmp_path: Path) -> None:
    names = [f"p{number}" for number in range(20)]
    found = composed(tmp_path, [a_package(name) for name in reversed(names)], *names)
    assert compiled(found)[0] == sorted(names)


# --- what needs name


def test_a_need_without_a_recipe_is_an_error_with_the_nearest_target(tmp_path: Path) -> None:
    target_of = a_package("base", more='[layer]\nrequires = ["base"]\n')
    with pytest.raises(RecipeError, match="the recipe top needs bases, and there is no such recipe") as caught:
        composed(tmp_path / "1", [a_package("top", "bases"), target_of], "top", "base")
    assert caught.value.hint == "perhaps it needs base"
    with pytest.raises(RecipeError, match="the recipe top needs absent") as caught:
        composed(tmp_path / "2", [a_package("top", "absent")], "top")
    assert caught.value.hint == "`needs` names recipes: write one for it"
    with pytest.raises(RecipeError, match="the recipe blas needs absent, and there is no such recipe"):
        composed(tmp_path / "3", [a_package("top", "blas"), a_library("blas", "absent")], "top")


def test_a_need_whose_recipe_lies_beside_a_named_one_is_found_there(tmp_path: Path) -> None:
    around = written(tmp_path / "two words", [a_package("top", "blas"), a_library("blas")])
    known = Catalogue(folders=()).with_those_beside(around / "top")
    found = compose(SPEC, [pin("top")], known, target(), compiling=True, image=True)
    assert [one.name for one in found.spec.libraries] == ["blas"]


def test_a_need_that_is_not_in_the_layer_is_an_error_with_both_ways_out(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="the recipe top needs middle, which is not in the layer") as caught:
        composed(tmp_path / "1", CHAIN, "top")
    assert caught.value.hint == "name middle as a requirement too, or take wheels with --wheels"
    gone = replace(SPEC, left_out=(LeftOut(name="middle", why=Why.ASKED),))
    with pytest.raises(RecipeError, match="the recipe top needs middle, which is left out of the layer") as caught:
        composed(tmp_path / "2", CHAIN, "top", spec=gone)
    assert caught.value.hint == "let middle in, without --leave-out, or take wheels with --wheels"
    assert compiled(composed(tmp_path / "3", CHAIN, "top", compiling=False)) == ([], [])


@pytest.mark.parametrize("needing", [("top", "blas>=2"), ("top", "blas<1")])
def test_a_library_of_another_version_than_a_recipe_needs_is_an_error(needing: Sequence[str], tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"the recipe top needs blas .*, and its recipe is for 1\.0") as caught:
        composed(tmp_path, [a_package(*needing), a_library("blas")], "top")
    assert caught.value.hint == "a layer has one blas: bring the two recipes to the same version"
    assert caught.value.details == (str(tmp_path / "blas"),)


def test_two_recipes_that_want_different_versions_of_one_library_cannot_share_a_layer(tmp_path: Path) -> None:
    recipes = [a_package("one", "blas>=1"), a_package("two", "blas<1"), a_library("blas", version="1.0")]
    assert compiled(composed(tmp_path / "1", recipes, "one")) == (["one"], ["blas"])
    with pytest.raises(RecipeError, match="the recipe two needs blas <1"):
        composed(tmp_path / "2", recipes, "one", "two")


@pytest.mark.parametrize("version", ["1.1.1w", "2024a", "r29", "3.50.4-r1"])
def test_a_library_may_be_of_a_version_that_no_package_could_have(version: str, tmp_path: Path) -> None:
    found = composed(tmp_path, [a_package("top", "blas"), a_library("blas", version=version)], "top")
    assert found.spec.libraries[0].version == version


@pytest.mark.parametrize("name", ["Open_BLAS", "open.blas", "open-blas"])
def test_a_library_is_found_however_its_name_is_written(name: str, tmp_path: Path) -> None:
    folder, text = a_library(name)
    found = composed(tmp_path, [a_package("top", "open_blas"), (folder, text)], "top")
    assert compiled(found) == (["top"], ["open-blas"])
    assert found.spec.packages[0].needs == ("open-blas",)


def test_libraries_that_need_each_other_are_found_once(tmp_path: Path) -> None:
    recipes = [a_package("top", "one"), a_library("one", "two"), a_library("two", "one")]
    assert compiled(composed(tmp_path, recipes, "top")) == (["top"], ["one", "two"])


# --- one copy, variables


def test_one_copy_is_asked_only_of_what_is_compiled_or_never_is(tmp_path: Path) -> None:
    single = '[check]\nsingle = ["libNAME*"]\n'
    recipes = [
        a_package("made", "blas", more=single.replace("NAME", "made")),
        a_package("wheel", build=False, more=single.replace("NAME", "wheel")),
        a_library("blas", more=single.replace("NAME", "blas")),
    ]
    pins = ("made", "wheel")
    assert composed(tmp_path / "1", recipes, *pins).spec.check.single == ("libblas*", "libmade*", "libwheel*")
    assert composed(tmp_path / "2", recipes, *pins, compiling=False).spec.check.single == ("libwheel*",)
    assert composed(tmp_path / "3", recipes, "made==3", "wheel").spec.check.single == ("libwheel*",)


def test_the_images_libraries_of_what_is_not_compiled_stay_out(tmp_path: Path) -> None:
    recipes = [
        a_package("made", "blas", more='system = ["libmade.so"]\n'),
        a_package("wheel", build=False, more='system = ["libwheel.so"]\n'),
        a_library("blas", more='system = ["libblas.so"]\n'),
    ]
    pins = ("made", "wheel")
    assert composed(tmp_path / "1", recipes, *pins).spec.system == ("libblas.so", "libmade.so", "libwheel.so")
    assert composed(tmp_path / "2", recipes, *pins, compiling=False).spec.system == ("libwheel.so",)


def test_two_values_of_one_variable_are_an_error_and_the_same_one_is_none(tmp_path: Path) -> None:
    recipes = [a_package(name, build=False, more=f'[env]\nDATA = "{value}"\n') for name, value in ("ax", "bx", "cy")]
    assert composed(tmp_path / "1", recipes, "a", "b").spec.env == {"DATA": "x"}
    with pytest.raises(RecipeError, match="the recipes a and c want different values of DATA") as caught:
        composed(tmp_path / "2", recipes, "a", "b", "c")
    assert caught.value.details == ("a: x", "c: y")


# --- a project's own


def test_recipes_that_count_instead_of_others_are_told(tmp_path: Path) -> None:
    ours = written(tmp_path / "ours", [a_package("base", versions=">=9"), a_library("blas", version="9")])
    theirs = written(tmp_path / "theirs", [*CHAIN, a_package("apart", "blas")])
    known = Catalogue(folders=(ours, theirs))
    pins = [pin("apart"), pin("base==9.1")]
    found = compose(SPEC, pins, known, target(), compiling=True, image=True)
    assert compiled(found) == (["apart", "base"], ["blas"])
    assert found.said == (f"the recipes base, blas of {ours} count instead of layerforge's own",)
    found = compose(SPEC, pins[1:], known, target(), compiling=True, image=True)
    assert found.said == (f"the recipe base of {ours} counts instead of layerforge's own",)
