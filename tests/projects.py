"""Makes small projects whose build backend lies in them, so that building one takes no index."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sdists import archive

BACKEND = """
import base64, hashlib, os, time, zipfile
FACTS = {facts!r}

def digest(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")

def build_wheel(out, config_settings=None, metadata_directory=None):
    name, version, tag, requires = FACTS
    version = os.environ.get("SETUPTOOLS_SCM_PRETEND_VERSION", version)
    info = f"{{name}}-{{version}}.dist-info"
    files = [f for f in sorted(os.listdir(name)) if f.endswith(".py")]
    members = {{f"{{name}}/{{f}}": open(os.path.join(name, f), "rb").read() for f in files}}
    lines = "".join(f"Requires-Dist: {{one}}\\n" for one in requires)
    head = f"Metadata-Version: 2.1\\nName: {{name}}\\nVersion: {{version}}\\n"
    members[f"{{info}}/METADATA"] = f"{{head}}{{lines}}".encode()
    members[f"{{info}}/WHEEL"] = f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {{tag}}\\n".encode()
    rows = [f"{{path}},sha256={{digest(data)}},{{len(data)}}\\n" for path, data in members.items()]
    members[f"{{info}}/RECORD"] = "".join([*rows, f"{{info}}/RECORD,,\\n"]).encode()
    file = f"{{name}}-{{version}}-{{tag}}.whl"
    with zipfile.ZipFile(os.path.join(out, file), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in reversed(members.items()):
            entry = zipfile.ZipInfo(path, time.localtime()[:6])
            entry.external_attr = 0o100600 << 16
            wheel.writestr(entry, data)
    {also}
    return file
"""


def project_files(
    name: str = "mine",
    version: str = "1.0",
    *,
    requires: Sequence[str] = (),
    tag: str = "py3-none-any",
    files: Mapping[str, str] | None = None,
    also: str = "pass",
    table: str = "",
) -> dict[str, str]:
    """The files of a project with the package ``name``. ``also`` is code of its build, ``table`` more TOML."""
    facts = (name, version, tag, list(requires))
    dependencies = [one for one in requires if " @ " not in one]
    pyproject = (
        f'[project]\nname = "{name}"\nversion = "{version}"\ndependencies = {dependencies!r}\n'
        f'[build-system]\nrequires = []\nbuild-backend = "own_backend"\nbackend-path = ["."]\n{table}'
    )
    return {
        "pyproject.toml": pyproject,
        "own_backend.py": BACKEND.format(facts=facts, also=also),
        f"{name}/__init__.py": "VALUE = 1\n",
        **(files or {}),
    }


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Writes files into a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def sdist(folder: Path, files: Mapping[str, str], name: str = "mine", version: str = "1.0") -> Path:
    """Writes a source distribution of a project's files into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.tar.gz"
    path.write_bytes(archive({f"{name}-{version}/{one}": text for one, text in files.items()}))
    return path


def git(folder: Path, *words: str) -> str:
    """Runs git in a repository."""
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository(folder: Path, files: Mapping[str, str], tag: str = "") -> str:
    """Makes a git repository of files on the branch ``main``; returns its commit."""
    write(folder, files)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    if tag:
        git(folder, "tag", tag)
    return git(folder, "rev-parse", "HEAD")
