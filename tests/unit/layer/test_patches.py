"""Patches on the files of a layer: where they apply, and what is said where they do not."""

from __future__ import annotations

from difflib import unified_diff

import pytest

from fakes import FakeProgress, FakeStore, a_file, a_setting, a_tree
from layerforge.core import digest
from layerforge.core.errors import LayerforgeError, StepError
from layerforge.layer import patches
from layerforge.layer.passes import records
from layerforge.layer.patches import AppliedPatch, Mismatch
from layerforge.layer.tree import Entry, Link, Package, Tree, apply
from layerforge.resolve import patch_file
from layerforge.resolve.errors import RecipeError
from layerforge.resolve.recipe import Patch

INFO = "python/demo-1.0.dist-info"
DEMO = Package(name="demo", version="1.0", info=INFO)
TEXT = "".join(f"line {number}\n" for number in range(1, 31))


def a_layer(*more: Entry, text: bytes = TEXT.encode()) -> Tree:
    """A layer with the package demo and a file of another."""
    return a_tree(
        a_file("python/demo/x.py", text, package="demo"),
        a_file("python/demo/run.sh", b"one\ntwo\n", package="demo", executable=True),
        a_file(f"{INFO}/RECORD", b"", package="demo"),
        a_file("python/other/y.py", b"a\nb\nc\n", package="other"),
        *more,
        packages=[DEMO],
    )


def diff(old: str, new: str, path: str = "demo/x.py", lines: int = 3) -> str:
    """A diff of two texts that end with a newline."""
    rows = unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), f"a/{path}", f"b/{path}", n=lines)
    return "".join(rows)


def changed(text: str = TEXT, number: int = 10, new: str = "another\n") -> str:
    return text.replace(f"line {number}\n", new, 1)


def patch(text: str, name: str = "mend.patch", package: str = "demo") -> Patch:
    return Patch(package=package, name=name, text=text)


def patched(tree: Tree, *texts: str) -> Tree:
    found, _, _ = patches.patched(tree, [patch(text, f"{n}.patch") for n, text in enumerate(texts)], FakeProgress())
    return found


def refused(tree: Tree, *texts: str) -> LayerforgeError:
    with pytest.raises(LayerforgeError) as caught:
        patched(tree, *texts)
    assert caught.value.hint
    return caught.value


# --- what applies


def test_a_patch_changes_the_file_and_is_told_with_its_edits() -> None:
    progress = FakeProgress()
    text = diff(TEXT, changed())
    tree, results, applied = patches.patched(a_layer(), [patch(text)], progress)
    assert tree.read("python/demo/x.py") == changed().encode()
    assert tree.read("python/other/y.py") == b"a\nb\nc\n"
    assert applied == (
        AppliedPatch(
            package="demo", name="mend.patch", sha256=digest.sha256(text.encode()), files=("python/demo/x.py",)
        ),
    )
    [result] = results
    assert (result.name, [(edit.path, edit.reason) for edit in result.edits]) == (
        "patch",
        [("python/demo/x.py", "mend.patch of demo")],
    )
    assert result.saved == len(TEXT) - len(changed())
    assert (progress.steps, progress.told[0].notes) == (["patch"], ["1 applied to 1 file"])


def test_without_patches_nothing_is_done_and_nothing_shown() -> None:
    progress, tree = FakeProgress(), a_layer()
    assert patches.patched(tree, [], progress) == (tree, (), ())
    assert progress.steps == []


def test_patches_of_a_package_apply_one_after_another_by_name() -> None:
    first, second = changed(), changed().replace("another\n", "the third\n")
    given = [patch(diff(first, second), "b.patch"), patch(diff(TEXT, first), "a.patch")]
    tree, [result], applied = patches.patched(a_layer(), given, FakeProgress())
    assert tree.read("python/demo/x.py") == second.encode()
    assert [one.name for one in applied] == ["a.patch", "b.patch"]
    assert [edit.reason for edit in result.edits] == ["a.patch of demo", "b.patch of demo"]


def test_one_patch_may_change_a_file_twice() -> None:
    middle = changed()
    both = diff(TEXT, middle) + diff(middle, changed(middle, 20))
    assert patched(a_layer(), both).read("python/demo/x.py") == changed(middle, 20).encode()


def test_a_program_stays_one_and_so_does_its_owner() -> None:
    tree = patched(a_layer(), diff("one\ntwo\n", "one\n2\n", "demo/run.sh"))
    file = tree.by_path["python/demo/run.sh"]
    assert file == a_file("python/demo/run.sh", b"one\n2\n", package="demo", executable=True)


