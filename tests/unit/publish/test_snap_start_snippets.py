"""What is added to a snippet for SnapStart."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

import zips
from layerforge.core.errors import UsageError
from layerforge.core.paths import PRIMING
from layerforge.publish.snippets import tools
from layerforge.publish.snippets.per_function import for_functions, function_versions
from layerforge.publish.snippets.results import PublishedVersion
from layerforge.publish.snippets.snap_start import WRITERS, refuse_old, with_snap_start
from program import Command, inside

REGIONS = ("eu-west-1", "us-east-1")


def arn(region: str) -> str:
    return f"arn:aws:lambda:{region}:123456789012:layer:numpy:7"


def versions(*regions: str) -> tuple[PublishedVersion, ...]:
    return tuple(PublishedVersion(region=one, name="numpy", number=7, arn=arn(one)) for one in regions)


def added(tool: str, *regions: str, functions: tuple[str, ...] = ()) -> str:
    """What comes behind the lines that attach the layer."""
    plain = tools.for_versions(tool, versions(*regions))
    if functions:
        plain = for_functions(tool, function_versions(dict.fromkeys(functions, ("numpy",)), versions(*regions)))
    whole = with_snap_start(tool, plain, primed=False, functions=functions)
    return whole.partition(plain)[2]


def test_sam_has_the_setting_and_an_alias_for_all_functions() -> None:
    assert added("sam", "eu-west-1") == added("sam", *REGIONS)
    assert added("sam", "eu-west-1") == (
        "    SnapStart:\n      ApplyOn: PublishedVersions\n    AutoPublishAlias: live\n"
    )
    assert added("sam", "eu-west-1", functions=("job",)).startswith("Globals:\n  Function:\n    SnapStart:\n")


def test_the_cdk_has_the_setting_and_an_alias_of_each_function() -> None:
    assert len(ast.parse(added("cdk", "eu-west-1")).body) == 2
    text = added("cdk", "eu-west-1", functions=("job", "web-api"))
    for name, word in (("job_function", "Job"), ("web_api_function", "WebApi")):
        assert f'{name}.node.default_child.add_property_override("SnapStart.ApplyOn", "PublishedVersions")\n' in text
        assert f'"{word}LiveAlias", alias_name="live", version={name}.current_version' in text


@pytest.mark.parametrize("tool", ["terraform", "serverless"])
def test_what_belongs_to_each_functions_own_lines_is_told_as_a_comment(tool: str) -> None:
    for line in added(tool, "eu-west-1").splitlines():
        assert line.startswith("#")


def test_serverless_has_the_setting_as_its_schema_wants_it_and_the_version_that_knows_it() -> None:
    text = added("serverless", "eu-west-1")
    # functions.*.snapStart: { type: 'boolean' }, since 3.26.0
    assert [line for line in text.splitlines() if ":" in line.removesuffix(":")] == ["#   snapStart: true"]
    assert "3.26 or newer" in text


def test_the_command_line_waits_sets_and_publishes_in_each_region() -> None:
    text = added("cli", *REGIONS)
    for region in REGIONS:
        commands = [line for line in text.splitlines() if f"--region {region}" in line]
        assert [line.split()[2] for line in commands] == [
            "wait",
            "update-function-configuration",
            "wait",
            "publish-version",
        ]
    assert text.count("--snap-start ApplyOn=PublishedVersions") == 2
    assert 'publish-version --region us-east-1 --function-name "$FUNCTION"' in text
    assert "--function-name job" in added("cli", "eu-west-1", functions=("job",))


@pytest.mark.parametrize("tool", [tool for tool in tools.TOOLS if tool not in WRITERS])
def test_a_tool_without_a_setting_is_refused(tool: str) -> None:
    with pytest.raises(UsageError, match="no setting for SnapStart"):
        with_snap_start(tool, "{}\n", primed=None)


@pytest.mark.parametrize("tool", WRITERS)
def test_the_lines_of_the_handler_are_told_where_there_is_something_to_load(tool: str) -> None:
    lines = "#   import layerforge_prime\n#   layerforge_prime.register()\n"
    assert lines in with_snap_start(tool, "", primed=True)
    assert lines in (perhaps := with_snap_start(tool, "", primed=None))
    assert "where a layer has that module" in perhaps
    assert "layerforge_prime" not in with_snap_start(tool, "", primed=False)
    assert "$LATEST is never restored" in with_snap_start(tool, "", primed=False)


@pytest.mark.parametrize("runtimes", [["python3.11"], ["python3.13", "python3.10"]])
def test_a_python_that_snap_start_does_not_have_is_refused(runtimes: list[str]) -> None:
    with pytest.raises(UsageError, match=r"begins with Python 3\.12, and the layer is for python3\.1[01]"):
        refuse_old(runtimes)


def test_a_python_that_it_has_or_that_nobody_knows_is_not() -> None:
    assert refused(["python3.12", "python3.13", "python3.14", "python4.0", "provided.al2023"]) == ""
    assert refused([]) == ""
    assert refused(["python3.12", "provided.al2023", "python3.9"]).endswith("the layer is for python3.9")


def refused(runtimes: list[str]) -> str:
    """What is said against Pythons; empty where nothing is."""
    try:
        refuse_old(runtimes)
    except UsageError as error:
        return error.message
    return ""


@pytest.fixture
def layerforge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return inside(tmp_path, monkeypatch, capsys)


def a_layer(path: Path, python: str, *paths: str) -> None:
    cache = {f"python/a/__pycache__/b.cpython-{python.replace('.', '')}.pyc": b""}
    zips.of(path, {**cache, "python/a/__init__.py": b"", **dict.fromkeys(paths, b"")})


@pytest.mark.parametrize("path", [PRIMING, f"{PRIMING}c"])
def test_a_zip_tells_whether_there_is_something_to_load(layerforge: Command, tmp_path: Path, path: str) -> None:
    a_layer(tmp_path / "primed.zip", "3.13", path)
    a_layer(tmp_path / "plain.zip", "3.13")
    primed, plain = (layerforge("snippet", name, "--for", "sam", "--snapstart") for name in ("primed.zip", "plain.zip"))
    assert (primed.code, plain.code) == (0, 0)
    assert "layerforge_prime.register()" in primed.out
    assert "layerforge_prime" not in plain.out
    assert "ApplyOn: PublishedVersions" in plain.out


def result(python: str) -> str:
    row: dict[str, Any] = {"region": "eu-west-1", "version_arn": arn("eu-west-1"), "status": "published", "error": None}
    return json.dumps({"published": [{**row, "runtimes": [f"python{python}"]}]})


def test_a_result_is_refused_for_its_python_and_else_gets_the_lines(layerforge: Command, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(result("3.11"))
    (tmp_path / "new.json").write_text(result("3.12"))
    old = layerforge("snippet", "old.json", "--for", "cli", "--snapstart")
    assert (old.code, old.out) == (2, "")
    assert "SnapStart begins with Python 3.12" in old.err
    new = layerforge("snippet", "new.json", "--for", "cli", "--snapstart")
    assert "--snap-start ApplyOn=PublishedVersions" in new.out
    assert "snap-start" not in layerforge("snippet", "new.json", "--for", "cli").out
