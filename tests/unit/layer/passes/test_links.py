from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

import elves
import fakes
from layerforge.layer import tree
from layerforge.layer.passes.links import REASON, link_duplicates
from layerforge.layer.passes.setting import LeftAlone
from layerforge.layer.tree import Edit, Entry, File, Link, Tree

SYSTEM = elves.image(soname="libx.so.1", needed=("libc.so.6",))
NAMELESS = elves.image(needed=("libc.so.6",))
NEEDY = elves.image(soname="libx.so.1", needed=("libq.so", "libc.so.6"), runpath="$ORIGIN")
Q1 = elves.image(soname="libq.so")
Q2 = elves.image(soname="libq.so", exports=("more",))


def edits_of(before: Tree) -> dict[str, Entry | None]:
    """What stands at each changed path afterwards; fails where something was left."""
    said = list(link_duplicates(before, fakes.a_setting()))
    assert [item for item in said if isinstance(item, LeftAlone)] == []
    return {item.path: item.entry for item in said if isinstance(item, Edit)}


def left_in(before: Tree) -> dict[str, str]:
    """Why each path was left; fails where something was changed."""
    said = list(link_duplicates(before, fakes.a_setting()))
    assert [item for item in said if isinstance(item, Edit)] == []
    return {item.path: item.reason for item in said if isinstance(item, LeftAlone)}


def layer(files: dict[str, bytes], *more: Entry) -> Tree:
    """A tree of files below ``python``."""
    return fakes.a_tree(*(fakes.a_file(f"python/{path}", data) for path, data in files.items()), *more)


def test_copies_become_links_to_the_one_with_the_shortest_path() -> None:
    before = layer({"a.libs/libx.so.1": SYSTEM, "b/lib/libx.so.1": SYSTEM, "package/deep/libx.so.1": SYSTEM})
    assert edits_of(before) == {
        "python/a.libs/libx.so.1": Link(path="python/a.libs/libx.so.1", target="../b/lib/libx.so.1", package="pkg"),
        "python/package/deep/libx.so.1": Link(
            path="python/package/deep/libx.so.1", target="../../b/lib/libx.so.1", package="pkg"
        ),
    }


def test_names_that_a_wheel_had_to_copy_are_links_again() -> None:
    before = layer({"a/libx.so": NAMELESS, "a/libx.so.1": NAMELESS, "a/libx.so.1.2": NAMELESS})
    links = edits_of(before)
    assert {path: entry.target for path, entry in links.items() if isinstance(entry, Link)} == {
        "python/a/libx.so.1": "libx.so",
        "python/a/libx.so.1.2": "libx.so",
    }


def test_an_edit_says_what_it_saves_and_keeps_the_package() -> None:
    owned = fakes.a_file("python/b.libs/libx.so", SYSTEM, package="b", executable=True)
    before = layer({"a.libs/libx.so": SYSTEM}, owned)
    (edit,) = link_duplicates(before, fakes.a_setting())
    assert isinstance(edit, Edit)
    assert (edit.reason, edit.saved) == (REASON, len(SYSTEM) - len("../a.libs/libx.so"))
    assert isinstance(edit.entry, Link)
    assert edit.entry.package == "b"
    after = tree.apply(before, [edit])
    assert after.size == before.size - edit.saved
    assert list(link_duplicates(after, fakes.a_setting())) == []


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("libx.so", elves.image(soname="libx.so", exports=("PyInit_libx",))),
        ("_module.so", SYSTEM),
        ("libx.py", SYSTEM),
        ("libx.so", elves.image(kind=elves.EXEC)),
        ("libx.so", b"INPUT(-lx)"),
        ("libx.so", b""),
    ],
    ids=["extension module", "no library's name", "no library's name either", "program", "linker script", "empty"],
)
def test_what_is_no_shared_library_stays(path: str, data: bytes) -> None:
    assert edits_of(layer({f"a/{path}": data, f"b/{path}": data})) == {}


def test_any_name_in_a_folder_of_grafted_libraries_will_do() -> None:
    assert set(edits_of(layer({"a.libs/x-12.so": SYSTEM, "b.libs/x-12.so": SYSTEM}))) == {"python/b.libs/x-12.so"}


def test_libraries_of_other_bytes_stay() -> None:
    assert edits_of(layer({"a.libs/libq.so": Q1, "b.libs/libq.so": Q2})) == {}


def test_a_library_without_soname_stays_where_another_folder_has_it() -> None:
    (reason,) = left_in(layer({"a/libx.so": NAMELESS, "b/libx.so": NAMELESS})).values()
    assert "without a soname" in reason
    assert "python/a/libx.so" in reason


def test_a_library_that_finds_equal_needs_from_both_folders_is_linked_with_them() -> None:
    before = layer({"a.libs/libx.so": NEEDY, "a.libs/libq.so": Q1, "b.libs/libx.so": NEEDY, "b.libs/libq.so": Q1})
    assert set(edits_of(before)) == {"python/b.libs/libx.so", "python/b.libs/libq.so"}


