"""The few lines that attach a layer to functions, in the words of each tool that deploys them. Text from data."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from layerforge import guarded
from layerforge.errors import UsageError
from layerforge.model import DIRECT_UPLOAD_LIMIT

MOST_LAYERS = 5
"""Layers that a function may have."""

INDENT = "  "

_ARN = re.compile(
    r"arn:aws(?:-[a-z]+)*:lambda:(?P<region>[a-z]+(?:-[a-z]+)+-\d+):\d{12}"
    r":layer:(?P<name>[a-zA-Z0-9_-]{1,140}):(?P<number>[1-9]\d*)"
)


@dataclass(frozen=True, kw_only=True)
class Version:
    """A published version of a layer in one Region."""

    region: str
    name: str
    """Of the layer."""
    number: int
    arn: str
    """Of the version, in whichever partition: ``arn:aws-cn:lambda:…:7``."""
    runtimes: tuple[str, ...] = ()
    """Those that it is for, ``python3.13``; none where the result does not say, as those of old do not."""
    architectures: tuple[str, ...] = ()
    """Processors that it is for; none where the result does not say."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What of a result of ``layerforge publish`` is needed, one layer in one Region."""

    version_arn: str | None = None
    region: str | None = None
    error: str | None = None
    runtimes: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Published:
    """What ``layerforge publish`` wrote."""

    published: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What went wrong in a Region."""

    region: str
    error: str

    def __str__(self) -> str:
        return f"{self.region}: {self.error}"


@dataclass(frozen=True, kw_only=True)
class Results:
    """What a publication came to."""

    versions: tuple[Version, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True, kw_only=True)
class LocalLayer:
    """A layer that is a zip on this disk and not published yet."""

    name: str
    path: str
    """As the user gave it."""
    runtime: str
    """``python3.13``"""
    arch: str
    zipped: int
    """Bytes."""

    @property
    def direct(self) -> bool:
        """Whether Lambda takes the zip without a bucket."""
        return self.zipped <= DIRECT_UPLOAD_LIMIT


# --- reading results -------------------------------------------------------------------------------------------------


def results(text: str, name: str) -> Results:
    """Reads what ``layerforge publish`` wrote as JSON; keys that are not needed do not matter.

    ``name`` is what errors call the text. Raises ``UsageError`` where it is nothing of that kind.
    """
    try:
        rows = guarded.json_as(text, Published).published
        found = [_version(row) for row in rows if row.version_arn]
    except ValueError as error:
        raise UsageError(
            f"{name} is neither a layer's zip nor a result of `layerforge publish`",
            hint="name the zip, or what `layerforge publish --json` or `--write arns.json` wrote",
            details=(str(error),),
        ) from error
    failures = tuple(_failure(row) for row in rows if row.error or not row.version_arn)
    newest = {_layer(one): one for one in sorted(found, key=lambda one: one.number)}
    return Results(versions=tuple(newest[key] for key in sorted(newest)), failures=failures)


def _layer(one: Version) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    """What two versions have in common of which the newer takes the older's place."""
    return one.region, one.name, one.runtimes, one.architectures


def _version(row: Row) -> Version:
    match = _ARN.fullmatch(row.version_arn or "")
    if match is None:
        raise ValueError(f"{row.version_arn!r} is no ARN of a layer's version")
    return Version(
        region=match["region"],
        name=match["name"],
        number=int(match["number"]),
        arn=match[0],
        runtimes=tuple(sorted(row.runtimes)),
        architectures=tuple(sorted(row.architectures)),
    )


