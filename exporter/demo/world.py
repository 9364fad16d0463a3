"""The change in the demo's world: the hour arrives in UTC instead of Washington's time."""

import dataclasses
import datetime

from exporter.demo.dataset import Hour

CHANGE = "the feed sends the hour in UTC instead of Washington's time"
RECOVERY = "the feed sends Washington's time again"

_SUMMER_TIME_2011 = (datetime.date(2011, 3, 13), datetime.date(2011, 11, 6))


def hours_behind_utc(date: datetime.date) -> int:
    """Return by how many hours Washington was behind UTC on a day of 2011."""
    start, end = _SUMMER_TIME_2011
    return 4 if start <= date < end else 5


def with_hour_in_utc(hour: Hour) -> Hour:
    """Return the hour as the broken feed sends it: only the hour of the day is another."""
    return dataclasses.replace(hour, hour=(hour.hour + hours_behind_utc(hour.date)) % 24)