@pytest.mark.parametrize(
    "needs",
    [
        {"a.libs/libq.so": Q1, "b.libs/libq.so": Q2},
        {"a.libs/libq.so": Q1},
        {"b.libs/libq.so": Q1},
    ],
    ids=["others", "only here", "only there"],
)
def test_a_library_that_would_find_other_needs_stays(needs: dict[str, bytes]) -> None:
    left = left_in(layer({"a.libs/libx.so": NEEDY, "b.libs/libx.so": NEEDY, **needs}))
    assert left == {"python/b.libs/libx.so": "equal to python/a.libs/libx.so, which would find another libq.so"}


def test_a_difference_further_down_counts_too() -> None:
    middle = elves.image(soname="libm2.so", needed=("libq.so",), rpath="${ORIGIN}/deep")
    top = elves.image(soname="libx.so", needed=("libm2.so",), runpath="$ORIGIN/../$ORIGIN:$ORIGIN")
    files = {
        f"{package}.libs/{name}": data for package in "ab" for name, data in (("libx.so", top), ("libm2.so", middle))
    }
    left = left_in(layer({**files, "a.libs/deep/libq.so": Q1, "b.libs/deep/libq.so": Q2}))
    assert set(left) == {"python/b.libs/libx.so", "python/b.libs/libm2.so"}


def test_needs_are_found_through_links_as_well() -> None:
    to_shared = [Link(path=f"python/{package}.libs/libq.so", target="../shared/libq.so") for package in "ab"]
    before = layer({"a.libs/libx.so": NEEDY, "b.libs/libx.so": NEEDY, "shared/libq.so": Q1}, *to_shared)
    assert set(edits_of(before)) == {"python/b.libs/libx.so"}


def test_libraries_that_need_each_other_are_followed_once() -> None:
    one = elves.image(soname="libone.so", needed=("libtwo.so",), runpath="$ORIGIN")
    two = elves.image(soname="libtwo.so", needed=("libone.so",), runpath="$ORIGIN")
    files = {
        f"{package}.libs/{name}": data for package in "ab" for name, data in (("libone.so", one), ("libtwo.so", two))
    }
    assert set(edits_of(layer(files))) == {"python/b.libs/libone.so", "python/b.libs/libtwo.so"}


def test_a_damaged_library_stays_and_says_why() -> None:
    damaged = SYSTEM[:200]
    (reason,) = left_in(layer({"a.libs/libx.so": damaged, "b.libs/libx.so": damaged})).values()
    assert "cut short" in reason


def test_a_damaged_need_is_compared_by_its_bytes() -> None:
    bad = {"a.libs/libq.so": Q1[:200], "b.libs/libq.so": Q1[:300]}
    assert set(left_in(layer({"a.libs/libx.so": NEEDY, "b.libs/libx.so": NEEDY, **bad}))) == {"python/b.libs/libx.so"}


@pytest.mark.skipif(sys.platform != "linux", reason="gcc makes ELF files on Linux only")
def test_the_loader_follows_the_links_and_finds_what_the_library_needs(tmp_path: Path) -> None:
    elves.compiled(tmp_path / "a.libs", "libq.so", "int q(void) { return 4; }", "-Wl,-soname,libq.so")
    source = "extern int q(void); int answer(void) { return 10 + q(); }"
    flags = ("-Wl,-soname,libx.so", "-Wl,-rpath,$ORIGIN", f"-L{tmp_path / 'a.libs'}", "-lq")
    elves.compiled(tmp_path / "a.libs", "libx.so", source, *flags)
    files = {name: (tmp_path / "a.libs" / name).read_bytes() for name in ("libq.so", "libx.so")}
    before = layer({f"{folder}/{name}": data for folder in ("a.libs", "b.libs") for name, data in files.items()})
    after = tree.apply(before, [edit for edit in link_duplicates(before, fakes.a_setting()) if isinstance(edit, Edit)])
    for entry in after.entries:
        path = tmp_path / "opt" / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, File):
            path.write_bytes(entry.blob.read())
        else:
            path.symlink_to(entry.target)
    assert (tmp_path / "opt/python/b.libs/libx.so").is_symlink()
    assert ctypes.CDLL(str(tmp_path / "opt/python/b.libs/libx.so")).answer() == 14


@pytest.mark.parametrize(
    "links",
    [
        {"a.libs/libq.so": "first", "b.libs/libq.so": "first", "a.libs/first": "../shared/libq.so"}
        | {"b.libs/first": "../shared/libq.so"},
        {"a.libs/libq.so": "../near/libq.so", "b.libs/libq.so": "../near/libq.so", "near": "shared"},
    ],
    ids=["links to links", "a link to a folder"],
)
def test_needs_are_found_however_many_links_lead_to_them(links: dict[str, str]) -> None:
    found = [Link(path=f"python/{path}", target=target) for path, target in links.items()]
    files = {"a.libs/libx.so": NEEDY, "b.libs/libx.so": NEEDY, "shared/libq.so": Q1}
    assert set(edits_of(layer(files, *found))) == {"python/b.libs/libx.so"}
    only_here = [link for link in found if not link.path.startswith("python/b.libs")]
    assert set(left_in(layer(files, *only_here))) == {"python/b.libs/libx.so"}


def test_what_lies_behind_a_link_out_of_the_layer_is_the_systems() -> None:
    out = [Link(path=f"python/{package}.libs/libq.so", target="/usr/lib64/libq.so") for package in "ab"]
    assert set(edits_of(layer({"a.libs/libx.so": NEEDY, "b.libs/libx.so": NEEDY}, *out))) == {"python/b.libs/libx.so"}
