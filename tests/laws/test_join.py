"""The laws of joining: neither order nor batches matter, and every event has one end."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import LabelSettings
from exporter.join import JoinStore, LabelEntries
from exporter.slots import Entries
from tests.engine.support import configured, monitor, send, version

VERSIONS = ("v1", "v2", "v3")
IDS = st.integers(0, 5).map(str)
predicted = st.builds(
    lambda v, i: {"version": v, "id": i, "prediction": "yes"}, st.sampled_from(VERSIONS), IDS
)
labelled = st.builds(
    lambda v, i: {"version": v, "id": i, "label": "yes" if int(i) % 2 else "no"},
    st.sampled_from(VERSIONS),
    IDS,
)
labelled_anywhere = labelled.map(lambda e: {k: v for k, v in e.items() if k != "version"})
both = labelled.map(lambda e: {**e, "prediction": "yes"})
any_event = st.one_of(predicted, labelled, labelled_anywhere, both)


@st.composite
def streams(draw, events, longest=25):
    """Events of one model, in batches."""
    drawn = draw(st.lists(events, max_size=longest))
    cuts = sorted(draw(st.lists(st.integers(0, len(drawn)), max_size=6)))
    return [drawn[a:b] for a, b in zip([0, *cuts], [*cuts, len(drawn)], strict=True)]


def feed(batches, *models, **settings):
    fed = monitor(*models, **settings)
    for batch in batches:
        send(fed, *batch)
    return fed


def totals(model, now=0.0):
    """Predictions and labels counted for one version."""
    if model is None or model.counts is None:
        return 0, 0
    life = model.counts.life(now)
    return life.predictions, life.labels


def waiting(of, name="m"):
    wild = of.models.known_wild(name)
    owners = [m.owner for m in of.models.versions(name)] + ([wild] if wild else [])
    return sum(owner.waiting for owner in owners)


def expected(events):
    """Per version (predictions, joined), pending; and labels waiting: from sets of ids alone."""
    predictions = {(e["version"], e["id"]) for e in events if "prediction" in e}
    named = {(e["version"], e["id"]) for e in events if "label" in e and "version" in e}
    anywhere = {e["id"] for e in events if "label" in e and "version" not in e}
    joined = {key for key in predictions if key in named or key[1] in anywhere}
    met_anywhere = {i for _, i in predictions}
    return (
        {
            v: (sum(k[0] == v for k in predictions), sum(k[0] == v for k in joined))
            for v in VERSIONS
        },
        {v: sum(k[0] == v for k in predictions - joined) for v in VERSIONS},
        len(named - predictions) + len(anywhere - met_anywhere),
    )


@given(streams(any_event))
def test_what_joins_depends_on_neither_order_nor_batches(batches):
    fed = feed(batches)
    counted, pending, waits = expected([event for batch in batches for event in batch])
    models = {v: version(fed, v) for v in VERSIONS}
    assert {v: totals(m) for v, m in models.items()} == counted
    assert {v: m.owner.pending if m else 0 for v, m in models.items()} == pending
    assert waiting(fed) == waits


def seen(of):
    """Ids of all owners, and the slots that are taken."""
    table = of.models.store.table
    ids = sum(len(owner.slots) for owner in table._owners.values())
    return ids, int(np.count_nonzero(table.state))


def ends(of):
    """How many predictions and labels came to each of their ends."""
    models = of.models.versions("m")
    wild = of.models.known_wild("m")
    joined = sum(totals(m)[1] for m in models)
    owners = [m.owner for m in models]
    return {
        "joined": joined,
        "pending": sum(o.pending for o in owners),
        "expired": sum(o.expired_ttl + o.expired_capacity for o in owners),
        "waiting": waiting(of),
        "orphaned": sum(of.models.orphaned(m) for m in models),
        "duplicate": sum(m.duplicates for m in models),
        "predictions": sum(totals(m)[0] for m in models),
        "left": wild.orphaned if wild else 0,
    }


@given(
    streams(st.one_of(predicted, labelled), 60),
    st.sampled_from([2, 3, 5, 100]),
    st.sampled_from([3.0, 1e6]),
)
def test_every_event_has_exactly_one_end(batches, bound, ttl):
    fed = monitor(max_pending=bound, ttl=ttl)
    for now, batch in enumerate(batches):
        send(fed, *batch, now=float(now))
    fed.tick(float(len(batches)))
    if not fed.models.versions("m"):
        return
    end = ends(fed)
    events = [event for batch in batches for event in batch]
    assert end["predictions"] == end["joined"] + end["pending"] + end["expired"]
    labels = end["joined"] + end["waiting"] + end["orphaned"] + end["left"]
    assert end["predictions"] + labels + end["duplicate"] == len(events)
    ids, slots = seen(fed)
    assert ids == slots == fed.models.store.table.used <= bound


@given(streams(any_event, 60), st.sampled_from([1, 2, 7]))
def test_the_bound_holds_over_all_models(batches, bound):
    fed = monitor(max_pending=bound)
    for number, batch in enumerate(batches):
        send(fed, *({**event, "model": f"m{number % 3}"} for event in batch))
        ids, slots = seen(fed)
        assert ids == slots == fed.models.store.table.used <= bound


def predictions(*ids, ts=0.0):
    return Entries(list(ids), [ts] * len(ids))


def told(*ids, value="yes"):
    return LabelEntries(list(ids), [value] * len(ids), [0.0] * len(ids))


def test_joined_ids_go_first_then_the_oldest():
    store = JoinStore(4, ttl=1e6)
    owner = store.table.owner()
    store.predict(owner, predictions("a", "b", "c", "d"), 0.0)
    store.label(owner, told("c"), 1.0)
    store.predict(owner, predictions("e"), 2.0)
    assert set(owner.slots) == {"a", "b", "d", "e"}
    assert owner.expired_capacity == 0
    store.predict(owner, predictions("f", "g"), 3.0)
    assert set(owner.slots) == {"d", "e", "f", "g"}
    assert (owner.expired_capacity, owner.expired_ttl, owner.pending) == (2, 0, 4)


def test_what_came_joined_goes_first_too():
    fed = monitor(max_pending=3)
    send(fed, {"id": "pending", "prediction": "yes"})
    send(fed, {"id": "both", "prediction": "yes", "label": "no"})
    send(fed, {"id": "third", "prediction": "yes"}, {"id": "fourth", "prediction": "yes"})
    owner = version(fed, "none").owner
    assert set(owner.slots) == {"pending", "third", "fourth"}
    assert owner.expired_capacity == 0


def test_a_waiting_label_that_must_go_is_an_orphan():
    store = JoinStore(2, ttl=10.0)
    first, second = store.table.owner(), store.table.owner()
    store.label(first, told("a"), 0.0)
    store.predict(second, predictions("b", "c"), 1.0)
    assert (first.orphaned, first.waiting, second.pending) == (1, 0, 2)
    store.table.expire(11.2)
    assert (second.expired_ttl, second.pending, store.table.used) == (2, 0, 0)


@pytest.mark.parametrize(("after", "joins"), [(9.9, True), (10.2, False)])
def test_a_label_meets_its_prediction_within_the_ttl(after, joins):
    store = JoinStore(10, ttl=10.0)
    owner = store.table.owner()
    store.predict(owner, predictions("a"), 100.0)
    assert bool(store.label(owner, told("a"), 100.0 + after).matches) is joins
    assert owner.expired_ttl == (not joins)


def test_a_batch_larger_than_the_bound_leaves_its_last_ids():
    store = JoinStore(10, ttl=1e6)
    owner = store.table.owner()
    found = store.predict(owner, predictions(*map(str, range(1037))), 0.0)
    assert len(found.fresh) == 1037
    assert list(owner.slots) == [str(i) for i in range(1027, 1037)]
    assert (owner.pending, owner.expired_capacity) == (10, 1027)


def test_slots_are_used_again_for_ever():
    store = JoinStore(7, ttl=1e6)
    owner = store.table.owner()
    for number in range(300):
        ids = [f"{number}-{i}" for i in range(number % 5 + 1)]
        store.predict(owner, predictions(*ids), float(number))
        store.label(owner, told(*ids[::2]), float(number))
    assert len(store.table.ids) == store.table.used == len(owner.slots) == 7


def test_release_frees_everything_of_one_owner():
    store = JoinStore(100, ttl=1e6)
    one, other = store.table.owner(), store.table.owner()
    store.predict(one, predictions("a", "b"), 0.0)
    store.label(one, told("b", "c"), 0.0)
    store.predict(other, predictions("a"), 0.0)
    store.table.release(one)
    assert store.table.used == 1
    assert not store.table.extra
    assert not store.table.truth
    again = store.table.owner()
    assert again.number == one.number
    assert (again.slots, again.pending, again.waiting) == ({}, 0, 0)
    assert store.label(other, told("a"), 1.0).matches


def confusion(of, v="v1"):
    life = version(of, v).counts.life(0.0)
    cells = life["confusion"]
    names = life.schema.classes
    return {
        (names[a], names[p]): int(cells[a, p])
        for a in range(len(names))
        for p in range(len(names))
        if cells[a, p]
    }


FIRST = {"version": "v1", "id": "a", "prediction": "yes"}


def label(value, **more):
    return {"version": "v1", "id": "a", "label": value, **more}


@pytest.mark.parametrize("batches", [[[FIRST], [label("yes")], [label("no")]],
                                     [[FIRST, label("yes"), label("no")]],
                                     [[label("yes")], [label("no")], [FIRST]]])  # fmt: skip
def test_without_revise_the_first_label_stays(batches):
    fed = feed(batches)
    assert confusion(fed) == {("yes", "yes"): 1}
    assert version(fed, "v1").duplicates == 1


REVISING = configured(labels=LabelSettings(revise=True))


def test_with_revise_the_last_label_counts_from_then_on():
    fed = feed([[FIRST], [label("yes")], [label("no")]], REVISING)
    assert confusion(fed)["no", "yes"] == 1
    send(fed, label("no"))
    assert version(fed, "v1").duplicates == 1
    early = feed([[label("yes")], [label("no")], [FIRST]], REVISING)
    assert confusion(early) == {("no", "yes"): 1}


@pytest.mark.parametrize("batches", [[[{**FIRST, "label": "no"}]],
                                     [[{"id": "a", "label": "no"}], [FIRST]],
                                     [[label("no")], [FIRST]],
                                     [[FIRST], [{"id": "a", "label": "no"}]]])  # fmt: skip
def test_with_revise_the_same_label_again_is_a_repeat(batches):
    fed = feed(batches, REVISING)
    send(fed, label("no"))
    assert confusion(fed) == {("no", "yes"): 1}
    assert version(fed, "v1").duplicates == 1
    send(fed, label("yes"))
    assert confusion(fed)["yes", "yes"] == 1


MEASURE = """
import sys
import numpy as np
import psutil
from exporter.config import LabelSettings
from exporter.join import JoinStore
from exporter.slots import Entries

store = JoinStore(1_100_000, 1e6)
owner = store.table.owner()
process = psutil.Process()
resident = []
for start in range(0, 1_000_000, 5000):
    ids = [f"{n:031d}" for n in range(start, start + 5000)]
    zeros = np.zeros(5000)
    store.predict(owner, Entries(ids, zeros, np.zeros(5000, np.int64), zeros), 0.0)
    resident.append((start + 5000, process.memory_info().rss))
(n0, r0), (n1, r1) = resident[79], resident[-1]
assert owner.pending == 1_000_000
print((r1 - r0) / (n1 - n0))
"""


def test_a_pending_prediction_costs_less_than_200_bytes():
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True, timeout=200
    )
    assert 31 < float(done.stdout) < 200
