"""Lines for Terraform and OpenTofu."""

from __future__ import annotations

from collections.abc import Mapping

from layerforge.publish.snippets.quoting import INDENT, by_region, hcl, quoted, variable
from layerforge.publish.snippets.results import LocalLayer, PublishedVersion, variables

_TERRAFORM_USE = """
# In each resource "aws_lambda_function":
#   layers = local.layers
"""

_VARIABLES_USE = """\
#   environment {
#     variables = merge(local.layer_variables, {})
#   }
"""


def terraform(versions: tuple[PublishedVersion, ...]) -> str:
    """A file of Terraform that sets ``local.layers``, looked up by the provider's Region where there are several."""
    env, regions = variables(versions), by_region(versions)
    if len(regions) == 1:
        return _locals(f"[{', '.join(quoted(one.arn) for one in versions)}]", env)
    arns = {region: f"[{', '.join(quoted(one.arn) for one in several)}]" for region, several in regions.items()}
    start = 'data "aws_region" "current" {}\n\n'
    return start + _locals("local.layer_arns[data.aws_region.current.id]", env, _table("layer_arns", arns))


def _locals(layers: str, env: Mapping[str, str], more: str = "") -> str:
    table = _table("layer_variables", {name: hcl(value) for name, value in env.items()}) if env else ""
    use = _TERRAFORM_USE + (_VARIABLES_USE if env else "")
    return f"locals {{\n{more}{table}  layers = {layers}\n}}\n{use}"


def _table(name: str, rows: Mapping[str, str]) -> str:
    """A table of what HCL reads, by texts."""
    # `terraform fmt` has the signs of a table's lines below one another.
    width = max(map(len, rows)) + 2
    lines = "".join(f"{INDENT * 2}{quoted(key):<{width}} = {value}\n" for key, value in rows.items())
    return f"{INDENT}{name} = {{\n{lines}{INDENT}}}\n"


def terraform_local(layer: LocalLayer) -> str:
    """A file of Terraform with the layer itself, which goes through a bucket where Lambda takes it no other way."""
    name, path = variable(layer.name), hcl(layer.path)
    what = f"""\
  layer_name               = "{layer.name}"
  source_code_hash         = filebase64sha256({path})
  compatible_runtimes      = ["{layer.runtime}"]
  compatible_architectures = ["{layer.arch}"]
  skip_destroy             = true
}}

"""
    start = f'resource "aws_lambda_layer_version" "{name}" {{\n'
    attach = _locals(f"[aws_lambda_layer_version.{name}.arn]", layer.env)
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
