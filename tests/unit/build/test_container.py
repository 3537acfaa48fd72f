from __future__ import annotations

import gc
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from docker import DockerClient
from docker.errors import DockerException
from docker.models.containers import Container
from hypothesis import given
from hypothesis import strategies as st

from fakes import FakeProgress, FakeStep, target
from keys import assert_decided_by
from layerforge.build.container import images
from layerforge.build.container.cleanup import boot, is_dead, labels
from layerforge.build.container.connect import connect, refuse_old, unavailable
from layerforge.build.container.errors import as_engine_error, failure, unreachable
from layerforge.build.container.images import _show_layers, _unknown, dockerfile
from layerforge.build.container.made_images import IDENTITY, ChildError, unless_failed
from layerforge.build.container.mounts import owned_by_container_user
from layerforge.build.container.run import Ended, Ending, lines, ran_out_of_memory
from layerforge.build.container.sandbox import SIGNALS, read
from layerforge.build.engine import Image
from layerforge.build.errors import EngineError
from layerforge.core import runtimes
from layerforge.core.runtimes import Arch, Target

NO_ANSWER = Ended(status=70, ending=Ending.BY_ITSELF, out_of_memory=False, seconds=1.0)
ANSWERED = Ended(status=0, ending=Ending.BY_ITSELF, out_of_memory=False, seconds=1.0)
STAMP = "23 Nov 2026 11:34:35,264"


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """The SDK does not close its socket where the engine does not answer: it goes here, not in some other test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


# --- no engine, or the wrong one


@contextmanager
def listening(path: Path, answer: bytes | None) -> Iterator[None]:
    """A socket that gives every caller the same answer; ``None`` leaves them waiting."""
    held: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            while True:
                try:
                    caller, _ = server.accept()
                except OSError:
                    return
                caller.recv(65_536)
                held.append(caller)
                if answer is not None:
                    with suppress(BrokenPipeError), caller:
                        caller.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for caller in held:
        caller.close()


def version_answer(api: str) -> bytes:
    body = json.dumps({"ApiVersion": api, "Version": "1"}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_an_engine_that_is_not_there_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    with pytest.raises(EngineError, match=r"no container engine runs here: there is no .*absent.sock") as caught:
        connect()
    assert caught.value.exit_code == 5
    assert caught.value.hint
    assert str(unavailable() or "") == str(caught.value)


def test_a_machine_without_any_engine_hears_of_the_host_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    with pytest.raises(EngineError) as caught:
        connect()
    assert "--engine host" in caught.value.hint


@pytest.mark.parametrize(("program", "words"), [("docker", "systemctl start docker"), ("podman", "podman.socket")])
def test_an_engine_that_is_installed_but_stopped_is_to_be_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, words: str
) -> None:
    (tmp_path / program).write_text("")
    (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    with pytest.raises(EngineError) as caught:
        connect()
    assert words in caught.value.hint


def test_a_socket_that_nobody_serves_is_no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    assert str(unavailable() or "") == f"no container engine answers at unix://{path}"


def test_an_engine_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "mute.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with listening(path, None):
        assert "does not answer in time" in str(unavailable() or "")


@pytest.mark.parametrize(("api", "words"), [("1.39", "too old: its API is 1.39, 1.40 is needed"), ("1.41", "")])
def test_an_engine_has_to_be_new_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, api: str, words: str) -> None:
    path = tmp_path / "engine.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with listening(path, version_answer(api)):
        said = str(unavailable() or "")
    assert words in said if words else said == ""


def test_versions_are_compared_as_numbers() -> None:
    refuse_old("1.100")
    with pytest.raises(EngineError):
        refuse_old("1.9")


@pytest.mark.parametrize("address", ["nonsense://x", "tcp://", "unix:///etc/passwd", "ssh://nobody@127.0.0.1:1"])
def test_a_wrong_address_of_the_engine_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    assert str(unavailable() or "")
    with pytest.raises(EngineError) as caught:
        connect()
    assert address in str(caught.value)


@pytest.mark.skipif(os.getuid() == 0, reason="root may use any socket")
def test_a_socket_without_rights_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "closed.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with listening(path, None):
        path.chmod(0)
        assert "this user may not use" in str(unavailable() or "")


def test_a_refusal_of_rights_hints_at_the_group_however_deep_it_lies() -> None:
    outer = RuntimeError("outer", RuntimeError("wrapped"))
    outer.args[1].__cause__ = PermissionError(13, "Permission denied")
    found = unreachable(outer)
    assert found.message == "this user may not use the container engine"
    assert "usermod -aG docker" in found.hint


def test_an_error_that_is_its_own_cause_is_still_told() -> None:
    error = RuntimeError("round")
    error.__context__ = other = RuntimeError("and round")
    other.__context__ = error
    assert "round" in unreachable(error).message


# --- an engine that fails later


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ("write /var/lib/x: no space left on device", "disk is full", "prune"),
        ("standard_init_linux.go: exec user process caused: Exec format error", "cannot run the image's", "binfmt"),
        ('invalid mount config: bind source path does not exist: "/x"', "does not see", "DOCKER_HOST"),
        ("Connection aborted.", "stopped answering", "start it again"),
    ],
)
def test_what_an_engine_says_becomes_what_to_do(said: str, message: str, hint: str) -> None:
    found = failure(OSError(said))
    assert message in found.message
    assert hint in found.hint
    assert said in found.details


def test_errors_of_layerforge_pass_unchanged() -> None:
    original = EngineError("as it was")
    with pytest.raises(EngineError) as caught, as_engine_error():
        raise original
    assert caught.value is original


# --- images


@dataclass
class Labelled:
    """As much of an engine as finds every image by its label, and remembers which was looked for."""

    labels: list[str] = field(default_factory=list)

    @property
    def images(self) -> Labelled:
        return self

    def list(self, *, filters: dict[str, str]) -> list[FoundImage]:
        self.labels.append(filters["label"])
        key = filters["label"].partition("=")[2]
        return [FoundImage(labels={IDENTITY: f"{key} known"})]

    def label(self, image: Image, packages: tuple[str, ...]) -> str:
        """What an image with more packages is looked for by."""
        images.with_packages(cast("DockerClient", self), image, packages, FakeProgress())
        return self.labels.pop()


@dataclass
class FoundImage:
    id: str = "sha256:2"
    labels: Mapping[str, str] = field(default_factory=dict)


def test_an_image_with_packages_is_known_by_what_it_was_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image(reference="image:1", digest="sha256:1", arch=Arch.X86_64)
    packages = ("gcc", "cmake")
    client = Labelled()
    first = client.label(image, packages)
    assert_decided_by(
        lambda image: client.label(image, packages),
        image,
        {"digest": "sha256:2", "made_of": "3"},
        {"reference": "image:2", "arch": Arch.ARM64, "sources": "/sources", "base": "sha256:0"},
    )
    assert client.label(image, ("cmake", "gcc")) == first
    assert client.label(image, ("gcc",)) != first
    monkeypatch.setattr(images, "INSTALL", "FROM {image} # {packages}")
    assert client.label(image, packages) != first


def test_a_build_image_is_known_by_its_dockerfile_and_its_target() -> None:
    def label(one: Target) -> str:
        client = Labelled()
        assert images.build_image_here(cast("DockerClient", client), one)
        return client.labels.pop()

    first = label(target())
    assert label(target("3.12")) != first
    assert label(target(arch=Arch.ARM64)) != first
    other = replace(target().runtime, os=target("3.11").runtime.os)
    assert dockerfile(target("3.11")) != dockerfile(target())
    assert label(replace(target(), runtime=other)) != first


@pytest.mark.parametrize("python", list(runtimes.runtimes()))
def test_every_runtime_has_a_dockerfile_on_its_own_image(python: str) -> None:
    text = dockerfile(target(python))
    assert f"FROM {target(python).runtime.image}\n" in text.replace("${PYTHON}", python)
    assert text.index("ARG PYTHON") < text.index("FROM ")


def test_the_bytes_of_every_layer_move_the_step_once() -> None:
    step = FakeStep()
    events = [
        {"status": "Pulling fs layer", "id": "a", "progressDetail": {}},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 10, "total": 100}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 50, "total": 50}},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 100, "total": 100}},
        {"status": "Extracting", "id": "a", "progressDetail": {"current": 100, "total": 100}},
    ]
    _show_layers(iter(events), step)
    assert (step.expected, step.advanced) == (150, 150)


def test_an_error_at_the_end_of_a_stream_is_not_overheard() -> None:
    with pytest.raises(ChildError, match="manifest unknown"):
        list(unless_failed(iter([{"status": "fine"}, {"error": "manifest unknown"}])))


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("pull access denied for x", "docker login"),
        ("dial tcp: lookup registry: no such host", "docker load"),
        ("write /x: no space left on device", "prune"),
    ],
)
def test_an_image_that_cannot_be_pulled_says_why(said: str, hint: str) -> None:
    assert hint in _unknown("x", said).hint


# --- whose a container is


def a_dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_containers_process_is_dead_only_where_that_is_certain() -> None:
    own = labels()
    dead = {**own, "layerforge.pid": str(a_dead_pid())}
    assert not is_dead(own)
    assert not is_dead({**own, "layerforge.pid": "1"})
    assert is_dead(dead)
    assert not is_dead({**dead, "layerforge.host": platform.node() + "x"})
    assert is_dead({**own, "layerforge.boot": boot() + "x"})
    assert not is_dead({"layerforge": "1"})


# --- lines


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1)), st.integers(1, 7))
def test_lines_do_not_depend_on_how_they_were_cut(said: list[str], width: int) -> None:
    data = "".join(f"{line}\n" for line in said).encode()
    chunks = [data[at : at + width] for at in range(0, len(data), width)]
    assert list(lines(chunks)) == said


def test_a_line_that_never_ends_comes_in_pieces() -> None:
    pieces = list(lines([b"x" * 50_000] * 4))
    assert "".join(pieces) == "x" * 200_000
    assert len(pieces) > 1


# --- folders lent to a container


def test_what_a_container_leaves_can_be_read_and_removed(tmp_path: Path) -> None:
    with owned_by_container_user([tmp_path], rootless=False):
        (tmp_path / "closed/below").mkdir(parents=True)
        (tmp_path / "closed/below/file").write_text("x")
        (tmp_path / "link").symlink_to("/nonexistent")
        (tmp_path / "closed/below/file").chmod(0)
        (tmp_path / "closed/below").chmod(0)
        (tmp_path / "closed").chmod(0)
    assert (tmp_path / "closed/below/file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "closed/below").stat().st_mode & 0o777 == 0o700
    assert {path.lstat().st_uid for path in tmp_path.rglob("*")} == {os.getuid()}


def test_a_link_in_a_lent_folder_does_not_change_what_it_points_to(tmp_path: Path) -> None:
    outside, lent = tmp_path / "outside", tmp_path / "lent"
    lent.mkdir()
    outside.write_text("x")
    outside.chmod(0o400)
    with owned_by_container_user([lent], rootless=False):
        (lent / "link").symlink_to(outside)
    assert outside.stat().st_mode & 0o777 == 0o400
    assert outside.stat().st_uid == os.getuid()


# --- what the sandbox says


@dataclass
class FakeEvents:
    """An engine that knows of some events."""

    known: list[str]
    asked: list[dict[str, Any]] = field(default_factory=list)

    def events(self, **asked: Any) -> Iterator[str]:
        self.asked.append(asked)
        yield from self.known


def an_ended_container(engine: FakeEvents, *, marked: bool) -> Container:
    times = {"StartedAt": "2026-11-23T16:30:01.5Z", "FinishedAt": "2026-11-23T16:30:07.123456789Z"}
    return Container(attrs={"Id": "abc", "State": {"OOMKilled": marked, **times}}, client=cast("DockerClient", engine))


def test_a_lack_of_memory_is_known_though_the_engine_heard_of_the_end_first() -> None:
    engine = FakeEvents(["oom"])
    assert ran_out_of_memory(an_ended_container(engine, marked=False), late=True)
    [asked] = engine.asked
    assert asked["filters"] == {"container": "abc", "event": "oom"}
    # From the second in which it started to one second after the one in which it ended, by the engine's own clock.
    assert asked["until"] - asked["since"] == 8
    assert not ran_out_of_memory(an_ended_container(FakeEvents([]), marked=False), late=True)


def test_an_engine_that_tells_no_events_hides_no_failure() -> None:
    class Mute(FakeEvents):
        def events(self, **asked: Any) -> Iterator[str]:
            raise DockerException("no such filter")

    assert not ran_out_of_memory(an_ended_container(Mute([]), marked=False), late=True)


@pytest.mark.parametrize(("marked", "late"), [(True, True), (True, False), (False, False)])
def test_nobody_waits_for_what_is_known_already(marked: bool, late: bool) -> None:
    engine = FakeEvents(["oom"])
    assert ran_out_of_memory(an_ended_container(engine, marked=marked), late=late) is marked
    assert engine.asked == []


def a_log(*said: str, answer: object = None) -> str:
    text = "".join(f"{STAMP} [INFO] (rapid) {line}\n" for line in said)
    return text + ("" if answer is None else f"\nlayerforge-sandbox: {json.dumps(json.dumps(answer))}\n")


def printed(text: str) -> str:
    return f"START RequestId: 1 Version: $LATEST\n\nlayerforge-sandbox: begin\n{text}\nlayerforge-sandbox: end\nEND x\n"


def test_a_program_that_ends_well_gives_its_output_and_measures() -> None:
    log = a_log("INIT REPORT(durationMs: 186.967000)", answer={"status": 0, "peak_memory": 1024})
    outcome = read(printed("hello\n"), log, ANSWERED)
    assert (outcome.status, outcome.output) == (0, "hello\n")
    assert (outcome.init_ms, outcome.peak_memory) == (186.967, 1024)


def an_answer(status: int = 0, milliseconds: float = 1.0) -> dict[str, object]:
    return {"status": status, "peak_memory": 1, "milliseconds": milliseconds, "init_cpu_ms": 90.5}


def test_each_invocation_has_its_time_and_the_process_that_of_its_start() -> None:
    log = a_log(answer=an_answer(milliseconds=5.0)) + a_log(answer=an_answer(milliseconds=2.5))
    outcome = read(printed(""), log, ANSWERED)
    assert (outcome.status, outcome.invoke_ms, outcome.init_cpu_ms) == (0, (5.0, 2.5), 90.5)


def test_the_first_invocation_that_fails_decides() -> None:
    log = a_log(answer=an_answer(3)) + a_log(answer=an_answer(0)) + a_log(answer=an_answer(4))
    assert read(printed(""), log, ANSWERED).status == 3


def test_a_runtime_that_died_between_two_invocations_has_failed() -> None:
    died = a_log("Process runtime-1 exited: signal: killed", answer="")
    for log in (died + a_log(answer=an_answer()), a_log(answer=an_answer()) + died):
        assert read(printed(""), log, ANSWERED).out_of_memory


def test_an_emulator_that_the_kernel_ended_is_a_lack_of_memory() -> None:
    ended = Ended(status=1, ending=Ending.BY_ITSELF, out_of_memory=True, seconds=1.0)
    assert read("", "ConnectionResetError\n", ended).out_of_memory


def test_a_programs_status_is_its_own() -> None:
    assert read(printed(""), a_log(answer={"status": 7, "peak_memory": 1}), ANSWERED).status == 7


@pytest.mark.parametrize(("word", "number"), SIGNALS.items())
def test_a_signal_that_ends_the_runtime_is_told_by_its_number(word: str, number: int) -> None:
    log = a_log(f"Process runtime-1 exited: signal: {word}", answer="")
    assert read(printed(""), log, ANSWERED).status == -number
    dumped = a_log(f"Process runtime-1 exited: signal: {word} (core dumped)", answer="")
    assert read(printed(""), dumped, ANSWERED).status == -number


def test_a_kill_that_nobody_asked_for_is_the_kernels() -> None:
    killed = a_log("Process runtime-1 exited: signal: killed", answer="")
    assert read(printed(""), killed, ANSWERED).out_of_memory
    crashed = a_log("Process runtime-1 exited: signal: segmentation fault", answer="")
    assert not read(printed(""), crashed, ANSWERED).out_of_memory


def test_a_program_that_leaves_without_an_answer_has_failed() -> None:
    assert read("", a_log("Process runtime-1 exited: exit status 4", answer=""), ANSWERED).status == 4
    assert read("", a_log("Process runtime-1 exited: exit status 0", answer=""), ANSWERED).status == 1


def test_a_crash_keeps_what_was_printed_before_it() -> None:
    output = "START RequestId: 1\n\nlayerforge-sandbox: begin\nnearly\n"
    log = a_log("Process runtime-1 exited: signal: aborted", answer="")
    assert read(output, log, ANSWERED).output == "nearly\n"


def test_time_that_runs_out_is_no_lack_of_memory() -> None:
    ended = Ended(status=-signal.SIGKILL, ending=Ending.TIME, out_of_memory=False, seconds=1.0)
    outcome = read("", a_log("INVOKE START(requestId: 1)"), ended)
    assert outcome.timed_out
    assert not outcome.out_of_memory


def test_an_image_without_a_working_emulator_is_the_engines_error() -> None:
    with pytest.raises(EngineError, match="emulator did not answer") as caught:
        read("", "sh: /usr/local/bin/aws-lambda-rie: not found\n", NO_ANSWER)
    assert "not found" in caught.value.details[-1]


def test_words_of_the_emulator_in_a_programs_output_count_for_nothing() -> None:
    fake = f"{STAMP} [WARNING] (rapid) Process runtime-1 exited: signal: killed\n"
    outcome = read(printed(fake), a_log(answer={"status": 0, "peak_memory": 1}), ANSWERED)
    assert outcome.status == 0
    assert outcome.output == fake