def test_the_record_tells_of_what_patches_changed_added_and_removed() -> None:
    added = "--- /dev/null\n+++ b/demo/new.py\n@@ -0,0 +1 @@\n+VALUE = 1\n"
    gone = "--- a/demo/run.sh\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n"
    tree = patched(a_layer(), diff(TEXT, changed()), added, gone)
    tree = apply(tree, [edit for edit in records.rewrite_records(tree, a_setting(store=FakeStore())) if edit])  # type: ignore[misc]
    record = (tree.read(f"{INFO}/RECORD") or b"").decode()
    assert [row.partition(",")[0] for row in record.splitlines()] == [
        "demo-1.0.dist-info/RECORD",
        "demo/new.py",
        "demo/x.py",
    ]
    assert "demo/new.py,sha256=" in record
    assert f",{len(changed())}\n" in record
    assert tree.read("python/demo/new.py") == b"VALUE = 1\n"


def test_an_empty_file_gets_lines_and_a_file_is_emptied() -> None:
    layer = a_layer(a_file("python/demo/__init__.py", package="demo"))
    text = "--- a/demo/__init__.py\n+++ b/demo/__init__.py\n@@ -0,0 +1 @@\n+VALUE = 1\n"
    tree = patched(layer, text)
    assert tree.read("python/demo/__init__.py") == b"VALUE = 1\n"
    assert patched(tree, diff("VALUE = 1\n", "", "demo/__init__.py")).read("python/demo/__init__.py") == b""


def test_a_hunk_is_found_where_its_lines_stand_now_if_there_is_one_such_place() -> None:
    moved = "new\n" * 5 + TEXT
    tree = patched(a_layer(text=moved.encode()), diff(TEXT, changed(changed(), 25)))
    assert tree.read("python/demo/x.py") == changed(changed(moved), 25).encode()


def test_lines_that_end_with_crlf_are_patched_by_a_diff_of_such_lines() -> None:
    dos, new = TEXT.replace("\n", "\r\n"), changed().replace("\n", "\r\n")
    assert patched(a_layer(text=dos.encode()), diff(dos, new)).read("python/demo/x.py") == new.encode()


@pytest.mark.parametrize(("old", "new"), [("a", "b"), ("a", "b\n"), ("a\n", "b"), ("x\na", "y\na")])
def test_a_file_without_a_newline_at_its_end_is_patched(old: str, new: str) -> None:
    rows = unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), "demo/x.py", "demo/x.py")
    text = "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)
    assert patched(a_layer(text=old.encode()), text).read("python/demo/x.py") == new.encode()


def test_a_text_in_an_older_encoding_is_patched_in_its_other_lines() -> None:
    old = "# Gr\xfc\xdfe\n".encode("latin-1") + TEXT.encode()
    tree = patched(a_layer(text=old), diff(TEXT, changed()))
    assert tree.read("python/demo/x.py") == old.replace(b"line 10\n", b"another\n")


# --- what does not


def test_a_patch_that_applies_nowhere_names_package_patch_file_and_hunk_and_the_first_line_that_differs() -> None:
    error = refused(
        a_layer(), diff(changed(TEXT, 20, "of another version\n"), changed(changed(TEXT, 20, "mended\n"), 5))
    )
    assert isinstance(error, StepError)
    assert error.exit_code == 6
    assert error.message == (
        "the patch 0.patch of demo does not apply to demo/x.py: hunk 2, line 17: "
        "nothing there or elsewhere is like its old lines"
    )
    assert error.details == ("line 20 by the patch: of another version", "the same line of the file: line 20")
    assert "make the patch anew" in error.hint


TOP, END, MIDDLE, SHORTER = f"new\n{TEXT}", f"{TEXT}new\n", changed(), TEXT.replace("line 10\n", "")


@pytest.mark.parametrize("new", [TOP, END, MIDDLE, SHORTER], ids=["top", "end", "middle", "shorter"])
def test_a_patch_that_was_applied_already_is_told_to_be(new: str) -> None:
    text = diff(TEXT, new)
    for above in ("", "other\n"):
        error = refused(a_layer(text=(above + new).encode()), text)
        assert isinstance(error, StepError)
        assert "its new lines are there already" in error.message
        assert "take the patch away" in error.hint


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (TEXT.replace("\n", "\r\n"), "lines end otherwise (CRLF and LF)"),
        (TEXT.replace("line", "line "), "with other spaces or tabs"),
        (TEXT.replace("line 13\n", "line 13"), "nothing there or elsewhere is like its old lines"),
        ("x\n" + TEXT + TEXT, "not there, and in several places elsewhere: at the lines 8, 38"),
    ],
)
def test_what_is_nearly_there_is_told_to_be(there: str, why: str) -> None:
    error = refused(a_layer(text=there.encode()), diff(TEXT, changed()))
    assert "hunk 1, line 7: " in error.message
    assert why in error.message


