from pathlib import Path

import pytest

from fakes import target
from layerforge import uvtool
from layerforge.errors import LayerforgeError, LockError, StepError
from wheels import make_wheel


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        ("error: No space left on device (os error 28)", "no space is left"),
        ("cause: Hash mismatch for `demo==1`", "the wheel of demo==1 does not have the hash"),
        ("Because nosuch was not found in the package registry and you require nosuch,", "there is no package nosuch"),
        ("cause: HTTP status client error (401 Unauthorized)", "refuses the credentials"),
        ("cause: invalid peer certificate: UnknownIssuer", "certificate is not trusted"),
        ("cause: tcp connect error\n cause: Connection refused (os error 111)", "cannot be reached"),
        ("No solution found: a depends on b>2, we can conclude your requirements are unsatisfiable.", "together"),
        ("error: Couldn't parse requirement in `-` at position 0", "cannot read the requirements"),
        ("something new", "uv failed"),
    ],
)
def test_what_uv_says_becomes_a_message_with_a_hint(stderr: str, message: str) -> None:
    error = uvtool.failure(stderr, target())
    assert message in error.message
    assert error.hint
    assert error.details


def test_a_full_disk_is_a_failed_step_not_a_bad_lock() -> None:
    assert isinstance(uvtool.failure("No space left on device", target()), StepError)


def test_a_missing_wheel_names_the_newest_version_that_has_one(index: Path) -> None:
    make_wheel(index, "demo", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    make_wheel(index, "demo", "2.0", tag="cp311-cp311-manylinux_2_28_x86_64")
    with pytest.raises(LockError) as caught:
        uvtool.compile_lock("demo>=2", target("3.11"))
    assert caught.value.message == "demo has no wheel for Python 3.11 on x86_64 with glibc 2.26"
    assert "demo==1.0" in caught.value.hint
    assert "container engine" in caught.value.hint


def test_a_missing_wheel_without_any_other_names_the_engine_only(index: Path) -> None:
    make_wheel(index, "demo", "2.0", tag="cp313-cp313-win_amd64")
    with pytest.raises(LockError) as caught:
        uvtool.compile_lock("demo", target())
    assert "newest" not in caught.value.hint
    assert "container engine" in caught.value.hint


def test_resolving_takes_the_newest_version_that_fits_the_target(index: Path) -> None:
    make_wheel(index, "demo", "1.0", tag="cp311-cp311-manylinux_2_17_x86_64")
    make_wheel(index, "demo", "2.0", tag="cp313-cp313-manylinux_2_34_x86_64")
    assert uvtool.compile_lock("demo", target("3.11")).startswith("demo==1.0")
    assert uvtool.compile_lock("demo", target("3.13")).startswith("demo==2.0")


def test_a_requirements_file_may_include_others(index: Path, tmp_path: Path) -> None:
    make_wheel(index, "one")
    make_wheel(index, "two", "1.0")
    make_wheel(index, "two", "2.0")
    (tmp_path / "base.txt").write_text("two\n")
    (tmp_path / "limit.txt").write_text("two<2\n")
    (tmp_path / "all.txt").write_text("one\n-r base.txt\n-c limit.txt\n")
    text = uvtool.compile_lock(tmp_path / "all.txt", target())
    assert "one==1.0" in text
    assert "two==1.0" in text


def test_conflicting_requirements_are_told_with_uvs_own_reasons(index: Path) -> None:
    make_wheel(index, "one", requires=["two>=2"])
    make_wheel(index, "two", "1.0")
    make_wheel(index, "two", "2.0")
    with pytest.raises(LayerforgeError, match="cannot be satisfied together") as caught:
        uvtool.compile_lock("one\ntwo<2", target())
    assert any("two" in line for line in caught.value.details)
