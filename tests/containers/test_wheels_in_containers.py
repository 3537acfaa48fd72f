"""Projects, source distributions and repositories become wheels in a container that reaches nobody."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

from program import Command, program
from projects import project_files, repository, sdist, write

NOBODY = """
    import socket
    for place in (("192.0.2.1", 80), ("127.0.0.1", 1)):
        try:
            socket.create_connection(place, 2).close()
        except OSError:
            continue
        raise SystemExit("somebody was reached")
    if os.path.exists(SECRET):
        raise SystemExit("the machine was seen")
"""


def here(folder: Path) -> Command:
    """The program in a folder, with whatever engine answers."""
    return program(folder, DOCKER_HOST=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))


def test_every_kind_of_source_becomes_a_wheel_without_network(tmp_path: Path, index: Path, standin: str) -> None:
    assert index.is_dir()
    run = here(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("x")
    also = NOBODY.replace("SECRET", repr(str(secret))).strip()
    commit = repository(tmp_path / "repo", project_files("far", also=also))
    archive = sdist(tmp_path, project_files("packed", also=also), "packed")
    write(tmp_path / "own", project_files("own", requires=["packed"], also=also))
    words = ["./own", str(archive), f"git+{(tmp_path / 'repo').as_uri()}@{commit}"]
    made = ("build", *words, "--engine", "docker", "--image", standin, "--json")
    done = run(*made)
    assert done.code == 0, done.err
    [layer] = done.json["layers"]
    assert [(one["name"], one["version"]) for one in layer["packages"]] == [
        ("far", "1.0"),
        ("own", "1.0"),
        ("packed", "1.0"),
    ]
    names = zipfile.ZipFile(tmp_path / layer["path"]).namelist()
    assert {f"python/{name}/__init__.py" for name in ("far", "own", "packed")} <= set(names)
    assert done.err.count("in a container") == 3
    again = run(*made, "--output", "again")
    assert "in a container" not in again.err
    assert again.json["layers"][0]["sha256"] == layer["sha256"]


def test_the_host_and_a_container_make_the_same_layer(tmp_path: Path, index: Path, standin: str) -> None:
    assert index.is_dir()
    run = here(tmp_path)
    write(tmp_path / "own", project_files("own"))
    sums = set()
    for name, more in (("docker", ("--image", standin)), ("host", ())):
        env = {"LAYERFORGE_CACHE": str(tmp_path / f"store-{name}")}
        done = run("build", "./own", "--engine", name, *more, "--no-verify", "--json", env=env)
        assert done.code == 0, done.err
        lock = Path(tmp_path / json.loads(done.out)["layers"][0]["path"]).with_suffix(".lock")
        sums.add(lock.read_text())
    assert len(sums) == 1
