import functools
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import uv

from fakes import target
from layerforge.core import digest
from layerforge.core.errors import LayerforgeError, StepError, UsageError
from layerforge.resolve import lock, requirements, uv_environment, uv_install
from layerforge.resolve.errors import LockError
from layerforge.resolve.uv import Asked, compile_lock, failure, find_sdist
from sdists import make_sdist
from wheels import lock_of, make_wheel


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        ("error: No space left on device (os error 28)", "no space is left"),
        ("cause: Hash mismatch for `demo==1`", "the wheel of demo==1 does not have the hash"),
        ("Because nosuch was not found in the package registry and you require nosuch,", "there is no package nosuch"),
        ("cause: HTTP status client error (401 Unauthorized)", "refuses the credentials"),
        ("cause: invalid peer certificate: UnknownIssuer", "certificate is not trusted"),
        ("cause: tcp connect error\n cause: Connection refused (os error 111)", "cannot be reached"),
        ("No solution found: a depends on b>2, we can conclude your requirements are unsatisfiable.", "together"),
        ("error: Couldn't parse requirement in `-` at position 0", "cannot read the requirements"),
        ("something new", "uv failed"),
    ],
)
def test_what_uv_says_becomes_a_message_with_a_hint(stderr: str, message: str) -> None:
    error = failure(stderr, target())
    assert message in error.message
    assert error.hint
    assert error.details


def test_a_full_disk_is_a_failed_step_not_a_bad_lock() -> None:
    assert isinstance(failure("No space left on device", target()), StepError)


