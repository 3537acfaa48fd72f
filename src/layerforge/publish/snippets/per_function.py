"""Lines that give each function of a project its own layers, in the order in which it has them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from layerforge.core.errors import UsageError
from layerforge.publish.snippets.quoting import (
    INDENT,
    hcl,
    identifiers,
    items_of,
    json_text,
    lines_of,
    pairs_of,
    quoted,
    variable,
)
from layerforge.publish.snippets.results import PublishedVersion, variables

_LOGICAL = re.compile(r"[A-Z][A-Za-z0-9]*")


@dataclass(frozen=True, kw_only=True)
class FunctionVersions:
    """The published versions of a function's layers."""

    name: str
    regions: Mapping[str, tuple[PublishedVersion, ...]]
    """By Region, in the order in which the function has its layers."""

    @property
    def env(self) -> dict[str, str]:
        """The variables that it has to have. Raises ``UsageError`` where two layers want different values."""
        return variables(one for versions in self.regions.values() for one in versions)

    def arns(self, region: str) -> list[str]:
        """The versions of one Region."""
        return [one.arn for one in self.regions[region]]


def function_versions(
    functions: Mapping[str, Sequence[str]], versions: Iterable[PublishedVersion]
) -> tuple[FunctionVersions, ...]:
    """What each function gets, by the names of its layers. A function without any is left out.

    Raises ``UsageError`` where a layer was not published in one of the Regions.
    """
    found = {(one.region, one.name): one for one in versions}
    regions = sorted({region for region, _ in found})
    missing = sorted(
        f"{name} in {region}, for {function}"
        for function, names in functions.items()
        for name in names
        for region in regions
        if (region, name) not in found
    )
    if missing:
        raise UsageError(
            "some layers of functions were not published",
            hint="publish them too: `layerforge publish` takes several zips, and does what is missing",
            details=tuple(missing),
        )
    return tuple(
        FunctionVersions(name=one, regions={region: tuple(found[region, name] for name in names) for region in regions})
        for one, names in sorted(functions.items())
        if names
    )


def _regions(functions: Sequence[FunctionVersions]) -> list[str]:
    return list(functions[0].regions)


def _only(functions: Sequence[FunctionVersions]) -> str:
    """The Region, where there is one; else empty."""
    regions = _regions(functions)
    return regions[0] if len(regions) == 1 else ""


def sam(functions: Sequence[FunctionVersions]) -> str:
    """For a SAM template: the properties of each function, under the name of its resource."""
    resources = _resources([one.name for one in functions])
    region = _only(functions)
    text = "" if region else _sam_mapping(functions)
    text += lines_of(["Resources:"])
    for one in functions:
        text += lines_of([f"{resources[one.name]}:"], 1) + lines_of(["Properties:"], 2) + lines_of(["Layers:"], 3)
        layers = one.arns(region) if region else _sam_finds(one, _words(functions))
        text += lines_of(items_of(layers), 4)
        if one.env:
            text += lines_of(["Environment:", f"{INDENT}Variables:"], 3) + lines_of(pairs_of(one.env), 5)
    return text


def _resources(functions: Sequence[str]) -> dict[str, str]:
    """The logical names of functions: their own where these are such names already, as a SAM template has them."""
    made = {name: f"{word.removesuffix('Layer')}Function" for name, word in identifiers(functions).items()}
    found = {name: name if _LOGICAL.fullmatch(name) else made[name] for name in functions}
    return found if len(set(found.values())) == len(found) else made


def _sam_mapping(functions: Sequence[FunctionVersions]) -> str:
    words = _words(functions)
    text = lines_of(["Mappings:", f"{INDENT}LayerArns:"])
    for region in _regions(functions):
        arns = {words[one.name]: one.arn for function in functions for one in function.regions[region]}
        text += lines_of([f"{region}:"], 2) + lines_of((f"{name}: {arn}" for name, arn in sorted(arns.items())), 3)
    return text


def _sam_finds(one: FunctionVersions, words: Mapping[str, str]) -> list[str]:
    names = [version.name for version in next(iter(one.regions.values()))]
    return [f'!FindInMap [LayerArns, !Ref "AWS::Region", {words[name]}]' for name in names]


def _words(functions: Sequence[FunctionVersions]) -> dict[str, str]:
    versions = (one for function in functions for several in function.regions.values() for one in several)
    return identifiers(one.name for one in versions)


def serverless(functions: Sequence[FunctionVersions]) -> str:
    """For ``serverless.yml``: the layers of each function."""
    region = _only(functions)
    text = ""
    if not region:
        text = lines_of(["custom:"]) + lines_of(["layerArns:"], 1)
        for place in _regions(functions):
            text += lines_of([f"{place}:"], 2)
            for one in functions:
                text += lines_of([f"{one.name}:"], 3) + lines_of(items_of(one.arns(place)), 4)
    text += lines_of(["functions:"])
    for one in functions:
        text += lines_of([f"{one.name}:"], 1)
        if region:
            text += lines_of(["layers:"], 2) + lines_of(items_of(one.arns(region)), 3)
        else:
            text += lines_of([f"layers: ${{self:custom.layerArns.${{aws:region}}.{one.name}}}"], 2)
        text += _serverless_variables(one)
    return text


def _serverless_variables(one: FunctionVersions) -> str:
    if taken := [name for name, value in one.env.items() if "${" in value]:
        raise UsageError(
            f"Serverless would take a part of {taken[0]}'s value as a variable: {one.env[taken[0]]}",
            hint="set it where the function's code begins, or choose another tool",
        )
    return lines_of(["environment:"], 2) + lines_of(pairs_of(one.env), 3) if one.env else ""


