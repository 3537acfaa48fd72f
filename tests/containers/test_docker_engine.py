"""What real containers may and may not do."""

from __future__ import annotations

import gc
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from docker import DockerClient

from fakes import FakeProgress, FakeStore, target
from layerforge.build import interpreters
from layerforge.build.container import made_images
from layerforge.build.container.cleanup import labels
from layerforge.build.container.connect import connect
from layerforge.build.container.docker_engine import DockerEngine
from layerforge.build.container.images import _build_image, find_image
from layerforge.build.container.made_images import MadeImage
from layerforge.build.container.own_images import engine_here
from layerforge.build.container.sandbox import pythons
from layerforge.build.engine import Builder, Engine, Image, Job, Mount, Outcome, Task
from layerforge.build.errors import EngineError
from layerforge.core import digest
from layerforge.core.runtimes import Arch, runtimes
from layerforge.layer import compiler, tree
from layerforge.layer.compiler import Module

ENV = {"PATH": "/var/lang/bin:/usr/bin:/bin", "LD_LIBRARY_PATH": "/var/lang/lib"}
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def client(engine: None) -> Iterator[DockerClient]:
    with closing(connect()) as made:
        yield made


@pytest.fixture(scope="module")
def image(client: DockerClient, standin: str) -> Image:
    return find_image(client, target(), standin, FakeProgress())


@pytest.fixture(scope="module")
def docker(client: DockerClient, image: Image) -> DockerEngine:
    return DockerEngine(client=client, image=image)


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does, no container of this process is there afterwards."""
    yield
    assert of_process(os.getpid()) == []
    # The SDK does not close its socket where the engine does not answer: it goes here, not in some other test.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def of_process(pid: int) -> list[str]:
    argv = ["docker", "ps", "--all", "--quiet", "--filter", f"label=layerforge.pid={pid}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()


@pytest.fixture
def perform(docker: DockerEngine, tmp_path: Path) -> Callable[..., Outcome]:
    """Runs a shell script as a source step that may write to ``work``."""

    def run(
        script: str, *, memory: int = 256 * MEGABYTE, timeout: float = 60.0, seen: list[str] | None = None
    ) -> Outcome:
        builder: Builder = docker
        return builder.perform(a_task(tmp_path, script, memory, timeout), ([] if seen is None else seen).append)

    return run


def a_task(folder: Path, script: str, memory: int = 256 * MEGABYTE, timeout: float = 60.0) -> Task:
    (folder / "work").mkdir(exist_ok=True)
    return Task(
        name="step",
        argv=("/bin/sh", "-c", script),
        env=ENV,
        mounts=(Mount(source=folder / "work", target="/work", writable=True),),
        workdir="/work",
        log=folder / "logs/step.log",
        memory=memory,
        timeout=timeout,
    )


# --- source steps


def test_a_step_leaves_its_files_its_log_and_its_last_lines(perform: Callable[..., Outcome], tmp_path: Path) -> None:
    seen: list[str] = []
    outcome = perform("echo made > made; for i in $(seq 100); do echo line $i; done; echo bad >&2", seen=seen)
    assert outcome.status == 0
    assert (tmp_path / "work/made").read_text() == "made\n"
    assert sorted(seen) == sorted([*(f"line {number}" for number in range(1, 101)), "bad"])
    assert (tmp_path / "logs/step.log").read_text().splitlines() == seen
    assert outcome.output.splitlines() == seen[-60:]


def test_lines_come_while_the_step_runs(docker: DockerEngine, tmp_path: Path) -> None:
    def go_on(line: str) -> None:
        (tmp_path / "work/go").touch()

    outcome = docker.perform(a_task(tmp_path, "echo first; until [ -e go ]; do sleep 0.05; done; echo second"), go_on)
    assert outcome.output == "first\nsecond"


def test_a_step_has_no_network(perform: Callable[..., Outcome]) -> None:
    outcome = perform("python3.13 -c 'import socket; socket.create_connection((\"192.0.2.1\", 80), 5)'")
    assert outcome.status == 1
    assert "Network is unreachable" in outcome.output
    assert perform("ls /sys/class/net").output.split() == ["lo"]


def test_a_step_sees_its_own_environment_alone(
    perform: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    expected = {f"{name}={value}" for name, value in ENV.items()}
    assert set(perform("env").output.splitlines()) - {"PWD=/work", "_=/usr/bin/env"} == expected


def test_a_step_sees_nothing_of_this_machines_home(perform: Callable[..., Outcome], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0o644)
    outcome = perform(f"cat {secret} {Path.home()}/.* /var/run/docker.sock; ls /proc | grep -c '^[0-9]'")
    assert "secret\n" not in outcome.output
    assert int(outcome.output.splitlines()[-1]) < 10


def test_a_step_is_not_root_and_has_no_rights(perform: Callable[..., Outcome]) -> None:
    uid, *facts = perform("id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status").output.splitlines()
    assert int(uid) == (os.getuid() or 1000)
    assert facts == [f"CapEff:\t{0:016x}", f"CapBnd:\t{0:016x}", "NoNewPrivs:\t1"]


def test_a_step_writes_to_its_own_folders_and_tmp_alone(docker: DockerEngine, tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir(mode=0o777)
    task = a_task(tmp_path, "for at in / /usr /etc /var/lang /src; do touch $at/x && echo $at; done; touch /tmp/x x")
    task = replace(task, mounts=(*task.mounts, Mount(source=source, target="/src")))
    outcome = docker.perform(task, lambda _line: None)
    assert outcome.output.count("Read-only file system") == 5
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["x"]
    assert not list(source.iterdir())


def test_a_program_made_in_tmp_can_be_run(perform: Callable[..., Outcome]) -> None:
    assert perform("cp /bin/true /tmp/it && /tmp/it").status == 0


def test_what_a_step_leaves_belongs_to_the_caller_and_can_be_removed(
    perform: Callable[..., Outcome], tmp_path: Path
) -> None:
    outcome = perform("mkdir -p a/b && echo x > a/b/c && chmod 0 a/b/c a/b a; ln -s /etc/passwd link; chown 12345 .")
    assert "Operation not permitted" in outcome.output
    work = tmp_path / "work"
    assert {path.lstat().st_uid for path in (work, *work.rglob("*"))} == {os.getuid()}
    assert (work / "a/b/c").read_text() == "x\n"
    shutil.rmtree(work)


def test_a_step_cannot_fill_the_machine_with_processes(perform: Callable[..., Outcome]) -> None:
    script = """python3.13 -c '
