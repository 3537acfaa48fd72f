from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.licenses import canonicalize_license_expression

import zips
from fakes import a_manifest, target
from layerforge.core.errors import UsageError
from layerforge.layer.distributions import Distribution
from layerforge.layer.tree import Package
from layerforge.publish.artifact import (
    LONGEST_DESCRIPTION,
    LONGEST_LICENCE,
    MARK,
    artifact,
    describe,
    grants,
    layer_name,
    licence,
    wanted_first,
)

DIGEST = "0123456789abcdef" * 4


def a_package(name: str, version: str = "1.0", terms: str = "") -> Package:
    return Package(name=name, version=version, info=f"python/{name}-{version}.dist-info", licence=terms)


def test_a_description_holds_name_versions_and_digest() -> None:
    text = describe("stack", [("scikit-learn", "1.9.1"), ("numpy", "2.5.5")], DIGEST)
    assert text == f"stack: scikit-learn 1.9.1, numpy 2.5.5 (layerforge content_sha256={DIGEST})"


def test_a_description_without_packages_holds_name_and_digest() -> None:
    assert describe("stack", [], DIGEST) == f"stack (layerforge content_sha256={DIGEST})"


@given(st.text(max_size=300), st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60)), max_size=60))
def test_a_description_fits_and_bears_the_mark(name: str, versions: list[tuple[str, str]]) -> None:
    text = describe(name, versions, DIGEST)
    assert len(text) <= LONGEST_DESCRIPTION
    found = MARK.search(text)
    assert found is not None
    assert found[1] == DIGEST


def test_a_long_description_says_how_many_packages_it_leaves_out() -> None:
    versions = [(f"package-number-{number}", "1.0") for number in range(40)]
    text = describe("stack", versions, DIGEST)
    assert text.startswith("stack: package-number-0 1.0, ")
    shown = text.count("package-number")
    assert f" and {40 - shown} more (layerforge" in text


def test_packages_that_were_asked_for_come_first() -> None:
    made = dataclasses.replace(a_manifest(), requires=("Scikit_Learn>=1.9", "pandas", "./not-a-requirement"))
    rows = [("joblib", "1"), ("numpy", "2"), ("pandas", "3"), ("scikit-learn", "4")]
    assert [name for name, _ in wanted_first(rows, made)] == ["scikit-learn", "pandas", "joblib", "numpy"]


def test_licences_become_one_expression() -> None:
    packages = [
        a_package("a", terms="MIT"),
        a_package("b", terms="Apache-2.0 OR BSD-3-Clause"),
        a_package("c", terms="mit"),
        a_package("d", terms="My own, dear terms"),
        a_package("e"),
    ]
    expression = licence(packages)
    assert expression == "(Apache-2.0 OR BSD-3-Clause) AND LicenseRef-My-own-dear-terms AND MIT"
    assert canonicalize_license_expression(expression) == expression


def test_one_choice_of_licences_needs_no_brackets() -> None:
    assert licence([a_package("a", terms="MIT OR Apache-2.0")]) == "MIT OR Apache-2.0"


@given(st.lists(st.text(min_size=1, max_size=80), max_size=40))
def test_a_licence_fits_and_is_an_expression(terms: list[str]) -> None:
    expression = licence([a_package(f"p{number}", terms=text) for number, text in enumerate(terms)])
    assert len(expression) <= LONGEST_LICENCE
    assert not expression or canonicalize_license_expression(expression)


def test_an_artifact_takes_what_its_manifest_says() -> None:
    seen = zips.an_examination(sha256="ab" * 32, content_sha256=DIGEST)
    made = artifact(seen, a_manifest(a_package("demo", "2.0", "MIT")), target("3.12"), None)
    assert (made.name, made.runtimes, made.architectures) == ("demo-py312-x86_64", ("python3.12",), ("x86_64",))
    assert made.description == f"demo: demo 2.0 (layerforge content_sha256={DIGEST})"
    assert made.licence == "MIT"


def test_an_artifact_without_a_manifest_takes_what_the_zip_says() -> None:
    found = Distribution(name="demo", version="2.0", info="python/demo-2.0.dist-info", record=None)
    seen = zips.an_examination(
        sha256="ab" * 32, content_sha256=DIGEST, path=Path("dist/my layer.zip"), distributions=[found]
    )
    made = artifact(seen, None, target(), None)
    assert (made.name, made.licence) == ("my-layer", "")
    assert made.description.startswith("my layer: demo 2.0 (")


@pytest.mark.parametrize(
    ("text", "name"), [("a.b c", "a-b-c"), ("ünïcode", "n-code"), ("…", "layer"), ("x" * 200, "x" * 140)]
)
def test_a_name_from_a_file_is_mended(text: str, name: str) -> None:
    assert layer_name(text, given=False) == name


@pytest.mark.parametrize("text", ["", "a b", "x" * 141])
def test_a_name_from_the_user_is_refused_where_lambda_would(text: str) -> None:
    with pytest.raises(UsageError, match="Lambda refuses"):
        layer_name(text, given=True)
    assert layer_name("ok_-1", given=True) == "ok_-1"


def test_grants_are_made_once_each() -> None:
    made = grants(public=True, organizations=["o-a1b2c3d4e5"] * 2, accounts=["123456789012", "123456789012"])
    assert [grant.statement for grant in made] == [
        "layerforge-public",
        "layerforge-organization-o-a1b2c3d4e5",
        "layerforge-account-123456789012",
    ]
    assert all(len(grant.statement) <= 100 for grant in made)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("arn:aws:lambda:eu-west-1:123456789012:layer:np:7", "--name np"),
        ("arn:aws-cn:lambda:cn-north-1:123456789012:layer:np", "--name np"),
        ("arn:aws:iam::123456789012:role/x", "last part"),
    ],
)
def test_an_arn_for_a_name_is_told_as_one_and_holds_the_name(text: str, hint: str) -> None:
    with pytest.raises(UsageError, match="is an ARN") as caught:
        layer_name(text, given=True)
    assert hint in caught.value.hint
