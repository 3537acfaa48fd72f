from __future__ import annotations

from fakes import target
from layerforge.functions.needs import needed
from layerforge.layer.package_sizes import PackageSize

ROWS = {
    name: PackageSize(name=name, version="1", bytes=1, requires=requires)
    for name, requires in {
        "web": ("Base_X>=1", 'colors ; extra == "all"', 'win ; sys_platform == "win32"', "lost"),
        "base-x": ('old ; python_version < "3"',),
        "colors": ("web[more]",),
        "more": (),
        "old": (),
        "win": (),
        "loner": (),
    }.items()
}
ROWS["web"] = PackageSize(name="web", version="1", bytes=1, requires=(*ROWS["web"].requires, 'more ; extra == "more"'))


def test_what_requirements_come_to_is_followed_by_markers() -> None:
    assert needed(["web"], ROWS, target()) == {"web", "base-x"}


def test_extras_bring_what_they_ask_for_and_what_that_asks_for_in_turn() -> None:
    assert needed(["web[all]"], ROWS, target()) == {"web", "base-x", "colors", "more"}


def test_what_is_absent_is_left_out_with_what_only_it_needs() -> None:
    assert needed(["web[all]"], ROWS, target(), frozenset({"colors"})) == {"web", "base-x"}


def test_requirements_of_other_systems_do_not_count() -> None:
    assert needed(['loner ; sys_platform == "win32"'], ROWS, target()) == frozenset()
