from __future__ import annotations

from layerforge.resolve import left_out, lock
from layerforge.resolve.left_out import LeftOut, Why

BOTO3 = LeftOut(name="boto3", version="1.44.5", why=Why.RUNTIME, bytes=140_000)
NCCL = LeftOut(name="nvidia-nccl-cu12", version="2.29", why=Why.ASKED)
UNKNOWN = LeftOut(name="far", why=Why.UNNEEDED)


def test_the_lines_of_a_lock_say_what_it_is_without_and_are_read_again() -> None:
    text = lock.header("3.12", "layerforge lock x") + left_out.lines([BOTO3, NCCL, UNKNOWN])
    found = lock.parse(text, "x.lock").left_out
    assert [(one.name, one.version, one.why) for one in found] == [
        ("boto3", "1.44.5", Why.RUNTIME),
        ("nvidia-nccl-cu12", "2.29", Why.ASKED),
        ("far", "", Why.UNNEEDED),
    ]


def test_a_line_that_somebody_changed_says_nothing() -> None:
    assert left_out.read("# Left out: boto3 1.0 (because)\n# Left out: Boto 3 (asked)\n") == ()


def test_a_lock_that_says_nothing_is_whole() -> None:
    assert lock.parse("", "x.lock").left_out == ()


def test_people_are_told_names_versions_and_the_bytes_that_are_known() -> None:
    assert left_out.told([BOTO3, NCCL]) == "boto3 1.44.5, nvidia-nccl-cu12 2.29 (140.0 kB of wheels)"
    assert left_out.told([UNKNOWN]) == "far"
    assert left_out.told([]) == ""


def test_a_layer_counts_on_the_runtime_where_that_is_a_reason() -> None:
    assert left_out.by_runtime([NCCL, BOTO3])
    assert not left_out.by_runtime([NCCL, UNKNOWN])
