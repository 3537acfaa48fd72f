from __future__ import annotations

import socket
from pathlib import Path

import pytest
from docker.errors import DockerException

from layerforge.build.container.errors import failure, unreachable
from unit.build.fake_docker import refusal


@pytest.mark.parametrize(
    ("programs", "hint"),
    [
        (["docker"], "systemctl start docker"),
        (["podman"], "podman.socket"),
        (["docker", "podman"], "systemctl start docker"),
        ([], "`--engine host`"),
    ],
)
def test_an_engine_that_is_not_there_is_started_or_installed_as_this_machine_has_it(
    programs: list[str], hint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///somewhere.sock")
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in programs:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    error = unreachable(FileNotFoundError(2, "No such file"))
    assert error.message == "no container engine runs here: there is no /somewhere.sock"
    assert hint in error.hint


@pytest.mark.parametrize(
    ("cause", "words", "hint"),
    [
        (PermissionError(13, "no"), "this user may not use the container engine", "usermod"),
        (ConnectionRefusedError(111, "no"), "no container engine answers at tcp://far:1", ""),
        (TimeoutError("late"), "does not answer in time", "restart it"),
        (socket.gaierror(-2, "unknown"), "names a machine that is not known", "correct DOCKER_HOST"),
        (ValueError("odd"), "cannot be used: odd", "DOCKER_HOST takes unix:///path/to/socket"),
    ],
)
def test_each_cause_has_its_own_way_out_however_deep_it_lies(
    cause: Exception, words: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://far:1")
    told = unreachable(cause)
    assert words in told.message
    assert hint in told.hint
    if not isinstance(cause, ValueError):
        assert unreachable(DockerException("while talking", cause)).message == told.message


def test_a_refusal_that_the_table_does_not_know_is_told_in_the_engines_words() -> None:
    assert failure(refusal("quota reached")).message == "the container engine refused: quota reached"
    assert failure(refusal("no space left on device")).message == "the container engine's disk is full"
    assert failure(DockerException("reset")).details == ("reset",)
