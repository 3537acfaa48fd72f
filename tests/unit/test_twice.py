"""Layers that are made twice: delivered if both are the same, told apart if not."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from builders import ARCHIVE, SHA256, FakeBuilder
from layerforge import pipeline, planning, twice
from layerforge.build.engine import Outcome, Task
from layerforge.build.graph import Job, Result, Runner
from layerforge.core import digest
from layerforge.core.errors import StepError
from layerforge.core.store.disk import DiskStore
from layerforge.pipeline import Delivered, Ended, NotBegunError
from layerforge.planning import Graph
from layerforge.report.reproduced import NotReproducibleError
from layerforge.resolve.errors import LockError
from unit.test_pipeline import STEM, STEPS, Equipping, Line, compiled, line, prepared, steps_of

__all__ = ["compiled", "line"]


def ends(line: Line, *words: str | Path, runner_of: Any = None, fail_fast: bool = False, **facts: Any) -> list[Ended]:
    """How each layer ended, by their names. What the builder makes is none of what Lambda could load."""
    here = runner_of or (lambda found: pipeline.here(found, max(one.options.jobs for one in found.owners.values())))
    found = list(twice.layers(prepared(line, *words, **facts), here, fail_fast=fail_fast))
    return [ended for _, ended in sorted(found, key=lambda row: row[0].plan.spec.name)]


def demo(line: Line) -> Path:
    return line.folder / "recipes" / "demo"


def aside(line: Line) -> Path:
    return line.session.store.place("refused") / f"{STEM}-twice"


@dataclass
class Changing(FakeBuilder):
    """A builder that writes another number into a result each time that it makes it."""

    changes: frozenset[str] = frozenset()
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def equipped(self, packages: tuple[str, ...], progress: Any) -> Changing:
        return self

    def perform(self, task: Task, on_line: Callable[[str], None]) -> Outcome:
        outcome = super().perform(task, on_line)
        if task.name in self.changes:
            [out] = [mount.source for mount in task.mounts if mount.writable and mount.target != "/work"]
            (out / "lib").mkdir(exist_ok=True)
            (out / "lib/stamp").write_text(f"made {next(self.numbers)}")
        return outcome


def changing(compiled: Line, *names: str) -> None:
    assert isinstance(compiled.builder, FakeBuilder)
    compiled.builder = Changing(compiled.builder.makes, changes=frozenset(names))


def test_a_layer_that_is_the_same_twice_is_delivered_as_it_always_is_and_kept(compiled: Line) -> None:
    compiled.forge(demo(compiled), out="once", verify=False)
    assert isinstance(compiled.builder, Equipping)
    compiled.builder.tasks.clear()
    compiled.store = "another"
    compiled.session.store.put("source", SHA256, ARCHIVE)
    [ended] = ends(compiled, demo(compiled), verify=False)
    assert isinstance(ended, Delivered)
    assert not ended.kept
    assert steps_of(compiled) == sorted([*STEPS, *STEPS])
    assert compiled.written() == compiled.written("once")
    [said] = [row for row in compiled.progress.lines if "made twice" in row]
    assert said.startswith(f"{STEM} was made twice, the same ")
    compiled.builder.tasks.clear()
    compiled.forge(demo(compiled), verify=False)
    assert compiled.builder.tasks == []


def test_it_is_verified_once_when_both_are_the_same(line: Line) -> None:
    [ended] = ends(line, "demo")
    assert isinstance(ended, Delivered)
    assert ended.layer.verdict is not None
    assert len(line.engine.jobs) == 1


def test_what_the_store_has_is_made_all_the_same(compiled: Line) -> None:
    compiled.forge(demo(compiled), verify=False)
    assert isinstance(compiled.builder, Equipping)
    compiled.builder.tasks.clear()
    [ended] = ends(compiled, demo(compiled), verify=False)
    assert isinstance(ended, Delivered)
    assert steps_of(compiled) == sorted([*STEPS, *STEPS])
    assert compiled.progress.warnings == []


def test_a_step_that_differs_is_named_with_its_files_and_nothing_is_delivered_or_kept(compiled: Line) -> None:
    changing(compiled, "blas")
    [ended] = ends(compiled, demo(compiled))
    assert isinstance(ended, NotReproducibleError)
    assert ended.exit_code == 6
    assert "blas came out in two ways" in ended.message
    stamps = [digest.sha256(f"made {number}".encode())[:12] for number in range(2)]
    assert f"  lib/stamp: {stamps[0]}, then {stamps[1]}" in ended.details
    assert compiled.written() == {}
    kinds = {kind for kind, _, _ in compiled.session.store.entries()}
    assert not kinds & {"built", "layer", "archive", "layer-bytes", "verdict", "bytecode"}
    assert str(aside(compiled)) in ended.hint
    told = {path.relative_to(aside(compiled)).as_posix() for path in aside(compiled).rglob("*") if path.is_file()}
    layer = [f"{STEM}.{end}" for end in ("lock", "manifest.json", "sbom.json", "licences.txt", "zip")]
    assert told == {f"{place}/{name}" for place in ("first", "second") for name in ("blas.tar", *layer)}


@dataclass
class Tampering:
    """A runner that may have another layer in the store when it has run than was made."""

    found: Graph
    inner: Runner
    spoils: bool

    def run(self, jobs: Sequence[Job], *, fail_fast: bool = False) -> Iterator[Result]:
        results = list(self.inner.run(jobs, fail_fast=fail_fast))
        [one] = {id(owner): owner for owner in self.found.owners.values()}.values()
        if self.spoils:
            spoil(one.session.store, one.plan.key)
        return iter(results)


def spoil(store: DiskStore, key: str) -> None:
    """Has a store hold another layer under the key of a plan, whole in itself."""
    record = json.loads(store.get("layer", key) or b"")
    manifest = json.loads(record["manifest"])
    kept, buffer = io.BytesIO(store.get("archive", manifest["sha256"]) or b""), io.BytesIO()
    with zipfile.ZipFile(kept) as old, zipfile.ZipFile(buffer, "w") as new:
        for info in old.infolist():
            new.writestr(info, b"spoilt" if info.filename == "python/demo/__init__.py" else old.read(info))
    manifest["sha256"] = digest.sha256(buffer.getvalue())
    store.put("archive", manifest["sha256"], buffer.getvalue())
    store.put("layer-bytes", key, manifest["sha256"].encode())
    store.put("layer", key, json.dumps({**record, "manifest": json.dumps(manifest)}).encode())


def test_a_file_of_the_zip_that_differs_is_named_and_no_step_is_blamed(line: Line) -> None:
    runs = itertools.count(1)

    def runner_of(found: Graph) -> Runner:
        return Tampering(found=found, inner=pipeline.here(found, 1), spoils=next(runs) == 2)

    [ended] = ends(line, "demo", runner_of=runner_of)
    assert isinstance(ended, NotReproducibleError)
    assert "no step is to blame" in ended.hint
    [row] = [row for row in ended.details if "__init__.py:" in row]
    assert row.endswith(f"then {digest.sha256(b'spoilt')[:12]}")
    assert line.written() == {}
    assert (aside(line) / f"first/{STEM}.zip").read_bytes() != (aside(line) / f"second/{STEM}.zip").read_bytes()


@pytest.mark.parametrize(("fail_fast", "other"), [(False, Delivered), (True, NotBegunError)])
def test_a_layer_that_differs_leaves_the_other_one_to_be_delivered_unless_it_is_to_be_the_end(
    fail_fast: bool, other: type, compiled: Line
) -> None:
    plain = compiled.folder / "plain.txt"
    plain.write_text("demo\n")
    changing(compiled, "made")
    found = ends(compiled, demo(compiled), plain, fail_fast=fail_fast)
    assert {type(one) for one in found} == {other, NotReproducibleError}
    assert bool(compiled.written()) == (not fail_fast)


def test_a_layer_that_cannot_be_made_is_not_made_twice_and_its_log_stays(compiled: Line) -> None:
    assert isinstance(compiled.builder, FakeBuilder)
    bad = Outcome(status=2, output="no rule", seconds=1.0)
    compiled.builder = replace(compiled.builder, outcomes={"blas": bad})
    [ended] = ends(compiled, demo(compiled))
    assert isinstance(ended, StepError)
    assert not isinstance(ended, NotReproducibleError | NotBegunError)
    assert steps_of(compiled).count("blas") == 1
    assert [path for path in compiled.session.logs.iterdir() if path.name.startswith("blas-")]


def test_the_second_time_other_things_go_on_beside_it_in_another_place(compiled: Line) -> None:
    seen: list[tuple[int, Path]] = []

    def runner_of(found: Graph) -> Runner:
        [one] = {id(owner): owner for owner in found.owners.values()}.values()
        seen.append((one.options.jobs, one.session.store.root))
        return pipeline.here(found, one.options.jobs)

    ends(compiled, demo(compiled), jobs=2, verify=False, runner_of=runner_of)
    assert [jobs for jobs, _ in seen] == [2, 1]
    assert len({len(str(root)) for _, root in seen}) == 2
    assert not any(root.exists() for _, root in seen)


def test_another_layer_that_the_store_had_is_replaced_and_that_is_said(compiled: Line) -> None:
    compiled.forge(demo(compiled), out="once", verify=False)
    store = compiled.session.store
    [key] = [key for kind, key, _ in store.entries() if kind == "layer"]
    spoil(store, key)
    [ended] = ends(compiled, demo(compiled), verify=False)
    assert isinstance(ended, Delivered)
    [warning] = compiled.progress.warnings
    assert "had another result of the layer demo" in warning
    assert compiled.written() == compiled.written("once")


def test_compiling_twice_costs_twice_whatever_the_store_has(compiled: Line) -> None:
    compiled.forge(demo(compiled), verify=False)
    [once] = prepared(compiled, demo(compiled))
    [both] = prepared(compiled, demo(compiled), twice=True)
    assert planning.cost_of([once]).compiled == ()
    found = planning.cost_of([both])
    assert {one.name for one in found.compiled} == {"blas 1.0", "made 1.0"}
    assert found.seconds == 2 * sum(one.expected.duration.share for one in found.compiled if one.expected)


@pytest.mark.parametrize("fail_fast", [False, True])
def test_no_layer_is_no_work(fail_fast: bool) -> None:
    assert list(twice.layers([], lambda _found: pipeline.here(Graph(), 1), fail_fast=fail_fast)) == []


def test_a_source_that_cannot_be_had_is_the_end_of_its_layer(compiled: Line) -> None:
    (compiled.session.store.folder / "values/source" / SHA256[:2] / SHA256).unlink()
    [ended] = ends(compiled, demo(compiled))
    assert isinstance(ended, LockError)
    assert compiled.written() == {}
