"""The last hour, minute by minute: what was told comes back, and nothing older than an hour."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.anomalies.minutes import Minute
from exporter.recent import KEPT, SERIES, Recent
from tests.engine.support import configured, monitor, only, send

VALUES = st.one_of(st.none(), st.floats(-1e6, 1e6))


@given(st.lists(st.tuples(st.integers(1, 90), VALUES), max_size=200), st.integers(0, 90))
def test_it_is_the_last_60_minutes_of_what_was_taken(steps, silence) -> None:
    recent, told, minute = Recent(), {}, 0
    for step, value in steps:
        minute += step
        told[minute] = value
        values = {} if value is None else {"request_rate": value}
        recent.take([Minute(minute, values)])
    ended = minute + silence
    wanted = [told.get(one) for one in range(ended - KEPT + 1, ended + 1)]
    while wanted and wanted[0] is None:
        del wanted[0]
    assert recent.last("predictions", 60.0 * (ended + 1) + 30) == wanted
    assert recent.last("latency_seconds", 60.0 * (ended + 1)) == []


def test_a_minute_takes_nothing_over_from_the_one_an_hour_before() -> None:
    recent = Recent()
    recent.take([Minute(0, {"request_rate": 1.0, "latency": 9.0}), Minute(60, {"latency": 2.0})])
    assert recent.last("predictions", 61 * 60.0) == []
    assert recent.last("latency_seconds", 61 * 60.0) == [2.0]


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_what_nobody_could_draw_is_a_gap(value) -> None:
    recent = Recent()
    recent.take([Minute(1, {"request_rate": 1.0}), Minute(2, {"request_rate": value})])
    kept = value if abs(value) < 1e300 else None
    assert recent.last("predictions", 180.0) == [1.0, kept]


def test_a_model_is_looked_at_once_a_minute() -> None:
    of = monitor(configured(task="binary", positive_class="1"))
    for minute in range(4):
        now = 60.0 * minute
        of.tick(now)
        right = [{"score": 0.9, "label": 1, "latency_seconds": 0.5}] * (minute + 1)
        send(of, *right, {"score": 0.9, "label": 0}, now=now + 5)
        for second in (10, 20, 59):
            of.tick(now + second)
    model = only(of)
    of.tick(240.0)
    # The minute in which a model came first was not whole.
    assert model.recent.last("predictions", 240.0) == [3.0, 4.0, 5.0]
    assert model.recent.last("latency_seconds", 240.0) == [0.5, 0.5, 0.5]
    # The first look is at once, so that there is something to see.
    assert model.recent.last("accuracy_ratio", 240.0) == [1 / 2, 1 / 2, 2 / 3, 3 / 4, 4 / 5]


def test_it_does_not_grow() -> None:
    recent = Recent()
    size = recent._values.nbytes + recent._minutes.nbytes
    for minute in range(1000):
        recent.take([Minute(minute, {"request_rate": 1.0, "latency": 2.0, "missing_share": 0.0})])
    assert recent._values.nbytes + recent._minutes.nbytes == size <= 4400
    assert len(recent.last("predictions", 60_000.0)) == KEPT
    assert len(SERIES) == 8
