import pytest

from fakes import a_file, a_tree
from layerforge.layer import tree
from layerforge.layer.tree import Link


def test_edits_are_applied_together_and_the_result_is_sorted() -> None:
    a, b, c = a_file("python/a.py", b"aa"), a_file("python/b.py", b"bb"), a_file("python/c.py", b"cc")
    smaller = a_file("python/b.py", b"b")
    new = a_file("python/aa.py", b"new")
    result = tree.apply(
        a_tree(a, b, c), [tree.drop(c, "gone"), tree.swap(b, smaller, "smaller"), tree.add(new, "added")]
    )
    assert [entry.path for entry in result.entries] == ["python/a.py", "python/aa.py", "python/b.py"]
    assert result.size == 2 + 3 + 1


def test_an_edit_knows_what_it_saves() -> None:
    old, new = a_file("a", b"12345"), Link(path="a", target="b")
    assert tree.drop(old, "r").saved == 5
    assert tree.swap(old, new, "r").saved == 4
    assert tree.add(old, "r").saved == -5


def test_two_edits_of_one_file_are_refused() -> None:
    a = a_file("a")
    with pytest.raises(ValueError, match="two edits of a: 'one' and 'two'"):
        tree.apply(a_tree(a), [tree.drop(a, "one"), tree.drop(a, "two")])


def test_an_edit_that_would_overwrite_another_file_is_refused() -> None:
    a, b = a_file("a"), a_file("b")
    with pytest.raises(ValueError, match="would replace b"):
        tree.apply(a_tree(a, b), [tree.swap(a, a_file("b", b"x"), "moved")])


def test_a_tree_is_read_by_path_and_after_an_edit_by_its_new_paths() -> None:
    old = a_tree(a_file("a", b"1"), Link(path="b", target="a"))
    assert (list(old.paths), old.read("a"), old.read("b"), old.read("c")) == (["a", "b"], b"1", None, None)
    new = tree.apply(old, [tree.swap(old.files[0], a_file("a", b"2"), "a reason")])
    assert (old.read("a"), new.read("a")) == (b"1", b"2")
