from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException

from fakes import target
from layerforge.build.container.cleanup import container, labels, remove_leftovers, stop_all
from layerforge.build.container.docker_engine import DockerEngine
from layerforge.build.container.run import LAST_LINES
from layerforge.build.engine import Image, Job, Mount, Task
from layerforge.build.errors import EngineError
from layerforge.core.runtimes import Arch
from unit.build.fake_docker import TIMES, FakeContainer, FakeDocker, refusal

IMAGE = Image(reference="mine:1", digest="sha256:one", arch=Arch.X86_64)
ROOTLESS = {"SecurityOptions": ["name=rootless"], "NCPU": 4}


def an_engine(engine: FakeDocker, **facts: Any) -> DockerEngine:
    return replace(DockerEngine(client=engine.sdk, image=IMAGE), **facts)


def a_task(folder: Path, timeout: float = 60.0) -> Task:
    (folder / "out").mkdir(exist_ok=True)
    return Task(
        name="openblas 0.3",
        argv=("/bin/sh", "-c", "make"),
        env={"JOBS": "2"},
        mounts=(Mount(source=folder / "out", target="/out", writable=True),),
        workdir="/work",
        log=folder / "logs" / "openblas.log",
        memory=2**30,
        timeout=timeout,
    )


def until_killed(box: FakeContainer) -> None:
    while not box.killed:
        time.sleep(0.01)


# --- steps


def test_a_steps_lines_come_as_they_are_written_and_the_last_are_kept(tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % number for number in range(LAST_LINES + 5))
    engine, seen = FakeDocker(known=ROOTLESS, ready=[{"chunks": (text[:10], text[10:])}]), list[str]()
    outcome = an_engine(engine).perform(a_task(tmp_path), seen.append)
    assert (outcome.status, outcome.timed_out, outcome.out_of_memory) == (0, False, False)
    assert seen == [f"line {number}" for number in range(LAST_LINES + 5)]
    assert outcome.output.splitlines() == seen[5:]
    assert (tmp_path / "logs" / "openblas.log").read_text() == text.decode()


def test_a_step_has_no_network_its_own_environment_and_its_folders(tmp_path: Path) -> None:
    engine = FakeDocker(known=ROOTLESS)
    an_engine(engine).perform(a_task(tmp_path), lambda _: None)
    [box] = engine.boxes
    asked = box.settings
    assert asked["entrypoint"] == ["/usr/bin/env", "-i", "JOBS=2", "/bin/sh", "-c", "make"]
    assert (asked["network_mode"], asked["cap_drop"], asked["read_only"]) == ("none", ["ALL"], True)
    assert [(one["Name"], one["Soft"], one["Hard"]) for one in asked["ulimits"]] == [("core", 0, 0)]
    assert (asked["user"], asked["mem_limit"], asked["memswap_limit"]) == ("0:0", 2**30, 2**30)
    [bind] = asked["mounts"]
    assert (bind["Target"], bind["Source"], bind["ReadOnly"]) == ("/out", str(tmp_path / "out"), False)
    assert engine.gone == [asked["name"]]


@pytest.mark.parametrize(("code", "status"), [(3, 3), (128, 128), (129, -1), (139, -11), (192, -64), (193, 193)])
def test_a_step_that_fails_keeps_its_status_and_that_of_a_signal_is_negative(
    tmp_path: Path, code: int, status: int
) -> None:
    outcome = an_engine(FakeDocker(known=ROOTLESS, ready=[{"code": code}])).perform(a_task(tmp_path), lambda _: None)
    assert (outcome.status, outcome.out_of_memory) == (status, False)


