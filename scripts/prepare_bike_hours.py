"""Write the demo's data set from `Bikeshare.csv` of the PyPI package ISLP.

    pip download --no-deps ISLP && unzip -j islp-*.whl ISLP/data/Bikeshare.csv
    python scripts/prepare_bike_hours.py Bikeshare.csv exporter/demo/data/bike_hours_2011.csv

What changes: day numbers become dates, the measurements get their units back, and columns that
repeat others are left out. The scale factors are those the data set's authors document.
"""

import csv
import datetime
import sys
from collections.abc import Iterator
from pathlib import Path

COLUMNS = (
    "date",
    "hour",
    "working_day",
    "weather",
    "temperature_celsius",
    "humidity_percent",
    "wind_kmh",
    "rentals",
)
WEATHER = {
    "clear": "clear",
    "cloudy/misty": "misty",
    "light rain/snow": "light rain or snow",
    "heavy rain/snow": "heavy rain or snow",
}
NEW_YEAR = datetime.date(2011, 1, 1)


def convert(row: dict[str, str]) -> tuple[str | int | float, ...]:
    """Return one hour in natural units, in the order of COLUMNS."""
    date = NEW_YEAR + datetime.timedelta(days=int(row["day"]) - 1)
    if date.isoweekday() % 7 != int(row["weekday"]):
        raise ValueError(f"day {row['day']} is not weekday {row['weekday']} in 2011")
    return (
        date.isoformat(),
        int(row["hr"]),
        int(row["workingday"]),
        WEATHER[row["weathersit"]],
        round(float(row["temp"]) * 47 - 8, 1),
        round(float(row["hum"]) * 100),
        round(float(row["windspeed"]) * 67, 1),
        int(row["bikers"]),
    )


def converted(source: Path) -> Iterator[tuple[str | int | float, ...]]:
    """Yield the hours of the source file in order."""
    with source.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield convert(row)


def main(source: str, target: str) -> None:
    """Write the converted file."""
    with Path(target).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(converted(Path(source)))


if __name__ == "__main__":
    main(*sys.argv[1:])