import threading, time
threading.stack_size(32768)
for count in range(6000):
    try:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    except RuntimeError:
        print(count, flush=True)
        import os
        os._exit(3)
'"""
    outcome = perform(script, memory=1024 * MEGABYTE)
    assert outcome.status == 3
    assert int(outcome.output.splitlines()[-1]) < 4096


def test_a_step_that_needs_too_much_memory_says_so(perform: Callable[..., Outcome]) -> None:
    outcome = perform("python3.13 -c 'bytearray(10**9)'", memory=64 * MEGABYTE)
    assert outcome.out_of_memory
    assert outcome.status == -signal.SIGKILL


def test_memory_that_a_child_ran_out_of_is_told_though_the_shell_lives_on(perform: Callable[..., Outcome]) -> None:
    outcome = perform("python3.13 -c 'bytearray(10**9)'; exit 2", memory=64 * MEGABYTE)
    assert (outcome.status, outcome.out_of_memory) == (2, True)


def test_a_step_that_hangs_is_stopped(perform: Callable[..., Outcome]) -> None:
    outcome = perform("trap '' TERM INT; echo started; while :; do sleep 1; done", timeout=2.0)
    assert outcome.timed_out
    assert outcome.output == "started"


def test_a_step_that_leaves_processes_behind_ends_with_them(perform: Callable[..., Outcome]) -> None:
    assert perform("sleep 600 & echo left").output == "left"


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -SEGV $$", -signal.SIGSEGV), ("nosuch", 127)])
def test_a_steps_status_is_its_own(perform: Callable[..., Outcome], script: str, status: int) -> None:
    outcome = perform(script)
    assert (outcome.status, outcome.out_of_memory, outcome.timed_out) == (status, False, False)


