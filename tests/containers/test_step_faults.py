"""What a build does with programs and users that do not behave: an error that says what to do, and nothing left."""

from __future__ import annotations

import hashlib
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
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient

from builders import BuildContext, build
from fakes import FakeProgress, FakeStore, stock, target
from layerforge.build import interpreters
from layerforge.build.container.connect import connect
from layerforge.build.container.docker_engine import DockerEngine
from layerforge.build.container.images import find_image
from layerforge.build.errors import EngineError
from layerforge.build.plan import Toolchain, plan
from layerforge.core.errors import LayerforgeError, StepError
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.recipe import Compression, Library, Source
from sdists import archive
from tiny import CHECK, LIBRARY, LIBRARY_RECIPE, PACKAGE, PACKAGE_RECIPE

TINY = archive(LIBRARY)
SHA256 = hashlib.sha256(TINY).hexdigest()
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def client(engine: None) -> Iterator[DockerClient]:
    with closing(connect()) as made:
        yield made


@pytest.fixture(scope="module")
def docker(client: DockerClient, standin: str) -> DockerEngine:
    return DockerEngine(client=client, image=find_image(client, target(), standin, FakeProgress()))


def of_process(pid: int) -> list[str]:
    argv = ["docker", "ps", "--all", "--quiet", "--filter", f"label=layerforge.pid={pid}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()


# --- scripts of a library


@dataclass(frozen=True)
class StepHarness:
    """Builds the tiny library with any script, in a real container."""

    docker: DockerEngine
    folder: Path
    store: FakeStore

    def build(self, script: str, **limits: Any) -> Path:
        """The folder that the library was installed into. ``limits`` are the context's."""
        source = Source(url="https://nowhere.invalid/tiny-1.0.tar.gz", sha256=SHA256)
        library = Library(name="tiny", version="1.0", source=source, script=script, ship=("lib/libtiny.so.1",))
        spec = LayerSpec(name="tiny", requires=("tiny",), libraries=(library,))
        toolchain = Toolchain(image=self.docker.image, build_pins={})
        (self.folder / "work").mkdir()
        context = BuildContext(
            plan=plan(spec, target(), (), Compression.FAST, None, 0, toolchain),
            builder=self.docker,
            search=stock(store=self.store),
            workspace=self.folder / "work",
            logs=self.folder / "logs",
        )
        return build(replace(context, **limits), 1).shipped["tiny"]

    def fails(self, script: str, kind: type[LayerforgeError] = StepError, **limits: Any) -> LayerforgeError:
        """The error that a script ends in. Nothing of it is kept but its log."""
        with pytest.raises(kind) as caught:
            self.build(script, **limits)
        assert [name for name, _ in self.store.values] == ["source"]
        assert str(self.log) in caught.value.hint
        assert of_process(os.getpid()) == []
        return caught.value

    @property
    def log(self) -> Path:
        """The whole log of the step."""
        [log] = (self.folder / "logs").iterdir()
        return log


@pytest.fixture
def harness(docker: DockerEngine, tmp_path: Path) -> StepHarness:
    return StepHarness(docker, tmp_path, FakeStore(values={("source", SHA256): TINY}))


FORKS = """python3 -c '
import os, signal
try:
    while os.fork(): pass
    signal.pause()
except OSError as error:
    print(error, flush=True)
    os._exit(1)
'"""
NETWORK = """python3 -c 'import urllib.request as u; u.urlopen("http://192.0.2.1", timeout=5)'"""


@pytest.mark.parametrize(
    ("script", "message", "hint"),
    [
        ("true", "tiny ended well but did not make lib/libtiny.so.1", "does the script install into $PREFIX?"),
        ("exit 3", "tiny failed with status 3", ""),
        (FORKS, "tiny failed with status 1", "a step may have 4,096 processes at once"),
        (NETWORK, "tiny failed with status 1", "steps have no network: name what it fetches in the recipe"),
        ("touch /usr/lib/x", "tiny failed with status 1", "a step may write to its working folder, $PREFIX and"),
        ("chown 0:0 .", "tiny failed with status 1", ""),
        ("kill -SEGV $$", "tiny was ended by SIGSEGV", ""),
    ],
)
def test_a_script_that_does_not_behave_is_a_failed_step_with_a_hint(
    harness: StepHarness, script: str, message: str, hint: str
) -> None:
    error = harness.fails(script)
    assert error.exit_code == 6
    assert error.message == message
    assert error.hint.startswith(hint)


def test_a_script_that_hangs_is_ended_when_its_time_is_up(harness: StepHarness) -> None:
    error = harness.fails("trap '' TERM INT; echo waiting; while :; do sleep 1; done", timeout=3.0)
    assert (error.exit_code, error.message) == (6, "tiny did not end within 3 seconds")
    assert error.details == ("waiting",)


def test_a_script_that_needs_too_much_memory_says_so(harness: StepHarness) -> None:
    error = harness.fails("python3 -c 'bytearray(10**9)'; exit 1", memory=64 * MEGABYTE)
    assert (error.exit_code, error.message) == (6, "tiny ran out of memory: it may have 67.1 MB")
    assert "--jobs 1" in error.hint


def test_a_script_that_fills_the_disk_is_ended_before(harness: StepHarness) -> None:
    greedy = replace(harness, docker=replace(harness.docker, spare=2**62))
    error = greedy.fails("while :; do echo much >> much; sleep 1; done", EngineError)
    assert (error.exit_code, error.message) == (5, "tiny was stopped before it filled the disk")
    assert "LAYERFORGE_CACHE" in error.hint


def test_a_script_that_compiles_for_this_machines_processor_is_refused(harness: StepHarness) -> None:
    error = harness.fails("make CC='cc -march=native' CFLAGS=; make install")
    assert error.exit_code == 6
    assert error.message.startswith("tiny was compiled for this machine's processor")
    assert "-march=native" in error.details[0]


def test_a_script_sees_nothing_of_this_machine(harness: StepHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "top secret")
    secret = harness.folder / "secret"
    secret.write_text("top secret")
    harness.folder.chmod(0o755)
    look = f"env; cat /proc/*/environ; cat {secret} ~/.aws/credentials {Path.home()}/.bashrc; ls -a ~ {Path.home()}"
    harness.build(f"({look}) || true; make install")
    said = harness.log.read_text()
    assert "CFLAGS=-O2" in said
    assert f"{secret}: No such file" in said
    assert "top secret" not in said
    assert not [line for line in said.splitlines() if line.startswith(("AWS", "UV_", "PYTEST", "SSH", "DOCKER"))]


def test_files_of_any_owner_and_mode_are_kept_as_everyones(harness: StepHarness) -> None:
    out = harness.build(
        "make install; mkdir $PREFIX/deep; echo x > $PREFIX/deep/x; chmod 0 $PREFIX/deep/x $PREFIX/deep"
    )
    assert (out / "deep/x").read_text() == "x\n"
    assert {path.lstat().st_uid for path in out.rglob("*")} == {os.getuid()}
    [kept] = [value for (kind, _), value in harness.store.values.items() if kind == "built"]
    with tarfile.open(fileobj=io.BytesIO(kept)) as tar:
        assert {(member.uid, member.gid, member.mtime) for member in tar} == {(0, 0, 0)}
        assert tar.getmember("deep/x").mode == 0o644
    shutil.rmtree(harness.folder / "work")


# --- whole builds


@dataclass(frozen=True)
class Place:
    """Recipes that compile a library and a package on it, with all that they take."""

    folder: Path
    image: str

    def spec(self, *, script: str = "make install", url: str = "") -> None:
        """Writes the library's recipe; with ``url`` its source has to be downloaded from there."""
        text = LIBRARY_RECIPE.format(sha256=SHA256, script=script)
        if url:
            text = text.replace("https://nowhere.invalid/tiny-1.0.tar.gz", url)
            shutil.rmtree(self.folder / "sources")
        (self.folder / "recipes/tiny/recipe.toml").write_text(text)

    def package(self, **changes: str) -> None:
        """Writes the package's source distribution and the lock; ``changes`` are files of it."""
        sdist = self.folder / "index/tinypy-1.0.tar.gz"
        sdist.write_bytes(archive({**PACKAGE, **{f"tinypy-1.0/{name}.py": text for name, text in changes.items()}}))
        lock = f"tinypy==1.0 --hash=sha256:{hashlib.sha256(sdist.read_bytes()).hexdigest()}\n"
        (self.folder / "recipes/tinypy/requirements.lock").write_text(lock)

    def start(self, **env: str) -> subprocess.Popen[str]:
        """`layerforge build` of the package, as a process of its own."""
        argv = [sys.executable, "-m", "layerforge", "build", "tinypy", "--recipes", "recipes"]
        argv += ["--engine", "docker", "--image", self.image]
        argv += ["--sources", "sources"] if (self.folder / "sources").is_dir() else []
        own = {"LAYERFORGE_CACHE": str(self.folder / "store"), "UV_FIND_LINKS": str(self.folder / "index")}
        environ = {**os.environ, **own, **env}
        return subprocess.Popen(argv, env=environ, cwd=self.folder, stderr=subprocess.PIPE, text=True)

    def fails(self, code: int) -> str:
        """What a build says that ends with ``code``. It leaves no container and no layer."""
        with self.start() as child:
            said = child.communicate(timeout=300)[1]
        assert child.returncode == code, said
        assert of_process(child.pid) == []
        assert not list((self.folder / "dist").iterdir())
        return said

    def said(self, name: str) -> str:
        """What stands in the log of a step so far."""
        return "".join(path.read_text() for path in self.folder.glob(f"store/store-v2/logs/{name}-*.log"))

    def half_written(self) -> list[Path]:
        """What an interrupted build should have taken away."""
        store = self.folder / "store/store-v2"
        left = [path for path in store.glob("work/*") if path.is_dir()]
        return [*left, *store.rglob("*.part"), *(self.folder / "dist").iterdir()]


@pytest.fixture
def place(tmp_path: Path, standin: str) -> Place:
    if interpreters.find("3.13") is None:
        pytest.skip("there is no CPython 3.13 here")
    for name in ("recipes/tiny", "recipes/tinypy", "sources", "index"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "sources/tiny-1.0.tar.gz").write_bytes(TINY)
    (tmp_path / "recipes/tinypy/recipe.toml").write_text(PACKAGE_RECIPE)
    (tmp_path / "recipes/tinypy/check.py").write_text(CHECK)
    made = Place(tmp_path, standin)
    made.spec()
    made.package()
    return made


def test_a_source_with_another_hash_ends_the_build(place: Place) -> None:
    (place.folder / "other.tar.gz").write_bytes(b"something else")
    place.spec(url=(place.folder / "other.tar.gz").as_uri())
    said = place.fails(4)
    assert "other.tar.gz does not have the hash that is asked for" in said
    assert "find out why it changed before you change the hash" in said


def test_a_source_distribution_with_another_hash_ends_the_build(place: Place) -> None:
    lock = place.folder / "recipes/tinypy/requirements.lock"
    lock.write_text("tinypy==1.0 --hash=sha256:" + "0" * 64 + "\n")
    said = place.fails(4)
    assert "the lock knows no source distribution of tinypy 1.0" in said
    assert "renew the lock" in said


def test_a_cycle_in_needs_ends_the_build(place: Place) -> None:
    spec = place.folder / "recipes/tiny/recipe.toml"
    spec.write_text(spec.read_text().replace("ship = [", 'needs = ["tinypy"]\nship = ['))
    said = place.fails(3)
    assert "the `needs` of the recipes form a cycle" in said
    assert "take one of these needs away" in said


NEWER = """
printf 'int from_the_future(void) { return 1; }' > future.c
printf 'GLIBC_2.99 { from_the_future; };' > future.map
cc -shared -fPIC -o libc.so.6 future.c -Wl,-soname,libc.so.6 -Wl,--version-script=future.map
printf 'int from_the_future(void); int tiny_more(void) { return from_the_future(); }' >> tiny.c
sed -i 's/ tiny.c$/ tiny.c .\\/libc.so.6/' Makefile
make install
"""


def test_a_library_that_needs_a_newer_glibc_than_the_runtimes_refuses_the_layer(place: Place) -> None:
    place.spec(script=NEWER)
    said = place.fails(7)
    assert "LF101 lib/libtiny.so.1" in said
    assert "GLIBC_2.99" in said


# --- Ctrl-C


@contextmanager
def a_server_that_never_answers() -> Iterator[tuple[str, threading.Event]]:
    """Its address, and what tells that somebody has asked."""
    asked, held = threading.Event(), list[socket.socket]()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    held.append(server.accept()[0])
                    asked.set()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    for one in held:
        one.close()


def wait_for(happened: Callable[[], object], child: subprocess.Popen[str]) -> None:
    while not happened():
        assert child.poll() is None, child.communicate()[1]
        time.sleep(0.05)


def interrupt(place: Place, child: subprocess.Popen[str], happened: Callable[[], object]) -> str:
    """Presses Ctrl-C once something has happened. Nothing half-written may be left."""
    with child:
        wait_for(happened, child)
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=120)[1]
    assert child.returncode == 130, said
    assert "interrupted; nothing half-written is left behind" in said
    assert "Traceback" not in said
    assert of_process(child.pid) == []
    assert place.half_written() == []
    return said


