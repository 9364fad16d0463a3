"""The demo's data set: small, licensed, complete, and cleanly divided."""

import datetime
import hashlib
from importlib import resources

from exporter.demo import dataset, world
from scripts import prepare_bike_hours

FOLDER = resources.files("exporter.demo").joinpath("data")


def test_the_data_are_small_and_their_origin_and_licence_are_told():
    size = sum(len(file.read_bytes()) for file in FOLDER.iterdir())
    assert size <= 2_000_000
    readme = FOLDER.joinpath("README.md").read_text()
    assert "10.24432/C5W894" in readme
    assert "CC BY 4.0" in readme
    assert "Fanaee-T" in readme


def test_the_readme_names_every_column():
    header = FOLDER.joinpath(dataset.FILE).read_text().splitlines()[0].split(",")
    readme = FOLDER.joinpath("README.md").read_text()
    assert header == list(prepare_bike_hours.COLUMNS)
    assert [name for name in header if f"| `{name}` |" not in readme] == []


def test_the_data_are_those_the_demo_was_tuned_on():
    digest = hashlib.sha256(FOLDER.joinpath(dataset.FILE).read_bytes()).hexdigest()
    assert digest == "9385f48656e15f8a4c928413da58417e40075556f0558129a9afe11d5d6d38c0"


def test_the_hours_are_a_year_in_order():
    hours = dataset.load()
    times = [(hour.date, hour.hour) for hour in hours]
    assert len(hours) == 8645
    assert times == sorted(set(times))
    assert {hour.date.year for hour in hours} == {2011}
    assert all(0 <= hour.humidity_percent <= 100 for hour in hours)
    assert all(-10 < hour.temperature_celsius < 42 for hour in hours)
    assert all(hour.rentals > 0 for hour in hours)


def test_both_classes_are_common():
    labels = [hour.label for hour in dataset.load()]
    assert set(labels) == set(dataset.CLASSES)
    assert 0.35 < labels.count(dataset.BUSY) / len(labels) < 0.45


def test_no_day_is_both_learnt_from_and_streamed():
    hours = dataset.load()
    training, streamed = dataset.split(hours)
    assert len(training) + len(streamed) == len(hours)
    assert not {hour.date for hour in training} & {hour.date for hour in streamed}
    assert abs(len(training) - len(streamed)) < 100


def test_the_truth_is_no_feature():
    assert "rentals" not in dataset.load()[0].features()


def test_a_row_of_the_source_is_converted_to_natural_units():
    row = {
        "day": "1",
        "weekday": "6",
        "hr": "5",
        "workingday": "0",
        "weathersit": "cloudy/misty",
        "temp": "0.24",
        "hum": "0.75",
        "windspeed": "0.0896",
        "bikers": "1",
    }
    assert prepare_bike_hours.convert(row) == ("2011-01-01", 5, 0, "misty", 3.3, 75, 6.0, 1)


def test_washington_is_behind_utc_by_four_hours_in_summer_and_five_in_winter():
    behind = world.hours_behind_utc
    assert behind(datetime.date(2011, 3, 12)) == 5
    assert behind(datetime.date(2011, 3, 13)) == 4
    assert behind(datetime.date(2011, 11, 5)) == 4
    assert behind(datetime.date(2011, 11, 6)) == 5


def test_the_change_touches_the_hour_alone_and_keeps_it_plausible():
    for hour in dataset.load():
        changed = world.with_hour_in_utc(hour)
        assert 0 <= changed.hour <= 23
        assert changed.hour != hour.hour
        assert changed.label == hour.label
        assert {**changed.features(), "hour": hour.hour} == hour.features()
