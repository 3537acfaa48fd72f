"""Snippets that give each function its own layers, each held against the parser of the tool that it is for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from layerforge.publish.snippets.per_function import for_functions, function_versions
from layerforge.publish.snippets.results import PublishedVersion
from toolbox import Tools, run

FUNCTIONS = {"web-api": ("shared", "web"), "job": ("shared",)}
WORDS = {"DATA": "/opt/share/a 'b' \"c\" \\d:/opt/é", "NO": "1"}
REGIONS = ("eu-west-1", "us-east-1")


def arn(region: str, name: str) -> str:
    return f"arn:aws:lambda:{region}:123456789012:layer:{name}:7"


def snippet(tool: str, *regions: str) -> str:
    versions = [
        PublishedVersion(region=region, name=name, number=7, arn=arn(region, name), env=WORDS if name == "web" else {})
        for region in regions
        for name in ("shared", "web")
    ]
    return for_functions(tool, function_versions(FUNCTIONS, versions))


def arns(region: str) -> dict[str, list[str]]:
    """The layers of each function."""
    return {name: [arn(region, layer) for layer in layers] for name, layers in FUNCTIONS.items()}


@pytest.mark.parametrize("regions", [REGIONS[:1], REGIONS])
def test_terraform_reads_a_list_for_each_function(tools: Tools, tmp_path: Path, regions: tuple[str, ...]) -> None:
    [table] = tools.ask("terraform", snippet("terraform", *regions), tmp_path / "hcl")["locals"]
    tables = {json.loads(key): value for key, value in table["layer_arns"].items()} if len(regions) > 1 else None
    found = tables or {regions[0]: table["layers"]}
    for region in regions:
        rows = found[region].items()
        assert {json.loads(name): [json.loads(one) for one in several] for name, several in rows} == arns(region)
    [(name, own)] = table["layer_variables"].items()
    assert json.loads(name) == "web-api"
    assert {json.loads(key): json.loads(value) for key, value in own.items()} == WORDS


def test_terraform_has_nothing_to_format_of_functions(tools: Tools, tmp_path: Path) -> None:
    files = [snippet("terraform", *REGIONS[:1]), snippet("terraform", *REGIONS)]
    found = tools.ask("terraform_fmt", files, tmp_path / "hcl")
    if found is None:
        pytest.skip("there is no Terraform for this machine")
    assert found == files


@pytest.mark.parametrize("regions", [REGIONS[:1], REGIONS])
def test_serverless_gives_each_function_its_layers(
    node_modules: Path, tmp_path: Path, regions: tuple[str, ...]
) -> None:
    start = "service: demo\nconfigValidationMode: error\nprovider:\n  name: aws\n  runtime: python3.13\n"
    text = snippet("serverless", *regions)
    for name in FUNCTIONS:
        text = text.replace(f"\n  {name}:\n    layers:", f"\n  {name}:\n    handler: app.main\n    layers:")
    (tmp_path / "serverless.yml").write_text(start + text)
    argv: list[str | Path] = [node_modules / ".bin/osls", "print", "--format", "json", "--region", regions[-1]]
    ran = run(argv, cwd=tmp_path, env={"SLS_TELEMETRY_DISABLED": "1", "SLS_NOTIFICATIONS_MODE": "off"})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = json.loads(ran.stdout)["functions"]
    assert {name: one["layers"] for name, one in found.items()} == arns(regions[-1])
    assert found["web-api"]["environment"] == WORDS


@pytest.mark.parametrize("regions", [REGIONS[:1], REGIONS])
def test_sam_translates_each_functions_layers(tools: Tools, tmp_path: Path, regions: tuple[str, ...]) -> None:
    own = "    Type: AWS::Serverless::Function\n    Properties:\n      Runtime: python3.13\n      Handler: app.main\n"
    for name, word in (("web-api", "WebApiFunction"), ("job", "JobFunction")):
        head, _, rest = snippet("sam", *regions).partition(f"  {word}:\n    Properties:\n")
        body = _until_next(rest)
        before = head.partition("Resources:\n")[0]
        text = f"Transform: AWS::Serverless-2016-10-31\n{before}Resources:\n  {word}:\n{own}      InlineCode: x\n{body}"
        [found] = tools.ask("sam", [text], tmp_path / f"sam-{name}")
        assert found["problems"] == []
        layers = [looked_up(found, one, regions[-1]) for one in found["layers"]]
        assert layers == arns(regions[-1])[name]
        assert found["variables"] == (WORDS if name == "web-api" else None)


def _until_next(text: str) -> str:
    """The lines of one resource."""
    lines = text.splitlines(keepends=True)
    end = next((place for place, line in enumerate(lines) if not line.startswith("      ")), len(lines))
    return "".join(lines[:end])


def looked_up(found: dict[str, Any], one: Any, region: str) -> str:
    """What CloudFormation would find in the mappings of a template."""
    if isinstance(one, str):
        return one
    table, _, name = one["Fn::FindInMap"]
    return str(found["mappings"][table][region][name])