def test_a_step_is_stopped_before_it_fills_the_disk(docker: DockerEngine, tmp_path: Path) -> None:
    greedy = replace(docker, spare=2**62)
    with pytest.raises(EngineError, match="stopped before it filled the disk") as caught:
        greedy.perform(a_task(tmp_path, "echo filling; sleep 60"), lambda _line: None)
    assert str(tmp_path / "logs/step.log") in caught.value.hint
    assert caught.value.details == ("filling",)


def test_a_folder_that_is_not_there_is_an_error(docker: DockerEngine, tmp_path: Path) -> None:
    task = replace(a_task(tmp_path, "true"), mounts=(Mount(source=tmp_path / "absent", target="/src"),))
    with pytest.raises(EngineError, match="does not see this machine's folders"):
        docker.perform(task, lambda _line: None)


# --- endings that nobody planned


def a_program(image: Image, folder: Path) -> str:
    return f"""
import sys
from pathlib import Path
from layerforge.build.container import connect, docker_engine
from layerforge.core.runtimes import Arch
from layerforge.build.engine import Image
from layerforge.build.engine import Mount
from layerforge.build.engine import Task
client = connect.connect()
image = Image(reference={image.reference!r}, digest={image.digest!r}, arch=Arch({str(image.arch)!r}))
work = Path({str(folder)!r})
task = Task(name="step", argv=("/bin/sh", "-c", "echo started; sleep 600"), env={{"PATH": "/usr/bin:/bin"}},
            mounts=(Mount(source=work, target="/work", writable=True),), workdir="/work", log=work / "log",
            memory=2**28, timeout=600)
try:
    docker_engine.DockerEngine(client=client, image=image).perform(task, lambda line: print(line, flush=True))
except KeyboardInterrupt:
    sys.exit(130)
"""


