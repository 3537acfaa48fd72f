"""What packages are compiled with: locked in build.lock, or resolved on the way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes import FakeStore, stock, target
from keys import assert_decided_by
from layerforge.cli import lock as lock_command
from layerforge.core.errors import LayerforgeError, StepError, UsageError
from layerforge.resolve import build_environments, lock, markers, targets
from layerforge.resolve.errors import LockError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import SourcePackage
from layerforge.resolve.request import Request
from sdists import make_sdist, publish
from wheels import digest, make_wheel

RECIPE = """
schema = 1
[layer]
name = "mine"
requires = ["fast", "faster"]
[[package]]
name = "fast"
build = "source"
[[package]]
name = "faster"
build = "source"
needs = ["fast"]
[build]
requires = ["ninja"]
"""


@dataclass(frozen=True)
class Place:
    """A recipe that compiles two packages, and the index that everything comes from."""

    index: Path
    folder: Path
    store: FakeStore = field(default_factory=FakeStore)

    def lock(self, *words: str) -> str:
        """What `layerforge lock` prints."""
        env = {"LAYERFORGE_CACHE": str(self.folder.parent / "store")}
        publish(self.index, self.index.parent / "simple")
        done = CliRunner().invoke(lock_command.command, [*(words or [str(self.folder)])], env=env)
        if isinstance(done.exception, LayerforgeError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.output

    def pins(
        self, *more: str, given: Path | None = None, python: str = "3.13", fetches: bool = True
    ) -> dict[str, dict[str, str]]:
        """Versions of each build environment; ``more`` are compiled too, though the recipe does not say so."""
        [request] = targets.requests([str(self.folder)], given)
        parts = (*request.spec.packages, *(SourcePackage(name=name) for name in more))
        request = replace(request, spec=replace(request.spec, packages=parts))
        held = lock.applicable(lock.parse((self.folder / "requirements.lock").read_text(), "x"), target(python))
        search = stock(store=self.store)
        environments = build_environments.EnvironmentResolver(request=request, search=search, fetches=fetches)
        found = build_environments.build_pins(environments, held, target(python), frozenset(more))
        assert not [pin for pins in found.values() for pin in pins if pin.marker]
        return {name: {pin.name: pin.version for pin in pins} for name, pins in found.items()}

    def rewrite(self, old: str, new: str) -> None:
        """Changes build.lock by hand."""
        text = (self.folder / "build.lock").read_text()
        assert old in text
        (self.folder / "build.lock").write_text(text.replace(old, new))


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
        make_wheel(index, name, requires=["extra"] if name == "faster" else [])
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "recipe.toml").write_text(RECIPE)
    return Place(index, folder)


FAST = {"setuptools": "80", "wheel": "1", "ninja": "1", "cython": "3.0", "below": "7"}
FASTER = {**FAST, "cython": "2.0", "extra": "1"}


def test_a_recipe_that_compiles_gets_a_second_lock_that_serves_each_package_alone(place: Place) -> None:
    said = place.lock()
    text = (place.folder / "build.lock").read_text()
    assert "build.lock" in said
    assert 'cython==2.0 ; extra == "faster" \\\n    --hash=sha256:' in text
    assert 'cython==3.0 ; extra == "fast" \\\n    --hash=sha256:' in text
    assert "\nninja==1 \\\n" in text
    assert str(place.index) not in text
    assert place.pins() == {"fast": FAST, "faster": FASTER}


def test_a_plan_from_locks_takes_no_source(place: Place) -> None:
    place.lock()
    place.store.values.clear()
    for sdist in place.index.glob("*.tar.gz"):
        sdist.unlink()
    assert place.pins(fetches=False) == {"fast": FAST, "faster": FASTER}
    with pytest.raises(LockError):
        place.pins()


def test_what_is_locked_is_what_would_be_resolved_on_the_way(place: Place) -> None:
    place.lock()
    locked = place.pins()
    (place.folder / "build.lock").unlink()
    assert place.pins() == locked


def test_a_recipe_that_compiles_nothing_gets_no_second_lock(place: Place) -> None:
    (place.folder / "recipe.toml").write_text(RECIPE[: RECIPE.index("[[package]]")])
    place.lock()
    assert sorted(path.name for path in place.folder.iterdir()) == ["recipe.toml", "requirements.lock"]


def test_another_version_for_one_package_leaves_the_others_alone(place: Place) -> None:
    place.lock()
    make_wheel(place.index, "extra", "2")
    place.lock()
    assert place.pins() == {"fast": FAST, "faster": {**FASTER, "extra": "2"}}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cython==3.0", "cythonn==3.0", "cython is required but not locked"),
        ("cython==2.0", "cython==3.1", "cython<3 is required but 3.1 is locked"),
        ("ninja==1", "ninjja==1", "ninja is required but not locked"),
        ("extra==1", "extra==2", "extra==1 is required but 2 is locked"),
    ],
)
def test_a_build_lock_that_lacks_something_or_contradicts_the_layer_is_refused(
    place: Place, old: str, new: str, said: str
) -> None:
    place.lock()
    place.rewrite(old, new)
    with pytest.raises(LockError, match=r"build\.lock is stale: it does not hold what fast") as caught:
        place.pins()
    assert caught.value.exit_code == 4
    assert caught.value.details == (said,)
    assert caught.value.hint == f"renew it with `layerforge lock {place.folder}`"


def test_a_build_lock_that_is_no_lock_is_refused(place: Place) -> None:
    place.lock()
    place.rewrite("ninja==1", "ninja>=1")
    with pytest.raises(LockError, match=r"build\.lock is not a lock that holds"):
        place.pins()


def test_a_build_lock_for_newer_pythons_is_refused(place: Place) -> None:
    place.lock()
    place.rewrite("Python 3.12 and newer", "Python 3.14 and newer")
    with pytest.raises(LockError, match=r"for Python 3\.14 and newer, the target is 3\.13") as caught:
        place.pins()
    assert "--python 3.13" in caught.value.hint


def test_a_package_that_cannot_be_compiled_with_what_the_layer_holds_is_named(place: Place) -> None:
    make_wheel(place.index, "extra", "2")
    make_sdist(place.index, "faster", "2.0", requires=["extra<2"])
    make_wheel(place.index, "faster", "2.0", requires=["extra>=2"])
    with pytest.raises(LockError, match="what faster is compiled with cannot be resolved") as caught:
        place.lock()
    assert "extra" in "\n".join(caught.value.details)
    assert not list(place.folder.glob("*.lock"))


def test_a_package_that_nothing_requires_is_refused(place: Place) -> None:
    text = (place.folder / "recipe.toml").read_text()
    (place.folder / "recipe.toml").write_text(text.replace('["fast", "faster"]', '["fast"]'))
    with pytest.raises(LockError, match="faster is to be compiled but nothing requires it"):
        place.lock()


def test_a_lock_elsewhere_has_a_build_lock_of_its_own(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other.lock"
    place.lock(str(place.folder), "-o", str(other))
    assert not list(place.folder.glob("*.lock"))
    beside = tmp_path / "other.build.lock"
    beside.write_text(beside.read_text().replace("ninja==1", "ninja==1.5"))
    (place.folder / "requirements.lock").write_text(other.read_text())
    assert place.pins(given=other)["fast"] == {**FAST, "ninja": "1.5"}
    assert place.pins()["fast"] == FAST


@pytest.mark.parametrize(("output", "words"), [(".", "is a folder"), ("nowhere/x.lock", "there is no .*nowhere")])
def test_a_lock_that_has_no_place_is_refused_before_anything_is_resolved(
    place: Place, tmp_path: Path, output: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        place.lock(str(place.folder), "-o", str(tmp_path / output))


def test_the_python_of_a_lock_may_be_called_as_lambda_calls_it(place: Place) -> None:
    place.lock(str(place.folder), "--python", "python3.13")
    for name in ("requirements.lock", "build.lock"):
        first = (place.folder / name).read_text().splitlines()[0]
        assert first.startswith("# Locked by layerforge for Python 3.13 and newer")
        assert first.endswith(" --python 3.13")


def test_what_the_command_line_adds_is_resolved_on_the_way(place: Place) -> None:
    make_sdist(place.index, "extra", requires=["setuptools", "below"])
    place.lock()
    expected = {"setuptools": "80", "wheel": "1", "ninja": "1", "below": "7"}
    assert place.pins("extra") == {"fast": FAST, "faster": FASTER, "extra": expected}


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
        request = Request(spec=LayerSpec(name="mine", requires=("fast",)), source="fast")
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
