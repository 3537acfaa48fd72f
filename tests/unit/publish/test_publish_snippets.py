"""What snippets are made from. That each tool takes them is tested in tests/tools."""

from __future__ import annotations

import ast
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerforge.core.errors import UsageError
from layerforge.publish.snippets import aws_cli, cdk, quoting, results, tools
from layerforge.publish.snippets.results import LocalLayer, PublishedVersion, Wanted
from layerforge.publish.snippets.tools import TOOLS

NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,140}", fullmatch=True)


def arn(name: str = "numpy", region: str = "eu-west-1", number: int = 7, partition: str = "aws") -> str:
    return f"arn:{partition}:lambda:{region}:123456789012:layer:{name}:{number}"


def published(*arns: str, **more: Any) -> str:
    rows = [{"region": one.split(":")[3], "version_arn": one, "status": "published", "error": None} for one in arns]
    return json.dumps({"published": [row | more for row in rows], "seconds": {}})


def failed(region: str, error: str) -> dict[str, Any]:
    return {"region": region, "layer_arn": None, "version_arn": None, "status": "failed", "error": error}


def local(path: str = "dist/numpy.zip", name: str = "numpy") -> LocalLayer:
    return LocalLayer(name=name, path=path, runtime="python3.13", arch="x86_64", zipped=1)


@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws", "eu-west-1"),
        ("aws-cn", "cn-northwest-1"),
        ("aws-us-gov", "us-gov-east-1"),
        ("aws-eusc", "eusc-de-east-1"),
    ],
)
@pytest.mark.parametrize("tool", TOOLS)
def test_every_partition_stays_as_it_is(tool: str, partition: str, region: str) -> None:
    wanted = arn(region=region, partition=partition)
    found = results.results(published(wanted), "x")
    assert found.versions == (PublishedVersion(region=region, name="numpy", number=7, arn=wanted),)
    assert wanted in tools.for_versions(tool, found.versions)


def test_keys_that_are_not_needed_do_not_matter() -> None:
    found = results.results(published(arn(), version=7, whatever={"a": [1]}), "x")
    assert [one.arn for one in found.versions] == [arn()]


def test_of_several_versions_the_newest_counts() -> None:
    found = results.results(published(arn(number=10), arn(number=9), arn("other", number=2)), "x")
    assert [one.number for one in found.versions] == [10, 2]


def test_what_failed_is_told_and_left_out() -> None:
    text = json.dumps({"published": [failed("us-east-1", "numpy: denied"), {"version_arn": arn()}]})
    found = results.results(text, "x")
    assert [one.region for one in found.versions] == ["eu-west-1"]
    assert [str(one) for one in found.failures] == ["us-east-1: numpy: denied"]


def test_a_version_whose_grant_failed_counts_and_is_told_of() -> None:
    found = results.results(published(arn(), error="numpy: no grant"), "x")
    assert len(found.versions) == len(found.failures) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"plan": []}',
        '{"published": 1}',
        '{"published": ["x"]}',
        '{"published": {"a": 1}}',
        '{"published": [{"version_arn": "arn:aws:lambda:eu-west-1:1:function:f"}]}',
        '{"published": [{"version_arn": 7}]}',
        '{"published": [{"version_arn": "' + arn() + '\\n- evil"}]}',
        "| Region | layer |",
    ],
)
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="arns is neither a layer's zip nor a result"):
        results.results(text, "arns")


def test_regions_and_layers_can_be_chosen() -> None:
    found = results.results(published(arn(), arn("other"), arn(region="us-east-1")), "x")
    assert {one.region for one in results.chosen(found, Wanted(regions=("us-east-1",)), "x")} == {"us-east-1"}
    one_layer = Wanted(regions=("eu-west-1",), names=("other",))
    assert [one.name for one in results.chosen(found, one_layer, "x")] == ["other"]
    assert results.chosen(found, Wanted(), "x") == found.versions


def test_a_region_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    found = results.results(published(arn(), arn(region="us-east-1")), "x")
    with pytest.raises(UsageError, match="no version for the Region eu-west-2") as caught:
        results.chosen(found, Wanted(regions=("eu-west-2",)), "arns.json")
    assert caught.value.hint == "it has eu-west-1, us-east-1"


def test_results_without_a_version_are_an_error_with_the_evidence() -> None:
    found = results.results(json.dumps({"published": [failed("us-east-1", "numpy: denied")]}), "x")
    with pytest.raises(UsageError, match="holds no published version") as caught:
        results.chosen(found, Wanted(), "x")
    assert caught.value.details == ("us-east-1: numpy: denied",)


def of(target: str, arch: str, **more: Any) -> dict[str, Any]:
    """A row of a result."""
    return {"region": "eu-west-1", "version_arn": arn(**more), "runtimes": [target], "architectures": [arch]}


BOTH = json.dumps({"published": [of("python3.13", "x86_64", number=7), of("python3.13", "arm64", number=8)]})


def test_layers_of_one_name_for_two_processors_stay_two() -> None:
    found = results.results(BOTH, "x")
    assert [(one.number, one.architectures) for one in found.versions] == [(8, ("arm64",)), (7, ("x86_64",))]


