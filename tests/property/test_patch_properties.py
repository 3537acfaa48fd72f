from __future__ import annotations

from difflib import unified_diff

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.core.guarded import Unreadable
from layerforge.layer import patches
from layerforge.layer.patches import Mismatch
from layerforge.resolve import patch_file

ALIKE = st.lists(
    st.sampled_from(["a\n", "b\n", "\n", "- c\n", "+ d\n", "a\r\n", " \n", "\\ e\n", "@@ f\n"]), max_size=40
)
"""Lines of which many are alike, or look like those of a diff."""

OWN = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=5), max_size=40, unique=True)
ENDS = st.sampled_from(["", "\n"])


def whole(lines: list[str], end: str) -> str:
    """A text of lines; of the last one the ending may be lacking."""
    text = "".join(lines)
    return text if end else text.removesuffix("\n")


def split(text: str) -> list[str]:
    return [line.decode() for line in patches.lines_of(text.encode())]


def diff(old: str, new: str, context: int) -> str:
    rows = unified_diff(split(old), split(new), "a/x", "b/x", n=context)
    return "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)


def apply(text: str, old: str) -> str:
    [change] = patch_file.read(text)
    return patches.apply(old.encode(), change.hunks).decode()


@given(ALIKE, ALIKE, ENDS, ENDS, st.integers(1, 4))
def test_the_difference_of_two_texts_makes_one_of_the_other(
    old: list[str], new: list[str], old_end: str, new_end: str, context: int
) -> None:
    before, after = whole(old, old_end), whole(new, new_end)
    text = diff(before, after, context)
    if before != after:
        assert apply(text, before) == after


@given(st.data(), OWN, ENDS, st.integers(1, 4))
def test_no_patch_applies_to_what_it_has_made(data: st.DataObject, old: list[str], end: str, context: int) -> None:
    before = whole([f"{number}{line}\n" for number, line in enumerate(old)], end)
    kept = [line for line in split(before) if data.draw(st.booleans())]
    for number in range(data.draw(st.integers(0, 3))):
        kept.insert(data.draw(st.integers(0, len(kept))), f"new {number}\n")
    after = "".join(line if line.endswith("\n") else f"{line}\n" for line in kept)
    if before != after:
        text = diff(before, after, context)
        assert apply(text, before) == after
        with pytest.raises(Mismatch):
            apply(text, after)


@given(st.data(), OWN, st.integers(0, 20))
def test_a_patch_finds_its_place_below_lines_that_came_since(data: st.DataObject, old: list[str], above: int) -> None:
    lines = [f"{number}{line}\n" for number, line in enumerate(old, 10)]
    for number in range(10):
        lines = [f"first {number}\n", *lines, f"last {number}\n"]
    place = data.draw(st.integers(5, len(lines) - 5))
    new = [*lines[:place], "changed\n", *lines[place + data.draw(st.integers(0, 1)) :]]
    text = diff("".join(lines), "".join(new), 3)
    more = "".join(f"since {number}\n" for number in range(above))
    assert apply(text, more + "".join(lines)) == more + "".join(new)


@given(
    st.lists(
        st.sampled_from(
            [
                "--- a/x\n",
                "+++ b/x\n",
                "@@ -1 +1 @@\n",
                "@@ -0,0 +1,2 @@\n",
                "-a\n",
                "+b\n",
                " c\n",
                "\n",
                "\r\n",
                "diff --git a/x b/x\n",
                "\\ No newline at end of file\n",
                "--- /dev/null\n",
                "+++ /dev/null\n",
                "GIT binary patch\n",
                "Binary files a/x and b/x differ\n",
                "new file mode 100644\n",
                "deleted file mode 100644\n",
                "rename from x\n",
                "old mode 100644\n",
                "new mode 100755\n",
                "index 1..2 120000\n",
                "-- \n",
                "@@ -1,0 +1,0 @@\n",
                '--- "a/x\n',
                '+++ "\\777"\n',
                "Index: x\n",
                "diff --git x\n",
                "Only in x: y\n",
            ]
        ),
        max_size=12,
    ).map("".join)
    | st.text()
)
def test_whatever_a_patch_holds_it_is_read_or_refused(text: str) -> None:
    try:
        changes = patch_file.read(text)
    except Unreadable:
        return
    assert all(change.hunks or change.creates or change.deletes for change in changes)
