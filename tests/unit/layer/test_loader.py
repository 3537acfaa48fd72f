from __future__ import annotations

import pytest

from layerforge.layer.loader import expanded, follow, own_folders, searched

LINKS = {
    "python/a": "b",
    "python/up": "../lib",
    "python/out": "../../etc",
    "python/root": "/opt/lib",
    "python/system": "/usr/lib",
    "python/self": "self",
    "python/one": "two",
    "python/two": "one/x",
}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("python/a/x.so", "python/b/x.so"),
        ("python/up/x.so", "lib/x.so"),
        ("python/root/x.so", "lib/x.so"),
        ("python/./b//x.so", "python/b/x.so"),
        ("python/up/../x.so", "x.so"),
        ("python/out/x.so", None),
        ("python/system/x.so", None),
        ("../x.so", None),
        ("python/self", None),
        ("python/one", None),
        ("", ""),
    ],
)
def test_a_path_leads_where_its_links_do(path: str, place: str | None) -> None:
    assert follow(LINKS, path) == place


@pytest.mark.parametrize("count", [40, 41])
def test_as_many_links_are_followed_as_the_kernel_follows(count: int) -> None:
    chain = {f"l{number}": f"l{number + 1}" for number in range(count)}
    assert follow(chain, "l0") == (f"l{count}" if count == 40 else None)


@pytest.mark.parametrize(
    ("entry", "means"),
    [
        ("$ORIGIN", "/opt/python/p"),
        ("${ORIGIN}/../q", "/opt/python/q"),
        ("$ORIGIN/$ORIGIN", "/opt/python/p/opt/python/p"),
        ("$ORIGINAL", "$ORIGINAL"),
        ("$ORIGIN_x", "$ORIGIN_x"),
        ("$ORIGIN\u00e9", "/opt/python/p\u00e9"),
        ("/usr/lib/../x", "/usr/x"),
        ("lib", "lib"),
    ],
)
def test_an_entry_of_an_rpath_means_what_the_loader_makes_of_it(entry: str, means: str) -> None:
    assert expanded(entry, "python/p/_a.so") == means


def test_an_rpath_names_the_folders_of_the_layer_among_its_entries() -> None:
    entries = ("$ORIGIN/../p.libs", "/usr/lib", "/opt/lib", "$ORIGIN/../..", "$ORIGIN/../../..", "/option", "lib")
    assert list(own_folders("python/p/_a.so", entries)) == ["python/p.libs", "lib", ""]


def test_the_loader_looks_into_the_rpath_before_the_layers_own_folder() -> None:
    assert list(searched("python/p/_a.so", ["$ORIGIN/x"])) == ["python/p/x", "lib"]


def test_a_wheels_own_libraries_find_their_neighbours_by_the_rpath_of_what_loads_them() -> None:
    assert list(searched("python/p.libs/liba.so", [])) == ["python/p.libs", "lib"]
