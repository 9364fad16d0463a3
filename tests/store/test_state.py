"""The law of saving: a state that was saved and loaded is the same, and goes on the same."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config import ModelSettings
from exporter.config.settings import LabelSettings
from exporter.ingest import decode
from exporter.ingest.columns import check
from exporter.intake import Moment
from exporter.models import Models
from exporter.monitor import Monitor
from exporter.packing import packed
from exporter.store import parts
from tests.engine.support import samples
from tests.golden import scenario
from tests.store.support import SETTINGS, START, named

IDS = st.none() | st.integers(0, 30)
VALUES = st.sampled_from(["a", "b", "c", 1, 0, True, 2**70, 1.5])
FEATURES = st.none() | st.dictionaries(
    st.sampled_from("xyz"), st.none() | st.floats(-5, 5) | st.sampled_from(["red", "blue", 2**80])
)
SCORES = st.dictionaries(st.sampled_from("abc"), st.floats(0, 1), min_size=1)


def event(**fields):
    return st.fixed_dictionaries(
        {"model": st.sampled_from(["m", "n"]), "version": st.sampled_from(["1", "2"])},
        optional=fields,
    )


EVENT = st.one_of(
    event(id=IDS, score=st.floats(0, 1), label=st.sampled_from([0, 1]), features=FEATURES,
          latency_seconds=st.floats(0, 10)),
    event(id=IDS, prediction=VALUES, label=VALUES, features=FEATURES),
    event(id=IDS, scores=SCORES, label=st.sampled_from("abc")),
    event(id=IDS, label=VALUES),
    st.fixed_dictionaries(
        {"model": st.sampled_from("mn"), "id": st.integers(0, 30), "label": VALUES}
    ),
)  # fmt: skip
BATCHES = st.lists(st.tuples(st.lists(EVENT, max_size=8), st.floats(0, 200)), max_size=12)
TASKS = st.sampled_from([None, "binary", "multiclass", "regression"])


def feed(monitor, batches, now):
    for events, seconds in batches:
        now += seconds
        columns, rejected = check(decode("application/json", json.dumps(events).encode()))
        monitor.ingest(columns, rejected, Moment(now, now))
    return now


def saved(monitor, now):
    return list(parts.records(monitor.models.dump(now)))


def loaded(records, config):
    monitor = Monitor(config)
    monitor.models = Models(config)
    monitor.models.load(parts.parts(records))
    return monitor


@settings(max_examples=60)
@given(BATCHES, BATCHES, TASKS, st.booleans())
def test_a_loaded_state_is_the_same_and_goes_on_the_same(before, after, task, revise):
    labels = LabelSettings(revise=revise)
    config = named(m=ModelSettings(name="m", task=task, labels=labels))
    live = Monitor(config)
    now = feed(live, before, START)
    records = saved(live, now)
    again = loaded(records, config)
    assert saved(again, now) == saved(loaded(records, config), now)
    assert samples(again, now) == samples(live, now)
    later = feed(live, after, now)
    assert feed(again, after, now) == later
    assert samples(again, later) == samples(live, later)


def grown(rows=3000):
    """A monitor with references, all its panes and joins in use."""
    known = scenario.references()
    monitor = scenario.monitor(scenario.COMPARED, known)
    for step in range(rows // 100):
        now = scenario.NOW + step * 7.0
        rng = np.random.default_rng(step)
        events = [
            {"model": "fraud", "version": "7", "id": 10_000 + step * 100 + i,
             "score": float(score), "label": int(score > 0.6),
             "features": {"amount": float(i), "country": "DE"}}
            for i, score in enumerate(rng.random(100))
        ]  # fmt: skip
        scenario.send(monitor, now, events)
        monitor.tick(now)
    return monitor, now


def test_everything_shown_with_references_comes_back():
    monitor, now = grown()
    again = loaded(saved(monitor, now), scenario.COMPARED)
    monitor.tick(now + 60.0)
    again.tick(now + 60.0)
    assert samples(again, now + 60.0) == samples(monitor, now + 60.0)
    for one, other in zip(monitor.models, again.models, strict=True):
        assert (one.reference is None) == (other.reference is None)
        assert packed(one.anomalies.dump()) == packed(other.anomalies.dump())


def test_a_reference_is_held_once_for_all_its_versions():
    monitor, now = grown(100)
    again = loaded(saved(monitor, now), scenario.COMPARED)
    for model in again.models:
        assert model.reference is again.models.references.sent[model.name, None]


def test_a_bound_that_is_lower_now_keeps_the_latest():
    monitor = Monitor(SETTINGS)
    feed(monitor, [([{"model": "m", "id": i, "score": 0.5}], 1.0) for i in range(100)], START)
    (model,) = monitor.models
    monitor.models.resize(30)
    assert monitor.models.store.table.bound == 30
    (model,) = monitor.models
    assert sorted(model.owner.slots, key=int) == [str(i) for i in range(70, 100)]
    assert model.owner.expired_capacity == 70
    feed(monitor, [([{"model": "m", "id": 99, "label": 1}], 1.0)], START + 100)
    assert model.owner.pending == 29


def test_real_sums_are_raised_and_counts_are_not():
    monitor = Monitor(SETTINGS)
    feed(monitor, [([{"model": "m", "score": 0.3, "latency_seconds": 0.1}] * 7, 1.0)], START)
    before = samples(monitor, START + 1)
    monitor.models.raise_totals(1e-3)
    after = samples(monitor, START + 1)
    for key, value in before.items():
        if key[0].endswith("_sum"):
            assert after[key] == pytest.approx(value * 1.001, rel=1e-12)
        else:
            assert after[key] == value


def test_features_of_a_first_collection_come_back():
    monitor = Monitor(SETTINGS)
    now = feed(monitor, [([{"model": "m", "score": 0.3, "features": {"x": 2**80}}], 1.0)], START)
    assert samples(loaded(saved(monitor, now), SETTINGS), now) == samples(monitor, now)


def test_the_reference_of_a_state_is_the_one_that_was_built():
    known = scenario.references()["price"]
    monitor = Monitor(scenario.COMPARED)
    monitor.models.references.sent["price", None] = known
    again = loaded(saved(monitor, START), scenario.COMPARED)
    assert (again.models.references.sent["price", None].vector == known.vector).all()
