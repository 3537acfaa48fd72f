"""Patches are read to the letter, and what is none says why."""

from __future__ import annotations

import pytest

from layerforge.core.guarded import Unreadable
from layerforge.resolve import patch_file

PLAIN = """\
--- a/demo/x.py
+++ b/demo/x.py
@@ -2,3 +2,4 @@ def one():
 two
-three
+drei
+more
 four
"""


def test_a_patch_is_the_changes_of_its_files() -> None:
    [change] = patch_file.read(PLAIN)
    assert (change.path, change.creates, change.deletes) == ("demo/x.py", False, False)
    [hunk] = change.hunks
    assert (hunk.number, hunk.line, hunk.at, hunk.new_at) == (1, 2, 1, 1)
    assert hunk.old == (b"two\n", b"three\n", b"four\n")
    assert hunk.new == (b"two\n", b"drei\n", b"more\n", b"four\n")
    assert (hunk.leading, hunk.trailing) == (1, 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("demo/x.py", "demo/x.py"),
        ("a/demo/x.py", "b/demo/x.py"),
        ("i/demo/x.py", "w/demo/x.py"),
        ("demo-1.0/demo/x.py", "demo-new/demo/x.py"),
        ("a/old/demo/x.py", "b/new/demo/x.py"),
        ("a/demo/x.py\t2026-01-01 00:00:00.0 +0000", "b/demo/x.py\t2026-01-02 00:00:00.0 +0000"),
    ],
)
def test_what_stands_before_both_names_is_no_part_of_the_path(old: str, new: str) -> None:
    text = PLAIN.replace("a/demo/x.py", old).replace("b/demo/x.py", new)
    assert [change.path for change in patch_file.read(text)] == ["demo/x.py"]


MAIL = f"""\
From 1234 Mon Sep 17 00:00:00 2001
From: Somebody <me@example.org>
Subject: [PATCH] Mend x
---
 demo/x.py | 3 ++-
 1 file changed, 2 insertions(+), 1 deletion(-)

diff --git a/demo/x.py b/demo/x.py
index 1234567..89abcde 100644
{PLAIN}diff --git a/demo/y.py b/demo/y.py
index 1234567..89abcde 100644
--- a/demo/y.py
+++ b/demo/y.py
@@ -1 +1 @@
-a
\\ No newline at end of file
+b
--\x20
2.43.0

"""


def test_a_mail_of_git_is_a_patch_and_its_words_are_no_part_of_it() -> None:
    x, y = patch_file.read(MAIL)
    assert x == patch_file.read(PLAIN)[0]
    assert y.path == "demo/y.py"
    assert [(hunk.old, hunk.new) for hunk in y.hunks] == [((b"a",), (b"b\n",))]


def test_the_end_of_a_file_without_a_newline_is_kept_as_it_is() -> None:
    [change] = patch_file.read(
        "--- x\n+++ x\n@@ -1,2 +1,2 @@\n-a\n b\n+c\n".replace(" b\n+c\n", "+c\n b") + "\n\\ No newline at end of file"
    )
    assert change.hunks[0].old == (b"a\n", b"b")
    assert change.hunks[0].new == (b"c\n", b"b")


def test_a_patch_whose_own_last_line_was_cut_short_means_a_whole_line() -> None:
    assert patch_file.read(PLAIN.rstrip("\n")) == patch_file.read(PLAIN)


def test_empty_lines_that_an_editor_stripped_are_empty_lines() -> None:
    [change] = patch_file.read("--- x\n+++ x\n@@ -1,3 +1,3 @@\n\n-a\n+b\n\n\n")
    assert change.hunks[0].old == (b"\n", b"a\n", b"\n")


def test_lines_that_look_like_headers_are_lines_where_a_hunk_counts_them() -> None:
    [change] = patch_file.read("--- x\n+++ x\n@@ -1,2 +1,2 @@\n a\n--- b\n+++ c\n")
    assert change.hunks[0].old == (b"a\n", b"-- b\n")
    assert change.hunks[0].new == (b"a\n", b"++ c\n")


def test_a_line_ends_with_a_line_feed_alone() -> None:
    [change] = patch_file.read("--- x\n+++ x\n@@ -1,2 +1,2 @@\n-a\x0cb\u2028c\rd\n+e\r\n f\r\n")
    assert change.hunks[0].old == ("a\x0cb\u2028c\rd\n".encode(), b"f\r\n")
    assert change.hunks[0].new == (b"e\r\n", b"f\r\n")


CREATES = (
    "diff --git a/demo/n.py b/demo/n.py\nnew file mode 100755\nindex 0000000..1\n"
    "--- /dev/null\n+++ b/demo/n.py\n@@ -0,0 +1,2 @@\n+a\n+b\n"
)
DELETES = "--- a/demo/n.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n"


def test_files_come_and_go() -> None:
    [come] = patch_file.read(CREATES)
    assert (come.path, come.creates, come.deletes, come.executable) == ("demo/n.py", True, False, True)
    [go] = patch_file.read(DELETES)
    assert (go.path, go.creates, go.deletes, go.executable) == ("demo/n.py", False, True, False)
    [empty] = patch_file.read("diff --git a/demo/e.py b/demo/e.py\nnew file mode 100644\nindex 0000000..e69de29\n")
    assert (empty.path, empty.creates, empty.hunks) == ("demo/e.py", True, ())


