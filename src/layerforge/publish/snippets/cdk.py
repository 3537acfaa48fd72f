"""Lines for the AWS CDK, in Python."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from layerforge.publish.snippets.quoting import identifiers, mapping_of, quoted, variable
from layerforge.publish.snippets.results import LocalLayer, PublishedVersion, variables


def cdk(versions: tuple[PublishedVersion, ...]) -> str:
    """For the constructor of a CDK stack in Python; a mapping also serves stacks that do not name their Region."""
    regions = mapping_of(versions)
    names = identifiers(one.name for one in versions)
    if len(regions) == 1:
        start = ["from aws_cdk import aws_lambda as lambda_", ""]
        found = {one.name: f'"{one.arn}"' for one in versions}
    else:
        start = [
            "from aws_cdk import Aws, CfnMapping",
            "from aws_cdk import aws_lambda as lambda_",
            "",
            "arns = CfnMapping(",
            "    self,",
            '    "LayerArns",',
            "    mapping={",
            *(f'        "{region}": {json.dumps(arns)},' for region, arns in regions.items()),
            "    },",
            ")",
        ]
        found = {name: f'arns.find_in_map(Aws.REGION, "{word}")' for name, word in names.items()}
    layers = (f'    lambda_.LayerVersion.from_layer_version_arn(self, "{names[key]}", {found[key]}),' for key in found)
    return "\n".join([*start, "function.add_layers(", *layers, ")", *_variables(variables(versions)), ""])


def _variables(env: Mapping[str, str]) -> Iterator[str]:
    return (f"function.add_environment({quoted(name)}, {quoted(value)})" for name, value in env.items())


def cdk_local(layer: LocalLayer) -> str:
    """For the constructor of a CDK stack in Python. ``cdk deploy`` uploads the zip."""
    name, [word] = variable(layer.name), identifiers([layer.name]).values()
    variables = "".join(f"{line}\n" for line in _variables(layer.env))
    return f"""\
from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_

{name} = lambda_.LayerVersion(
    self,
    "{word}",
    layer_version_name="{layer.name}",
    code=lambda_.Code.from_asset({quoted(layer.path)}),
    compatible_runtimes=[lambda_.Runtime.{layer.runtime.upper().replace("PYTHON", "PYTHON_").replace(".", "_")}],
    compatible_architectures=[lambda_.Architecture.{layer.arch.upper().replace("ARM64", "ARM_64")}],
    removal_policy=RemovalPolicy.RETAIN,
)
function.add_layers({name})
{variables}"""
