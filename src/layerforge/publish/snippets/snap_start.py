"""What SnapStart takes beside the lines that attach a layer: a function's setting, a version, and an alias of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from layerforge.core.errors import UsageError
from layerforge.publish.snippets.quoting import INDENT, lines_of

OLDEST = (3, 12)
"""Python that SnapStart begins with."""

ALIAS = "live"
"""What the alias is called that is invoked."""

LIMITS = """\
SnapStart counts for published versions, and for aliases of them; $LATEST is never restored from a snapshot.
It goes with neither provisioned concurrency, nor Amazon EFS, nor more than 512 MB of /tmp.
"""

_LINES = "import layerforge_prime\nlayerforge_prime.register()\n"
_PRIMED = "At the top of the module of the handler, so that what the layer has wait is loaded before the snapshot:\n"
_PERHAPS = (
    "At the top of the module of the handler, where a layer has that module (its zip holds python/layerforge_prime),\n"
    "so that what the layer has wait is loaded before the snapshot:\n"
)


def refuse_old(runtimes: Iterable[str]) -> None:
    """Raises ``UsageError`` for a layer for Pythons that SnapStart does not have."""
    old = sorted({one for one in runtimes if _version(one) < OLDEST})
    if old:
        raise UsageError(
            f"SnapStart begins with Python 3.12, and the layer is for {', '.join(old)}",
            hint="build the layer for a newer Python: `layerforge build --python 3.13`",
        )


def _version(runtime: str) -> tuple[int, ...]:
    match = re.fullmatch(r"python(\d+)\.(\d+)", runtime)
    return tuple(map(int, match.groups())) if match else OLDEST


def with_snap_start(tool: str, text: str, *, primed: bool | None, functions: Sequence[str] = ()) -> str:
    """A tool's snippet with SnapStart: for ``functions``, by the names that they have in it, or for its only one.

    ``primed`` is whether the layer has something to load before the snapshot, ``None`` where nobody knows. Raises
    ``UsageError`` for a tool that cannot have it.
    """
    write = WRITERS.get(tool)
    if write is None:
        raise UsageError(
            f"{tool} has no setting for SnapStart that layerforge could write",
            hint="set it with the AWS CLI once the function is deployed: `layerforge snippet … --for cli --snapstart`",
        )
    handler = {True: _PRIMED + _indented(_LINES), None: _PERHAPS + _indented(_LINES), False: ""}[primed]
    return _comment(LIMITS + handler) + text + write(text, functions)


def _indented(text: str) -> str:
    return "".join(f"{INDENT}{line}\n" for line in text.splitlines())


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())


def _sam(_text: str, functions: Sequence[str]) -> str:
    """Lines below ``Globals: Function:``, with which every snippet for functions together ends."""
    start = lines_of(["Globals:", f"{INDENT}Function:"]) if functions else ""
    return start + lines_of(["SnapStart:", f"{INDENT}ApplyOn: PublishedVersions", f"AutoPublishAlias: {ALIAS}"], 2)


def _serverless(_text: str, _functions: Sequence[str]) -> str:
    return _comment(
        "In each function that is to have it, with the Serverless Framework 3.26 or newer:\n"
        "  snapStart: true\n"
        "It makes a version and an alias called snapstart, which the function's events invoke.\n"
        "Version 3 does not list python3.12 and newer among its runtimes, and warns of them.\n"
    )


def _terraform(_text: str, _functions: Sequence[str]) -> str:
    block = '  publish = true\n  snap_start {\n    apply_on = "PublishedVersions"\n  }\n'
    return "#\n" + _comment(
        'In each resource "aws_lambda_function" that is to have it:\n'
        + block
        + "What invokes it takes its qualified_arn, or an aws_lambda_alias with its version.\n"
    )


def _cdk(text: str, _functions: Sequence[str]) -> str:
    names = [re.sub(r"\.add_layers\(.*", "", line) for line in text.splitlines() if ".add_layers(" in line]
    lines = []
    for name in dict.fromkeys(names):
        word = "".join(part.title() for part in name.removesuffix("function").split("_"))
        lines += [
            f'{name}.node.default_child.add_property_override("SnapStart.ApplyOn", "PublishedVersions")',
            f"{name}_alias = lambda_.Alias(",
            f'    self, "{word}LiveAlias", alias_name="{ALIAS}", version={name}.current_version',
            ")",
        ]
    return lines_of(lines)


def _cli(text: str, functions: Sequence[str]) -> str:
    """Commands for each function, in each Region that the snippet speaks of."""
    regions = list(dict.fromkeys(re.findall(r" --region ([a-z0-9-]+)", text))) or [""]
    return "".join(
        _commands(function, f" --region {region}" if region else "")
        for function in functions or ('"$FUNCTION"',)
        for region in regions
    )


def _commands(function: str, where: str) -> str:
    own, wait = (
        f"--function-name {function}",
        f"aws lambda wait function-updated-v2{where} --function-name {function}\n",
    )
    return (
        f"{wait}aws lambda update-function-configuration{where} \\\n  {own} \\\n"
        f"  --snap-start ApplyOn=PublishedVersions\n"
        f"{wait}aws lambda publish-version{where} {own}\n"
    )


WRITERS: Mapping[str, Callable[[str, Sequence[str]], str]] = {
    "sam": _sam,
    "cdk": _cdk,
    "terraform": _terraform,
    "serverless": _serverless,
    "cli": _cli,
}
"""What is added behind a snippet, by the name of its tool."""