def test_what_diff_dates_back_to_1970_is_no_file() -> None:
    old, new = "--- a/demo/n.py\t1970-01-01 00:00:00.0 +0000\n", "+++ b/demo/n.py\t2026-01-01 00:00:00.0 +0000\n"
    [come] = patch_file.read(f"{old}{new}@@ -0,0 +1 @@\n+a\n")
    assert (come.path, come.creates, come.deletes) == ("demo/n.py", True, False)
    old, new = "--- a/demo/n.py\t2026-01-01 00:00:00.0 +0000\n", "+++ b/demo/n.py\t1969-12-31 19:00:00.0 -0500\n"
    [go] = patch_file.read(f"{old}{new}@@ -1 +0,0 @@\n-a\n")
    assert (go.path, go.creates, go.deletes) == ("demo/n.py", False, True)
    [change] = patch_file.read(f"{old}{new}@@ -1 +1 @@\n-a\n+b\n")
    assert (change.creates, change.deletes) == (False, False)


def test_an_empty_file_that_gets_lines_is_no_new_one() -> None:
    [change] = patch_file.read("--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+a\n")
    assert not change.creates
    assert change.hunks[0].at == 0


def test_names_that_git_writes_in_quotes_are_read() -> None:
    [change] = patch_file.read('--- "a/demo/\\303\\274.py"\n+++ "b/demo/\\303\\274.py"\n@@ -1 +1 @@\n-a\n+b\n')
    assert change.path == "demo/ü.py"


RENAMES = (
    "diff --git a/demo/x.py b/demo/z.py\nsimilarity index 90%\nrename from demo/x.py\nrename to demo/z.py\n"
    "--- a/demo/x.py\n+++ b/demo/z.py\n@@ -1 +1 @@\n-a\n+b\n"
)
HEAD = "--- a/demo/x.py\n+++ b/demo/x.py\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        (" \n\n", "it is empty"),
        ("Mend x in the morning.\n", "it is no unified diff"),
        ("*** a/x\n--- b/x\n***************\n*** 1 ****\n! a\n--- 1 ----\n! b\n", "it is no unified diff"),
        ("2c2\n< a\n---\n> b\n", "it is no unified diff"),
        (PLAIN.replace("\n", "\r\n"), "its own lines end with CRLF"),
        (PLAIN.replace("-2,3", "-2,4"), "no sound unified diff: Hunk is shorter than expected"),
        (PLAIN.replace("+2,4", "+2,3"), "no sound unified diff: Hunk is longer than expected"),
        (PLAIN.replace("@@ -2,3 +2,4", "@@@ -2,3 -2,3 +2,4"), "a line with @@ tells no lines of an old and a new file"),
        (PLAIN.removeprefix("--- a/demo/x.py\n"), "no sound unified diff"),
        (PLAIN.partition("@@")[1] + PLAIN.partition("@@")[2], "no sound unified diff"),
        (PLAIN + "+surplus\n", "demo/x.py, hunk 1: more lines follow than its line with @@ counts"),
        (PLAIN + " surplus\n", "more lines follow than"),
        (PLAIN + "-surplus\n", "more lines follow than"),
        (PLAIN + "\\ Kein Zeilenumbruch am Dateiende.\n", "more lines follow than"),
        (PLAIN + "\\ No newline at end of file\n+surplus\n", "more lines follow than"),
        (
            PLAIN.replace("+drei\n", "+drei\n\\ No newline at end of file\n"),
            "more lines follow the one without an ending",
        ),
        (HEAD, "no unified diff|changes no line"),
        (HEAD + "@@ -1,2 +1,2 @@\n a\n b\n", "hunk 1: it changes no line"),
        (HEAD + "@@ -1,2 +1,1 @@\n a\n-b\n@@ -2 +1 @@\n-c\n+d\n", "hunk 2: it lies before the end of the one above"),
        (RENAMES, "it is about two files, a/demo/x.py and b/demo/z.py: none is renamed or copied"),
        (RENAMES.replace("demo/z.py", "new/x.py"), "x.py: it renames or copies a file"),
        ("--- x.py.orig\n+++ x.py\n@@ -1 +1 @@\n-a\n+b\n", "it is about two files, x.py.orig and x.py"),
        ("diff --git a/x b/x\nold mode 100644\nnew mode 100755\n", "x: it changes the mode of a file"),
        (
            "diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+y\n",
            "x: it is about a link",
        ),
        ("diff --git a/x b/x\nindex 1..2 100644\nBinary files a/x and b/x differ\n", "x: it changes a binary file"),
        ("diff --git a/x b/x\nindex 1..2 100644\nGIT binary patch\nliteral 1\nIcmZ\n\n", "x: it changes a binary file"),
        (CREATES.replace("@@ -0,0 +1,2 @@\n", "@@ -1 +1,3 @@\n c\n"), "a file that comes has no old lines"),
        (DELETES.replace("@@ -1,2 +0,0 @@\n", "@@ -1,3 +1 @@\n c\n"), "one that goes no new ones"),
        ("--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n", "both are /dev/null"),
        (PLAIN.replace("/demo/", "/../"), "does not lie below the folder of the packages"),
        (PLAIN.replace("/demo/", "//etc/"), "does not lie below the folder of the packages"),
        ("--- /etc/x\n+++ /etc/x\n@@ -1 +1 @@\n-a\n+b\n", "does not lie below the folder of the packages"),
        (PLAIN.replace("demo/", "demo\\"), "does not lie below the folder of the packages"),
        ('--- "a/\\377"\n+++ "b/\\377"\n@@ -1 +1 @@\n-a\n+b\n', "which cannot be read"),
        (PLAIN.replace("@@ -2", "@@ -" + "9" * 5000), "no sound unified diff"),
    ],
)
def test_what_is_no_patch_of_a_packages_texts_says_why(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        patch_file.read(text)
