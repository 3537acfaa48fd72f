"""What does the jobs of a cluster on one machine, with real layers and a store that two machines share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FakeProgress
from layerforge import pipeline, planning
from layerforge.build.errors import ClusterError, EngineError
from layerforge.build.graph import Done, Job
from layerforge.core.store import keys
from layerforge.core.store.disk import DiskStore
from layerforge.core.store.far import FarStore
from layerforge.core.store.objects import FarStoreError, FolderObjects
from layerforge.core.store.sharing import Sharing
from layerforge.resolve import targets
from layerforge.shop import Equipment, JobShop, shop
from unit.test_pipeline import Line
from wheels import make_wheel

KEY = keys.new_key("team")


def quiet(_line: str) -> None:
    """Nobody looks."""


@pytest.fixture
def line(index: Path, tmp_path: Path) -> Line:
    make_wheel(index, files={"demo/__init__.py": b"VALUE = 1\n"})
    return Line(folder=tmp_path)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[JobShop]:
    said = Sharing(place=str(tmp_path / "far"), trusted=(KEY.public.text,), signing_key=KEY.text)
    made = shop(Equipment(near=str(tmp_path / "worker"), sharing=said).text)
    yield made
    made.close()


def shared(line: Line) -> DiskStore:
    far = FarStore(objects=FolderObjects(root=line.folder / "far"), progress=line.progress, trusted=(KEY.public,))
    return DiskStore(root=line.folder / line.store, progress=line.progress, behind=far)


def job_of(line: Line, **facts: object) -> tuple[Job, planning.Prepared]:
    [request] = targets.requests(["demo"], None, line.known)
    session = replace(line.session, store=shared(line))
    made = planning.prepare(request, replace(line.options(), **facts), session)  # type: ignore[arg-type]
    [job] = planning.graph([made]).jobs
    return job, made


def test_a_layer_that_a_worker_made_is_in_the_store_for_whoever_asked(line: Line, worker: JobShop) -> None:
    job, asked = job_of(line)
    told: list[str] = []

    done = worker.perform(job.key, job.task, told.append)

    assert isinstance(done, Done)
    assert any(text.startswith("verify") for text in told)
    assert not asked.session.store.lies_near("layer", asked.plan.key)
    layers = list(pipeline.layers([asked], lambda graph: pipeline.here(graph, 1)))
    assert [type(ended) for _, ended in layers] == [pipeline.Delivered]
    assert set(line.written())


def test_an_image_that_a_worker_has_not_is_a_fault_of_its_machine(line: Line, worker: JobShop) -> None:
    job, _ = job_of(line)
    other = replace(job, task=job.task.replace('"base_image": ""', '"base_image": "sha256:1"'))
    assert other.task != job.task

    with pytest.raises(EngineError, match="has not the image sha256:1"):
        worker.perform(other.key, other.task, quiet)


def test_what_is_stopped_ends_and_keeps_nothing(line: Line, worker: JobShop) -> None:
    job, asked = job_of(line)
    begun = threading.Event()

    def tell(_line: str) -> None:
        begun.set()
        worker.stop(job.key)

    with pytest.raises(ClusterError, match="was stopped"):
        worker.perform(job.key, job.task, tell)
    assert begun.is_set()
    assert not asked.session.store.holds("layer", asked.plan.key)
    assert not worker.running


def test_a_job_whose_result_cannot_be_shared_has_failed(line: Line, tmp_path: Path) -> None:
    class Closed(FolderObjects):
        def create(self, name: str, data: bytes) -> bool:
            raise FarStoreError("the disk is full")

    far = FarStore(objects=Closed(root=tmp_path / "far"), progress=FakeProgress(), signer=KEY)
    near = DiskStore(root=tmp_path / "worker", progress=FakeProgress())
    closed = JobShop(near=near, behind=far, engine=None, engines={})
    job, _ = job_of(line, verify=False)

    with pytest.raises(FarStoreError, match="the disk is full"):
        closed.perform(job.key, job.task, quiet)


def test_the_secret_key_of_a_worker_does_not_show() -> None:
    said = Sharing(place="s3://bucket", signing_key=KEY.text)

    assert KEY.text not in repr(said)
    assert KEY.text not in repr(Equipment(near="/", sharing=said))
