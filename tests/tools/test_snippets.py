"""Snippets, each held against the parser or the schema of the tool that it is for."""

from __future__ import annotations

import ast
import base64
import http.server
import json
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from layerforge.core.runtimes import Arch
from layerforge.publish.snippets import aws_cli, cdk, sam, terraform, zappa_chalice
from layerforge.publish.snippets import serverless as serverless_snippets
from layerforge.publish.snippets.results import LocalLayer, PublishedVersion
from layerforge.publish.snippets.serverless import serverless_local
from layerforge.publish.snippets.snap_start import with_snap_start
from layerforge.publish.snippets.tools import for_versions, for_zip
from toolbox import Tools, run

ODD = 'a "b" \\ c\'d é #{x} %{y} $HOME.zip'
"""A path that has to be quoted everywhere."""
SAM = "Transform: AWS::Serverless-2016-10-31\n"
FUNCTION = """\
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: app.main
      InlineCode: x
"""
SERVICE = """\
service: demo
configValidationMode: error
functions:
  hello:
    handler: app.main
"""


def arn(name: str, region: str, number: int, partition: str = "aws") -> str:
    return f"arn:{partition}:lambda:{region}:123456789012:layer:{name}:{number}"


def version(name: str, region: str, number: int, partition: str = "aws") -> PublishedVersion:
    return PublishedVersion(region=region, name=name, number=number, arn=arn(name, region, number, partition))


ONE = (version("numpy", "eu-west-1", 7),)
TWO = (version("numpy", "eu-west-1", 7), version("yes", "eu-west-1", 1))
CHINA = (version("numpy", "cn-north-1", 2, "aws-cn"),)
MANY = (*TWO, version("numpy", "us-east-1", 3), version("yes", "us-east-1", 12))
ARNS = {
    "eu-west-1": [arn("numpy", "eu-west-1", 7), arn("yes", "eu-west-1", 1)],
    "us-east-1": [arn("numpy", "us-east-1", 3), arn("yes", "us-east-1", 12)],
}


def local(
    path: str = "dist/numpy.zip", python: str = "3.13", arch: Arch = Arch.X86_64, *, large: bool = False
) -> LocalLayer:
    zipped = 52_428_800 + large
    return LocalLayer(name="numpy", path=path, runtime=f"python{python}", arch=str(arch), zipped=zipped)


WORDS = {"DEMO_DATA": "/opt/share/a 'b' \"c\" \\d:/opt/é", "NO": "1", "HCL": "%{x} $HOME #{y}"}
"""Variables that have to be quoted everywhere."""
SET = tuple(replace(one, env=WORDS) for one in MANY)


