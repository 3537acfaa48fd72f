"""Globs of recipes, held against the files that their packages own."""

from __future__ import annotations

import pytest

from fakes import FakeProgress, FakeStore, a_file, a_tree, target
from layerforge.build.plan import plan
from layerforge.layer.passes.own_files import MOST_NAMES, refuse_foreign_globs
from layerforge.layer.passes.run import optimize
from layerforge.layer.tree import Link, Package, Tree
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Bytecode, BytecodeMode, CodeRules, Compression, Prune

PATHS = {
    "left-pad": ["space/left/__init__.py", "left_pad.py", "left_pad-1.dist-info/RECORD", "share/man/left.1"],
    "right": ["space/right/__init__.py", "right/__init__.py", "_right.cpython-313-x86_64-linux-gnu.so"],
    "": ["loose/x.py"],
}


def a_layer() -> Tree:
    files = [a_file(f"python/{path}", package=name) for name, paths in PATHS.items() for path in paths]
    return a_tree(*files, a_file("bin/right", package="right"), Link(path="python/a.so", target="x", package="right"))


def a_spec(key: str, *globs: str, package: str = "left-pad") -> LayerSpec:
    """A spec whose recipe for ``package`` has ``globs`` under a key."""
    prune = {package: Prune(**{key: globs})} if key in {"remove", "keep"} else {}
    rules = {"keep_docstrings": CodeRules(keep_docstrings=globs), "lazy": CodeRules(lazy=globs)}
    code = {package: rules[key]} if key in rules else {}
    return LayerSpec(name="x", requires=("x",), prune=prune, bytecode=Bytecode(mode=BytecodeMode.NONE, packages=code))


def refused(spec: LayerSpec) -> list[str]:
    """The globs that are said to be about files of others."""
    try:
        refuse_foreign_globs(a_layer(), spec)
    except RecipeError as error:
        return [line.partition(" names ")[2].partition(", and ")[0] for line in error.details]
    return []


KEYS = ["remove", "keep", "keep_docstrings", "lazy"]
SHOWN = {key: f"{'prune' if key in {'remove', 'keep'} else 'bytecode'}.{key}" for key in KEYS}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "glob",
    [
        *("right/**", "right", "left/**", "loose/x.py", "absent/**", "bin/**", "a.so", "pad.py", "spac/**"),
        *("left_pad/**/x.py", "right.libs/**", "left_pad.libs2/**", "left_pad-2.dist-info/**"),
    ],
)
def test_a_glob_that_begins_with_no_file_or_folder_of_its_package_is_a_mistake_of_the_recipe(
    key: str, glob: str
) -> None:
    with pytest.raises(RecipeError, match="the recipe left-pad speaks of files that are another") as caught:
        refuse_foreign_globs(a_layer(), a_spec(key, "space/**", glob))
    assert caught.value.exit_code == 3
    assert caught.value.details == (
        f"left-pad: {SHOWN[key]} names {glob}, and left-pad has left_pad-1.dist-info, left_pad.py, share, space",
    )


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    "glob",
    [
        *("space/**", "space/right/**", "space/absent.bin", "left_pad.py", "left_pad.*", "left_pad-*.dist-info/**"),
        *("share/man/**", "s?ace/**", "left_pad.libs/**", "left-pad.libs/x.so", "Left.Pad.libs/*"),
    ],
)
def test_a_glob_may_match_nothing_as_long_as_it_begins_with_what_its_package_has(key: str, glob: str) -> None:
    assert refused(a_spec(key, glob)) == []
    assert refused(a_spec(key, glob, "absent/**")) == ["absent/**"]


def test_a_package_that_installs_a_top_level_link_or_module_owns_it() -> None:
    globs = ("a.so", "_right.*", "right/**")
    assert refused(a_spec("remove", *globs, package="right")) == []
    assert refused(a_spec("remove", *globs, package="left-pad")) == list(globs)


def test_what_a_record_lists_is_its_packages_own_though_another_package_won_the_file() -> None:
    paths = ["tests/__init__.py", "./gone/x.py", "../../bin/tool", "bin/tool", "/etc/x", "loser-1.dist-info/RECORD"]
    record = "".join(f"{path},,\n" for path in paths).encode()
    info = "python/loser-1.dist-info"
    layer = a_tree(
        a_file("python/tests/__init__.py", package="winner"),
        a_file(f"{info}/RECORD", record, package="loser"),
        packages=[Package(name="loser", version="1", info=info), Package(name="blas", version="1", info="")],
    )
    refuse_foreign_globs(layer, a_spec("remove", "tests/**", "gone/**", package="loser"))
    with pytest.raises(RecipeError) as caught:
        refuse_foreign_globs(layer, a_spec("remove", "bin/**", "etc/**", package="loser"))
    assert [line.rpartition(" has ")[2] for line in caught.value.details] == ["gone, loser-1.dist-info, tests"] * 2


def test_every_such_glob_of_every_recipe_is_told_at_once() -> None:
    spec = LayerSpec(
        name="x",
        requires=("x",),
        prune={"right": Prune(remove=("left_pad.py",), keep=("loose/**",)), "left-pad": Prune(remove=("right/**",))},
        bytecode=Bytecode(packages={"right": CodeRules(keep_docstrings=("left/**",))}),
    )
    with pytest.raises(RecipeError) as caught:
        refuse_foreign_globs(a_layer(), spec)
    assert caught.value.message.startswith("the recipes left-pad, right speak of files")
    assert [line.partition(", and ")[0] for line in caught.value.details] == [
        "left-pad: prune.remove names right/**",
        "right: prune.remove names left_pad.py",
        "right: prune.keep names loose/**",
        "right: bytecode.keep_docstrings names left/**",
    ]


def test_of_a_package_with_many_files_at_the_top_some_are_shown() -> None:
    names = [f"m{number:02}.py" for number in range(MOST_NAMES + 2)]
    layer = a_tree(*(a_file(f"python/{name}", package="many") for name in names))
    with pytest.raises(RecipeError) as caught:
        refuse_foreign_globs(layer, a_spec("remove", "x/**", package="many"))
    [line] = caught.value.details
    assert line.endswith(f", m{MOST_NAMES - 1:02}.py and 2 more")


def test_a_package_that_owns_nothing_has_nothing_to_speak_of() -> None:
    with pytest.raises(RecipeError) as caught:
        refuse_foreign_globs(a_layer(), a_spec("keep", "robbed/**", package="robbed"))
    assert caught.value.details == ("robbed: prune.keep names robbed/**, and robbed has nothing",)


@pytest.mark.parametrize("key", KEYS)
def test_no_pass_runs_over_a_layer_whose_recipe_speaks_of_others(key: str) -> None:
    progress = FakeProgress()
    planned = plan(a_spec(key, "right/**"), target(), (), Compression.FAST, None, 0)
    with pytest.raises(RecipeError):
        optimize(a_layer(), planned, None, FakeStore(), progress)
    assert progress.steps == []
