"""The demo's data set: hours of bike rentals, and what was busy among them."""

import csv
import dataclasses
import datetime
from importlib import resources

BUSY_RENTALS = 150
"""An hour with more rentals than this is busy; 39 % of the year's hours are."""

BUSY, QUIET = "busy", "quiet"
CLASSES = (QUIET, BUSY)

FILE = "bike_hours_2011.csv"


@dataclasses.dataclass(frozen=True, slots=True)
class Hour:
    """One hour of the year: what is known before it, and the rentals counted after it."""

    date: datetime.date
    hour: int
    working_day: bool
    weather: str
    temperature_celsius: float
    humidity_percent: float
    wind_kmh: float
    rentals: int

    @property
    def label(self) -> str:
        """The truth the model is asked for."""
        return BUSY if self.rentals > BUSY_RENTALS else QUIET

    def features(self) -> dict[str, float | str | bool]:
        """Return what the model is given, as the body of a request."""
        return {
            "month": self.date.month,
            "hour": self.hour,
            "working_day": self.working_day,
            "weather": self.weather,
            "temperature_celsius": self.temperature_celsius,
            "humidity_percent": self.humidity_percent,
            "wind_kmh": self.wind_kmh,
        }


def load() -> list[Hour]:
    """Return the hours of the year in order of time."""
    file = resources.files("exporter.demo").joinpath("data", FILE)
    with file.open(encoding="utf-8") as lines:
        return [_hour(row) for row in csv.DictReader(lines)]


def _hour(row: dict[str, str]) -> Hour:
    return Hour(
        date=datetime.date.fromisoformat(row["date"]),
        hour=int(row["hour"]),
        working_day=row["working_day"] == "1",
        weather=row["weather"],
        temperature_celsius=float(row["temperature_celsius"]),
        humidity_percent=float(row["humidity_percent"]),
        wind_kmh=float(row["wind_kmh"]),
        rentals=int(row["rentals"]),
    )


def is_training_day(date: datetime.date) -> bool:
    """Say whether the model may learn from a day: odd days train, even days are streamed."""
    return date.timetuple().tm_yday % 2 == 1


def split(hours: list[Hour]) -> tuple[list[Hour], list[Hour]]:
    """Return (hours to train on, hours to stream); no day is in both."""
    training = [hour for hour in hours if is_training_day(hour.date)]
    streamed = [hour for hour in hours if not is_training_day(hour.date)]
    return training, streamed
