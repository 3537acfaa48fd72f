"""What each tool is given for several Regions, and for a zip. That the tools take it is tested in tests/tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import zips
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT
from layerforge.publish.snippets import aws_cli, cdk, sam, serverless, terraform
from layerforge.publish.snippets.results import LocalLayer, PublishedVersion
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