_TERRAFORM_USE = """
# In each resource "aws_lambda_function", with the name of the function:
#   layers = local.layers["NAME"]
"""


def terraform(functions: Sequence[FunctionVersions]) -> str:
    """A file of Terraform that sets ``local.layers``, a list for each function by its name."""
    region = _only(functions)
    if region:
        start, table = "", _hcl_lists({one.name: one.arns(region) for one in functions}, 2)
        table = f"{INDENT}layers = {{\n{table}{INDENT}}}\n"
    else:
        start = 'data "aws_region" "current" {}\n\n'
        inner = "".join(
            f"{INDENT * 2}{quoted(place)} = {{\n"
            + _hcl_lists({one.name: one.arns(place) for one in functions}, 3)
            + f"{INDENT * 2}}}\n"
            for place in _regions(functions)
        )
        table = f"{INDENT}layer_arns = {{\n{inner}{INDENT}}}\n"
        table += f"{INDENT}layers = local.layer_arns[data.aws_region.current.id]\n"
    return f"{start}locals {{\n{table}{_hcl_variables(functions)}}}\n{_TERRAFORM_USE}"


def _hcl_lists(rows: Mapping[str, Sequence[str]], depth: int) -> str:
    width = max(map(len, rows)) + 2
    return "".join(
        f"{INDENT * depth}{quoted(name):<{width}} = [{', '.join(map(quoted, arns))}]\n" for name, arns in rows.items()
    )


def _hcl_variables(functions: Sequence[FunctionVersions]) -> str:
    rows = {one.name: one.env for one in functions if one.env}
    if not rows:
        return ""
    inner = "".join(f"{INDENT * 2}{quoted(name)} = {{ {_hcl_pairs(env)} }}\n" for name, env in rows.items())
    return f"{INDENT}layer_variables = {{\n{inner}{INDENT}}}\n"


def _hcl_pairs(texts: Mapping[str, str]) -> str:
    return ", ".join(f"{quoted(key)} = {hcl(value)}" for key, value in texts.items())


def cdk(functions: Sequence[FunctionVersions]) -> str:
    """For the constructor of a CDK stack in Python: calls for each function, in a variable that is called like it."""
    region, words = _only(functions), _words(functions)
    start = [] if region else ["from aws_cdk import Aws, CfnMapping"]
    start += ["from aws_cdk import aws_lambda as lambda_", ""]
    if not region:
        start += ["arns = CfnMapping(", "    self,", '    "LayerArns",', "    mapping={"]
        for place in _regions(functions):
            arns = {words[one.name]: one.arn for function in functions for one in function.regions[place]}
            start.append(f'        "{place}": {json.dumps(dict(sorted(arns.items())))},')
        start += ["    },", ")"]
    first = _regions(functions)[0]
    versions = {one.name: one for function in functions for one in function.regions[first]}
    lines = []
    for name, one in sorted(versions.items()):
        arn = quoted(one.arn) if region else f'arns.find_in_map(Aws.REGION, "{words[name]}")'
        lines.append(f'{variable(name)} = lambda_.LayerVersion.from_layer_version_arn(self, "{words[name]}", {arn})')
    for function in functions:
        names = ", ".join(variable(one.name) for one in function.regions[first])
        lines.append(f"{_python(function.name)}.add_layers({names})")
        lines += [
            f"{_python(function.name)}.add_environment({quoted(key)}, {quoted(value)})"
            for key, value in function.env.items()
        ]
    return "\n".join([*start, *lines, ""])


def _python(name: str) -> str:
    return variable(name).removesuffix("_layer") + "_function"


def chalice(functions: Sequence[FunctionVersions]) -> str:
    """For ``.chalice/config.json``: the layers of each function of every stage, or of a stage for each Region."""

    def of(region: str) -> dict[str, object]:
        return {
            one.name: {"layers": one.arns(region)} | ({"environment_variables": one.env} if one.env else {})
            for one in functions
        }

    regions = _regions(functions)
    stages = {("dev" if len(regions) == 1 else region): {"lambda_functions": of(region)} for region in regions}
    return json_text({"stages": stages})


def cli(functions: Sequence[FunctionVersions]) -> str:
    """Commands of the AWS CLI that give each function its layers, one a Region."""
    text = "# --layers replaces the whole list of a function's layers: add those of its own.\n"
    if any(one.env for one in functions):
        text += "# --environment replaces all of its variables: add those of its own.\n"
    for one in functions:
        for region in one.regions:
            parts = [
                f"aws lambda update-function-configuration --region {region}",
                f"--function-name {one.name}",
                f"--layers {' '.join(one.arns(region))}",
            ]
            if one.env:
                parts.append(f"--environment {shlex.quote(json.dumps({'Variables': one.env}))}")
            text += " \\\n  ".join(parts) + "\n"
    return text


WRITERS: Mapping[str, Callable[[Sequence[FunctionVersions]], str]] = {
    "sam": sam,
    "cdk": cdk,
    "terraform": terraform,
    "serverless": serverless,
    "chalice": chalice,
    "cli": cli,
}
"""By the names that the tools have in ``tools.py``."""


def for_functions(tool: str, functions: Sequence[FunctionVersions]) -> str:
    """What gives each function its layers. Raises ``UsageError`` for a tool that has but one function."""
    write = WRITERS.get(tool)
    if write is None:
        raise UsageError(
            f"{tool} deploys one function with a settings file of its own",
            hint="name that function's layers with --layer, without --functions",
        )
    if not functions:
        raise UsageError("no function has a layer", hint="plan the layers with `layerforge split`")
    return write(functions)