def a_zip(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("python/a.py", "")
    return path.read_bytes()


def looked_up(found: dict[str, Any], region: str) -> list[str]:
    """What CloudFormation would find in the mappings of a template."""
    return [
        one if isinstance(one, str) else found["mappings"][one["Fn::FindInMap"][0]][region][one["Fn::FindInMap"][2]]
        for one in found["layers"]
    ]


# --- SAM and CDK -----------------------------------------------------------------------------------------------------

LOCAL = [
    local(ODD, "3.10", Arch.X86_64),
    local(ODD, "3.13", Arch.ARM64),
    replace(local(ODD, "3.14", Arch.ARM64), env=WORDS),
]


def check_attached(one: Any, china: Any, many: Any) -> None:
    assert one["layers"] == [arn("numpy", "eu-west-1", 7)]
    assert china["layers"] == [arn("numpy", "cn-north-1", 2, "aws-cn")]
    assert {one["Fn::FindInMap"][1]["Ref"] for one in many["layers"]} == {"AWS::Region"}
    assert {region: looked_up(many, region) for region in ARNS} == ARNS


def check_made(layer: LocalLayer, found: Any) -> None:
    [made] = found["made"]
    assert made["LayerName"] == "numpy"
    assert made["CompatibleRuntimes"] == [layer.runtime]
    assert made["CompatibleArchitectures"] == [layer.arch]
    [attached] = found["layers"]
    assert attached["Ref"].startswith("NumpyLayer")


def test_sam_translates_what_attaches_and_makes_layers(tools: Tools, tmp_path: Path) -> None:
    published = [f"{SAM}{sam.sam(versions)}Resources:\n{FUNCTION}" for versions in (ONE, CHINA, SET)]
    zips = [SAM + sam.sam_local(one).replace("Resources:\n", f"Resources:\n{FUNCTION}") for one in LOCAL]
    *attached, first, second, third = found = tools.ask("sam", [*published, *zips], tmp_path / "sam")
    check_attached(*attached)
    assert [one["variables"] for one in found] == [None, None, WORDS, None, None, WORDS]
    for layer, made in zip(LOCAL, (first, second, third), strict=True):
        check_made(layer, made)
        assert made["uploaded"] == [ODD]
    assert [problem for one in found for problem in one["problems"] if "deprecated" not in problem] == []


def test_cdk_synthesizes_what_attaches_and_makes_layers(tools: Tools, tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    a_zip(tmp_path / ODD)
    zips = [replace(one, path=str(tmp_path / ODD)) for one in LOCAL]
    published = [(cdk.cdk(versions), "PYTHON_3_13", "X86_64") for versions in (ONE, CHINA, SET)]
    words = [("PYTHON_3_10", "X86_64"), ("PYTHON_3_13", "ARM_64"), ("PYTHON_3_14", "ARM_64")]
    cases = [(cdk.cdk_local(one), *word) for one, word in zip(zips, words, strict=True)]
    *attached, first, second, third = tools.ask("cdk", [*published, *cases], tmp_path / "cdk")
    check_attached(*attached)
    assert [one["variables"] for one in (*attached, first, second, third)] == [None, None, WORDS, None, None, WORDS]
    for layer, found in zip(zips, (first, second, third), strict=True):
        check_made(layer, found)


def test_sam_and_the_cdk_take_what_snap_start_adds(tools: Tools, tmp_path: Path) -> None:
    texts = [with_snap_start("sam", sam.sam(versions), primed=True) for versions in (ONE, SET)]
    found = tools.ask("sam", [f"{SAM}{text}Resources:\n{FUNCTION}" for text in texts], tmp_path / "sam")
    assert [problem for one in found for problem in one["problems"] if "deprecated" not in problem] == []
    made = {"snap_start": {"ApplyOn": "PublishedVersions"}, "aliases": ["live"]}
    assert [{key: one[key] for key in made} for one in found] == [made, made]
    if shutil.which("node") is not None:
        cases = [(with_snap_start("cdk", cdk.cdk(ONE), primed=True), "PYTHON_3_13", "X86_64")]
        [stack] = tools.ask("cdk", cases, tmp_path / "cdk")
        assert {key: stack[key] for key in made} == made
        assert stack["layers"] == [arn("numpy", "eu-west-1", 7)]


@pytest.mark.parametrize("text", [cdk.cdk(MANY), cdk.cdk_local(local(ODD))])
def test_cdk_gets_python(text: str) -> None:
    assert ast.parse(text).body


# --- Terraform -------------------------------------------------------------------------------------------------------


def test_terraform_reads_the_arns_of_one_region(tools: Tools, tmp_path: Path) -> None:
    found = tools.ask("terraform", terraform.terraform(CHINA), tmp_path / "hcl")
    assert [json.loads(one) for one in found["locals"][0]["layers"]] == [CHINA[0].arn]


def test_terraform_looks_the_arns_up_by_region(tools: Tools, tmp_path: Path) -> None:
    found = tools.ask("terraform", terraform.terraform(MANY), tmp_path / "hcl")
    [table] = found["locals"]
    arns = table["layer_arns"].items()
    assert {json.loads(region): [json.loads(one) for one in several] for region, several in arns} == ARNS
    assert table["layers"] == "${local.layer_arns[data.aws_region.current.id]}"
    assert '"current"' in found["data"][0]['"aws_region"']


def test_terraform_reads_the_variables(tools: Tools, tmp_path: Path) -> None:
    found = tools.ask("terraform", terraform.terraform(SET), tmp_path / "hcl")
    [table] = found["locals"]
    rows = {json.loads(name): json.loads(value) for name, value in table["layer_variables"].items()}
    assert {name: value.replace("%%{", "%{") for name, value in rows.items()} == WORDS


FILES = {
    "one Region": for_versions("terraform", CHINA),
    "several": for_versions("terraform", (*MANY, version("numpy", "ap-southeast-1", 3))),
    "variables": for_versions("terraform", SET),
    "variables of one Region": for_versions("terraform", SET[:1]),
    "zip": for_zip("terraform", local(ODD)),
    "zip with variables": for_zip("terraform", replace(local(ODD), env=WORDS)),
    "bucket": for_zip("terraform", local(large=True)),
}


def test_terraform_has_nothing_to_format(tools: Tools, tmp_path: Path) -> None:
    crooked = FILES["several"].replace("\n  layers = ", "\n      layers  =")
    found = tools.ask("terraform_fmt", [*FILES.values(), crooked], tmp_path / "hcl")
    if found is None:
        pytest.skip("there is no Terraform for this machine")
    *formatted, mended = found
    assert dict(zip(FILES, formatted, strict=True)) == FILES
    assert mended == FILES["several"] != crooked


def test_terraform_makes_the_layer_from_its_zip(tools: Tools, tmp_path: Path) -> None:
    found = tools.ask("terraform", terraform.terraform_local(local(ODD + "${z}")), tmp_path / "hcl")
    layer = found["resource"][0]['"aws_lambda_layer_version"']['"numpy_layer"']
    assert layer["compatible_runtimes"] == ['"python3.13"']
    plain = json.loads(layer["filename"])
    assert plain.replace("$${", "${").replace("%%{", "%{") == ODD + "${z}"
    assert "%{" not in plain.replace("%%{", "")
    assert "${" not in plain.replace("$${", "")
    assert found["locals"][0]["layers"] == ["${aws_lambda_layer_version.numpy_layer.arn}"]
    assert layer["skip_destroy"] == "${true}" or layer["skip_destroy"] is True


def test_terraform_takes_a_large_zip_through_a_bucket(tools: Tools, tmp_path: Path) -> None:
    found = tools.ask("terraform", terraform.terraform_local(local(large=True)), tmp_path / "hcl")
    layer = next(one for one in found["resource"] if '"aws_lambda_layer_version"' in one)
    assert "filename" not in layer['"aws_lambda_layer_version"']['"numpy_layer"']
    stored = next(one for one in found["resource"] if '"aws_s3_object"' in one)
    assert json.loads(stored['"aws_s3_object"']['"numpy_layer"']["source"]) == "dist/numpy.zip"
    assert found["variable"][0]['"layer_bucket"']


# --- Serverless ------------------------------------------------------------------------------------------------------


def serverless(node_modules: Path, folder: Path, text: str, region: str) -> Any:
    start = "provider:\n  name: aws\n  runtime: python3.13\n"
    (folder / "serverless.yml").write_text(SERVICE + text.replace("provider:\n", start))
    argv: list[str | Path] = [node_modules / ".bin/osls", "print", "--format", "json", "--region", region]
    ran = run(argv, cwd=folder, env={"SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off"})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("region", ARNS)
def test_serverless_finds_the_arns_of_the_region_it_deploys_to(node_modules: Path, tmp_path: Path, region: str) -> None:
    found = serverless(node_modules, tmp_path, serverless_snippets.serverless(MANY), region)
    assert found["provider"]["layers"] == ARNS[region]


def test_serverless_gives_the_variables_to_all_functions(node_modules: Path, tmp_path: Path) -> None:
    found = serverless(node_modules, tmp_path, serverless_snippets.serverless(SET), "us-east-1")
    assert found["provider"]["environment"] == WORDS
    found = serverless(node_modules, tmp_path, serverless_local(replace(local(ODD), env=WORDS)), "eu-west-1")
    assert found["provider"]["environment"] == WORDS


def test_serverless_takes_the_arns_of_a_single_region(node_modules: Path, tmp_path: Path) -> None:
    found = serverless(node_modules, tmp_path, serverless_snippets.serverless(CHINA), "cn-north-1")
    assert found["provider"]["layers"] == [CHINA[0].arn]


@pytest.mark.parametrize(("python", "arch"), [("3.10", Arch.X86_64), ("3.14", Arch.ARM64)])
def test_serverless_makes_the_layer_from_its_zip(node_modules: Path, tmp_path: Path, python: str, arch: Arch) -> None:
    found = serverless(node_modules, tmp_path, serverless_local(local(ODD, python, arch)), "eu-west-1")
    [(key, layer)] = found["layers"].items()
    assert layer["package"]["artifact"] == ODD
    assert layer["compatibleRuntimes"] == [f"python{python}"]
    assert layer["compatibleArchitectures"] == [arch]
    assert layer["retain"] is True
    script = f"require('{node_modules}/osls/lib/plugins/aws/lib/naming.js').getLambdaLayerLogicalId('{key}')"
    logical = run(["node", "-p", script]).stdout.strip()
    assert found["provider"]["layers"] == [{"Ref": logical}]


# --- Zappa and Chalice -----------------------------------------------------------------------------------------------


def test_zappa_loads_a_stage_for_each_region(tools: Tools, tmp_path: Path) -> None:
    one, many = tools.ask("zappa", [zappa_chalice.zappa(ONE), zappa_chalice.zappa(SET)], tmp_path / "zappa")
    assert one == {"dev": ["eu-west-1", [ONE[0].arn], {}]}
    assert many == {region.replace("-", "_"): [region, arns, WORDS] for region, arns in ARNS.items()}


def test_chalice_loads_the_layers_of_each_stage(tools: Tools, tmp_path: Path) -> None:
    one, many = tools.ask("chalice", [zappa_chalice.chalice(TWO), zappa_chalice.chalice(SET)], tmp_path / "chalice")
    assert one == {"dev": [ARNS["eu-west-1"], {}]}
    assert many == {region: [arns, WORDS] for region, arns in ARNS.items()}


# --- the AWS command line --------------------------------------------------------------------------------------------


@dataclass
class Asked:
    """Requests that arrived, as method, path and body."""

    requests: list[tuple[str, str, bytes]] = field(default_factory=list)


@pytest.fixture
def lambda_(tmp_path: Path) -> Iterator[tuple[str, Asked]]:
    """An endpoint that takes everything, and what it was asked."""
    asked = Asked()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.requests.append((self.command, self.path, body))
            answer = b"{}" if self.command == "POST" else b""
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_PUT = do_POST = take

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def commands(tools: Tools, folder: Path, text: str, endpoint: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a script of commands of the AWS CLI against an endpoint of its own."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": endpoint}
    script = f"set -euo pipefail\n{text}"
    return run(["bash", "-c", script], cwd=folder, env={**tools.path, **keys, "FUNCTION": "demo", "BUCKET": "mine"})


def test_the_aws_command_line_attaches_in_each_region(tools: Tools, tmp_path: Path, lambda_: tuple[str, Asked]) -> None:
    endpoint, asked = lambda_
    ran = commands(tools, tmp_path, aws_cli.cli(MANY), endpoint)
    assert ran.returncode == 0, ran.stderr
    assert {path.rpartition("functions/")[2] for _, path, _ in asked.requests} == {"demo/configuration"}
    assert [json.loads(body) for _, _, body in asked.requests] == [{"Layers": arns} for arns in ARNS.values()]


def test_the_aws_command_line_sets_the_variables(tools: Tools, tmp_path: Path, lambda_: tuple[str, Asked]) -> None:
    endpoint, asked = lambda_
    a_zip(tmp_path / "numpy.zip")
    layer = replace(local("numpy.zip"), env=WORDS)
    ran = commands(tools, tmp_path, aws_cli.cli(SET) + aws_cli.cli_local(layer, ["eu-west-1"]), endpoint)
    assert ran.returncode == 0, ran.stderr
    bodies = [json.loads(body) for _, path, body in asked.requests if path.endswith("/configuration")]
    assert [one["Environment"] for one in bodies] == [{"Variables": WORDS}] * 3
    assert [one.get("Layers") for one in bodies] == [*ARNS.values(), None]


def test_the_aws_command_line_publishes_the_zip(tools: Tools, tmp_path: Path, lambda_: tuple[str, Asked]) -> None:
    endpoint, asked = lambda_
    path = ODD.replace("$", "")
    data = a_zip(tmp_path / path)
    ran = commands(tools, tmp_path, aws_cli.cli_local(local(path), ["eu-west-1", "us-east-1"]), endpoint)
    assert ran.returncode == 0, ran.stderr
    assert len(asked.requests) == 2
    for _, place, body in asked.requests:
        assert place.endswith("/layers/numpy/versions")
        said = json.loads(body)
        assert base64.b64decode(said["Content"]["ZipFile"]) == data
        assert said["CompatibleRuntimes"] == ["python3.13"]
        assert said["CompatibleArchitectures"] == ["x86_64"]


def test_the_aws_command_line_publishes_a_large_zip_through_a_bucket(
    tools: Tools, tmp_path: Path, lambda_: tuple[str, Asked]
) -> None:
    endpoint, asked = lambda_
    (tmp_path / ODD).write_bytes(b"PK zip")
    ran = commands(tools, tmp_path, aws_cli.cli_local(local(ODD, large=True), ["eu-west-1"]), endpoint)
    assert ran.returncode == 0, ran.stderr
    (method, place, stored), (_, _, body) = asked.requests
    assert (method, place) == ("PUT", "/mine/numpy.zip")
    assert b"PK zip" in stored
    assert json.loads(body)["Content"] == {"S3Bucket": "mine", "S3Key": "numpy.zip"}


def test_the_aws_command_line_refuses_what_it_does_not_know(tools: Tools, tmp_path: Path) -> None:
    ran = commands(tools, tmp_path, aws_cli.cli(ONE).replace("--layers", "--layer-arns"))
    assert ran.returncode != 0
    assert "layer-arns" in ran.stderr
