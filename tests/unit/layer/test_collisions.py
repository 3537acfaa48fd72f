from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import a_file
from layerforge.layer import collisions
from layerforge.layer.tree import Entry, Link
from layerforge.resolve.errors import LockError

NAMESPACE = b"__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
INIT = "python/ns/__init__.py"


def brought(path: str, **entries: Entry | bytes) -> dict[str, dict[str, Entry]]:
    """What packages, by name, have at a path."""
    return {name: {path: a_file(path, one) if isinstance(one, bytes) else one} for name, one in entries.items()}


def test_only_what_several_claim_with_other_bytes_is_contested() -> None:
    claims = {"spam": {"a": "1", "b": "1"}, "ham": {"a": "2", "b": "1", "c": "1"}}
    assert collisions.contested(claims) == {"a": ("ham", "spam")}


def test_of_modules_that_only_say_namespace_one_with_text_stays() -> None:
    found = collisions.settled({INIT: ("a", "b", "c")}, brought(INIT, a=b"", b=NAMESPACE, c=b""))
    assert found == {INIT: "b"}


@pytest.mark.parametrize(
    "other",
    [
        Link(path=INIT, target="../other.py"),
        b"x = 1\n",
        b"def (",
        b"# a comment\n" + b"#" * collisions._LONGEST,
    ],
    ids=["a link", "code", "no Python", "too long to say no more"],
)
def test_a_namespace_and_anything_else_cannot_share_a_place(other: Entry | bytes) -> None:
    with pytest.raises(LockError, match="a and b bring other contents") as caught:
        collisions.settled({INIT: ("a", "b")}, brought(INIT, a=NAMESPACE, b=other))
    assert caught.value.details == (f"{INIT} (a and b)",)


@given(st.permutations(["a", "b", "c"]), st.sampled_from(["python/LICENSE", "bin/tool", "python/docs/conf.py"]))
def test_which_document_stays_does_not_depend_on_the_order_of_installing(order: list[str], path: str) -> None:
    claims = {name: {path: name} for name in order}
    places = collisions.contested(claims)
    files = brought(path, **{name: name.encode() for name in order})
    assert collisions.settled(places, files) == {path: "c"}
