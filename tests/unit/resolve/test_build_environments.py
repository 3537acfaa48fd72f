"""What packages are compiled with: locked in build.lock, or resolved on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes import FakeStore, stock, target
from keys import assert_decided_by
from layerforge.cli import lock as lock_command
from layerforge.core.errors import LayerforgeError, StepError, UsageError
from layerforge.resolve import build_environments, lock, markers, targets
from layerforge.resolve.catalogue import catalogue
from layerforge.resolve.compose import compose
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.request import Request
from sdists import make_sdist, publish
from wheels import digest, make_wheel

HEAD = 'schema = 2\n[package]\nname = "NAME"\nversions = ">=1,<9"\n'
LAYER = '[layer]\nrequires = ["NAME"]\n'
FAST_RECIPE = f'{HEAD}build = "source"\n[build]\nrequires = ["ninja"]\n{LAYER}'
FASTER_RECIPE = f'{HEAD}build = "source"\nneeds = ["fast"]\n{LAYER}'


@dataclass(frozen=True)
class Place:
    """Recipes that compile two packages, one of which needs the other, and the index that everything comes from."""

    index: Path
    recipes: Path
    store: FakeStore = field(default_factory=FakeStore)

    def recipe(self, name: str, text: str) -> Path:
        """Writes a recipe."""
        folder = self.recipes / name
        folder.mkdir(exist_ok=True, parents=True)
        (folder / "recipe.toml").write_text(text.replace("NAME", name))
        return folder

    def lock(self, *words: str) -> str:
        """What `layerforge lock` prints; without words it locks every recipe."""
        env = {"LAYERFORGE_CACHE": str(self.recipes.parent / "store")}
        publish(self.index, self.index.parent / "simple")
        targets = words or ("fast", "faster")
        done = CliRunner().invoke(lock_command.command, [*targets, "--recipes", str(self.recipes)], env=env)
        if isinstance(done.exception, LayerforgeError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    def pins(
        self,
        word: str = "faster",
        *,
        more: Sequence[str] = (),
        given: Path | None = None,
        layer: str = "",
        python: str = "3.13",
        fetches: bool = True,
    ) -> dict[str, dict[str, str]]:
        """Versions of each build environment of a layer; ``more`` are compiled too, though no recipe says so.

        ``layer`` are lines of the lock that take the place of what the word is locked with.
        """
        known = catalogue(self.recipes)
        [request] = targets.requests([word], given, known)
        text = layer or (given or self.recipes / word / "requirements.lock").read_text()
        held = lock.applicable(lock.parse(text, "x"), target(python))
        spec = request.spec.compiling(more)
        spec = compose(spec, held, known, target(python), compiling=True, image=True).spec
        environments = build_environments.EnvironmentResolver(
            request=replace(request, spec=spec), search=stock(store=self.store), fetches=fetches
        )
        found = build_environments.build_pins(environments, held, target(python))
        assert not [pin for pins in found.values() for pin in pins if pin.marker]
        return {name: {pin.name: pin.version for pin in pins} for name, pins in found.items()}

    def pin(self, name: str, version: str) -> str:
        """A line of a lock for the files of the index."""
        files = [path for path in sorted(self.index.iterdir()) if path.name.startswith(f"{name}-{version}")]
        return " ".join([f"{name}=={version}", *(f"--hash={digest(file)}" for file in files)]) + "\n"

    def rewrite(self, name: str, old: str, new: str) -> None:
        """Changes the build.lock of a recipe by hand."""
        file = self.recipes / name / "build.lock"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    index = tmp_path / "index"
    index.mkdir()
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    for name, version in (("setuptools", "80"), ("wheel", "1"), ("ninja", "1"), ("extra", "1"), ("below", "7")):
        make_wheel(index, name, version)
    for version in ("2.0", "3.0"):
        make_wheel(index, "cython", version, requires=["below"])
    for name, requires in (("fast", ["setuptools", "cython"]), ("faster", ["setuptools", "cython<3", "fast", "extra"])):
        make_sdist(index, name, requires=requires)
        make_wheel(index, name, requires=["extra", "fast"] if name == "faster" else [])
    made = Place(index, tmp_path / "recipes")
    made.recipe("fast", FAST_RECIPE)
    made.recipe("faster", FASTER_RECIPE)
    return made


FAST = {"setuptools": "80", "wheel": "1", "ninja": "1", "cython": "3.0", "below": "7"}
FASTER = {"setuptools": "80", "wheel": "1", "cython": "2.0", "below": "7", "extra": "1"}
BOTH = {"fast": FAST, "faster": FASTER}


def test_each_recipe_that_compiles_gets_a_second_lock_for_its_package_alone(place: Place) -> None:
    said = place.lock()
    for name, cython, alone in (("fast", "3.0", "ninja==1"), ("faster", "2.0", "extra==1")):
        assert f"{name}/build.lock" in said
        text = (place.recipes / name / "build.lock").read_text()
        assert f"\n# For compiling {name} 1.0\n" in text
        assert f"\ncython=={cython} \\\n    --hash=sha256:" in text
        assert f"\n{alone} \\\n" in text
        assert "extra ==" not in text
        assert str(place.index) not in text
    assert "\nfast==" not in (place.recipes / "faster/build.lock").read_text(), "the layer's own is compiled with"
    assert place.pins() == BOTH
    assert place.pins("fast") == {"fast": FAST}


def test_a_plan_from_locks_takes_no_source(place: Place) -> None:
    place.lock()
    place.store.values.clear()
    for sdist in place.index.glob("*.tar.gz"):
        sdist.unlink()
    assert place.pins(fetches=False) == BOTH
    with pytest.raises(LockError):
        place.pins()


def test_what_is_locked_is_what_would_be_resolved_on_the_way(place: Place) -> None:
    place.lock()
    for file in place.recipes.glob("*/build.lock"):
        file.unlink()
    assert place.pins() == BOTH


def test_a_recipe_that_is_no_target_gets_a_lock_of_what_it_is_compiled_with_alone(place: Place) -> None:
    folder = place.recipe("fast", FAST_RECIPE.removesuffix(LAYER))
    said = place.lock(str(folder))
    assert f"{folder / 'build.lock'}" in said
    assert sorted(path.name for path in folder.iterdir()) == ["build.lock", "recipe.toml"]
    text = (folder / "build.lock").read_text()
    assert "\n# For compiling fast 1.0\n" in text
    make_wheel(place.index, "cython", "4.0")
    publish(place.index, place.index.parent / "simple")
    assert place.pins("fast", layer=place.pin("fast", "1.0")) == {"fast": FAST}


def test_a_lock_that_is_named_for_a_recipe_that_is_no_target_is_a_layers(place: Place, tmp_path: Path) -> None:
    folder = place.recipe("fast", FAST_RECIPE.removesuffix(LAYER))
    place.lock(str(folder), "-o", str(tmp_path / "mine.lock"))
    assert sorted(path.name for path in folder.iterdir()) == ["recipe.toml"]
    assert "\nfast==1.0 \\\n" in (tmp_path / "mine.lock").read_text()
    assert "\n# For compiling fast 1.0\n" in (tmp_path / "mine.build.lock").read_text()


def test_a_recipe_that_compiles_nothing_gets_no_second_lock(place: Place) -> None:
    folder = place.recipe("fast", HEAD + LAYER)
    place.lock("fast")
    assert sorted(path.name for path in folder.iterdir()) == ["recipe.toml", "requirements.lock"]


def test_another_version_for_one_package_leaves_the_others_alone(place: Place) -> None:
    place.lock()
    make_wheel(place.index, "extra", "2")
    place.lock()
    assert place.pins() == {"fast": FAST, "faster": {**FASTER, "extra": "2"}}


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("fast", "cython==3.0", "cythonn==3.0", "cython is required but not locked"),
        ("faster", "cython==2.0", "cython==3.1", "cython<3 is required but 3.1 is locked"),
        ("fast", "ninja==1", "ninjja==1", "ninja is required but not locked"),
    ],
)
def test_a_build_lock_that_lacks_something_is_refused(place: Place, name: str, old: str, new: str, said: str) -> None:
    place.lock()
    place.rewrite(name, old, new)
    with pytest.raises(LockError, match=rf"build\.lock is stale: it does not hold what {name} is") as caught:
        place.pins()
    assert caught.value.exit_code == 4
    assert caught.value.details == (said,)
    assert caught.value.hint == f"renew it with `layerforge lock {place.recipes / name}`"


def test_a_build_lock_that_is_no_lock_is_refused(place: Place) -> None:
    place.lock()
    place.rewrite("fast", "ninja==1", "ninja>=1")
    with pytest.raises(LockError, match=r"build\.lock is not a lock that holds"):
        place.pins()


@pytest.mark.parametrize(
    ("old", "new"),
    [("Python 3.12 and newer", "Python 3.14 and newer"), ("# For compiling fast 1.0", "# For compiling fast 1.1")],
)
def test_a_recipes_build_lock_for_newer_pythons_or_another_version_is_passed_over(
    place: Place, old: str, new: str
) -> None:
    place.lock()
    make_wheel(place.index, "ninja", "2")
    publish(place.index, place.index.parent / "simple")
    assert place.pins() == BOTH
    place.rewrite("fast", old, new)
    assert place.pins() == {**BOTH, "fast": {**FAST, "ninja": "2"}}


def test_a_build_lock_beside_a_lock_that_is_for_newer_pythons_is_refused(place: Place, tmp_path: Path) -> None:
    place.lock("fast", "-o", str(tmp_path / "my.lock"))
    beside = tmp_path / "my.build.lock"
    beside.write_text(beside.read_text().replace("Python 3.12 and newer", "Python 3.14 and newer"))
    with pytest.raises(LockError, match=r"for Python 3\.14 and newer, the target is 3\.13") as caught:
        place.pins("fast", given=tmp_path / "my.lock")
    assert "--python 3.13" in caught.value.hint


def test_a_package_that_cannot_be_compiled_with_what_it_needs_of_the_layer_is_named(place: Place) -> None:
    make_sdist(place.index, "faster", "2.0", requires=["fast<1"])
    make_wheel(place.index, "faster", "2.0", requires=["fast"])
    with pytest.raises(LockError, match="what faster is compiled with cannot be resolved") as caught:
        place.lock()
    assert "fast" in "\n".join(caught.value.details)
    assert not list(place.recipes.glob("faster/*.lock"))


def test_a_package_that_nothing_requires_is_refused(place: Place) -> None:
    with pytest.raises(LockError, match="extra is to be compiled but nothing requires it"):
        place.lock("fast", "--from-source", "extra")


def test_a_lock_elsewhere_has_a_build_lock_of_its_own_where_the_recipe_has_none(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other.lock"
    place.lock("fast", "-o", str(other))
    assert not list(place.recipes.glob("*/*.lock"))
    beside = tmp_path / "other.build.lock"
    beside.write_text(beside.read_text().replace("ninja==1", "ninja==1.5"))
    (place.recipes / "fast/requirements.lock").write_text(other.read_text())
    assert place.pins("fast", given=other)["fast"] == {**FAST, "ninja": "1.5"}
    assert place.pins("fast")["fast"] == FAST


@pytest.mark.parametrize(
    ("locked", "beside"),
    [(("fast", "faster"), ()), (("fast",), ("faster",)), (("faster",), ("fast",)), ((), ("fast", "faster"))],
)
def test_beside_the_lock_of_a_file_only_that_is_locked_which_no_recipe_locks(
    place: Place, tmp_path: Path, locked: tuple[str, ...], beside: tuple[str, ...]
) -> None:
    place.lock()
    for name in {"fast", "faster"} - set(locked):
        (place.recipes / name / "build.lock").unlink()
    (tmp_path / "needs.txt").write_text("faster\n")
    place.lock(str(tmp_path / "needs.txt"))
    assert "\nfast==1.0 " in (tmp_path / "needs.lock").read_text()
    made = tmp_path / "needs.build.lock"
    assert made.exists() == bool(beside)
    if beside:
        assert f"# For compiling {', '.join(f'{name} 1.0' for name in beside)}\n" in made.read_text()
        assert ("extra ==" in made.read_text()) == (len(beside) > 1)
    assert place.pins(str(tmp_path / "needs.txt"), given=tmp_path / "needs.lock") == BOTH


def test_a_version_that_no_recipe_locks_is_locked_beside_the_file(place: Place, tmp_path: Path) -> None:
    place.lock()
    make_sdist(place.index, "fast", "1.5", requires=["setuptools"])
    make_wheel(place.index, "fast", "1.5")
    (tmp_path / "needs.txt").write_text("faster\n")
    place.lock(str(tmp_path / "needs.txt"))
    assert "\n# For compiling fast 1.5\n" in (tmp_path / "needs.build.lock").read_text()
    expected = {name: version for name, version in FAST.items() if name not in {"cython", "below"}}
    found = place.pins(str(tmp_path / "needs.txt"), given=tmp_path / "needs.lock")
    assert found == {"fast": expected, "faster": FASTER}


@pytest.mark.parametrize(("output", "words"), [(".", "is a folder"), ("nowhere/x.lock", "there is no .*nowhere")])
def test_a_lock_that_has_no_place_is_refused_before_anything_is_resolved(
    place: Place, tmp_path: Path, output: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        place.lock("fast", "-o", str(tmp_path / output))


def test_the_python_of_a_lock_may_be_called_as_lambda_calls_it(place: Place) -> None:
    place.lock("fast", "--python", "python3.13")
    for name in ("requirements.lock", "build.lock"):
        first = (place.recipes / "fast" / name).read_text().splitlines()[0]
        assert first.startswith("# Locked by layerforge for Python 3.13 and newer")
        assert first.endswith(" --python 3.13")


def test_what_the_command_line_adds_is_resolved_on_the_way(place: Place) -> None:
    make_sdist(place.index, "extra", requires=["setuptools", "below"])
    place.lock()
    expected = {"setuptools": "80", "wheel": "1", "below": "7"}
    assert place.pins(more=["extra"]) == {**BOTH, "extra": expected}


def test_a_package_that_is_asked_to_be_compiled_is_locked_with_what_its_recipe_says(place: Place) -> None:
    place.lock("fast", "--from-source", "fast")
    assert place.pins("fast") == {"fast": FAST}


# --- what of a layer reaches into an environment


@pytest.mark.parametrize("locks", [True, False], ids=["locked", "resolved"])
def test_of_a_layer_only_what_a_recipe_needs_reaches_what_its_package_is_compiled_with(
    place: Place, locks: bool
) -> None:
    make_wheel(place.index, "below", "6")
    make_wheel(place.index, "extra", "0.9")
    make_wheel(place.index, "cython", "2.5", requires=["below"])
    place.lock()
    if not locks:
        for file in place.recipes.glob("*/build.lock"):
            file.unlink()
    rows = [("fast", "1.0"), ("faster", "1.0"), ("below", "6"), ("extra", "0.9"), ("cython", "2.0")]
    layer = "".join(place.pin(name, version) for name, version in rows)
    assert place.pins(layer=layer) == place.pins() == {**BOTH, "faster": {**FASTER, "cython": "2.5"}}


def test_what_a_recipe_needs_decides_over_what_else_its_package_is_compiled_with(place: Place) -> None:
    make_wheel(place.index, "binder", "1", requires=["fast<2"])
    make_wheel(place.index, "binder", "2", requires=["fast>=2"])
    make_wheel(place.index, "fast", "2.0")
    make_sdist(place.index, "fast", "2.0", requires=["setuptools"])
    make_sdist(place.index, "faster", requires=["setuptools", "fast", "binder"])
    publish(place.index, place.index.parent / "simple")
    binders = {}
    for version in ("1.0", "2.0"):
        layer = place.pin("fast", version) + place.pin("faster", "1.0")
        (place.recipes / "faster/requirements.lock").write_text(layer)
        binders[version] = place.pins()["faster"]["binder"]
    assert binders == {"1.0": "1", "2.0": "2"}


def test_a_package_without_a_recipe_has_the_layers_version_of_what_it_declares_and_of_nothing_else(
    place: Place,
) -> None:
    make_sdist(place.index, "plain", requires=["setuptools", "cython"])
    make_wheel(place.index, "plain")
    make_wheel(place.index, "below", "6")
    publish(place.index, place.index.parent / "simple")
    rows = [("plain", "1.0"), ("below", "6"), ("cython", "2.0")]
    layer = "".join(place.pin(name, version) for name, version in rows)
    found = place.pins("plain", more=["plain"], layer=layer)
    assert found == {"plain": {"setuptools": "80", "wheel": "1", "cython": "2.0", "below": "7"}}


def test_what_a_package_declares_is_read_once(place: Place) -> None:
    place.lock()
    first = place.pins()
    for sdist in place.index.glob("*.tar.gz"):
        sdist.unlink()
    assert place.pins() == first


@pytest.mark.parametrize(
    "pyproject",
    [
        "[build-system",
        '[build-system]\nrequires = ["a b"]\n',
        "[build-system]\nrequires = 3\n",
        '[build-system]\nrequires = "setuptools"\n',
    ],
)
def test_a_source_distribution_that_declares_nonsense_is_named(place: Place, pyproject: str) -> None:
    make_sdist(place.index, "fast", pyproject=pyproject)
    with pytest.raises(StepError, match=r"the pyproject\.toml of fast-1\.0 cannot be understood"):
        place.lock()


def test_pins_that_count_for_some_packages_and_some_systems_keep_both_conditions() -> None:
    one = Pin(name="tool", version="1", hashes=(digest(Path(__file__)),), marker='sys_platform == "linux"')
    [made] = lock.merge_environments({"a": [one], "b": []})
    held = lock.parse(lock.render_portable([made]), "build.lock")
    assert [pin.name for pin in lock.applicable(held, target(), "a")] == ["tool"]
    assert lock.applicable(held, target(), "b") == ()
    assert lock.applicable(held, target()) == ()
    assert markers.with_marker('x ; python_version >= "3"', 'sys_platform == "win32"').count(" and ") == 1


@pytest.mark.parametrize(
    ("kept", "declared"),
    [
        (None, None),
        (b"", None),
        (b"{}", None),
        (b"[1]", None),
        (b'["no requirement ("]', None),
        (b'["setuptools>=70"]', ["setuptools>=70"]),
    ],
)
def test_what_is_kept_of_a_build_environment_and_is_no_list_of_requirements_is_read_anew(
    kept: bytes | None, declared: list[str] | None
) -> None:
    assert build_environments._declared(kept) == declared


@dataclass
class Asked(FakeStore):
    """A store that has an answer to everything, and remembers what it was asked for."""

    keys: list[str] = field(default_factory=list)

    def get(self, kind: str, key: str) -> bytes | None:
        self.keys.append(f"{kind} {key}")
        return b"[]"


def test_what_a_package_declares_is_kept_by_name_version_and_hashes() -> None:
    def key(pin: Pin) -> str:
        store = Asked()
        request = Request(spec=LayerSpec(name="mine", requires=("fast",)), text="fast")
        environments = build_environments.EnvironmentResolver(request=request, search=stock(store=store))
        build_environments._requires(environments, pin, target())
        [found] = store.keys
        return found

    assert_decided_by(
        key,
        Pin(name="fast", version="1", hashes=("sha256:1",)),
        {"name": "faster", "version": "2", "hashes": ("sha256:1", "sha256:2")},
        {"marker": "python_version > '3'", "address": "file:///here/fast.tar.gz", "extras": ("more",)},
    )
