"""Lines for the Serverless Framework."""

from __future__ import annotations

from collections.abc import Mapping

from layerforge.core.errors import UsageError
from layerforge.publish.snippets.quoting import INDENT, by_region, identifiers, items_of, lines_of, pairs_of, quoted
from layerforge.publish.snippets.results import LocalLayer, PublishedVersion, variables


def serverless(versions: tuple[PublishedVersion, ...]) -> str:
    """For ``serverless.yml``: the layers of all its functions, and what these have to have in their environment."""
    env, regions = _environment(variables(versions)), by_region(versions)
    if len(regions) == 1:
        arns = lines_of(items_of(one.arn for one in versions), 2)
        return lines_of(["provider:"]) + lines_of(["layers:"], 1) + arns + env
    table = "".join(
        lines_of([f"{region}:"], 2) + lines_of(items_of(one.arn for one in several), 3)
        for region, several in regions.items()
    )
    start = lines_of(["custom:"]) + lines_of(["layerArns:"], 1) + table
    return start + lines_of(["provider:"]) + lines_of(["layers: ${self:custom.layerArns.${aws:region}}"], 1) + env


def _environment(env: Mapping[str, str]) -> str:
    """Variables of every function. Raises ``UsageError`` for one that Serverless would change."""
    for name, value in env.items():
        if "${" in value:
            raise UsageError(
                f"Serverless would take a part of {name}'s value as a variable: {value}",
                hint="set it where the function's code begins, or choose another tool",
            )
    return lines_of(["environment:"], 1) + lines_of(pairs_of(env), 2) if env else ""


def serverless_local(layer: LocalLayer) -> str:
    """For ``serverless.yml``: the layer itself, and the layers of all functions."""
    if "${" in layer.path:
        raise UsageError(
            f"Serverless would take a part of {layer.path} as a variable", hint="give the file another name"
        )
    [name] = identifiers([layer.name]).values()
    what = [
        f"name: {quoted(layer.name)}",
        "package:",
        f"{INDENT}artifact: {quoted(layer.path)}",
        f"compatibleRuntimes: [{layer.runtime}]",
        f"compatibleArchitectures: [{layer.arch}]",
        "retain: true",
    ]
    start = lines_of(["layers:"]) + lines_of([f"{name}:"], 1) + lines_of(what, 2)
    attach = lines_of(["provider:"]) + lines_of(["layers:"], 1) + lines_of([f"- !Ref {name}LambdaLayer"], 2)
    return start + attach + _environment(layer.env)


def refuse_variables(path: str, mark: str, tool: str) -> None:
    """Raises ``UsageError`` for a path that a tool would change and that no quotes keep it from."""
    if mark in path:
        raise UsageError(f"{tool} would take a part of {path} as a variable", hint="rename the file")