def _failure(row: Row) -> Failure:
    return Failure(region=row.region or "a Region", error=row.error or "no version was published")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which versions of a result are meant; all of a kind where none of it is named."""

    regions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    runtime: str = ""
    """``python3.13``"""
    arch: str = ""


def chosen(found: Results, wanted: Wanted, where: str) -> tuple[Version, ...]:
    """The versions that are wanted, all of them fit for one function.

    Raises ``UsageError`` where something is named that the results do not have, where nothing is left, and where what
    is left is for different Pythons or processors.
    """
    kept = _only(found.versions, "Region", wanted.regions, lambda one: (one.region,), where)
    kept = _only(kept, "layer", wanted.names, lambda one: (one.name,), where)
    kept = _only(kept, "Python", _word(wanted.runtime), lambda one: one.runtimes or _word(wanted.runtime), where)
    kept = _only(kept, "processor", _word(wanted.arch), lambda one: one.architectures or _word(wanted.arch), where)
    if not kept:
        raise UsageError(
            f"{where} holds no published version",
            hint="run `layerforge publish` again: it does what is missing",
            details=tuple(map(str, found.failures)),
        )
    _refuse_mixed(kept, lambda one: one.runtimes, "Pythons", "--python", where)
    _refuse_mixed(kept, lambda one: one.architectures, "processors", "--arch", where)
    return kept


def _word(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _refuse_mixed(
    versions: Iterable[Version], of: Callable[[Version], tuple[str, ...]], what: str, option: str, where: str
) -> None:
    """Raises ``UsageError`` where no function could use all the versions: a function has one Python, one processor."""
    said = {of(one) for one in versions if of(one)}
    if len(said) < 2 or frozenset.intersection(*map(frozenset, said)):
        return
    words = sorted({word for one in said for word in one})
    raise UsageError(
        f"{where} holds layers for different {what}, and a function has one: {', '.join(words)}",
        hint=f"choose with {option} {words[0].removeprefix('python')}, and ask once for each",
    )


def _only(
    versions: tuple[Version, ...],
    what: str,
    wanted: tuple[str, ...],
    of: Callable[[Version], tuple[str, ...]],
    where: str,
) -> tuple[Version, ...]:
    if not wanted:
        return versions
    known = {word for one in versions for word in of(one)}
    for word in wanted:
        if word not in known:
            raise UsageError(
                f"{where} has no version for the {what} {word}",
                hint=f"it has {', '.join(sorted(known)) or 'none at all'}",
            )
    return tuple(one for one in versions if not set(of(one)).isdisjoint(wanted))


# --- names and quotes ------------------------------------------------------------------------------------------------


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """A word of letters and digits for each layer, different ones for different layers: ``ScikitLearnLayer``."""
    made: dict[str, str] = {}
    taken: set[str] = set()
    numbers: dict[str, Iterator[int]] = {}
    for name in sorted(set(names)):
        words = "".join(word[:1].upper() + word[1:] for word in re.split(r"[^a-zA-Z0-9]+", name))
        plain = f"{words}Layer" if words[:1].isalpha() else f"Layer{words}"
        # Each number is tried once, however many names come to the same word.
        more = numbers.setdefault(plain, itertools.count(2))
        made[name] = next(word for word in _tries(plain, more) if word not in taken)
        taken.add(made[name])
    return made


def _tries(plain: str, numbers: Iterator[int]) -> Iterator[str]:
    yield plain
    yield from (f"{plain}No{number}" for number in numbers)


def variable(name: str) -> str:
    """A layer's name as a variable of Python or Terraform: ``scikit_learn_layer``."""
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f"layer_{word}" if not word[:1].isalpha() else f"{word}_layer"


