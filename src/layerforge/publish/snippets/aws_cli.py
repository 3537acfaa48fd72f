"""Commands of the AWS CLI."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from functools import partial

from layerforge.publish.snippets.quoting import by_region
from layerforge.publish.snippets.results import LocalLayer, PublishedVersion, variables
from layerforge.publish.snippets.serverless import refuse_variables


def cli(versions: tuple[PublishedVersion, ...]) -> str:
    """Commands of the AWS CLI that give the layers to ``$FUNCTION``, one a Region."""
    env = variables(versions)
    commands = (
        _update_command(region, f"--layers {' '.join(one.arn for one in several)}", env)
        for region, several in by_region(versions).items()
    )
    return "# --layers replaces the whole list of the function's layers.\n" + _replacing(env) + "".join(commands)


def _replacing(env: Mapping[str, str]) -> str:
    return "# --environment replaces all of its variables: add those of its own.\n" if env else ""


def _update_command(region: str, what: str, env: Mapping[str, str]) -> str:
    where = f" --region {region}" if region else ""
    environment = f"--environment {shlex.quote(json.dumps({'Variables': dict(env)}))}" if env else ""
    parts = [f"aws lambda update-function-configuration{where}", '--function-name "$FUNCTION"', what, environment]
    return " \\\n  ".join(filter(None, parts)) + "\n"


def cli_local(layer: LocalLayer, regions: Iterable[str] = ()) -> str:
    """Commands of the AWS CLI that publish the layer, through ``$BUCKET`` where Lambda takes it no other way."""
    return "".join(map(partial(_local_commands, layer), regions)) or _local_commands(layer, "")


def _local_commands(layer: LocalLayer, region: str) -> str:
    """The layer, and what a function with it has to have in its environment."""
    update = _replacing(layer.env) + _update_command(region, "", layer.env) if layer.env else ""
    return _publish_command(layer, region) + update


def _publish_command(layer: LocalLayer, region: str) -> str:
    where, key = f" --region {region}" if region else "", f"{layer.name}.zip"
    if layer.direct:
        refuse_variables(layer.path, "$", "the AWS command line")
        upload, content = "", f"--zip-file {shlex.quote(f'fileb://{_plain(layer.path)}')}"
    else:
        upload = (
            f"# It is too large for a direct upload. BUCKET is one of yours in {region or 'the same Region'}.\n"
            f'aws s3 cp{where} {shlex.quote(_plain(layer.path))} "s3://$BUCKET/{key}"\n'
        )
        content = f'--content "S3Bucket=$BUCKET,S3Key={key}"'
    return (
        f"{upload}aws lambda publish-layer-version{where} \\\n"
        f"  --layer-name={layer.name} \\\n"
        f"  {content} \\\n"
        f"  --compatible-runtimes {layer.runtime} \\\n"
        f"  --compatible-architectures {layer.arch}\n"
    )


def _plain(path: str) -> str:
    """A path that is neither an option nor somebody's home."""
    return f"./{path}" if path.startswith(("-", "~")) else path
