"""The client: the order of hours, and when their truth is told."""

import itertools
import random

from exporter.demo import dataset
from exporter.demo.labels import NEVER_LABELLED, LateLabels, label_delay
from exporter.demo.traffic import hours_in_turn

_, STREAMED = dataset.split(dataset.load())


def test_each_round_has_every_hour_once_and_keeps_days_whole():
    turn = hours_in_turn(STREAMED, random.Random(1))
    first = list(itertools.islice(turn, len(STREAMED)))
    second = list(itertools.islice(turn, len(STREAMED)))
    key = lambda hour: (hour.date, hour.hour)  # noqa: E731
    assert sorted(first, key=key) == sorted(second, key=key) == STREAMED
    assert first != second
    assert first != STREAMED
    days = [date for date, _ in itertools.groupby(first, key=lambda hour: hour.date)]
    assert len(days) == len(set(days))


def test_labels_come_seconds_late_or_never():
    rng = random.Random(2)
    delays = [label_delay(rng) for _ in range(20_000)]
    known = [delay for delay in delays if delay is not None]
    assert abs(1 - len(known) / len(delays) - NEVER_LABELLED) < 0.01
    assert 0.05 <= NEVER_LABELLED <= 0.1
    assert min(known) >= 0.5
    assert max(known) <= 6.0
    assert 1.5 < sum(known) / len(known) < 2.5


def test_a_label_is_held_until_it_is_due_and_told_once():
    late = LateLabels(random.Random(3))
    for number in range(100):
        late.add(f"id-{number}", dataset.BUSY, now=10.0)
    assert list(late.due(10.4)) == []
    early = list(late.due(11.0))
    rest = list(late.due(16.0))
    assert early
    assert rest
    assert len(set(early + rest)) == len(early) + len(rest)
    assert list(late.due(1e9)) == []