def quoted(text: str) -> str:
    """``text`` between double quotes as YAML, HCL and Python read it."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _hcl(text: str) -> str:
    """``text`` as HCL reads it, whose templates begin with ``${`` or ``%{``."""
    return quoted(text).replace("${", "$${").replace("%{", "%%{")


def _by_region(versions: Iterable[Version]) -> dict[str, list[Version]]:
    found: dict[str, list[Version]] = {}
    for one in versions:
        found.setdefault(one.region, []).append(one)
    return found


def _mapping(versions: Iterable[Version]) -> dict[str, dict[str, str]]:
    """ARNs by Region and identifier, the form that CloudFormation's mappings have."""
    versions = tuple(versions)
    names = identifiers(one.name for one in versions)
    return {region: {names[one.name]: one.arn for one in several} for region, several in _by_region(versions).items()}


def _lines(lines: Iterable[str], depth: int = 0) -> str:
    return "".join(f"{INDENT * depth}{line}\n" for line in lines)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


# --- SAM -------------------------------------------------------------------------------------------------------------


def sam(versions: tuple[Version, ...]) -> str:
    """For a SAM template: the layers of all its functions."""
    regions = _mapping(versions)
    if len(regions) == 1:
        return _sam_globals(one.arn for one in versions)
    mapping = "".join(
        _lines([f"{region}:"], 2) + _lines((f"{name}: {arn}" for name, arn in arns.items()), 3)
        for region, arns in regions.items()
    )
    names = dict.fromkeys(name for arns in regions.values() for name in arns)
    finds = (f'!FindInMap [LayerArns, !Ref "AWS::Region", {name}]' for name in names)
    return _lines(["Mappings:", f"{INDENT}LayerArns:"]) + mapping + _sam_globals(finds)


def _sam_globals(layers: Iterable[str]) -> str:
    return _lines(["Globals:"]) + _lines(["Function:"], 1) + _lines(["Layers:"], 2) + _lines(_items(layers), 3)


def _items(texts: Iterable[str]) -> list[str]:
    return [f"- {text}" for text in texts]


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
    resource = _lines([f"{name}:"], 1) + _lines(["Type: AWS::Serverless::LayerVersion", "Properties:"], 2)
    return _lines(["Resources:"]) + resource + _lines(properties, 3) + _sam_globals([f"!Ref {name}"])


# --- CDK -------------------------------------------------------------------------------------------------------------


def cdk(versions: tuple[Version, ...]) -> str:
    """For the constructor of a CDK stack in Python; a mapping also serves stacks that do not name their Region."""
    regions = _mapping(versions)
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
    return "\n".join([*start, "function.add_layers(", *layers, ")", ""])


def cdk_local(layer: LocalLayer) -> str:
    """For the constructor of a CDK stack in Python. ``cdk deploy`` uploads the zip."""
    name, [word] = variable(layer.name), identifiers([layer.name]).values()
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
"""


# --- Terraform -------------------------------------------------------------------------------------------------------

_TERRAFORM_USE = """
# In each resource "aws_lambda_function":
#   layers = local.layers
"""


def terraform(versions: tuple[Version, ...]) -> str:
    """A file of Terraform that sets ``local.layers``, looked up by the provider's Region where there are several."""
    regions = _by_region(versions)
    if len(regions) == 1:
        return _locals(f"[{', '.join(quoted(one.arn) for one in versions)}]")
    # `terraform fmt` has the signs of a table's lines below one another.
    width = max(map(len, regions)) + 2
    table = "".join(
        f"{INDENT * 2}{quoted(region):<{width}} = [{', '.join(quoted(one.arn) for one in several)}]\n"
        for region, several in regions.items()
    )
    start = 'data "aws_region" "current" {}\n\n'
    return start + _locals("local.layer_arns[data.aws_region.current.id]", f"  layer_arns = {{\n{table}  }}\n")


def _locals(layers: str, more: str = "") -> str:
    return f"locals {{\n{more}  layers = {layers}\n}}\n{_TERRAFORM_USE}"


def terraform_local(layer: LocalLayer) -> str:
    """A file of Terraform with the layer itself, which goes through a bucket where Lambda takes it no other way."""
    name, path = variable(layer.name), _hcl(layer.path)
    what = f"""\
  layer_name               = "{layer.name}"
  source_code_hash         = filebase64sha256({path})
  compatible_runtimes      = ["{layer.runtime}"]
  compatible_architectures = ["{layer.arch}"]
  skip_destroy             = true
}}

"""
    start = f'resource "aws_lambda_layer_version" "{name}" {{\n'
    attach = _locals(f"[aws_lambda_layer_version.{name}.arn]")
    if layer.direct:
        return f"{start}  filename                 = {path}\n{what}{attach}"
    return f"""\
variable "layer_bucket" {{
  type        = string
  description = "Bucket that Lambda fetches the layer from: it is too large for a direct upload"
}}

resource "aws_s3_object" "{name}" {{
  bucket      = var.layer_bucket
  key         = "layers/{layer.name}.zip"
  source      = {path}
  source_hash = filebase64sha256({path})
}}

{start}\
  s3_bucket                = aws_s3_object.{name}.bucket
  s3_key                   = aws_s3_object.{name}.key
{what}{attach}"""


# --- Serverless ------------------------------------------------------------------------------------------------------


def serverless(versions: tuple[Version, ...]) -> str:
    """For ``serverless.yml``: the layers of all its functions."""
    regions = _by_region(versions)
    if len(regions) == 1:
        return _lines(["provider:"]) + _lines(["layers:"], 1) + _lines(_items(one.arn for one in versions), 2)
    table = "".join(
        _lines([f"{region}:"], 2) + _lines(_items(one.arn for one in several), 3) for region, several in regions.items()
    )
    start = _lines(["custom:"]) + _lines(["layerArns:"], 1) + table
    return start + _lines(["provider:"]) + _lines(["layers: ${self:custom.layerArns.${aws:region}}"], 1)


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
    start = _lines(["layers:"]) + _lines([f"{name}:"], 1) + _lines(what, 2)
    return start + _lines(["provider:"]) + _lines(["layers:"], 1) + _lines([f"- !Ref {name}LambdaLayer"], 2)


def _refuse_variables(path: str, mark: str, tool: str) -> None:
    """Raises ``UsageError`` for a path that a tool would change and that no quotes keep it from."""
    if mark in path:
        raise UsageError(f"{tool} would take a part of {path} as a variable", hint="rename the file")


# --- Zappa and Chalice -----------------------------------------------------------------------------------------------


def zappa(versions: tuple[Version, ...]) -> str:
    """For ``zappa_settings.json``: a stage, which has one Region, for each of them."""
    regions = _by_region(versions)
    stages = {
        "dev" if len(regions) == 1 else region.replace("-", "_"): {
            "aws_region": region,
            "layers": [one.arn for one in several],
        }
        for region, several in regions.items()
    }
    return _json(stages)


def chalice(versions: tuple[Version, ...]) -> str:
    """For ``.chalice/config.json``: the layers of every stage, or a stage for each Region, which it is called after."""
    regions = {region: {"layers": [one.arn for one in several]} for region, several in _by_region(versions).items()}
    return _json(next(iter(regions.values())) if len(regions) == 1 else {"stages": regions})


# --- the AWS command line --------------------------------------------------------------------------------------------


def cli(versions: tuple[Version, ...]) -> str:
    """Commands of the AWS CLI that give the layers to ``$FUNCTION``, one a Region."""
    commands = (
        f"aws lambda update-function-configuration --region {region} \\\n"
        f'  --function-name "$FUNCTION" \\\n'
        f"  --layers {' '.join(one.arn for one in several)}\n"
        for region, several in _by_region(versions).items()
    )
    return "# --layers replaces the whole list of the function's layers.\n" + "".join(commands)


def cli_local(layer: LocalLayer, regions: Iterable[str] = ()) -> str:
    """Commands of the AWS CLI that publish the layer, through ``$BUCKET`` where Lambda takes it no other way."""
    return "".join(_publish_command(layer, region) for region in regions) or _publish_command(layer, "")


def _publish_command(layer: LocalLayer, region: str) -> str:
    where, key = f" --region {region}" if region else "", f"{layer.name}.zip"
    if layer.direct:
        _refuse_variables(layer.path, "$", "the AWS command line")
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


# --- the table -------------------------------------------------------------------------------------------------------


HIDES = "Take what is in the layer out of the function's own package: /var/task comes before /opt and would hide it."
"""What every snippet says, since a function that still carries the packages never imports those of its layer."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """What writes snippets for one tool."""

    place: str
    """Where the snippet goes."""
    published: Callable[[tuple[Version, ...]], str]
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


def for_versions(tool: str, versions: tuple[Version, ...]) -> str:
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
