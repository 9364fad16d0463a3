"""Counters never fall, whatever comes and whatever changes: a fall is a restart to Prometheus."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.collectors.totals import TotalsCollector
from exporter.config import LabelSettings, WindowSpec
from tests.engine.support import MINUTE, configured, monitor, only, send

IDS = st.integers(0, 8).map(str)
NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])
features = st.dictionaries(st.sampled_from("uvwxyz"), st.one_of(st.none(), st.floats(0, 1)))
event = st.one_of(
    st.fixed_dictionaries(
        {"id": IDS, "prediction": NAMES},
        optional={"features": features, "latency_seconds": st.floats(0, 20), "label": NAMES},
    ),
    st.fixed_dictionaries({"id": IDS, "label": NAMES}, optional={"version": st.just("none")}),
    st.fixed_dictionaries(
        {"score": st.floats(0, 1), "version": st.sampled_from(["s", "t"])},
        optional={"id": IDS, "label": st.sampled_from([0, 1])},
    ),
    st.fixed_dictionaries(
        {"version": st.just("n"), "prediction": st.floats(-1e9, 1e9)},
        optional={"id": IDS, "label": st.floats(-1e9, 1e9)},
    ),
    st.fixed_dictionaries(
        {"version": st.just("m"), "scores": st.dictionaries(NAMES, st.floats(0, 1), min_size=1)},
        optional={"id": IDS, "label": NAMES},
    ),
)
step = st.one_of(
    st.lists(event, min_size=1, max_size=12),
    st.sampled_from(["tick", "reload", "wait", "many", "adapt"]),
)


def counters(of, now):
    """Samples of counters and of histograms: all of them only rise."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in TotalsCollector(of, lambda: now).collect()
        if family.type in ("counter", "histogram")
        for sample in family.samples
    }


def reloaded(of, number):
    """Settings with other windows, and with other rules for labels."""
    windows = (MINUTE, WindowSpec("1h", 3600.0), WindowSpec("90 labels", labels=90))
    model = configured(labels=LabelSettings(revise=number % 2 == 1), per_class=number % 3 == 0)
    return replace(of.settings, windows=windows[number % 3 :], models=(model,))


def act(of, step, number, now):
    if step == "tick":
        of.tick(now)
    elif step == "reload":
        of.configure(reloaded(of, number), now)
    elif step == "many":
        score = np.linspace(0, 1, 1100)
        send(of, *({"version": "s", "score": s, "label": s > 0.4} for s in score.tolist()), now=now)
    elif step == "adapt":
        score = 0.70314 + 1e-6 * np.arange(200)
        send(of, *({"version": "s", "score": s, "label": k % 2} for k, s in enumerate(score)),
             now=now)  # fmt: skip
        of.tick(now + 30)
    elif step != "wait":
        send(of, *step, now=now)


@settings(max_examples=100)
@given(st.lists(step, max_size=15), st.sampled_from([3, 10_000]))
def test_counters_never_fall(steps, bound):
    fed = monitor(max_pending=bound, ttl=900.0, windows=[MINUTE, WindowSpec("5m", 300.0)])
    now, before = 0.0, {}
    stand_in_left = set()
    for number, one in enumerate(steps):
        now += {"wait": 700.0, "adapt": 100.0}.get(one if isinstance(one, str) else "", 1.0)
        act(fed, one, number, now)
        after = counters(fed, now)
        live = {model.version for model in fed.models}
        stand_in_left |= {"none"} - live
        for key, value in before.items():
            version = dict(key[1])["version"]
            if version in live and version not in stand_in_left:
                assert after[key] >= value, key
        before = after


def test_every_change_is_on_the_way_of_the_counters():
    """The property above is worth nothing if these never happen."""
    fed = monitor(windows=[MINUTE])
    act(fed, "many", 0, 0.0)
    model = only(fed)
    edges = model.counts.schema.score_edges
    assert edges is not None
    act(fed, "adapt", 1, 100.0)
    act(fed, "adapt", 2, 200.0)
    assert not np.array_equal(model.counts.schema.score_edges, edges)
    act(fed, "reload", 2, 300.0)
    assert [spec.name for spec in model.counts.windows] == ["90 labels"]
