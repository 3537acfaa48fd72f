"""The functions that a SAM template names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from layerforge.resolve import sam_template
from layerforge.resolve.sam_template import SamFunction

TEMPLATE = """\
AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Description: >
  Resources: of an app
Globals:
  Function:
    Timeout: 3
    Runtime: python3.12
    Architectures:
      - arm64

Resources:
  # CodeUri: nowhere/
  HelloFunction:
    Type: AWS::Serverless::Function # More info
    Properties:
      CodeUri: hello_world/  # its folder
      Handler: app.lambda_handler
      Events:
        HelloWorld:
          Type: Api
          Properties:
            Path: /hello
  Train:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: "./src/train"
      Runtime: 'python3.13'
      Architectures: [x86_64]
  Flat:
    Type: AWS::Serverless::Function
    Properties:
      Architectures:
      - x86_64
      CodeUri: flat
      Runtime: !Ref Runtime
  Plain:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: plain
  Node:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: node/
      Runtime: nodejs20.x
  Computed:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: !Sub "${Where}/x"
  Bucket:
    Type: AWS::S3::Bucket
Outputs:
  Late:
    Type: AWS::Serverless::Function
    CodeUri: late/
"""

FOUND = (
    SamFunction(name="HelloFunction", code="hello_world/", python="3.12", arch="arm64"),
    SamFunction(name="Train", code="./src/train", python="3.13", arch="x86_64"),
    SamFunction(name="Flat", code="flat", python="", arch="x86_64"),
    SamFunction(name="Plain", code="plain", python="3.12", arch="arm64"),
)


def test_functions_of_python_are_found_with_what_globals_say(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.write_text(TEMPLATE)
    assert sam_template.functions(file) == FOUND


def test_a_function_that_says_no_processor_has_sams_default(tmp_path: Path) -> None:
    resource = "  A:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: a/\n"
    file = tmp_path / "template.yml"
    file.write_text(f"Resources:\n{resource}")
    assert sam_template.functions(file) == (SamFunction(name="A", code="a/", python="", arch="x86_64"),)
    file.write_text(f"Resources:\n{resource}      Architectures: !Ref Which\n")
    assert sam_template.functions(file) == (SamFunction(name="A", code="a/", python="", arch=""),)


@pytest.mark.parametrize("indent", [None, 4])
def test_a_template_in_json_says_the_same(tmp_path: Path, indent: int | None) -> None:
    properties = {"CodeUri": "hello_world/", "Events": {"Api": {"Type": "Api"}}}
    data = {
        "Globals": {"Function": {"Runtime": "python3.12", "Architectures": ["arm64"]}},
        "Resources": {
            "HelloFunction": {"Type": "AWS::Serverless::Function", "Properties": properties},
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"CodeUri": "x"}},
        },
    }
    file = tmp_path / "template.json"
    file.write_text(json.dumps(data, indent=indent))
    assert sam_template.functions(file) == FOUND[:1]


@pytest.mark.parametrize("text", ["", "{", "Resources:", "Resources:\n  A:\n", "- a\n- b\n", "\0"])
def test_what_is_no_template_has_no_functions(tmp_path: Path, text: str) -> None:
    for name in sam_template.NAMES:
        (tmp_path / name).write_text(text)
        assert sam_template.functions(tmp_path / name) == ()
    assert sam_template.functions(tmp_path / "absent.yaml") == ()
