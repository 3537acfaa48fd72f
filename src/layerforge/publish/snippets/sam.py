"""Lines for AWS SAM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from layerforge.publish.snippets.quoting import INDENT, identifiers, items_of, lines_of, mapping_of, pairs_of, quoted
from layerforge.publish.snippets.results import LocalLayer, PublishedVersion, variables


def sam(versions: tuple[PublishedVersion, ...]) -> str:
    """For a SAM template: the layers of all its functions, and what these have to have in their environment."""
    env, regions = variables(versions), mapping_of(versions)
    if len(regions) == 1:
        return _sam_globals((one.arn for one in versions), env)
    mapping = "".join(
        lines_of([f"{region}:"], 2) + lines_of((f"{name}: {arn}" for name, arn in arns.items()), 3)
        for region, arns in regions.items()
    )
    names = dict.fromkeys(name for arns in regions.values() for name in arns)
    finds = (f'!FindInMap [LayerArns, !Ref "AWS::Region", {name}]' for name in names)
    return lines_of(["Mappings:", f"{INDENT}LayerArns:"]) + mapping + _sam_globals(finds, env)


def _sam_globals(layers: Iterable[str], env: Mapping[str, str]) -> str:
    start = lines_of(["Globals:"]) + lines_of(["Function:"], 1)
    table = lines_of(["Environment:", f"{INDENT}Variables:"], 2) + lines_of(pairs_of(env), 4) if env else ""
    return start + lines_of(["Layers:"], 2) + lines_of(items_of(layers), 3) + table


def sam_local(layer: LocalLayer) -> str:
    """For a SAM template: the layer itself, and the layers of all functions. ``sam deploy`` uploads the zip."""
    [name] = identifiers([layer.name]).values()
    properties = [
        f"LayerName: {quoted(layer.name)}",
        f"ContentUri: {quoted(layer.path)}",
        f"CompatibleRuntimes: [{layer.runtime}]",
        f"CompatibleArchitectures: [{layer.arch}]",
        "RetentionPolicy: Retain",
    ]
    resource = lines_of([f"{name}:"], 1) + lines_of(["Type: AWS::Serverless::LayerVersion", "Properties:"], 2)
    return lines_of(["Resources:"]) + resource + lines_of(properties, 3) + _sam_globals([f"!Ref {name}"], layer.env)
