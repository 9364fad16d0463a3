"""The soak run in very short, on a real server, and what it concludes from what it measured."""

import json

import pytest

from benchmarks import soak
from benchmarks.soak import Events, Measured, judge, slope


def test_the_slope_is_per_minute_and_of_what_has_settled():
    memory = [(float(second), 100.0 + (second if second < 60 else 60 + second / 30))
              for second in range(180)]  # fmt: skip
    assert slope(memory, 60.0) == pytest.approx(2.0)
    assert slope(memory, 175.0) is None


def test_labels_follow_their_predictions():
    events = Events(3, 20.0)
    predictions = json.loads(events.body(100.0).partition(b"\r\n\r\n")[2])
    assert b'"score"' in events.body(119.0)
    labels = json.loads(events.body(120.0).partition(b"\r\n\r\n")[2])
    assert [one["id"] for one in labels] == [one["id"] for one in predictions]
    assert {one["label"] for one in labels} == {0, 1}


@pytest.mark.parametrize(
    "fault",
    [
        {"errors": {"ingest: 503": 1}},
        {"scrapes": [0.3] * 100},
        {"memory": [(float(second), second / 10) for second in range(300)]},
        {"stop": (6.0, 0)},
        {"stop": (1.0, 1)},
        {},
    ],
)
def test_an_aim_that_is_missed_is_told(fault, capsys):
    found = Measured([0.01] * 100, [0.1] * 100, [(float(s), 90.0) for s in range(300)], 5)
    stop = fault.pop("stop", (1.0, 0))
    for name, value in fault.items():
        getattr(found, name).update(value) if name == "errors" else setattr(found, name, value)
    met = judge(found, 10.0, 120.0, stop)
    assert met == (not fault and stop == (1.0, 0))
    assert ("MISSED" in capsys.readouterr().out) == (not met)


@pytest.mark.slow
def test_in_short(monkeypatch, capfd):
    command = ["soak", "--minutes", "0.1", "--models", "3", "--capacity-seconds", "1"]
    monkeypatch.setattr("sys.argv", command)
    soak.main()
    told = {line[:26].strip(): line[26:].split() for line in capfd.readouterr().out.splitlines()}
    assert told["errors"] == ["none", "none", "met"]
    assert told["exit status"] == ["0", "0", "met"]
    assert int(told["events counted"][0].replace(",", "")) > 0
