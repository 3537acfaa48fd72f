"""What is imported where recipes name modules of some packages, and nobody those of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from layerforge.verify.imports import Imports, imports_of
from zips import a_member, an_examination

LAYER = {
    "numpy": ("numpy/__init__.py", "numpy/linalg/__init__.py"),
    "six": ("six.py",),
    "attrs": ("attr/__init__.py", "attrs/__init__.py"),
    "setuptools": ("setuptools/__init__.py", "pkg_resources/__init__.py"),
    "google-cloud-storage": ("google/cloud/storage/__init__.py",),
    "google-auth": ("google/auth/__init__.py",),
}


def found(named: tuple[str, ...] = (), covered: tuple[str, ...] = ()) -> Imports:
    members = [replace(a_member(f"python/{path}"), package=name) for name, paths in LAYER.items() for path in paths]
    return imports_of(an_examination(*members), named, covered)


def test_packages_without_a_recipe_are_tried_beside_the_modules_that_recipes_name() -> None:
    tried = found(("numpy.fft", "numpy.linalg"), ("numpy",))
    assert tuple(name for name in tried.needed if name.startswith("numpy")) == ("numpy.fft", "numpy.linalg")
    assert set(tried.needed) > {"attrs", "google.auth", "google.cloud.storage", "setuptools", "six"}
    assert tried.others == ("attr", "pkg_resources")


def test_of_a_package_whose_recipe_names_modules_nothing_else_is_tried() -> None:
    tried = found(("setuptools.dist", "google.auth.transport"), ("setuptools", "google-auth"))
    assert {"setuptools", "pkg_resources", "google.auth"}.isdisjoint(tried.names)
    assert {"setuptools.dist", "google.auth.transport", "google.cloud.storage", "numpy"} <= set(tried.needed)


def test_a_recipe_that_names_no_modules_leaves_the_guess_to_the_files() -> None:
    assert found() == found((), ("unheard-of",))
    assert "numpy" in found().needed


def test_a_module_that_a_recipe_names_is_needed_though_its_package_could_do_without() -> None:
    plain, told = found(), found(("pkg_resources",))
    assert ("pkg_resources" in plain.others, "pkg_resources" in plain.needed) == (True, False)
    assert ("pkg_resources" in told.others, "pkg_resources" in told.needed) == (False, True)
    assert len(told.names) == len(set(told.names))


@pytest.mark.parametrize("covered", [tuple(LAYER), (*LAYER, "absent")])
def test_where_recipes_name_the_modules_of_every_package_only_these_are_tried(covered: tuple[str, ...]) -> None:
    assert found(("six", "numpy"), covered) == Imports(needed=("numpy", "six"), parts={})
