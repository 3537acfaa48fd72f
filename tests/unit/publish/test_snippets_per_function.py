"""What each tool is given for several functions, each with layers of its own."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace

import pytest

from layerforge.core.errors import UsageError
from layerforge.publish.snippets.per_function import WRITERS, FunctionVersions, for_functions, function_versions
from layerforge.publish.snippets.results import PublishedVersion
from layerforge.publish.snippets.tools import TOOLS

FUNCTIONS = {"web-api": ("shared", "web"), "job": ("shared",), "plain": ()}
REGIONS = ("eu-west-1", "us-east-1")


def arn(region: str, name: str) -> str:
    return f"arn:aws:lambda:{region}:123456789012:layer:{name}:7"


def published(*regions: str, env: dict[str, str] | None = None) -> tuple[FunctionVersions, ...]:
    """The layers of the functions, of which ``web`` sets variables."""
    versions = [
        PublishedVersion(region=region, name=name, number=7, arn=arn(region, name))
        for region in regions
        for name in ("shared", "web", "stranger")
    ]
    own = [replace(one, env=env) if env and one.name == "web" else one for one in versions]
    return function_versions(FUNCTIONS, own)


def test_a_function_has_its_layers_in_their_order_and_one_without_any_is_left_out() -> None:
    found = published(*REGIONS)
    assert [one.name for one in found] == ["job", "web-api"]
    assert found[1].arns("us-east-1") == [arn("us-east-1", "shared"), arn("us-east-1", "web")]


def test_a_layer_that_a_region_lacks_is_told_with_the_function_that_needs_it() -> None:
    versions = [PublishedVersion(region="eu-west-1", name="shared", number=1, arn=arn("eu-west-1", "shared"))]
    with pytest.raises(UsageError) as caught:
        function_versions(FUNCTIONS, versions)
    assert caught.value.details == ("web in eu-west-1, for web-api",)


def test_sam_has_the_layers_in_each_functions_resource() -> None:
    assert for_functions("sam", published("eu-west-1", env={"DATA": "/opt/share"})) == (
        "Resources:\n"
        "  JobFunction:\n"
        "    Properties:\n"
        "      Layers:\n"
        f"        - {arn('eu-west-1', 'shared')}\n"
        "  WebApiFunction:\n"
        "    Properties:\n"
        "      Layers:\n"
        f"        - {arn('eu-west-1', 'shared')}\n"
        f"        - {arn('eu-west-1', 'web')}\n"
        "      Environment:\n"
        "        Variables:\n"
        '          "DATA": "/opt/share"\n'
    )


@pytest.mark.parametrize(
    ("names", "resources"),
    [
        (["HelloWorldFunction", "Orders"], ["HelloWorldFunction", "Orders"]),
        (["api", "Orders"], ["ApiFunction", "Orders"]),
        (["api", "ApiFunction"], ["ApiFunction", "ApiFunctionFunction"]),
    ],
)
def test_sam_has_the_names_that_a_template_has_already(names: list[str], resources: list[str]) -> None:
    versions = [PublishedVersion(region="eu-west-1", name="shared", number=1, arn=arn("eu-west-1", "shared"))]
    text = for_functions("sam", function_versions(dict.fromkeys(names, ("shared",)), versions))
    assert sorted(re.findall(r"^  (\w+):$", text, re.MULTILINE)) == resources


def test_sam_finds_what_its_mapping_has_where_layers_are_called_alike() -> None:
    versions = [
        PublishedVersion(region=region, name=name, number=1, arn=arn(region, name))
        for region in REGIONS
        for name in ("web-api", "web_api")
    ]
    text = for_functions("sam", function_versions({"one": ("web-api",), "two": ("web_api",)}, versions))
    held = set(re.findall(r"^      (\w+): arn", text, re.MULTILINE))
    assert set(re.findall(r'"AWS::Region", (\w+)]', text)) == held
    assert len(held) == 2


def test_sam_looks_them_up_by_region_where_there_are_several() -> None:
    text = for_functions("sam", published(*REGIONS))
    assert text.startswith(
        "Mappings:\n"
        "  LayerArns:\n"
        "    eu-west-1:\n"
        f"      SharedLayer: {arn('eu-west-1', 'shared')}\n"
        f"      WebLayer: {arn('eu-west-1', 'web')}\n"
        "    us-east-1:\n"
    )
    assert text.count('- !FindInMap [LayerArns, !Ref "AWS::Region", SharedLayer]') == 2
    assert text.count("WebLayer]") == 1


def test_serverless_has_them_in_each_function() -> None:
    assert for_functions("serverless", published("eu-west-1", env={"DATA": "x"})) == (
        "functions:\n"
        "  job:\n"
        "    layers:\n"
        f"      - {arn('eu-west-1', 'shared')}\n"
        "  web-api:\n"
        "    layers:\n"
        f"      - {arn('eu-west-1', 'shared')}\n"
        f"      - {arn('eu-west-1', 'web')}\n"
        "    environment:\n"
        '      "DATA": "x"\n'
    )
    text = for_functions("serverless", published(*REGIONS))
    assert "  layerArns:\n    eu-west-1:\n      job:\n" in text
    assert "  web-api:\n    layers: ${self:custom.layerArns.${aws:region}.web-api}\n" in text


def test_serverless_refuses_a_value_that_it_would_change() -> None:
    with pytest.raises(UsageError, match="as a variable"):
        for_functions("serverless", published("eu-west-1", env={"DATA": "${x}"}))


def test_terraform_has_a_list_by_the_functions_name() -> None:
    text = for_functions("terraform", published("eu-west-1", env={"DATA": "${x}"}))
    assert text.startswith(
        "locals {\n"
        "  layers = {\n"
        f'    "job"     = ["{arn("eu-west-1", "shared")}"]\n'
        f'    "web-api" = ["{arn("eu-west-1", "shared")}", "{arn("eu-west-1", "web")}"]\n'
        "  }\n"
        '  layer_variables = {\n    "web-api" = { "DATA" = "$${x}" }\n  }\n'
        "}\n"
    )
    several = for_functions("terraform", published(*REGIONS))
    assert 'data "aws_region" "current" {}' in several
    assert several.count(arn("us-east-1", "shared")) == 2
    assert "  layers = local.layer_arns[data.aws_region.current.id]\n" in several


@pytest.mark.parametrize("regions", [REGIONS[:1], REGIONS])
def test_cdk_adds_them_to_each_functions_variable(regions: tuple[str, ...]) -> None:
    text = for_functions("cdk", published(*regions, env={"DATA": 'a "b"'}))
    ast.parse(text)
    assert "job_function.add_layers(shared_layer)\n" in text
    assert "web_api_function.add_layers(shared_layer, web_layer)\n" in text
    assert 'web_api_function.add_environment("DATA", "a \\"b\\"")' in text
    assert text.count("from_layer_version_arn") == 2


def test_chalice_has_them_in_each_function_of_a_stage() -> None:
    found = json.loads(for_functions("chalice", published(*REGIONS, env={"DATA": "x"})))
    assert found["stages"]["us-east-1"]["lambda_functions"] == {
        "job": {"layers": [arn("us-east-1", "shared")]},
        "web-api": {
            "layers": [arn("us-east-1", "shared"), arn("us-east-1", "web")],
            "environment_variables": {"DATA": "x"},
        },
    }
    assert list(json.loads(for_functions("chalice", published("eu-west-1")))["stages"]) == ["dev"]


def test_the_cli_has_a_command_for_each_function_and_region() -> None:
    text = for_functions("cli", published(*REGIONS, env={"DATA": "it's"}))
    assert text.count("aws lambda update-function-configuration") == 4
    assert "--function-name web-api \\\n  --layers " in text
    assert "it'\"'\"'s" in text
    assert re.search(r"^# --environment replaces", text, re.MULTILINE)


def test_a_tool_with_one_function_says_so_and_every_other_one_is_there() -> None:
    with pytest.raises(UsageError, match="zappa deploys one function"):
        for_functions("zappa", published("eu-west-1"))
    assert TOOLS.keys() - WRITERS.keys() == {"zappa"}


def test_functions_without_layers_are_no_snippet() -> None:
    with pytest.raises(UsageError, match="no function has a layer"):
        for_functions("sam", function_versions({"plain": ()}, ()))
