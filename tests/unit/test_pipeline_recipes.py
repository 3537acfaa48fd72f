"""The whole line with recipes of two packages: what each says of its own files, and what is said of the layer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from layerforge.build.engine import Job, Outcome
from layerforge.core.errors import VerificationError
from layerforge.report.delivery import Layer
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import Docstrings
from unit.test_pipeline import TAG, CheckEngine, Line, names_in, text_in
from wheels import lock_of, make_wheel

LEFT = """
schema = 2
[package]
name = "left"
versions = ">=1,<2"
[prune]
remove = ["space/**/extra/**"]
[bytecode]
docstrings = "drop"
keep_docstrings = ["space/left/told.py"]
optimize = 1
[check]
imports = ["space.left.told"]
script = "check.py"
[env]
LEFT_HOME = "/opt/python/space/left"
"""
RIGHT = """
schema = 2
[package]
name = "right"
versions = ">=1,<2"
[prune]
remove = ["space/right/extra/**"]
[bytecode]
docstrings = "drop"
[check]
imports = ["space.right.deep"]
script = "check.py"
[env]
RIGHT_HOME = "/opt/python/space/right"
"""
LEFT_CHECK = """
import space.left as left, space.left.told as told
assert (left.__doc__, told.__doc__) == ("", "Doc."), left.__doc__
assert left.DEBUG is False and told.DEBUG is False
left.seen = "by the check of left"
"""
RIGHT_CHECK = """
import sys
import space.left, space.right
assert space.left.seen == "by the check of left"
assert "left" not in globals() and "told" not in vars(sys.modules["__main__"])
assert space.right.__doc__ == "" and space.right.DEBUG is True
"""
SOURCE = b"'Doc.'\nDEBUG = __debug__\n"


@dataclass
class RunningEngine(CheckEngine):
    """An engine that really runs a check, in a process of its own that is shut off from nothing."""

    def run(self, job: Job) -> Outcome:
        self.jobs.append(job)
        start = f"import sys; sys.path.insert(0, {str(job.opt / 'python')!r})\n"
        argv = [sys.executable, "-I", "-B", "-c", f"{start}{job.init}\n{job.program}"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        return Outcome(status=done.returncode, output=done.stdout + done.stderr, seconds=0.0)


def a_wheel(index: Path, name: str, version: str) -> Path:
    """A wheel of one of the packages in the namespace ``space``."""
    modules = (f"space/{name}/{part}.py" for part in ("__init__", "told", "deep", "extra/__init__"))
    return make_wheel(index, name, version, dict.fromkeys(modules, SOURCE))


@dataclass(kw_only=True)
class Pair:
    """The two packages, their recipes, and a line that makes layers of them."""

    line: Line
    index: Path

    def recipe(self, name: str, text: str, check: str) -> None:
        folder = self.line.folder / "recipes" / name
        folder.mkdir(parents=True)
        (folder / "recipe.toml").write_text(text)
        (folder / "check.py").write_text(check)

    def forge(self, left: str = "1.5", right: str = "1.5", *, docstrings: Docstrings | None = None) -> Layer:
        """The layer of these versions of both."""
        lock = self.line.folder / "both.lock"
        lock.write_text(lock_of(a_wheel(self.index, "left", left), a_wheel(self.index, "right", right)))
        return self.line.forge("left", "right", given=lock, docstrings=docstrings)


@pytest.fixture
def pair(index: Path, tmp_path: Path) -> Pair:
    made = Pair(line=Line(folder=tmp_path, engine=RunningEngine()), index=index)
    made.recipe("left", LEFT, LEFT_CHECK)
    made.recipe("right", RIGHT, RIGHT_CHECK)
    return made


def of(layer: Layer, package: str) -> list[str]:
    """Sources of a package that are in a layer, below its folder."""
    prefix = f"python/space/{package}/"
    names = (name.removeprefix(prefix) for name in names_in(layer.path) if name.startswith(prefix))
    return sorted(name for name in names if name.endswith(".py"))


def imported(pair: Pair) -> tuple[Sequence[str], Sequence[str]]:
    """Modules that the last check had to import, and those that it tried."""
    [line] = [line for line in pair.line.engine.jobs[-1].init.splitlines() if line.startswith("CHECK = checking(")]
    space: dict[str, tuple[Sequence[str], Sequence[str]]] = {}
    exec(line, {"checking": lambda _, needed, others: (needed, others)}, space)
    return space["CHECK"]


def test_each_recipe_counts_for_its_own_package_where_its_version_is_among_those_it_was_proved_for(pair: Pair) -> None:
    layer = pair.forge()
    assert layer.verdict is not None
    assert (layer.verdict.findings, layer.verdict.skipped) == ((), "")
    assert of(layer, "left") == of(layer, "right") == ["__init__.py", "deep.py", "told.py"]
    made = layer.manifest
    assert made.bytecode.told == "drop in left, right"
    assert made.env == {"LEFT_HOME": "/opt/python/space/left", "RIGHT_HOME": "/opt/python/space/right"}
    assert [script.package for script in made.check.scripts] == ["left", "right"]
    assert imported(pair) == (["space.left.told", "space.right.deep"], [])
    assert not [said for said in pair.line.progress.lines if "recipe" in said]


def test_a_package_outside_its_recipes_versions_comes_by_the_general_rules_and_that_is_said(pair: Pair) -> None:
    layer = pair.forge(right="2.0")
    assert layer.verdict is not None
    assert layer.verdict.findings == ()
    assert [said for said in pair.line.progress.lines if "recipe" in said] == [
        "right 2.0 is not among the versions of its recipe, >=1,<2: it comes from its wheel, by the general rules"
    ]
    # What the recipe of left removes are its own files, though its glob fits those of right too.
    assert of(layer, "left") == ["__init__.py", "deep.py", "told.py"]
    assert of(layer, "right") == ["__init__.py", "deep.py", "extra/__init__.py", "told.py"]
    made = layer.manifest
    assert made.bytecode.told == "drop in left"
    assert made.env == {"LEFT_HOME": "/opt/python/space/left"}
    assert [script.package for script in made.check.scripts] == ["left"]
    # Of right its files tell what to import, beside what the recipe of left names: something of it has to be there.
    assert imported(pair) == (["space.left.told"], ["space.right"])


def test_a_check_that_fails_ends_the_build_with_its_packages_name_after_the_others_were_run(pair: Pair) -> None:
    (pair.line.folder / "recipes" / "left" / "check.py").write_text("import space.left\nassert 0, 'left is bad'\n")
    with pytest.raises(VerificationError) as caught:
        pair.forge()
    told = "\n".join(caught.value.details)
    assert "left/check.py: AssertionError: left is bad" in told
    # The check of right needs what that of left would have done, had it come so far.
    assert "right/check.py: AttributeError" in told


def test_the_command_line_decides_on_the_docstrings_of_all_packages(pair: Pair) -> None:
    for name in ("left", "right"):
        (pair.line.folder / "recipes" / name / "check.py").write_text(
            f"import space.{name} as own, space.{name}.told as told\nassert own.__doc__ == told.__doc__ == 'Doc.'\n"
        )
    layer = pair.forge(docstrings=Docstrings.KEEP)
    assert layer.verdict is not None
    assert layer.verdict.findings == ()
    assert layer.manifest.bytecode.told == "keep"


def test_a_glob_that_leaves_its_package_ends_the_build_before_any_pass(pair: Pair) -> None:
    recipe = pair.line.folder / "recipes" / "left" / "recipe.toml"
    recipe.write_text(LEFT.replace("space/**/extra/**", "right/extra/**"))
    with pytest.raises(RecipeError) as caught:
        pair.forge()
    assert caught.value.exit_code == 3
    assert caught.value.details == ("left: prune.remove names right/extra/**, and left has left-1.5.dist-info, space",)
    assert "prune" not in pair.line.progress.steps
    assert pair.line.written() == {}


def test_a_recipe_outside_whose_versions_a_package_is_may_speak_of_files_that_this_one_lacks(pair: Pair) -> None:
    recipe = pair.line.folder / "recipes" / "right" / "recipe.toml"
    recipe.write_text(RIGHT.replace("space/right/extra/**", "of_version_1/**"))
    assert pair.forge(right="2.0").path.is_file()


def test_the_layer_is_the_same_whether_the_store_knows_its_modules_or_not(pair: Pair) -> None:
    first = pair.forge().path.read_bytes()
    pair.line.store = "another store"
    assert pair.forge().path.read_bytes() == first
    names = names_in(pair.forge().path)
    assert f"python/space/left/__pycache__/told.cpython-{TAG}.pyc" in names
    assert text_in(pair.forge().path, "python/space/left/told.py") == SOURCE.decode()
