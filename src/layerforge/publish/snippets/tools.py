"""The tools that snippets are for: which function of this folder writes a tool's lines, from data alone."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from layerforge.core.errors import UsageError
from layerforge.publish.snippets.aws_cli import cli, cli_local
from layerforge.publish.snippets.cdk import cdk, cdk_local
from layerforge.publish.snippets.results import LocalLayer, PublishedVersion
from layerforge.publish.snippets.sam import sam, sam_local
from layerforge.publish.snippets.serverless import serverless, serverless_local
from layerforge.publish.snippets.terraform import terraform, terraform_local
from layerforge.publish.snippets.zappa_chalice import chalice, zappa

HIDES = "Take what is in the layer out of the function's own package: /var/task comes before /opt and would hide it."
"""What every snippet says, since a function that still carries the packages never imports those of its layer."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What writes snippets for one tool."""

    place: str
    """Where the snippet goes."""
    published: Callable[[tuple[PublishedVersion, ...]], str]
    local: Callable[[LocalLayer], str] | None = None
    """``None`` where the tool can attach published versions only."""
    comments: bool = True
    """Whether the tool's files have comments, which begin with ``#``."""

    def told(self, text: str) -> str:
        """The snippet with what is to be done beside it, where that can stand in it."""
        return f"# {HIDES}\n{text}" if self.comments else text


TOOLS: Mapping[str, Tool] = {
    "sam": Tool(place="template.yaml", published=sam, local=sam_local),
    "cdk": Tool(place="the constructor of a stack in Python", published=cdk, local=cdk_local),
    "terraform": Tool(place="a file of its own, such as layers.tf", published=terraform, local=terraform_local),
    "serverless": Tool(place="serverless.yml", published=serverless, local=serverless_local),
    "zappa": Tool(place="zappa_settings.json", published=zappa, comments=False),
    "chalice": Tool(place=".chalice/config.json", published=chalice, comments=False),
    "cli": Tool(place="a shell", published=cli, local=cli_local),
}


def for_versions(tool: str, versions: tuple[PublishedVersion, ...]) -> str:
    """What attaches published versions."""
    return TOOLS[tool].told(TOOLS[tool].published(versions))


def for_zip(tool: str, layer: LocalLayer, regions: tuple[str, ...] = ()) -> str:
    """What creates the layer from its zip and attaches it. Only the AWS CLI is told Regions.

    Raises ``UsageError`` for a tool that cannot.
    """
    write = TOOLS[tool].local
    if write is None:
        raise UsageError(
            f"{tool} attaches published versions only, and {layer.path} is a zip",
            hint=f"publish it first: `{shlex.join(['layerforge', 'publish', layer.path])} --region REGION "
            f"--write arns.json`, then `layerforge snippet arns.json --for {tool}`",
        )
    if regions and tool != "cli":
        raise UsageError(
            f"{tool} deploys a zip to the Region of its own configuration",
            hint="leave --region out, or name a result of `layerforge publish`",
        )
    return TOOLS[tool].told(cli_local(layer, regions) if regions else write(layer))
