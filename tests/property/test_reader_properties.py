"""What lies beside a zip, with any part of it gone or of another type: read, or refused with one exception."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import a_manifest
from layerforge.core import guarded
from layerforge.core.findings import Finding, Severity
from layerforge.layer.passes.setting import LeftAlone
from layerforge.layer.tree import Package
from layerforge.measure.coldstart.reading import read_coldstart
from layerforge.report import manifest
from layerforge.report.manifest import EditGroup
from layerforge.report.sbom.reading import read_sbom
from layerforge.verify.verdict import Figures, Verdict

FINDING = Finding(rule="LF101", severity=Severity.WARNING, path="a", message="m", hint="h")
VERDICT = Verdict(engine="host", skipped="", findings=(FINDING,), notes=("n",), figures=Figures(init_ms=1.5))
MANIFEST = a_manifest(
    Package(name="demo", version="1.0", info="python/demo-1.0.dist-info"),
    edits=(EditGroup(name="prune", reason="tests", bytes=7, files=("a", "b")),),
    left=(LeftAlone(path="c", reason="r"),),
)
SPREAD = {"median": 1.5, "min": 1, "max": 2, "all": [1, 2.5]}
SIZE = {"memory_mb": 512, "init_ms": SPREAD, "peak_memory": SPREAD, "per_million": {"dollars": 2.5}}
NODE = {"name": "a", "self_us": 1, "total_us": 3, "bytes": 5, "children": [{"name": "b", "self_us": 2, "total_us": 2}]}
COLDSTART = {
    "sha256": "ab",
    "zip": "a.zip",
    "imports": [NODE],
    "sizes": [SIZE],
    "function": {"imports": ["a"]},
    "against": {"zip": "b.zip", "sha256": "cd", "sizes": [SIZE]},
}
HASHES = [{"alg": "SHA-256", "content": "ab"}]
COMPONENT = {
    "bom-ref": "r",
    "name": "demo",
    "version": "1",
    "purl": "pkg:pypi/demo@1",
    "hashes": HASHES,
    "licenses": [{"expression": "MIT"}, {"license": {"id": "0BSD"}}],
    "properties": [{"name": "layerforge:path", "value": "p"}],
}
SBOM = {
    "metadata": {"component": {"name": "demo", "hashes": HASHES}},
    "components": [{**COMPONENT, "components": [COMPONENT]}],
}


def an_sbom(text: str) -> object:
    return read_sbom("a.sbom.json", text)


def a_verdict(text: str) -> object:
    return guarded.json_as(text, Verdict)


READERS: dict[str, tuple[Any, Callable[[str], object]]] = {
    "manifest": (json.loads(manifest.manifest_json(MANIFEST, VERDICT)), manifest.read_manifest),
    "made": (json.loads(manifest.manifest_json(MANIFEST, VERDICT)), manifest.read_manifest_file),
    "verdict": (json.loads(json.dumps(asdict(VERDICT))), a_verdict),
    "coldstart": (COLDSTART, read_coldstart),
    "sbom": (SBOM, an_sbom),
}
OTHERS: tuple[Any, ...] = (None, True, -1, 0.5, "", "x", [], {}, [None], [[]], {"a": None}, 10**30, "\ud800")
"""One of every type that JSON has, and what is odd of it."""


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every part of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (key,)
        yield from ((key, *rest) for rest in places(inner))


def changed(document: Any, place: tuple[Any, ...], change: Callable[[Any, Any], None]) -> str:
    made = copy.deepcopy(document)
    at = made
    for key in place[:-1]:
        at = at[key]
    change(at, place[-1])
    return json.dumps(made)


def put(value: Any, at: Any, key: Any) -> None:
    at[key] = value


def read_or_refused(read: Callable[[str], object], text: str) -> None:
    with suppress(guarded.Unreadable):
        read(text)


@pytest.mark.parametrize("kind", READERS)
def test_a_file_with_any_part_gone_or_of_another_type_is_read_or_refused(kind: str) -> None:
    document, read = READERS[kind]
    read(json.dumps(document))
    for place in places(document):
        read_or_refused(read, changed(document, place, lambda at, key: at.pop(key)))
        for other in OTHERS:
            read_or_refused(read, changed(document, place, partial(put, other)))
        read_or_refused(read, changed(document, place, lambda at, key: at.__setitem__(key, [at[key]])))
        read_or_refused(read, changed(document, place, lambda at, key: at.__setitem__(key, {"a": at[key]})))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(kind=st.sampled_from(sorted(READERS)), data=st.data(), other=anything)
def test_whatever_stands_in_a_file_it_is_read_or_refused(kind: str, data: st.DataObject, other: Any) -> None:
    document, read = READERS[kind]
    place = data.draw(st.sampled_from(list(places(document))))
    read_or_refused(read, changed(document, place, partial(put, other)))


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    "text", ["", "[", "null", "3", "[]", "{}", "[" * 100_000, '{"imports": NaN}', "1e999", "9" * 5000]
)
def test_what_is_no_such_file_is_refused_with_one_exception(kind: str, text: str) -> None:
    read_or_refused(READERS[kind][1], text)
