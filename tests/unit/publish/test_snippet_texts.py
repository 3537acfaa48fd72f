"""What each tool is given for several Regions, and for a zip. That the tools take it is tested in tests/tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import zips
from fakes import a_manifest
from layerforge.core import digest
from layerforge.core.errors import UsageError
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT
from layerforge.publish.snippets import aws_cli, cdk, sam, serverless, terraform, tools, zappa_chalice
from layerforge.publish.snippets.results import LocalLayer, PublishedVersion, variables
from layerforge.report.manifest import manifest_json
from program import Command, inside

BASE = "arn:aws:lambda"


def arn(region: str, name: str = "numpy") -> str:
    return f"{BASE}:{region}:123456789012:layer:{name}:7"


def versions(*names: str) -> tuple[PublishedVersion, ...]:
    return tuple(
        PublishedVersion(region=region, name=name, number=7, arn=arn(region, name))
        for region in ("eu-west-1", "us-east-1")
        for name in names
    )


def local(zipped: int = 1) -> LocalLayer:
    return LocalLayer(name="my-numpy", path="dist/numpy.zip", runtime="python3.13", arch="arm64", zipped=zipped)


# --- several Regions


def test_terraform_looks_the_layers_up_by_the_providers_region() -> None:
    assert terraform.terraform(versions("numpy")) == (
        'data "aws_region" "current" {}\n'
        "\n"
        "locals {\n"
        "  layer_arns = {\n"
        f'    "eu-west-1" = ["{arn("eu-west-1")}"]\n'
        f'    "us-east-1" = ["{arn("us-east-1")}"]\n'
        "  }\n"
        "  layers = local.layer_arns[data.aws_region.current.id]\n"
        "}\n"
        "\n"
        '# In each resource "aws_lambda_function":\n'
        "#   layers = local.layers\n"
    )


def test_sam_maps_regions_to_layers() -> None:
    assert sam.sam(versions("numpy", "my-pandas")).splitlines() == [
        "Mappings:",
        "  LayerArns:",
        "    eu-west-1:",
        f"      NumpyLayer: {arn('eu-west-1')}",
        f"      MyPandasLayer: {arn('eu-west-1', 'my-pandas')}",
        "    us-east-1:",
        f"      NumpyLayer: {arn('us-east-1')}",
        f"      MyPandasLayer: {arn('us-east-1', 'my-pandas')}",
        "Globals:",
        "  Function:",
        "    Layers:",
        '      - !FindInMap [LayerArns, !Ref "AWS::Region", NumpyLayer]',
        '      - !FindInMap [LayerArns, !Ref "AWS::Region", MyPandasLayer]',
    ]


def test_serverless_takes_the_layers_of_its_region() -> None:
    lines = serverless.serverless(versions("numpy")).splitlines()
    assert lines[:4] == ["custom:", "  layerArns:", "    eu-west-1:", f"      - {arn('eu-west-1')}"]
    assert lines[-2:] == ["provider:", "  layers: ${self:custom.layerArns.${aws:region}}"]


def test_the_cdk_gets_a_mapping_for_stacks_that_do_not_name_their_region() -> None:
    text = cdk.cdk(versions("numpy"))
    assert f'        "us-east-1": {json.dumps({"NumpyLayer": arn("us-east-1")})},' in text
    assert 'from_layer_version_arn(self, "NumpyLayer", arns.find_in_map(Aws.REGION, "NumpyLayer")),' in text


def test_the_aws_command_line_gets_a_command_a_region() -> None:
    text = aws_cli.cli(versions("numpy"))
    assert text.count("aws lambda update-function-configuration --region") == 2
    assert f"--layers {arn('us-east-1')}\n" in text


# --- a zip


def test_a_zip_is_a_resource_of_its_own_in_terraform_by_a_bucket_where_it_is_large() -> None:
    small = terraform.terraform_local(local())
    assert small.startswith('resource "aws_lambda_layer_version" "my_numpy_layer" {\n')
    assert '  filename                 = "dist/numpy.zip"\n' in small
    assert "aws_s3_object" not in small
    large = terraform.terraform_local(local(DIRECT_UPLOAD_LIMIT + 1))
    assert large.startswith('variable "layer_bucket" {')
    assert "  s3_key                   = aws_s3_object.my_numpy_layer.key\n" in large
    assert 'key         = "layers/my-numpy.zip"' in large
    assert "  filename" not in large


def test_a_zip_is_a_layer_of_its_own_in_sam_and_serverless_and_the_cdk() -> None:
    assert sam.sam_local(local()).splitlines()[:4] == [
        "Resources:",
        "  MyNumpyLayer:",
        "    Type: AWS::Serverless::LayerVersion",
        "    Properties:",
    ]
    assert "      - !Ref MyNumpyLayer\n" in sam.sam_local(local())
    lines = serverless.serverless_local(local()).splitlines()
    assert lines[:3] == ["layers:", "  MyNumpyLayer:", '    name: "my-numpy"']
    assert lines[-1] == "    - !Ref MyNumpyLayerLambdaLayer"
    text = cdk.cdk_local(local())
    assert 'code=lambda_.Code.from_asset("dist/numpy.zip"),' in text
    assert "compatible_runtimes=[lambda_.Runtime.PYTHON_3_13]," in text
    assert "compatible_architectures=[lambda_.Architecture.ARM_64]," in text


def test_a_large_zip_goes_through_a_bucket_on_the_command_line_in_each_region() -> None:
    text = aws_cli.cli_local(local(DIRECT_UPLOAD_LIMIT + 1), ("eu-west-1", "us-east-1"))
    assert 'aws s3 cp --region us-east-1 dist/numpy.zip "s3://$BUCKET/my-numpy.zip"\n' in text
    assert '--content "S3Bucket=$BUCKET,S3Key=my-numpy.zip"' in text
    assert "BUCKET is one of yours in eu-west-1." in text
    assert "in the same Region." in aws_cli.cli_local(local(DIRECT_UPLOAD_LIMIT + 1))
    assert "--zip-file fileb://dist/numpy.zip" in aws_cli.cli_local(local())


# --- the command


@pytest.fixture
def layerforge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return inside(tmp_path, monkeypatch, capsys)


def result(*rows: Mapping[str, object]) -> str:
    return json.dumps({"published": list(rows)})


def row(region: str, name: str = "numpy") -> dict[str, object]:
    return {"region": region, "version_arn": arn(region, name), "status": "published", "error": None}


def test_a_result_becomes_lines_and_says_where_they_go(layerforge: Command, tmp_path: Path) -> None:
    (tmp_path / "arns.json").write_text(result(row("eu-west-1"), row("us-east-1")))
    ran = layerforge("snippet", "arns.json", "--for", "terraform", "--region", "us-east-1")
    assert ran.code == 0
    assert ran.err == "for a file of its own, such as layers.tf:\n"
    assert f'layers = ["{arn("us-east-1")}"]' in ran.out
    zappa = layerforge("snippet", "arns.json", "--for", "zappa", "--region", "us-east-1")
    assert "Take what is in the layer out of the function's own package" in zappa.err
    assert json.loads(zappa.out)


def test_what_the_lines_lack_is_told(layerforge: Command, tmp_path: Path) -> None:
    failed = {"region": "ap-south-1", "version_arn": None, "status": "failed", "error": "numpy: denied"}
    rows = [row("eu-west-1", f"n{number:02}") for number in range(12)]
    (tmp_path / "arns.json").write_text(result(failed, row("us-east-1", "n00"), *rows))
    ran = layerforge("snippet", "arns.json", "--for", "sam")
    assert "! ap-south-1: numpy: denied" in ran.err
    assert "us-east-1 has no version of n01, n02, n03, n04, n05, n06, n07, n08, n09, n10 and 1 more" in ran.err
    assert "a function takes 5 layers, these are 12; choose with --layer" in ran.err
    chosen = layerforge("snippet", "arns.json", "--for", "sam", "--region", "eu-west-1", "--layer", "n01")
    assert chosen.err == "for template.yaml:\n"


def test_a_zip_is_for_what_its_files_suggest(layerforge: Command, tmp_path: Path) -> None:
    zips.of(tmp_path / "pkg.zip", zips.sound())
    ran = layerforge("snippet", "pkg.zip", "--for", "sam")
    assert ran.code == 0
    assert "CompatibleRuntimes: [python3.11]" in ran.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.json", "--for", "sam"], "absent.json cannot be read"),
        (["binary", "--for", "sam"], "binary is neither text nor a zip"),
        (["pkg.zip", "--for", "sam", "--layer", "x"], "a zip is one layer"),
        (["pkg.zip", "--for", "zappa"], "zappa attaches published versions only"),
        (["pkg.zip", "--for", "sam", "--region", "us-east-1"], "sam deploys a zip to the Region of its own"),
    ],
)
def test_what_gives_no_lines_is_refused(layerforge: Command, tmp_path: Path, arguments: list[str], words: str) -> None:
    zips.of(tmp_path / "pkg.zip", zips.sound())
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    ran = layerforge("snippet", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


# --- variables of the function

WORDS = {"DEMO_DATA": '/opt/share/a "b"', "NO": "1"}


def with_variables(*names: str) -> tuple[PublishedVersion, ...]:
    return tuple(replace(one, env=WORDS) for one in versions(*names))


def test_terraform_has_the_variables_as_a_table_of_their_own() -> None:
    text = terraform.terraform(with_variables("numpy"))
    assert (
        "  layer_variables = {\n"
        '    "DEMO_DATA" = "/opt/share/a \\"b\\""\n'
        '    "NO"        = "1"\n'
        "  }\n"
        "  layers = local.layer_arns[data.aws_region.current.id]\n"
    ) in text
    assert text.endswith("#   environment {\n#     variables = merge(local.layer_variables, {})\n#   }\n")


def test_sam_and_serverless_give_the_variables_to_all_functions() -> None:
    rows = ['"DEMO_DATA": "/opt/share/a \\"b\\""', '"NO": "1"']
    lines = sam.sam(with_variables("numpy")).splitlines()
    assert lines[-4:] == ["    Environment:", "      Variables:", *(f"        {row}" for row in rows)]
    assert sam.sam_local(replace(local(), env=WORDS)).splitlines()[-4:] == lines[-4:]
    lines = serverless.serverless(with_variables("numpy")).splitlines()
    assert lines[-3:] == ["  environment:", *(f"    {row}" for row in rows)]
    assert serverless.serverless_local(replace(local(), env=WORDS)).splitlines()[-3:] == lines[-3:]


def test_serverless_is_given_no_variable_that_it_would_change() -> None:
    with pytest.raises(UsageError, match="Serverless would take a part of DEMO's value as a variable"):
        serverless.serverless_local(replace(local(), env={"DEMO": "${env:HOME}"}))


def test_the_cdk_adds_each_variable_to_the_function() -> None:
    line = """function.add_environment("DEMO_DATA", "/opt/share/a \\"b\\"")\n"""
    assert line in cdk.cdk(with_variables("numpy"))
    assert line in cdk.cdk_local(replace(local(), env=WORDS))


def test_the_command_line_sets_the_variables_and_says_that_others_go() -> None:
    environment = f"--environment '{json.dumps({'Variables': WORDS})}'\n"
    text = aws_cli.cli(with_variables("numpy"))
    assert text.count(environment) == 2
    assert "# --environment replaces all of its variables: add those of its own.\n" in text
    text = aws_cli.cli_local(replace(local(), env=WORDS), ["eu-west-1", "us-east-1"])
    assert text.count(environment) == text.count("aws lambda publish-layer-version") == 2
    assert '--region us-east-1 \\\n  --function-name "$FUNCTION" \\\n  --environment' in text


def test_zappa_has_the_variables_in_each_stage_and_chalice_above_all_of_them() -> None:
    stages = json.loads(zappa_chalice.zappa(with_variables("numpy")))
    assert [stage["aws_environment_variables"] for stage in stages.values()] == [WORDS, WORDS]
    assert json.loads(zappa_chalice.chalice(with_variables("numpy")))["environment_variables"] == WORDS


def test_variables_of_several_layers_are_told_together_unless_they_contradict_each_other() -> None:
    first, second = (replace(one, env={one.name.upper(): "1", "SAME": "x"}) for one in versions("a", "b")[:2])
    assert variables((first, second)) == {"A": "1", "B": "1", "SAME": "x"}
    with pytest.raises(UsageError, match="a and b want different values of SAME") as caught:
        variables((first, replace(second, env={"SAME": "y"})))
    assert caught.value.details == ("a: x", "b: y")


def test_a_layer_without_variables_is_attached_without_a_word_on_them() -> None:
    for tool in tools.TOOLS:
        assert "nvironment" not in tools.for_versions(tool, versions("numpy"))
        assert "variables" not in tools.for_versions(tool, versions("numpy"))


def test_the_variables_of_a_zip_are_those_of_the_manifest_beside_it(layerforge: Command, tmp_path: Path) -> None:
    path = zips.of(tmp_path / "pkg.zip", zips.sound())
    made = a_manifest(sha256=digest.sha256(path.read_bytes()), env=WORDS)
    (tmp_path / "pkg.manifest.json").write_text(manifest_json(made))
    ran = layerforge("snippet", "pkg.zip", "--for", "sam")
    assert '"DEMO_DATA": "/opt/share/a' in ran.out


@pytest.mark.parametrize("env", [{"PATH": "/x"}, {"A B": "1"}, {"A": "1\n2"}])
def test_variables_that_no_layer_can_have_are_refused(layerforge: Command, tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "arns.json").write_text(result({**row("eu-west-1"), "env": env}))
    ran = layerforge("snippet", "arns.json", "--for", "sam")
    assert (ran.code, ran.out) == (2, "")
    assert "env must" in ran.err