@pytest.mark.parametrize(("arch", "number"), [("x86_64", 7), ("arm64", 8)])
def test_a_processor_can_be_chosen(arch: str, number: int) -> None:
    [one] = results.chosen(results.results(BOTH, "x"), Wanted(arch=arch, runtime="python3.13"), "x")
    assert one.number == number


def test_two_processors_are_never_mixed_in_one_function() -> None:
    with pytest.raises(UsageError, match="different processors") as caught:
        results.chosen(results.results(BOTH, "x"), Wanted(), "x")
    assert "--arch arm64" in caught.value.hint


def test_two_pythons_are_never_mixed_in_one_function() -> None:
    rows = [of("python3.13", "x86_64"), of("python3.12", "x86_64", name="scipy")]
    found = results.results(json.dumps({"published": rows}), "x")
    with pytest.raises(UsageError, match="different Pythons") as caught:
        results.chosen(found, Wanted(), "x")
    assert "--python 3.12" in caught.value.hint
    assert [one.name for one in results.chosen(found, Wanted(runtime="python3.12"), "x")] == ["scipy"]


def test_a_layer_for_several_pythons_goes_with_each_of_them() -> None:
    rows = [
        of("python3.13", "x86_64"),
        {**of("python3.12", "x86_64", name="pure"), "runtimes": ["python3.12", "python3.13"]},
    ]
    found = results.results(json.dumps({"published": rows}), "x")
    assert len(results.chosen(found, Wanted(), "x")) == 2


def test_a_python_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(UsageError, match="no version for the Python") as caught:
        results.chosen(results.results(BOTH, "x"), Wanted(runtime="python3.11"), "x")
    assert caught.value.hint == "it has python3.13"


@pytest.mark.parametrize("tool", TOOLS)
def test_every_snippet_says_that_the_function_must_not_carry_the_packages_too(tool: str) -> None:
    text = tools.for_versions(tool, results.results(published(arn()), "x").versions)
    assert (tools.HIDES in text) is TOOLS[tool].comments
    if TOOLS[tool].local:
        assert tools.HIDES in tools.for_zip(tool, local())


@pytest.mark.parametrize(
    ("tool", "word"),
    [
        ("sam", "RetentionPolicy: Retain"),
        ("cdk", "removal_policy=RemovalPolicy.RETAIN"),
        ("terraform", "skip_destroy             = true"),
        ("serverless", "retain: true"),
    ],
)
def test_deploying_a_new_version_leaves_the_old_ones(tool: str, word: str) -> None:
    assert word in tools.for_zip(tool, local())


def test_many_layers_that_come_to_one_word_cost_no_more_each() -> None:
    names = ["".join(bits) for bits in itertools.product("-_", repeat=11)]
    made = quoting.identifiers(f"a{name}b" for name in names)
    assert len(set(made.values())) == len(names)
    assert max(int(word.partition("No")[2] or 1) for word in made.values()) == len(names)


@pytest.mark.parametrize("tool", ["zappa", "chalice"])
def test_a_tool_that_makes_no_layers_says_to_publish_first(tool: str) -> None:
    with pytest.raises(UsageError, match="attaches published versions only") as caught:
        tools.for_zip(tool, local("my layers/numpy.zip"))
    assert "layerforge publish 'my layers/numpy.zip' --region REGION" in caught.value.hint
    assert f"layerforge snippet arns.json --for {tool}" in caught.value.hint


def test_only_the_aws_command_line_is_told_regions_for_a_zip() -> None:
    assert "--region us-east-1 " in tools.for_zip("cli", local(), ("eu-west-1", "us-east-1"))
    assert "--region" not in tools.for_zip("cli", local())
    with pytest.raises(UsageError, match="its own configuration"):
        tools.for_zip("sam", local(), ("eu-west-1",))


@pytest.mark.parametrize(("tool", "path"), [("serverless", "a${b}.zip"), ("cli", "$HOME.zip")])
def test_a_path_that_no_quotes_protect_is_refused(tool: str, path: str) -> None:
    with pytest.raises(UsageError, match="as a variable"):
        tools.for_zip(tool, local(path))


def test_the_aws_command_line_takes_no_path_for_an_option_or_a_home() -> None:
    assert "fileb://./~me.zip" in aws_cli.cli_local(local("~me.zip"))
    assert "fileb://./-x.zip" in aws_cli.cli_local(local("-x.zip"))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quotes_hold_any_text(text: str) -> None:
    quoted = quoting.quoted(text)
    assert ast.literal_eval(quoted) == text
    assert quoted.isprintable()


@given(st.sets(NAMES, max_size=6))
def test_identifiers_are_plain_and_different(names: set[str]) -> None:
    made = quoting.identifiers(names)
    assert set(made) == names
    assert len(set(made.values())) == len(names)
    assert all(word.isalnum() and word.isascii() and word[0].isalpha() for word in made.values())


def test_names_that_differ_in_their_hyphens_alone_stay_apart() -> None:
    assert quoting.identifiers(["a-b", "a_b", "A-B"]) == {"A-B": "ABLayer", "a-b": "ABLayerNo2", "a_b": "ABLayerNo3"}


@given(NAMES)
def test_a_layer_makes_a_variable(name: str) -> None:
    assert ast.parse(f"{quoting.variable(name)} = 1")
    assert ast.parse(cdk.cdk_local(local(name=name)))