def test_a_want_of_memory_is_known_from_the_engine(tmp_path: Path) -> None:
    for engine in (
        FakeDocker(known=ROOTLESS, ready=[{"code": 137, "state": {**TIMES, "OOMKilled": True}}]),
        FakeDocker(known=ROOTLESS, ready=[{"code": 1}], happened=["oom"]),
    ):
        assert an_engine(engine).perform(a_task(tmp_path), lambda _: None).out_of_memory
    well = FakeDocker(known=ROOTLESS, happened=["oom"])
    assert not an_engine(well).perform(a_task(tmp_path), lambda _: None).out_of_memory


def test_the_log_of_a_second_try_takes_the_place_of_the_first(tmp_path: Path) -> None:
    for text in (b"first\n", b"second\n"):
        an_engine(FakeDocker(known=ROOTLESS, ready=[{"chunks": (text,)}])).perform(a_task(tmp_path), lambda _: None)
    assert (tmp_path / "logs" / "openblas.log").read_text() == "second\n"


def test_a_step_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    engine = FakeDocker(known=ROOTLESS, ready=[{"code": 137, "runs": until_killed}])
    outcome = an_engine(engine).perform(a_task(tmp_path, timeout=0.01), lambda _: None)
    assert (outcome.timed_out, outcome.out_of_memory, engine.boxes[0].killed) == (True, False, True)


def test_a_step_that_fills_the_disk_is_stopped_before(tmp_path: Path) -> None:
    engine = FakeDocker(known=ROOTLESS, ready=[{"code": 137, "chunks": (b"writing\n",), "runs": until_killed}])
    with pytest.raises(EngineError, match=r"openblas 0\.3 was stopped before it filled the disk") as caught:
        an_engine(engine, spare=2**70).perform(a_task(tmp_path), lambda _: None)
    assert caught.value.details == ("writing",)
    assert "openblas.log" in caught.value.hint


def test_a_container_that_somebody_took_away_is_no_result(tmp_path: Path) -> None:
    engine = FakeDocker(known=ROOTLESS, ready=[{"code": 137, "status": "removing"}])
    with pytest.raises(EngineError, match="the container was removed while it ran"):
        an_engine(engine).perform(a_task(tmp_path), lambda _: None)


def test_a_step_that_cannot_be_started_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    engine = FakeDocker(known=ROOTLESS, ready=[{"start_error": refusal("Cannot allocate memory")}])
    with pytest.raises(EngineError, match="no memory left") as caught:
        an_engine(engine).perform(a_task(tmp_path), lambda _: None)
    assert "--jobs 1" in caught.value.hint
    assert engine.gone == [engine.boxes[0].settings["name"]]


def test_a_log_that_cannot_be_written_ends_the_step_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    engine = FakeDocker(known=ROOTLESS)
    with pytest.raises(EngineError, match=r"the log .*openblas\.log cannot be written"):
        an_engine(engine).perform(a_task(tmp_path), lambda _: None)
    assert engine.boxes == []


def test_a_disk_that_is_full_under_the_log_is_told(tmp_path: Path) -> None:
    task = a_task(tmp_path)
    task.log.parent.mkdir()
    task.log.symlink_to("/dev/full")
    engine = FakeDocker(known=ROOTLESS, ready=[{"chunks": (b"line\n",)}])
    with pytest.raises(EngineError, match="cannot be written: No space left"):
        an_engine(engine).perform(task, lambda _: None)


# --- functions


def a_job(folder: Path, **facts: Any) -> Job:
    return replace(Job(target=target(), opt=folder, program="print(1)", timeout=5.0), **facts)


ANSWER = b'layerforge-sandbox: "{\\"status\\": 0, \\"milliseconds\\": 1.5}"\n'