@contextmanager
def a_running_step(image: Image, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process of layerforge, in the middle of a step."""
    program = a_program(image, folder)
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "started\n"
        assert len(of_process(child.pid)) == 1
        yield child
        child.kill()


def test_an_interrupted_step_leaves_no_container(image: Image, tmp_path: Path) -> None:
    with a_running_step(image, tmp_path) as child:
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
        assert of_process(child.pid) == []


def test_what_a_killed_process_left_is_removed_at_the_next_start(image: Image, tmp_path: Path) -> None:
    with a_running_step(image, tmp_path) as living:
        with a_running_step(image, tmp_path) as killed:
            killed.kill()
            killed.wait()
            assert len(of_process(killed.pid)) == 1
            connect().close()
            assert of_process(killed.pid) == []
        assert len(of_process(living.pid)) == 1
        living.send_signal(signal.SIGINT)
        living.wait()


def test_steps_of_every_thread_end_when_the_engine_is_told_to_stop(docker: DockerEngine, tmp_path: Path) -> None:
    ready = threading.Barrier(3, timeout=60)

    def a_step(name: str) -> str:
        (tmp_path / name).mkdir()
        with pytest.raises(EngineError) as caught:
            docker.perform(a_task(tmp_path / name, "echo started; sleep 600"), lambda _line: void(ready.wait()))
        return caught.value.message

    with ThreadPoolExecutor() as pool:
        steps = [pool.submit(a_step, name) for name in ("one", "two")]
        ready.wait()
        docker.stop()
        assert {step.result() for step in steps} == {"the container was removed while it ran"}


def void(_value: object) -> None: ...


@contextmanager
def a_line_to_the_engine(path: Path) -> Iterator[Callable[[], None]]:
    """A socket that leads to the real engine, until it is cut."""
    real = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not real.startswith("unix://"):
        pytest.skip("the engine is not behind a socket")
    ends: list[socket.socket] = []
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve() -> None:
        with suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(real.removeprefix("unix://"))
                ends.extend([near, far])
                threading.Thread(target=pump, args=(near, far), daemon=True).start()
                threading.Thread(target=pump, args=(far, near), daemon=True).start()

    def cut() -> None:
        for end in (server, *ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        server.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield cut
    finally:
        cut()
        for end in ends:
            end.close()


def test_an_engine_that_stops_in_the_middle_is_an_error_that_says_what_to_do(
    client: DockerClient, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("/tmp") / f"layerforge-test-{os.getpid()}.sock"
    try:
        with a_line_to_the_engine(path) as cut:
            monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
            lost = DockerEngine(client=connect(), image=image)
            with pytest.raises(EngineError, match="stopped answering") as caught, closing(lost.client):
                lost.perform(a_task(tmp_path, "echo started; sleep 600"), lambda _line: cut())
        assert "start it again" in caught.value.hint
    finally:
        path.unlink()
        DockerEngine(client=client, image=image).stop()


# --- images


def test_an_image_that_is_nowhere_is_an_error(client: DockerClient) -> None:
    with pytest.raises(EngineError, match=r"there is no image layerforge\.invalid/nowhere:1"):
        find_image(client, target(), "layerforge.invalid/nowhere:1", FakeProgress())


def test_a_name_that_cannot_be_an_images_is_an_error(client: DockerClient) -> None:
    with pytest.raises(EngineError, match="there is no image"):
        find_image(client, target(), "Not A Name", FakeProgress())


def test_an_image_of_another_processor_is_refused_before_anything_runs(client: DockerClient, image: Image) -> None:
    with pytest.raises(EngineError, match="is for x86_64, the layer for arm64") as caught:
        find_image(client, target(arch=Arch.ARM64), image.reference, FakeProgress())
    assert "linux/arm64" in caught.value.hint
    assert "for x86_64" in DockerEngine(client=client, image=image).refusal(target(arch=Arch.ARM64))


def a_tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def an_arm_image(tag: str) -> None:
    """An image of the other processor, whose only program this machine cannot start."""
    program = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(100)
    layer = a_tar({"bin/true": program})
    config = {
        "architecture": "arm64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest.sha256(layer)}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    files = {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    subprocess.run(["docker", "load"], input=a_tar({**files, "layer.tar": layer}), capture_output=True, check=True)


def test_a_processor_that_is_not_emulated_hints_at_binfmt(client: DockerClient) -> None:
    if Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
        pytest.skip("it is emulated here")
    tag = f"layerforge-test-arm:{os.getpid()}"
    an_arm_image(tag)
    try:
        with pytest.raises(EngineError, match="cannot run programs for arm64") as caught:
            find_image(client, target(arch=Arch.ARM64), tag, FakeProgress())
        assert "binfmt" in caught.value.hint
    finally:
        client.images.remove(tag)


def test_a_build_image_is_made_once_and_found_again_by_its_dockerfile(client: DockerClient, standin: str) -> None:
    text = f"ARG PYTHON\nFROM {standin}\nARG PYTHON\nENV BUILT_FOR=$PYTHON TEST={os.getpid()}\n"
    progress = FakeProgress()
    made, tag = _build_image(client, target(), text, progress)
    try:
        assert "BUILT_FOR=3.13" in made.attrs["Config"]["Env"]
        assert (progress.steps, progress.lines) == (["image"], [])
        again, _ = _build_image(client, target(), text, quiet := FakeProgress())
        assert (again.id, quiet.lines) == (made.id, [])
        other, _ = _build_image(client, target(), text + "ENV MORE=1\n", FakeProgress())
        assert other.id != made.id
        client.images.remove(str(other.id), force=True)
    finally:
        client.images.remove(str(made.id), force=True)
    assert tag == "layerforge-build:py313-x86_64"


def test_two_build_images_of_the_same_have_one_identity_and_each_a_digest(client: DockerClient, standin: str) -> None:
    def made(stamp: str) -> tuple[str, str]:
        """Digest and identity of what a machine makes at some time of the same Dockerfile."""
        text = f"FROM {standin}\nRUN echo {stamp} > /etc/made-at\n"
        told = replace(wanted, key=f"{wanted.key} {stamp}".replace(" ", ""), text=text)
        found = made_images.made(client, told, FakeProgress())
        try:
            again = made_images.made(client, told, FakeProgress())
            assert (again.id, again.labels) == (found.id, found.labels)
            return str(found.id), made_images.identity(found, told.key)
        finally:
            client.images.remove(str(found.id), force=True)

    tag = f"layerforge-test-identity:{os.getpid()}"
    wanted = MadeImage(
        tag=tag, key=tag, text="", arch=Arch.X86_64, what=tag, hint="", facts=("a Dockerfile",), base=standin
    )
    one, other = made("one"), made("other")
    assert one[0] != other[0]
    assert one[1] == other[1]
    assert len(one[1]) == 64
    wanted = replace(wanted, base=f"{standin}-that-is-not-here")
    assert made("third")[1] == ""


def test_a_build_image_that_cannot_be_made_shows_why(client: DockerClient, standin: str) -> None:
    with pytest.raises(EngineError, match="cannot be made") as caught:
        _build_image(client, target(), f"FROM {standin}\nRUN echo the reason && false\n", FakeProgress())
    assert "the reason" in caught.value.details


# --- what an image carries


@pytest.fixture
def carrying(client: DockerClient, standin: str) -> Iterator[DockerEngine]:
    """An engine whose image carries two archives."""
    tag = f"layerforge-test-carrying:{os.getpid()}"
    text = f"""FROM {standin}
RUN mkdir -p /usr/src/archives/deep && echo one > /usr/src/archives/one && echo two > /usr/src/archives/deep/two \
    && ln -s one /usr/src/archives/link && chmod 600 /usr/src/archives/one
LABEL layerforge.sources=/usr/src/archives
"""
    argv = ["docker", "build", "--tag", tag, "-"]
    subprocess.run(argv, input=text, text=True, capture_output=True, check=True)
    try:
        yield DockerEngine(client=client, image=find_image(client, target(), tag, FakeProgress()))
    finally:
        client.images.remove(tag, force=True)


def test_what_an_image_carries_is_copied_out_with_its_folders(carrying: DockerEngine, tmp_path: Path) -> None:
    assert carrying.image.sources == "/usr/src/archives"
    for into in (tmp_path / "first", tmp_path / "first", tmp_path / "second"):
        carrying.copy_out(carrying.image.sources, into)
        files = {path.relative_to(into).as_posix(): path.read_text() for path in into.rglob("*") if path.is_file()}
        assert files == {"one": "one\n", "deep/two": "two\n", "link": "one\n"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def test_a_folder_that_the_image_does_not_have_is_named(carrying: DockerEngine, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="has no folder /usr/src/absent") as caught:
        carrying.copy_out("/usr/src/absent", tmp_path / "into")
    assert "layerforge.sources" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_an_image_without_that_label_carries_nothing(client: DockerClient, standin: str) -> None:
    tag = f"layerforge-test-empty:{os.getpid()}"
    text = f"FROM {standin}\nLABEL layerforge.sources=\n"
    subprocess.run(["docker", "build", "--tag", tag, "-"], input=text, text=True, capture_output=True, check=True)
    try:
        assert find_image(client, target(), tag, FakeProgress()).sources == ""
    finally:
        client.images.remove(tag, force=True)


# --- the sandbox


@pytest.fixture
def sandbox(docker: DockerEngine, tmp_path: Path) -> Callable[..., Outcome]:
    """Runs a program against a layer with one module, ``in_layer``."""
    opt = tmp_path / "opt"
    (opt / "python").mkdir(parents=True)
    (opt / "python/in_layer.py").write_text("NAME = 'a layer'\n")
    for path in (opt, *opt.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)

    def run(
        program: str,
        *,
        init: str = "",
        timeout: float = 60.0,
        memory: int = 512 * MEGABYTE,
        env: Mapping[str, str] | None = None,
    ) -> Outcome:
        lambda_like: Engine = replace(docker, memory=memory)
        job = Job(target=target(), opt=opt, program=program, init=init, timeout=timeout, env=env or {})
        return lambda_like.run(job)

    return run


def test_an_image_with_the_runtimes_layout_is_not_refused(docker: DockerEngine) -> None:
    assert docker.name == "docker"
    assert docker.refusal(target()) == ""
    assert "has no /var/lang/bin/python3.12" in docker.refusal(target("3.12"))
    found = pythons(docker.client, docker.image)
    assert found == tuple(python for python in runtimes() if not docker.refusal(target(python)))
    assert "3.13" in found


def test_a_program_imports_from_the_layer_as_a_function_would(sandbox: Callable[..., Outcome]) -> None:
    outcome = sandbox("import in_layer, sys\nprint(in_layer.NAME, in_layer.__file__)\nprint('error', file=sys.stderr)")
    assert (outcome.status, outcome.output) == (0, "a layer /opt/python/in_layer.py\nerror\n")
    assert outcome.init_ms is not None
    assert outcome.init_ms > 0
    assert outcome.peak_memory is not None
    assert MEGABYTE < outcome.peak_memory < 512 * MEGABYTE


def test_the_init_phase_runs_before_the_program_and_is_measured(sandbox: Callable[..., Outcome]) -> None:
    outcome = sandbox("print('then', first)", init="import time\ntime.sleep(1)\nfirst = 1\nprint('init')")
    assert outcome.output == "init\nthen 1\n"
    assert outcome.init_ms is not None
    assert outcome.init_ms > 1000


def test_a_failed_init_phase_is_the_programs_failure(sandbox: Callable[..., Outcome]) -> None:
    outcome = sandbox("print('never')", init="import absent_module")
    assert outcome.status == 1
    assert "No module named 'absent_module'" in outcome.output
    assert "never" not in outcome.output


def test_the_sandbox_is_lambdas(sandbox: Callable[..., Outcome]) -> None:
    program = """
import multiprocessing, os, socket
print(os.getuid(), os.getgid(), os.getcwd(), os.path.exists('/dev/shm'))
print(os.statvfs('/tmp').f_frsize * os.statvfs('/tmp').f_blocks)
for place in ('/opt/x', '/var/task/x', '/var/lang/x', '/x'):
    try:
        open(place, 'w')
    except OSError as error:
        print(error.strerror)
try:
    multiprocessing.Lock()
except OSError:
    print('no semaphores')
try:
    socket.create_connection(('192.0.2.1', 80), 5)
except OSError as error:
    print(error.strerror)
open('/tmp/x', 'w').close()
print(os.environ['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'], os.environ['LD_LIBRARY_PATH'].endswith(':/opt/lib'))
"""
    outcome = sandbox(program)
    assert outcome.status == 0, outcome.output
    assert outcome.output.splitlines() == [
        "993 990 /var/task False",
        str(512 * MEGABYTE),
        *["Read-only file system"] * 4,
        "no semaphores",
        "Network is unreachable",
        "512 True",
    ]


def test_a_program_in_the_sandbox_has_the_functions_variables_and_none_of_lambdas_is_changed(
    sandbox: Callable[..., Outcome],
) -> None:
    env = {"DEMO_DATA": "/opt/share/a b:/opt/c", "AWS_REGION": "elsewhere"}
    program = "import os; print(os.environ['DEMO_DATA'], os.environ['AWS_REGION'])"
    assert sandbox(program, env=env).output == "/opt/share/a b:/opt/c us-east-1\n"


def test_a_program_in_the_sandbox_sees_no_variable_of_this_machine(
    sandbox: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    outcome = sandbox("import os; print(sorted(os.environ.items()))")
    assert "AWS_REGION" in outcome.output
    assert "'secret'" not in outcome.output


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("raise ValueError('bad')", 1),
        ("import sys; sys.exit(7)", 7),
        ("import sys; sys.exit(0)", 1),
        ("import sys; sys.exit('words')", 1),
        ("import os; os._exit(4)", 4),
        ("import os; os._exit(0)", 1),
        ("import os; os.abort()", -signal.SIGABRT),
        ("print('nearly'); import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
        ("this is no program", 1),
    ],
)
def test_a_programs_end_is_told_as_a_process_would_end(
    sandbox: Callable[..., Outcome], program: str, status: int
) -> None:
    outcome = sandbox(program)
    assert (outcome.status, outcome.timed_out, outcome.out_of_memory) == (status, False, False)


def test_a_crash_in_the_init_phase_names_the_signal(sandbox: Callable[..., Outcome]) -> None:
    outcome = sandbox("pass", init="print('loading')\nimport ctypes\nctypes.string_at(0)")
    assert outcome.status == -signal.SIGSEGV
    assert "loading" in outcome.output


def test_a_program_that_needs_more_memory_than_the_function_has_says_so(sandbox: Callable[..., Outcome]) -> None:
    outcome = sandbox("bytearray(10**9)", memory=256 * MEGABYTE)
    assert outcome.out_of_memory
    assert outcome.status == -signal.SIGKILL


def test_a_program_that_hangs_is_stopped_and_keeps_its_output(sandbox: Callable[..., Outcome]) -> None:
    outcome = sandbox("print('started')\nimport time\ntime.sleep(600)", timeout=8.0)
    assert outcome.timed_out
    assert not outcome.out_of_memory
    assert outcome.output == "started\n"


def test_an_image_without_an_emulator_is_refused(client: DockerClient, standin: str) -> None:
    tag = f"layerforge-test-bare:{os.getpid()}"
    text = f"FROM {standin}\nRUN rm /lambda-entrypoint.sh\n"
    subprocess.run(["docker", "build", "--tag", tag, "-"], input=text, text=True, capture_output=True, check=True)
    try:
        found = find_image(client, target(), tag, FakeProgress())
        assert "has no /lambda-entrypoint.sh" in DockerEngine(client=client, image=found).refusal(target())
        assert pythons(client, found) == ()
    finally:
        client.images.remove(tag, force=True)


def test_every_container_says_whose_it_is(docker: DockerEngine, tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []

    def look(line: str) -> None:
        for found in docker.client.containers.list(filters={"label": f"layerforge.pid={os.getpid()}"}):
            seen.append(found.labels)

    docker.perform(a_task(tmp_path, "echo here; sleep 1"), look)
    assert len(seen) == 1
    assert seen[0].items() >= labels().items()


def test_an_init_phase_longer_than_lambdas_is_measured_to_its_end(sandbox: Callable[..., Outcome]) -> None:
    outcome = sandbox("print('then')", init="import time\ntime.sleep(10.5)\nprint('init')")
    assert outcome.output == "init\nthen\n"
    assert outcome.init_ms is not None
    assert outcome.init_ms > 10_000


def test_the_images_interpreter_makes_bytecode_where_this_machine_has_none(
    docker: DockerEngine, tmp_path: Path
) -> None:
    progress = FakeProgress()
    found = interpreters.from_image(docker, "3.13", tmp_path / "pythons", progress)
    assert found is not None
    assert found.version.startswith("3.13.")
    assert len(progress.lines) == 1
    assert interpreters.from_image(docker, "3.13", tmp_path / "pythons", progress) == found
    assert len(progress.lines) == 1
    module = Module(filename="/opt/python/a.py", source=tree.blob(b"x = 1\n"))
    [made] = compiler.compile_all([module], interpreter=found, store=FakeStore())
    assert made.pyc is not None
    # Of another version than the runtime's it would be of no use.
    assert interpreters.from_image(docker, "3.12", tmp_path / "pythons", progress) is None


def test_the_engine_of_this_machine_is_found_with_an_image_that_lies_here_and_nothing_is_pulled(
    image: Image, standin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = FakeProgress()
    found = engine_here(target(), standin, progress)
    assert found is not None
    with closing(found.client):
        assert found.image == image
    assert engine_here(target(), "nowhere.invalid/there/is:none", progress) is None
    assert engine_here(target(arch=Arch.ARM64), standin, progress) is None
    assert [line for line in progress.lines if "is for x86_64, the layer for arm64" in line]
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert engine_here(target(), standin, progress) is None
    assert progress.steps == []
