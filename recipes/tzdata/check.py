"""What a function expects of tzdata: its time zones do where the system holds none."""

import datetime
import importlib.metadata
import zoneinfo


def main() -> None:
    assert importlib.metadata.version("tzdata")
    before = zoneinfo.TZPATH
    try:
        renew(())
        zones()
    finally:
        renew(before)


def renew(path: tuple[str, ...]) -> None:
    zoneinfo.reset_tzpath(to=path)
    zoneinfo.ZoneInfo.clear_cache()


def zones() -> None:
    assert len(zoneinfo.available_timezones()) > 400
    offsets = {"Europe/Berlin": 2, "America/New_York": -4, "Asia/Kolkata": 5.5}
    for name, hours in offsets.items():
        noon = datetime.datetime(2024, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo(name))
        assert noon.utcoffset() == datetime.timedelta(hours=hours), name


main()