def test_a_program_runs_as_the_handler_of_a_function_with_lambdas_limits(tmp_path: Path) -> None:
    ready = {"chunks": (b"layerforge-sandbox: begin\n1\nlayerforge-sandbox: end\n",), "errors": ANSWER}
    engine = FakeDocker(ready=[ready, ready])
    outcome = an_engine(engine, memory=2 * 1769 * 2**20).run(a_job(tmp_path))
    assert (outcome.status, outcome.output, outcome.invoke_ms) == (0, "1", (1.5,))
    asked = engine.boxes[0].settings
    assert (asked["mem_limit"], asked["nano_cpus"], asked["user"]) == (2 * 1769 * 2**20, 2 * 10**9, "993:990")
    assert asked["environment"]["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "3538"
    assert [one["Target"] for one in asked["mounts"]] == ["/opt", "/var/task"]
    an_engine(engine).run(a_job(tmp_path, memory=128 * 2**20, processors=0.5))
    asked = engine.boxes[1].settings
    assert (asked["mem_limit"], asked["nano_cpus"]) == (128 * 2**20, 5 * 10**8)


def test_an_image_without_the_runtime_is_no_stand_in_for_it() -> None:
    engine = FakeDocker(ready=[{"chunks": (b"/var/lang/bin/python3.13\n",)}, {}])
    made = an_engine(engine)
    assert made.refusal(target()) == "the image mine:1 has no /var/lang/bin/python3.13"
    assert made.refusal(target()) == "the image mine:1 has no /var/lang/bin/python3.13"
    assert made.refusal(target("3.12")) == ""
    assert len(engine.boxes) == 2, "an image is asked once a Python"
    assert made.refusal(target(arch=Arch.ARM64)) == "the image mine:1 is for x86_64, the layer for arm64"


def test_an_engine_is_known_by_its_image_and_memory() -> None:
    made = an_engine(FakeDocker(), memory=7)
    assert (made.name, made.identity, made.processors) == ("docker", "sha256:one 7", 4)


# --- what is left behind


def test_a_container_goes_whatever_happens_even_where_the_engine_is_lost() -> None:
    class Lost(FakeDocker):
        def remove_container(self, name: str, **_: object) -> None:
            raise DockerException("connection reset")

    for engine in (FakeDocker(), Lost()):
        with pytest.raises(KeyError), container(engine.sdk, {}):
            raise KeyError
        assert engine.boxes[0].labels == labels()


def test_leftovers_of_dead_processes_go_and_those_of_live_ones_stay() -> None:
    engine = FakeDocker()
    dead, alive = FakeContainer(client=engine), FakeContainer(client=engine, labels=labels())
    dead.labels = {**labels(), "layerforge.pid": "none"}
    engine.boxes += [dead, alive]
    remove_leftovers(engine.sdk)
    assert (dead.removed, alive.removed) == (True, False)
    stop_all(engine.sdk)
    assert alive.removed
    an_engine(engine).stop()


def test_the_containers_of_one_job_end_without_those_of_others() -> None:
    engine = FakeDocker()
    boxes = {key: FakeContainer(client=engine, labels=labels(key)) for key in ("one", "other", "")}
    engine.boxes += boxes.values()
    an_engine(engine, job_key="one").stop()
    assert {key: box.removed for key, box in boxes.items()} == {"one": True, "other": False, "": False}
    an_engine(engine).stop()
    assert all(box.removed for box in boxes.values())


def test_what_runs_for_a_job_carries_its_key(tmp_path: Path) -> None:
    engine = FakeDocker()
    doer = an_engine(engine, job_key="one")
    doer.perform(a_task(tmp_path), lambda _line: None)
    with pytest.raises(EngineError, match="did not answer"):
        doer.run(a_job(tmp_path))
    assert [box.labels for box in engine.boxes] == [labels("one"), labels("one")]


@pytest.mark.parametrize(("status", "told"), [(404, False), (409, False), (500, True)])
def test_a_leftover_that_is_going_already_is_no_failure(status: int, told: bool) -> None:
    engine = FakeDocker()
    engine.boxes.append(FakeContainer(client=engine, labels=labels(), removal=refusal("removing", status)))
    if not told:
        stop_all(engine.sdk)
        return
    with pytest.raises(EngineError, match="the container engine refused: removing"):
        stop_all(engine.sdk)
