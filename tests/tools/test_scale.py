"""docs/scale.md and examples/cluster: what is printed there runs, and what cannot be run here can at least be read."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import dask.config
import distributed
import pytest
import yaml

from fakes import FakeProgress
from layerforge import cli
from layerforge.core.store import far
from layerforge.core.store.disk import DiskStore
from layerforge.resolve.project_settings import project_settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/scale.md").read_text("utf-8")
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", TEXT, re.DOTALL))
CLUSTER = ROOT / "examples/cluster"
KUBERNETES = sorted((CLUSTER / "kubernetes").glob("*.yaml"))
PRINTED = re.sub(r"\\\n\s*", "", "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)))
COMMANDS = [shlex.split(line, comments=True) for line in PRINTED.splitlines() if line.startswith("layerforge ")]


# --- the store

PUBLIC = re.compile(r"team:[A-Za-z0-9+/=]{44}")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder like a project's, in which the documented commands mean a folder as their bucket."""
    for name in ("LAYERFORGE_STORE", "LAYERFORGE_TRUSTED_KEYS", "LAYERFORGE_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAYERFORGE_CACHE", str(tmp_path / "near"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_documented_command_about_the_store_does_what_it_says(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    near = DiskStore(root=project / "near", progress=FakeProgress())
    near.keep("built", "ab" * 32, b"compiled")
    said = [words[1:] for words in COMMANDS if words[1] == "cache"]
    made, *others = [[word.replace("~", str(project)) for word in words] for words in said]
    assert made[:2] == ["cache", "key"]
    assert cli.run(made) == 0
    [public] = PUBLIC.findall(capsys.readouterr().out)
    settings = FILES["layerforge.toml"].replace("s3://STORE/layers", str(project / "far"))
    (project / "layerforge.toml").write_text(settings.replace("team:PUBLIC-KEY", public))
    monkeypatch.setenv("LAYERFORGE_SIGNING_KEY", made[-1])
    assert cli.run(["cache", "push"]) == 0
    assert {words[1] for words in others} == {"pull", "info", "verify", "clear", "push"}
    for words in others:
        assert cli.run([*words, "--yes"] if words[1] == "clear" else words) == 0, words
    assert near.get("built", "ab" * 32) == b"compiled"
    assert "1 value" in capsys.readouterr().out


def test_the_documented_project_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "layerforge.toml").write_text(FILES["layerforge.toml"])
    found = project_settings(tmp_path)
    assert (found.store, found.trusted_keys) == ("s3://STORE/layers", ("team:PUBLIC-KEY",))


def test_the_documented_rights_are_what_each_is_for() -> None:
    rights = {name: _allowed(json.loads(text)) for name, text in FILES.items() if name.endswith(".json")}
    reading = {"s3:GetObject", "s3:ListBucket"}
    assert rights == {
        "store-reader.json": reading,
        "store-writer.json": reading | {"s3:PutObject"},
        "store-keeper.json": reading | {"s3:DeleteObject"},
        "store-bucket.json": set(),
    }


def _allowed(policy: Any) -> set[str]:
    assert policy["Version"] == "2012-10-17"
    allowing = [one["Action"] for one in policy["Statement"] if one["Effect"] == "Allow"]
    return {action for actions in allowing for action in ([actions] if isinstance(actions, str) else actions)}


def test_the_kinds_that_are_shared_are_those_of_the_reference() -> None:
    text = (ROOT / "docs/reference.md").read_text("utf-8")
    [listed] = re.findall(r"take `--kind KIND`, repeatable: ([\w,\s-]+);", text)
    assert {*re.split(r",\s+", listed)} == far.KINDS


# --- the cluster


def _keys(value: Any, above: str = "") -> Iterator[str]:
    """Dotted names of what a tree of settings sets."""
    if not isinstance(value, dict):
        yield above
        return
    for key, below in value.items():
        yield from _keys(below, f"{above}.{key}" if above else key)


def test_each_setting_of_the_scheduler_is_one_of_dasks() -> None:
    known = yaml.safe_load(Path(distributed.__file__).with_name("distributed.yaml").read_text("utf-8"))
    settings = yaml.safe_load((CLUSTER / "dask.yaml").read_text("utf-8"))
    names = list(_keys(settings))
    assert len(names) >= 8
    for name in names:
        dask.config.get(name, config=known)  # raises KeyError for what is none


def test_the_scheduler_is_set_as_layerforge_sets_its_own() -> None:
    ours = pytest.importorskip("layerforge.build.cluster.settings")
    settings = yaml.safe_load((CLUSTER / "dask.yaml").read_text("utf-8"))
    assert {name: dask.config.get(name, config=settings) for name in ours.SCHEDULER} == dict(ours.SCHEDULER)


def _documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def _pods(document: Any) -> list[Any]:
    spec = document.get("spec", {})
    match document["kind"]:
        case "Deployment":
            return [spec["template"]["spec"]]
        case "DaskCluster":
            return [spec["scheduler"]["spec"], spec["worker"]["spec"]]
        case _:
            return []


PODS = [(path.name, pod) for path in KUBERNETES for document in _documents(path) for pod in _pods(document)]


def _containers(pod: Any) -> list[Any]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def test_there_are_a_scheduler_and_workers_by_hand_and_by_the_operator() -> None:
    assert [name for name, _ in PODS] == ["daskcluster.yaml", "daskcluster.yaml", "scheduler.yaml", "workers.yaml"]


@pytest.mark.parametrize(("name", "pod"), PODS)
def test_a_pod_mounts_what_it_has_and_has_no_more(name: str, pod: Any) -> None:
    mounted = {mount["name"] for one in _containers(pod) for mount in one.get("volumeMounts", [])}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert pod["automountServiceAccountToken"] is False
    assert [one["name"] for one in _containers(pod) if one.get("securityContext", {}).get("privileged")] in (
        [],
        ["docker"],
    )


@pytest.mark.parametrize(("name", "pod"), PODS)
def test_whatever_a_pod_takes_is_made_by_a_documented_command(name: str, pod: Any) -> None:
    secrets = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    maps = {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
    keys = {
        variable["valueFrom"]["secretKeyRef"]["name"]
        for one in _containers(pod)
        for variable in one.get("env", [])
        if "secretKeyRef" in variable.get("valueFrom", {})
    }
    for secret in secrets | keys:
        assert f"kubectl create secret generic {secret} " in PRINTED
    for one in maps:
        assert f"kubectl create configmap {one} " in PRINTED


WORKERS = [pod for _, pod in PODS if "initContainers" in pod]


@pytest.mark.parametrize("pod", WORKERS)
def test_a_worker_and_its_docker_know_each_others_folders_by_the_same_names(pod: Any) -> None:
    docker, worker = _containers(pod)
    paths = [{mount["name"]: mount["mountPath"] for mount in one["volumeMounts"]} for one in (docker, worker)]
    for shared in ("work", "socket"):
        assert paths[0][shared] == paths[1][shared]
    env = {one["name"]: one.get("value", "") for one in worker["env"]}
    assert f"--host={env['DOCKER_HOST']}" in docker["args"]
    assert env["LAYERFORGE_CACHE"].startswith(f"{paths[1]['work']}/")


def test_the_operator_and_the_deployment_start_the_same_worker() -> None:
    words = [_containers(pod)[1].get("command") or _containers(pod)[1]["args"] for pod in WORKERS]
    operators, deployments = [[word for word in one if not word.startswith("--name=")] for one in words]
    assert operators == deployments
    assert operators[:3] == ["layerforge", "worker", "tls://layerforge-scheduler:8786"]


@pytest.mark.parametrize(
    "path",
    [*KUBERNETES, CLUSTER / "layerforge-worker.service", CLUSTER / "kubernetes/Dockerfile"],
    ids=lambda p: p.name,
)
def test_what_was_not_run_says_so_where_it_begins(path: Path) -> None:
    assert "Not run" in "".join(path.read_text("utf-8").splitlines()[:2])
    readme = (CLUSTER / "README.md").read_text("utf-8")
    [row] = [line for line in readme.splitlines() if f"[{path.relative_to(CLUSTER)}]" in line]
    assert row.endswith("| **not run** |")


# --- the page itself


def test_every_link_of_the_page_leads_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in TEXT.splitlines()
        if line[:1] == "#"
    }
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("https://"):
            assert (ROOT / "docs" / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("name", ["worker", "build"])
def test_the_documented_options_are_there(name: str) -> None:
    found = cli.group.get_command(click.Context(cli.group), name)
    known = {option for parameter in found.params for option in parameter.opts} if found else set()
    used = {word.partition("=")[0] for words in COMMANDS if words[1] == name for word in words if word[:2] == "--"}
    assert used
    if "--tls-dir" not in known:
        pytest.skip("this layerforge knows no cluster")
    assert used <= known
