import pytest
from packaging.requirements import Requirement

from layerforge.core import runtimes
from layerforge.resolve.runtime_versions import is_capped, lets_all_in, will_do

RUNTIME = runtimes.target("3.13", "x86_64").runtime


@pytest.mark.parametrize(
    "text", ["boto3", "boto3>=1.20", "python-dateutil>=2.8.2", "urllib3<3,>=1.25.4", "six!=1.0", "urllib3"]
)
def test_a_requirement_that_takes_any_version_of_the_runtime_is_met_by_it(text: str) -> None:
    assert will_do(Requirement(text), RUNTIME)


@pytest.mark.parametrize(
    "text",
    [
        "boto3==1.40.0",
        "boto3>=1.44",
        "botocore<1.44,>=1.20",
        "urllib3>=2",
        "urllib3<2",
        "python-dateutil>=4",
        "boto3 @ https://nowhere.invalid/boto3-1-py3-none-any.whl",
        "simplejson>=3",
        "boto3[crt]",
        "urllib3[socks]",
    ],
)
def test_one_that_is_new_has_an_upper_limit_or_an_extra_may_not_be(text: str) -> None:
    assert not will_do(Requirement(text), RUNTIME)


def test_an_upper_limit_that_lets_every_version_in_is_none() -> None:
    assert not is_capped(Requirement("urllib3<3,>=1.21.1"), RUNTIME)
    assert lets_all_in(Requirement("urllib3<3"), RUNTIME)
    assert is_capped(Requirement("botocore<2"), RUNTIME), "which versions there will be is not known"
    assert not is_capped(Requirement("botocore>=2"), RUNTIME)