def in_the_sandbox(pid: int) -> bool:
    """Whether a container of a process runs a finished layer."""
    ids = of_process(pid)
    facts = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=False) if ids else None
    runs = json.loads(facts.stdout or "[]") if facts else []
    return any(one["State"]["Running"] and "sandbox_client.py" in str(one["Args"]) for one in runs)


def test_ctrl_c_while_the_index_is_asked(place: Place) -> None:
    with a_server_that_never_answers() as (address, asked):
        said = interrupt(place, place.start(UV_DEFAULT_INDEX=f"{address}/simple", UV_NO_CACHE="1"), asked.is_set)
    assert "✓ tiny" not in said


def test_ctrl_c_while_a_source_is_downloaded(place: Place) -> None:
    with a_server_that_never_answers() as (address, asked):
        place.spec(url=f"{address}/tiny-1.0.tar.gz")
        said = interrupt(place, place.start(), asked.is_set)
    assert "✓ tiny" not in said


def test_ctrl_c_while_a_library_is_compiled_and_the_next_build_is_whole(place: Place) -> None:
    place.spec(script="echo compiling; sleep 600")
    interrupt(place, place.start(), lambda: "compiling" in place.said("tiny"))
    place.spec()
    with place.start() as child:
        said = child.communicate(timeout=300)[1]
    assert child.returncode == 0, said
    assert "run on docker" in said


def test_ctrl_c_while_a_package_is_compiled_keeps_the_library(place: Place) -> None:
    place.package(setup="import time\nprint('compiling', flush=True)\ntime.sleep(600)\n")
    interrupt(place, place.start(), lambda: "compiling" in place.said("tinypy"))
    kept = [path for path in (place.folder / "store/store-v2/values/built").rglob("*") if path.is_file()]
    assert 1 <= len(kept) <= 2  # the library, and what the image gives where that was quicker


def test_ctrl_c_while_the_layer_runs_in_the_sandbox(place: Place) -> None:
    (place.folder / "recipes/tinypy/check.py").write_text("import time\ntime.sleep(600)\n")
    child = place.start()
    interrupt(place, child, lambda: in_the_sandbox(child.pid))
