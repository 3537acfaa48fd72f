"""The tools that snippets and workflows are for, in environments of their own that stay from run to run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent / "tools"
OUT_OF_REACH = re.compile(
    r"failed to fetch|request failed|error sending request|dns error|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT", re.IGNORECASE
)
AWS = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null"}


def run(argv: list[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "GITHUB_"))}
    options = {"capture_output": True, "text": True, "check": False, **options}
    return subprocess.run(argv, **{**options, "env": {**env, **AWS, **options.get("env", {})}})


def installed(folder: Path, commands: list[list[str | Path]]) -> Path:
    """The folder that ``commands`` fill, unless an earlier run has."""
    done = folder / "complete"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in commands:
        ran = run(command, cwd=folder)
        if ran.returncode and OUT_OF_REACH.search(ran.stderr):
            pytest.skip(f"a package index is out of reach: {ran.stderr.strip().splitlines()[-1]}")
        assert ran.returncode == 0, ran.stderr
    done.touch()
    return folder


def place(request: pytest.FixtureRequest, name: str, *files: Path) -> Path:
    assert request.config.cache is not None
    key = hashlib.sha256(b"".join(file.read_bytes() for file in files) + sys.version.encode()).hexdigest()
    return request.config.cache.mkdir("tools") / f"{name}-{key[:16]}"


@dataclass(frozen=True)
class Tools:
    """The environment of the tools that are Python packages."""

    bin: Path

    def run(self, *argv: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs one of its programs."""
        return run([self.bin / argv[0], *argv[1:]], **options)

    def ask(self, check: str, given: Any, folder: Path) -> Any:
        """What a check of ``inside.py`` says, run in a folder of its own."""
        folder.mkdir()
        ran = self.run("python", HERE / "inside.py", cwd=folder, input=json.dumps([check, given]))
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    @property
    def path(self) -> Mapping[str, str]:
        """A ``PATH`` on which its programs come first."""
        return {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}
