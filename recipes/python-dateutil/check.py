"""What a function expects of dateutil: dates as people write them, rules that repeat, and months that differ."""

import datetime
import importlib.metadata

from dateutil import easter, parser, relativedelta, rrule, tz


def main() -> None:
    assert importlib.metadata.version("python-dateutil")
    assert parser.parse("3 March 2024 14:05").isoformat() == "2024-03-03T14:05:00"
    assert parser.isoparse("2024-W10-7").date().isoformat() == "2024-03-10"
    assert parser.parse("2024-03-03T14:05+02:00").utcoffset() == datetime.timedelta(hours=2)
    rule = rrule.rrulestr("FREQ=MONTHLY;COUNT=2;BYMONTHDAY=-1", dtstart=parser.parse("2024-01-01"))
    assert [date.day for date in rule] == [31, 29]
    assert datetime.date(2024, 1, 31) + relativedelta.relativedelta(months=1) == datetime.date(2024, 2, 29)
    assert easter.easter(2024).isoformat() == "2024-03-31"
    # These rules need nobody's table of zones.
    berlin = tz.tzstr("CET-1CEST,M3.5.0,M10.5.0/3")
    assert datetime.datetime(2024, 7, 1, tzinfo=berlin).utcoffset() == datetime.timedelta(hours=2)
    assert datetime.datetime(2024, 12, 1, tzinfo=berlin).utcoffset() == datetime.timedelta(hours=1)


main()
