"""What is known of a package is the same in whatever layer it turns up."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from builders import IMAGE
from fakes import target
from layerforge.build.plan import LibraryStep, PackageStep, Toolchain, source_steps
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.compose import Composition, compose
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.lock import Pin
from layerforge.resolve.recipe import SourcePackage

NAMES = tuple("abcdefgh")
LIBRARIES = ("x", "y")
Graph = Mapping[str, tuple[bool, frozenset[str]]]
"""By package, whether it is compiled and the packages and libraries that it needs, which come before it."""


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Packages with what they are compiled with."""
    return {
        name: (draw(st.booleans()), draw(st.frozensets(st.sampled_from([*LIBRARIES, *NAMES[:place]]))))
        for place, name in enumerate(NAMES)
    }


@st.composite
def layers(draw: st.DrawFn, graph: Graph) -> frozenset[str]:
    """Packages that are locked together: some, and all that they need."""
    locked = set(draw(st.frozensets(st.sampled_from(NAMES))))
    for name in reversed(NAMES):
        if name in locked:
            locked |= graph[name][1] & set(NAMES)
    return frozenset(locked)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Graph, frozenset[str], frozenset[str]]:
    """Recipes, and two layers of their packages."""
    graph = draw(graphs())
    return graph, draw(layers(graph)), draw(layers(graph))


def written(folder: Path, graph: Graph) -> Catalogue:
    """The recipes of a graph."""
    texts = {
        name: f'[library]\nname = "{name}"\nversion = "1"\nscript = "make"\n'
        f'source = {{ url = "https://nowhere.invalid/{name}", sha256 = "{"a" * 64}" }}\n'
        for name in LIBRARIES
    }
    for name, (compiled, needs) in graph.items():
        more = f'build = "source"\nneeds = {sorted(needs)!r}\n' if compiled else ""
        texts[name] = f'[package]\nname = "{name}"\nversions = ">=1"\n{more}[prune]\nremove = ["{name}/x/**"]\n'
    for name, text in texts.items():
        (folder / name).mkdir()
        (folder / name / "recipe.toml").write_text(f"schema = 2\n{text}")
    return Catalogue(folders=(folder,))


def composed(known: Catalogue, layer: frozenset[str]) -> tuple[Composition, tuple[Pin, ...]]:
    pins = tuple(Pin(name=name, version="1.0", hashes=("sha256:0",)) for name in sorted(layer))
    spec = LayerSpec(name="-".join(sorted(layer)) or "none", requires=tuple(sorted(layer)))
    return compose(spec, pins, known, target(), compiling=True, image=True), pins


def keys(found: Composition, pins: tuple[Pin, ...]) -> dict[str, str]:
    """Key of each part that is compiled."""
    build = {part.name: (Pin(name="tool", version="1", hashes=("sha256:1",)),) for part in found.spec.packages}
    steps = source_steps(found.spec, target(), pins, 0, Toolchain(image=IMAGE, build_pins=build))
    return {
        step.library.name if isinstance(step, LibraryStep) else step.pin.name: step.key
        for step in steps
        if isinstance(step, LibraryStep | PackageStep)
    }


@given(pairs())
def test_no_package_of_another_layer_changes_what_a_package_is_compiled_from(
    drawn: tuple[Graph, frozenset[str], frozenset[str]],
) -> None:
    graph, *both = drawn
    with tempfile.TemporaryDirectory() as name:
        known = written(Path(name), graph)
        made = [composed(known, layer) for layer in both]
        for (found, pins), layer in zip(made, both, strict=True):
            parts = {part.name: part for part in found.spec.packages}
            for package in layer:
                recipe = known.find(package)
                assert recipe is not None
                if package in parts:
                    assert parts[package] is recipe.part
                    assert set(recipe.part.needs) <= parts.keys() | {one.name for one in found.spec.libraries}
                assert found.spec.prune[package] is recipe.prune
            left = {one for one in layer if isinstance(_part(known, one), SourcePackage)} - parts.keys()
            assert {line.split()[0] for line in found.said} == left
            assert list(keys(found, pins)) == list(keys(*composed(known, layer)))
        one, other = (keys(found, pins) for found, pins in made)
        assert {name: one[name] for name in one.keys() & other.keys()} == {
            name: other[name] for name in one.keys() & other.keys()
        }


def _part(known: Catalogue, name: str) -> object:
    recipe = known.find(name)
    return recipe.part if recipe else None
