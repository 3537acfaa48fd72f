"""The example of three functions: its layers are built, proved, published, and named for each function."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from aws.proxy import Proxy
from layerforge.build import interpreters
from layerforge.resolve import layers_lock
from program import Command, program

EXAMPLE = Path(__file__).parents[2] / "examples/three-functions"
LABEL = "py313-x86_64"
EVENTS = {
    "api": {
        "version": "2.0",
        "rawPath": "/health",
        "rawQueryString": "",
        "headers": {"host": "example.org"},
        "requestContext": {"http": {"method": "GET", "path": "/health", "sourceIp": "127.0.0.1"}},
        "isBase64Encoded": False,
    },
    "report": {"title": "May", "orders": [{"item": "tea", "count": 2}]},
    "ingest": {"text": "- {item: tea, date: 2 May 2026}"},
}
ANSWERS = {
    "api": '"{\\"ok\\":true}"',
    "report": "<h1>May</h1>",
    "ingest": '[{"item": "tea", "date": "2026-05-02"}]',
}
RUN = "import app, json, sys; print(json.dumps(app.handler(json.load(sys.stdin), None)))"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Command]:
    """The example with its layers."""
    folder = tmp_path_factory.mktemp("example") / "three-functions"
    shutil.copytree(EXAMPLE, folder)
    found = program(folder, AWS_EC2_METADATA_DISABLED="true")
    ran = found("build", "--engine", "host", "--json")
    assert ran.code == 0, ran.err
    assert [(one["name"], one["verified"], one["findings"]) for one in ran.json["functions"]] == [
        ("api", True, []),
        ("ingest", True, []),
        ("report", True, []),
    ]
    return folder, found


def test_the_lock_of_the_example_is_what_its_functions_ask_for(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "example")
    assert program(tmp_path / "example")("split", "--check").code == 0


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_each_function_answers_with_its_layers_alone(name: str, made: tuple[Path, Command], tmp_path: Path) -> None:
    folder, _ = made
    lock = layers_lock.read(folder / layers_lock.FILE)
    assert lock is not None
    [split] = lock.target
    [layers] = [one.layers for one in split.function if one.name == name]
    for layer in layers:
        with zipfile.ZipFile(folder / f"dist/{layer}-{split.label}.zip") as archive:
            archive.extractall(tmp_path / "opt")
    python = interpreters.find(split.python)
    assert python is not None
    path = f"{folder / name}:{tmp_path / 'opt/python'}"
    argv = [str(python.path), "-S", "-c", RUN]
    event = json.dumps(EVENTS[name])
    done = subprocess.run(argv, input=event, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ANSWERS[name] in done.stdout


def test_what_was_published_is_named_for_each_function_in_order(made: tuple[Path, Command], aws: Proxy) -> None:
    folder, layerforge = made
    zips = sorted((folder / "dist").glob("*.zip"))
    ran = layerforge("publish", *zips, "--region", "eu-west-1", "--write", "arns.json")
    assert ran.code == 0, ran.err
    ran = layerforge("snippet", "arns.json", "--functions", "layers.lock", "--for", "serverless")
    assert ran.code == 0, ran.err
    start = "arn:aws:lambda:eu-west-1:123456789012:layer:"
    told = [line.strip() for line in ran.out.splitlines() if not line.startswith("#")]
    assert told == [
        "functions:",
        *(
            line
            for name in ("api", "ingest", "report")
            for line in (
                f"{name}:",
                "layers:",
                f"- {start}shared-pydantic-core-{LABEL}:1",
                f"- {start}{name}-{LABEL}:1",
            )
        ),
    ]
