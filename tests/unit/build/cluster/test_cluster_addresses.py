from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from layerforge.build.cluster.addresses import Local, Remote, address, context, remote
from layerforge.build.cluster.certificates import make
from layerforge.build.cluster.extra import refuse_without_dask
from layerforge.build.cluster.knock import knock
from layerforge.build.errors import ClusterError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("local:4", Local(number=4)),
        ("tls://build.example.org", Remote(host="build.example.org", port=8786, encrypted=True)),
        ("tls://10.0.0.7:9000", Remote(host="10.0.0.7", port=9000, encrypted=True)),
        ("tls://[fe80::1]:9000/", Remote(host="fe80::1", port=9000, encrypted=True)),
        ("tcp://127.0.0.1:8786", Remote(host="127.0.0.1", port=8786, encrypted=False)),
        ("tcp://localhost", Remote(host="localhost", port=8786, encrypted=False)),
    ],
)
def test_what_an_address_names(text: str, found: Local | Remote) -> None:
    assert address(text) == found


def test_an_address_is_given_to_dask_as_it_was_written() -> None:
    assert remote("tls://[fe80::1]:9000").url == "tls://[fe80::1]:9000"
    assert remote("tcp://127.0.0.1").url == "tcp://127.0.0.1:8786"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "build",
            "build:8786",
            "http://build:8786",
            "tls://",
            "tls://:8786",
            "tls://build:x",
            "tls://build:99999",
        ),
        *(
            "tls://build:8786/way",
            "tls://build:8786?x=1",
            "tls://me@build:8786",
            "tls://[::1",
            "local",
            "local:",
            "local:x",
        ),
        *("local:0", "local:257", "local:-1", "inproc://x", "ucx://build:1"),
    ],
)
def test_what_is_no_address_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(ClusterError) as refused:
        address(text)
    assert "local:" in refused.value.hint or "tls://" in refused.value.hint
    assert refused.value.exit_code == 5


@pytest.mark.parametrize("host", ["build.example.org", "10.0.0.7", "0.0.0.0", "[::]"])
def test_a_scheduler_without_encryption_is_used_on_its_own_machine_alone(host: str) -> None:
    with pytest.raises(ClusterError, match="open to everybody") as refused:
        address(f"tcp://{host}:8786")
    assert "--make-certificates" in refused.value.hint


def test_certificates_that_are_missing_are_named(tmp_path: Path) -> None:
    found = remote("tls://127.0.0.1")
    with pytest.raises(ClusterError, match="none were named"):
        context(found, None, "client")
    with pytest.raises(ClusterError, match=r"there is no .*ca\.pem"):
        context(found, tmp_path, "client")


def test_a_pair_that_is_none_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "one", ())
    make(tmp_path / "other", ())
    (tmp_path / "one/client.key").write_bytes((tmp_path / "other/client.key").read_bytes())
    with pytest.raises(ClusterError, match="cannot be read") as refused:
        context(remote("tls://127.0.0.1"), tmp_path / "one", "client")
    assert "pair" in refused.value.hint


@contextmanager
def answering(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """The port of a server that does something with its first caller."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            caller, _ = server.accept()
            with caller:
                answer(caller)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def refused(port: int, tls: Path | None = None) -> ClusterError:
    found = Remote(host="127.0.0.1", port=port, encrypted=tls is not None)
    with pytest.raises(ClusterError) as error:
        knock(found, context(found, tls, "client"))
    return error.value


def test_where_nobody_listens_there_is_no_scheduler() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = refused(port)
    assert error.message == f"no scheduler is at tcp://127.0.0.1:{port}: Connection refused"
    assert f"dask scheduler --port {port}" in error.hint


def test_what_hangs_up_may_want_encryption() -> None:
    with answering(lambda _caller: None) as port:
        assert "begins with tls://" in refused(port).hint


def test_what_says_nothing_is_no_scheduler() -> None:
    with answering(lambda caller: caller.recv(1)) as port:
        assert "says nothing" in refused(port).message


def test_what_speaks_no_tls_is_told_so(tmp_path: Path) -> None:
    make(tmp_path / "tls", ())
    with answering(lambda caller: caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert "does not speak TLS" in refused(port, tmp_path / "tls").message


def test_a_machine_that_nobody_knows_is_named() -> None:
    with pytest.raises(ClusterError, match=r"nowhere\.invalid names no machine"):
        knock(Remote(host="nowhere.invalid", port=8786, encrypted=False), None)


def test_without_dask_the_extra_is_named() -> None:
    refuse_without_dask()
    with pytest.raises(ClusterError) as error:
        refuse_without_dask("a_package_that_nobody_has")
    assert error.value.hint == "`pip install 'distributed>=2026.8,<2027'` in the environment of layerforge"


@pytest.mark.parametrize("text", ["tls://me:hidden@build:8786", "tls://:hidden@build"])
def test_a_password_in_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ClusterError, match="holds a user") as caught:
        address(text)
    assert "hidden" not in f"{caught.value.message} {caught.value.hint} {caught.value.details}"