def test_a_hunk_at_the_end_of_a_file_counts_at_the_end_alone() -> None:
    error = refused(a_layer(text=(TEXT + "and more\n").encode()), diff(TEXT, END))
    assert "hunk 1, line 28: its old lines are there, but in another place of the file than it says" in error.message
    error = refused(a_layer(text=TEXT.rstrip("\n").encode()), diff(TEXT, END))
    assert "the last one ends the file in another way" in error.message


def test_a_hunk_without_a_line_around_it_counts_only_where_it_says() -> None:
    text = diff(TEXT, changed(), lines=0)
    assert patched(a_layer(), text).read("python/demo/x.py") == changed().encode()
    error = refused(a_layer(text=b"new\n" + TEXT.encode()), text)
    assert "in another place of the file" in error.message
    error = refused(a_layer(), diff(TEXT, TEXT.replace("line 10\n", "line 10\nnew\n"), lines=0))
    assert "it adds lines and shows none around them" in error.message
    assert error.details == ("make the diff with lines of context",)


def test_a_hunk_whose_lines_the_one_above_took_does_not_apply() -> None:
    repeated = "a\nb\nc\nd\n"
    text = (
        "--- demo/x.py\n+++ demo/x.py\n@@ -1,3 +1,3 @@\n x\n-b\n+B\n c\n".replace(" x", " a")
        + "@@ -4,2 +4,2 @@\n c\n-d\n+D\n"
    )
    with pytest.raises(Mismatch, match="hunk 2, line 4"):
        patches.apply(repeated.encode(), patch_file.read(text)[0].hunks)


def test_a_file_that_is_not_there_is_named_with_what_could_be_meant() -> None:
    error = refused(a_layer(), diff(TEXT, changed(), "src/demo/x.py"))
    assert error.message.endswith("does not apply to src/demo/x.py: there is no such file")
    assert error.hint == "paths are those below python/: perhaps it is demo/x.py"
    error = refused(a_layer(), diff(TEXT, changed(), "demo/absent.py"))
    assert error.hint == "paths are those below python/, as installed"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (diff("a\nb\nc\n", "a\n", "other/y.py"), "is about other/y.py, which is a file of other"),
        (diff("a\n", "b\n", "loose.py"), "is about loose.py, which no package lists in its RECORD"),
        (
            "--- /dev/null\n+++ b/other/new.py\n@@ -0,0 +1 @@\n+a\n",
            "adds other/new.py, which lies in no folder of that",
        ),
        ("--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+a\n", "adds new.py, which lies in no folder of that package"),
        ("--- /dev/null\n+++ b/demo/x.py/new.py\n@@ -0,0 +1 @@\n+a\n", "which lies in no folder of that package"),
        ("Mend it.\n", "cannot be applied: it is no unified diff"),
        ("", "cannot be applied: it is empty"),
    ],
)
def test_a_patch_of_what_is_not_its_packages_is_a_mistake_of_the_recipe(text: str, why: str) -> None:
    error = refused(a_layer(a_file("python/loose.py", b"a\n", package="")), text)
    assert isinstance(error, RecipeError)
    assert error.exit_code == 3
    assert error.message.startswith("the patch 0.patch of demo ")
    assert why in error.message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (diff("a\n", "b\n", "demo/link.py"), "demo/link.py: it is a link"),
        (diff("a\n", "b\n", "demo/data.bin"), "demo/data.bin: it is a binary file"),
        (diff("", "b\n", "demo-1.0.dist-info/RECORD"), "RECORD is written anew"),
        ("--- /dev/null\n+++ b/demo/run.sh\n@@ -0,0 +1 @@\n+a\n", "the file is there already"),
        ("--- /dev/null\n+++ b/demo/run.sh\n@@ -0,0 +1,2 @@\n+one\n+two\n", "already, as the patch would make it"),
        ("--- a/demo/run.sh\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n", "which has more lines than it names"),
        ("--- a/demo/run.sh\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-three\n", "hunk 1, line 1: nothing there"),
    ],
)
def test_what_cannot_be_patched_says_why(text: str, why: str) -> None:
    more = (
        Link(path="python/demo/link.py", target="x.py", package="demo"),
        a_file("python/demo/data.bin", b"a\n\0", package="demo"),
    )
    error = refused(a_layer(*more), text)
    assert isinstance(error, StepError)
    assert why in error.message


def test_nothing_is_changed_where_a_later_hunk_does_not_apply() -> None:
    tree = a_layer()
    refused(tree, diff(TEXT, changed()), diff(changed(TEXT, 20, "absent\n"), TEXT))
    assert tree.read("python/demo/x.py") == TEXT.encode()
