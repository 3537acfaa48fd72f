import pytest

from layerforge.core import sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("60MB", 60_000_000),
        ("60 MB", 60_000_000),
        (" 60mb ", 60_000_000),
        ("60 MiB", 62_914_560),
        ("1.5GB", 1_500_000_000),
        ("500 kB", 500_000),
        ("500 KB", 500_000),
        ("1 KiB", 1024),
        ("52428800 bytes", 52_428_800),
        ("0MB", 0),
    ],
)
def test_a_size_is_a_number_with_a_unit_however_it_is_written(text: str, size: int) -> None:
    assert sizes.parsed(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "60", "MB", "60M", "60 MBs", "-60MB", "6,0MB", "1e3MB", "\u0661MB", "60\u00a0MB x", "1.MB", "9" * 20 + "MB"],
)
def test_whatever_else_is_no_size(text: str) -> None:
    assert sizes.parsed(text) is None