def test_a_missing_wheel_names_the_newest_version_that_has_one(index: Path) -> None:
    make_wheel(index, "demo", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    make_wheel(index, "demo", "2.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    with pytest.raises(LockError) as caught:
        compile_lock(Asked(source="demo>=2"), target("3.11"))
    assert caught.value.message == "demo has no wheel for Python 3.11 on x86_64 with glibc 2.26"
    assert caught.value.hint == "take demo==1.0, the newest version that has one"


def test_a_missing_wheel_names_the_nearest_python_that_has_one(index: Path) -> None:
    make_wheel(index, "demo", "1.0", tag="cp310-cp310-manylinux_2_17_x86_64")
    make_wheel(index, "demo", "1.1", tag="cp311-cp311-manylinux_2_17_x86_64")
    with pytest.raises(LockError, match=r"has no wheel for Python 3\.13") as caught:
        compile_lock(Asked(source="demo"), target())
    assert caught.value.hint == "take --python 3.11, for which demo 1.1 has one"
    assert "demo==1.1" in compile_lock(Asked(source="demo"), target("3.11"))


def test_the_way_out_is_looked_for_where_the_requirements_were(index: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    make_wheel(own, "demo", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    make_wheel(own, "demo", "2.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    indexes = (f"--find-links {own}",)
    for asked, python, hint in (
        ("demo>=2", "3.11", "take demo==1.0, the newest version that has one"),
        ("demo", "3.13", "take --python 3.12, for which demo 2.0 has one"),
    ):
        if python == "3.13":
            make_wheel(own, "demo", "2.0", tag="cp312-cp312-manylinux_2_17_x86_64")
        with pytest.raises(LockError, match="demo has no wheel") as caught:
            compile_lock(Asked(source=asked, indexes=indexes), target(python))
        assert caught.value.hint == hint


def test_a_package_without_any_wheel_and_source_is_to_be_left_out(index: Path) -> None:
    make_wheel(index, "demo", "2.0", tag="cp313-cp313-win_amd64")
    with pytest.raises(LockError) as caught:
        compile_lock(Asked(source="demo"), target())
    assert caught.value.hint.startswith("leave demo out")


def test_a_source_is_named_only_where_there_is_one(index: Path) -> None:
    make_sdist(index)
    with pytest.raises(LockError, match="demo has no wheel") as caught:
        compile_lock(Asked(source="demo"), target())
    assert "--from-source demo" in caught.value.hint


def test_resolving_takes_the_newest_version_that_fits_the_target(index: Path) -> None:
    make_wheel(index, "demo", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    make_wheel(index, "demo", "2.0", tag="cp313-cp313-manylinux_2_34_x86_64")
    assert compile_lock(Asked(source="demo"), target("3.11")).startswith("demo==1.0")
    assert compile_lock(Asked(source="demo"), target("3.13")).startswith("demo==2.0")


def test_a_requirements_file_may_include_others(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "one")
    make_wheel(index, "two", "1.0")
    make_wheel(index, "two", "2.0")
    (tmp_path / "base.txt").write_text("two\n")
    (tmp_path / "limit.txt").write_text("two<2\n")
    (tmp_path / "all.txt").write_text("one\n-r base.txt\n-c limit.txt\n")
    found = requirements.listed(tmp_path / "all.txt")
    text = compile_lock(Asked(source=found.text, constraints=found.constraints), target())
    assert "one==1.0" in text
    assert "two==1.0" in text


def test_conflicting_requirements_are_told_with_uvs_own_reasons(index: Path) -> None:
    make_wheel(index, "one", requires=["two>=2"])
    make_wheel(index, "two", "1.0")
    make_wheel(index, "two", "2.0")
    with pytest.raises(LayerforgeError, match="cannot be satisfied together") as caught:
        compile_lock(Asked(source="one\ntwo<2"), target())
    assert any("two" in line for line in caught.value.details)


class Refusing(BaseHTTPRequestHandler):
    """Asks for credentials and takes none."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("WWW-Authenticate", 'Basic realm="index"')
        self.end_headers()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that refuses everyone, with the status that a path starts with."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_wrong_password_is_told_as_one_and_stays_secret(private: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://us:s3cret@{private}/401/simple")
    with pytest.raises(LockError, match="the index refuses the credentials") as caught:
        compile_lock(Asked(source="demo"), target())
    assert "s3cret" not in "".join(caught.value.details)


def test_an_index_that_forbids_a_package_may_not_have_it(private: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://{private}/403/simple")
    with pytest.raises(LockError, match="does not give demo to you, or does not have it"):
        compile_lock(Asked(source="demo"), target())


def test_being_offline_is_not_told_as_a_missing_package(private: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://{private}/200/simple")
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(LockError, match="uv is offline"):
        compile_lock(Asked(source="demo"), target())


def test_a_line_that_uv_cannot_read_is_told_without_its_password() -> None:
    with pytest.raises(LockError, match="cannot read the requirements") as caught:
        compile_lock(Asked(source="demo @ https://us:s3cret@there/demo.whl ;;"), target())
    assert "s3cret" not in "".join(caught.value.details)


def test_a_killed_uv_is_told_with_its_signal() -> None:
    error = failure("", target(), -9)
    assert isinstance(error, StepError)
    assert error.message == "uv was ended by SIGKILL"


def test_a_uv_that_says_nothing_is_told_with_its_status() -> None:
    error = failure("", target(), 3)
    assert error.message == "uv failed with status 3"
    assert "it said nothing" in error.hint


def test_only_the_first_words_of_uvs_failure_are_told() -> None:
    said = ["Resolved 3 packages in 2ms", "error: something new", *(f"  cause: {number}" for number in range(20))]
    details = failure("\n".join(said), target()).details
    assert details[0] == "error: something new"
    assert len(details) == 10
    assert details[-1] == "… and 12 lines more"
    assert failure("\n".join(said[:11]), target()).details == tuple(said[1:11])


HOSTILE = {"demo/__init__.py": b"", "../evil.py": b"import os\n"}


def test_a_hostile_wheel_is_found_while_it_is_resolved_and_again(index: Path) -> None:
    make_wheel(index, files=HOSTILE)
    for _ in range(2):
        with pytest.raises(LockError, match="outside the layer") as caught:
            compile_lock(Asked(source="demo"), target())
        assert "../evil.py" in caught.value.details


@pytest.mark.parametrize("name", ["../evil.py", "/evil.py", "demo/../../evil.py", "C:/evil.py", "..\\evil.py"])
def test_a_hostile_wheel_at_an_address_is_found_in_a_warm_cache(name: str, index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(index, files={"demo/__init__.py": b"", name: b""})
    text = lock.render([lock.local_pin("demo", wheel)])
    argv = [uv.find_uv_bin(), "pip", "install", "--python", sys.executable, "--target", str(tmp_path / "warm")]
    subprocess.run([*argv, "--require-hashes", "-r", "-"], input=text.encode(), check=True, capture_output=True)
    with pytest.raises(LockError, match="outside the layer") as caught:
        uv_install.install(text, target(), tmp_path / "cold", lambda _line: None)
    assert caught.value.details == (name,)


def test_only_the_hostile_package_leaves_uvs_cache(index: Path, tmp_path: Path) -> None:
    wheels = make_wheel(index, files=HOSTILE), make_wheel(index, "other")
    uv_install.install(lock_of(wheels[1]), target(), tmp_path / "before", lambda _line: None)
    with pytest.raises(LockError, match="outside the layer"):
        uv_install.install(lock_of(*wheels), target(), tmp_path / "layer", lambda _line: None)
    kept = {path.name for path in (tmp_path / "uv-cache").rglob("*.dist-info")}
    assert kept == {"other-1.0.dist-info"}


def test_an_extra_whose_packages_are_not_locked_is_found_out(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "socks")
    wheel = make_wheel(index, requires=["socks; extra == 'socks'"], metadata="Provides-Extra: socks\n")
    uv_install.install(lock_of(wheel), target(), tmp_path / "plain", lambda _line: None)
    asked = lock.with_extras(lock.parse(lock_of(wheel), "x").pins, ["demo[socks]"], target())
    with pytest.raises(LockError, match="the lock is incomplete"):
        uv_install.install(lock.render(asked), target(), tmp_path / "extra", lambda _line: None)


def test_uv_gets_what_it_needs_and_nothing_secret() -> None:
    given = {"PATH": "p", "UV_INDEX": "i", "https_proxy": "x", "SSL_CERT_FILE": "c", "AWS_SECRET_ACCESS_KEY": "s"}
    kept = {"PATH", "UV_INDEX", "https_proxy", "SSL_CERT_FILE"}
    assert {key: value for key, value in given.items() if key in kept}.items() < uv_environment.environment(
        given
    ).items()
    assert "s" not in uv_environment.environment(given).values()
    # A program that the user has uv ask for passwords may need whatever the user has.
    assert "AWS_SECRET_ACCESS_KEY" in uv_environment.environment({**given, "UV_KEYRING_PROVIDER": "subprocess"})


class Served(SimpleHTTPRequestHandler):
    """An index that tells the hash of each of its files."""

    def do_GET(self) -> None:
        if not self.path.endswith("/"):
            super().do_GET()
            return
        files = sorted(Path(self.directory).iterdir())
        yanked = ' data-yanked="broken"' if "yanked" in self.path else ""
        links = "".join(f'<a href="/{one.name}#sha256={digest.of_file(one)}"{yanked}>{one.name}</a>' for one in files)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(links.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose wheels an index serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Served, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        (tmp_path / "uv.toml").write_text(f'index-url = "http://127.0.0.1:{server.server_port}/simple/"\n')
        monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "uv.toml"))
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
        yield folder
        server.shutdown()
        thread.join()


def test_a_lock_without_this_targets_wheel_is_no_alarm(served: Path, tmp_path: Path) -> None:
    old = make_wheel(served, "demo", "1.0", tag="cp312-cp312-manylinux_2_17_x86_64")
    make_wheel(served, "demo", "1.0", tag="cp313-cp313-manylinux_2_17_x86_64")
    text = f"demo==1.0 --hash=sha256:{digest.of_file(old)}\n"
    with pytest.raises(LockError, match=r"does not have the wheel of demo==1.0 for Python 3.13 on x86_64") as caught:
        uv_install.install(text, target(), tmp_path / "into", lambda _line: None)
    assert "find out why" not in caught.value.hint


def test_other_bytes_than_those_that_were_locked_are_an_alarm(served: Path, tmp_path: Path) -> None:
    make_wheel(served, "demo", "1.0")
    with pytest.raises(LockError, match="does not have the hash that the lock asks for") as caught:
        uv_install.install(f"demo==1.0 --hash=sha256:{'0' * 64}\n", target(), tmp_path / "into", lambda _line: None)
    assert "find out why" in caught.value.hint


def test_a_release_that_was_yanked_is_told(served: Path) -> None:
    make_wheel(served, "yanked", "1.0")
    said: list[str] = []
    compile_lock(Asked(source="yanked==1.0", on_warning=said.append), target())
    assert len(said) == 1
    assert "yanked" in said[0]
    assert "broken" in said[0]


def test_an_extra_that_a_package_does_not_have_is_told(index: Path) -> None:
    make_wheel(index, "demo", "1.0")
    said: list[str] = []
    compile_lock(Asked(source="demo[fast]", on_warning=said.append), target())
    assert len(said) == 1
    assert "fast" in said[0]


def test_a_cache_that_cannot_be_written_is_told_with_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "file/cache"))
    with pytest.raises(UsageError, match="uv's cache cannot be written") as caught:
        compile_lock(Asked(source="demo"), target())
    assert "UV_CACHE_DIR" in caught.value.hint


def test_a_keyring_that_is_a_program_in_python_goes_on_working(
    private: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    program = tmp_path / "bin/keyring"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport sys\nopen({str(asked)!r}, 'a').write(' '.join(sys.argv[1:]))\nprint('s3cret')\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("UV_KEYRING_PROVIDER", "subprocess")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://user@{private}/401/simple")
    with pytest.raises(LayerforgeError):
        compile_lock(Asked(source="demo"), target())
    assert "user" in asked.read_text()


def test_programs_for_the_image_start_its_interpreter_and_others_stay(index: Path, tmp_path: Path) -> None:
    data = "demo-1.0.data/scripts"
    files = {f"{data}/tool": b"#!python\nprint(1)\n", f"{data}/shell": b"#!/bin/sh\n", f"{data}/binary": b"\x7fELF"}
    wheel = make_wheel(index, files={"demo/__init__.py": b"", **files})
    uv_install.install_for_image(lock_of(wheel), target(), tmp_path / "env")
    programs = {path.name: path.read_bytes() for path in (tmp_path / "env/bin").iterdir()}
    assert programs == {
        "tool": b"#!/var/lang/bin/python3.13\nprint(1)\n",
        "shell": b"#!/bin/sh\n",
        "binary": b"\x7fELF",
    }
    assert (tmp_path / "env/bin/tool").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("data", [None, b"no zip at all"])
def test_a_wheel_on_disk_that_cannot_be_read_is_uvs_to_tell(data: bytes | None, index: Path, tmp_path: Path) -> None:
    wheel = make_wheel(index)
    text = lock.render([lock.local_pin("demo", wheel)])
    wheel.unlink()
    if data is not None:
        wheel.write_bytes(data)
    with pytest.raises(LayerforgeError) as caught:
        uv_install.install(text, target(), tmp_path / "into", lambda _line: None)
    assert "outside the layer" not in caught.value.message
    assert caught.value.details


def test_only_releases_can_be_compiled() -> None:
    pin = lock.Pin(name="demo", version="", hashes=(), address="https://nowhere.invalid/demo.whl")
    with pytest.raises(LockError, match="demo is pinned to an address") as caught:
        find_sdist(pin, target())
    assert caught.value.hint == "require it by name and version"


def test_a_source_distribution_is_found_by_its_hash_and_another_is_not_taken(served: Path) -> None:
    make_wheel(served, "plain")
    sdist = make_sdist(served)
    pin = lock.Pin(name="demo", version="1.0", hashes=(f"sha256:{digest.of_file(sdist)}",))
    found = find_sdist(pin, target())
    assert (found.sha256, found.url.rpartition("/")[2]) == (digest.of_file(sdist), sdist.name)
    for other in (replace(pin, hashes=(f"sha256:{'0' * 64}",)), replace(pin, name="plain")):
        with pytest.raises(LockError, match=f"the lock knows no source distribution of {other.name} 1.0"):
            find_sdist(other, target())


def test_a_project_is_resolved_with_the_indexes_that_are_named_beside_it(index: Path, tmp_path: Path) -> None:
    make_wheel(tmp_path / "elsewhere", "demo")
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\nname = "mine"\nversion = "1"\ndependencies = ["demo"]\n')
    with pytest.raises(LockError, match="there is no package demo"):
        compile_lock(Asked(source="", projects=(project,)), target())
    asked = Asked(source="", projects=(project,), indexes=(f"--find-links {tmp_path / 'elsewhere'}",))
    assert compile_lock(asked, target()).startswith("demo==1.0")
