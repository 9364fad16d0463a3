"""Natural variability of references whose windows differ, or do not."""

import numpy as np
import pytest
from scipy import stats

from exporter.config import ModelSettings
from exporter.config.settings import DriftSettings
from exporter.drift.effect import Pair, effects
from exporter.drift.tolerance import tolerance
from exporter.ingest.columns import Columns
from exporter.reference.build import build
from exporter.reference.cuts import MOST_WINDOWS, cut
from exporter.reference.variability import excess, unsure

HOUR, DAY = 3600.0, 86_400.0


def built(ts, shift, flip=0.1, seed=1, task="binary"):
    """A reference of one numeric and one categorical feature, moved by ``shift``."""
    rng = np.random.default_rng(seed)
    size = len(ts)
    number = rng.normal(size=size) + shift
    score = np.clip(rng.random(size) + shift / 10, 0, 1)
    label = (score >= 0.5) ^ (rng.random(size) < flip)
    about = Columns(
        range(size),
        ["m"] * size,
        ts=ts,
        score=score,
        label=[("0", "1")[int(one)] for one in label],
        features={"number": number, "letter": ["abc"[int(z > 0) + int(z > 1)] for z in number]},
        predicts=np.ones(size, bool),
    )
    return build(about, ModelSettings(task=task, positive_class="1"))[0]


def times(rows, days, seed=2):
    return np.sort(np.random.default_rng(seed).random(rows)) * days * DAY


def test_independent_windows_vary_no_more_than_chance():
    ts = times(60_000, 14)
    found = built(ts, np.zeros(len(ts))).variability
    assert found[HOUR].windows == MOST_WINDOWS
    assert found[DAY].windows == 14
    for effect in found[HOUR].effects.values():
        assert effect < 0.005
    assert found[HOUR].variances["accuracy_ratio"] < 2e-4


def test_windows_that_move_vary_by_as_much():
    """A mean that moves by s between windows has an effect of about s^2."""
    ts = times(60_000, 14)
    hours = (ts // HOUR).astype(int)
    shift = np.random.default_rng(3).normal(size=hours.max() + 1)[hours] * 0.3
    found = built(ts, shift).variability
    assert found[HOUR].effects["feature:number"] == pytest.approx(0.09, rel=0.35)
    assert found[DAY].effects["feature:number"] < 0.02
    assert found[HOUR].effects["feature:letter"] > 0.03


def test_quality_that_moves_has_a_variance():
    ts = times(60_000, 14)
    hours = (ts // HOUR).astype(int)
    flip = 0.2 + np.random.default_rng(3).normal(size=hours.max() + 1)[hours] * 0.05
    found = built(ts, np.zeros(len(ts)), flip).variability
    assert found[HOUR].variances["accuracy_ratio"] == pytest.approx(0.0025, rel=0.35)


def test_few_windows_are_made_up_for():
    for windows in (5, 20, 200):
        assert unsure(windows) == pytest.approx(windows / stats.chi2.ppf(0.05, windows))


def test_the_bound_holds_what_chance_hides():
    """Of references whose windows do differ, at most one in twenty is thought to differ less."""
    rng = np.random.default_rng(5)
    shares, windows, size = np.full(10, 0.1), 14, 700
    true, below, none = 0.0, 0, 0
    for _ in range(400):
        moved = shares * np.exp(rng.normal(size=(windows, 10)) * 0.03)
        moved /= moved.sum(axis=1, keepdims=True)
        true = float((np.square(moved - shares) / shares).sum(axis=1).mean())
        counts = np.stack([rng.multinomial(size, p) for p in moved]).astype(np.float64)
        rest = counts.sum(axis=0) - counts
        found = effects([Pair(a, b, True) for a, b in zip(counts, rest, strict=True)])
        below += excess(found.effect, found.chance, found.bins - 1) < true
        none += (found.effect - found.chance).mean() <= 0
    assert none > 40, "chance hides it often"
    assert below <= 400 * 0.05 + 3 * np.sqrt(400 * 0.05 * 0.95)


def test_what_few_windows_tell_is_not_known():
    """Of two weeks only the first hour has labels, and a feature values for six hours."""
    ts = times(40_000, 14)
    about = Columns(
        range(len(ts)),
        ["m"] * len(ts),
        ts=ts,
        score=np.random.default_rng(4).random(len(ts)),
        label=[("0", "1")[i % 2] if at < HOUR else None for i, at in enumerate(ts)],
        features={"always": ts % 7, "early": np.where(ts < 6 * HOUR, ts % 7, np.nan)},
        predicts=np.ones(len(ts), bool),
    )
    known, _ = build(about, ModelSettings(positive_class="1"))
    for found in known.variability.values():
        if found.windows >= 5:
            assert set(found.effects) == {"feature:always", "prediction"}
            assert found.variances == {}
    allowed = tolerance(known, HOUR, DriftSettings())
    assert allowed.effect("feature:always").levels == ("warning", "critical")
    assert allowed.effect("feature:early").levels == ("warning",)
    assert allowed.metric_levels("accuracy_ratio") == ("warning",)


def test_windows_are_held_against_the_rest():
    """Two halves that differ: against the whole, each would seem half as far."""
    ts = np.linspace(0, 14 * DAY - 1, 20_000)
    shift = np.where(ts < 7 * DAY, -0.2, 0.2)
    found = built(ts, shift).variability[7 * DAY]
    assert found.windows == 2
    assert found.effects["feature:number"] / unsure(2) == pytest.approx(0.16, rel=0.15)


def test_times_say_nothing_when_there_are_none():
    ts = np.full(2000, np.nan)
    assert built(ts, 0.0).variability == {}


def test_order_does_not_matter():
    ts = times(5000, 10)
    shift = np.sin(ts / DAY * 2 * np.pi) / 2
    places = np.random.default_rng(1).permutation(len(ts))
    about = cut(ts, ts[0], HOUR), cut(ts[places], ts[0], HOUR)
    for a, b in zip(about[0].slices(), about[1].slices(), strict=True):
        assert set(ts[about[0].rows[a]]) == set(ts[places][about[1].rows[b]])
    assert built(ts, shift).variability[DAY].effects["feature:number"] > 0


def test_cuts_are_bounded_whole_windows():
    ts = times(400_000, 30)
    found = cut(ts, 0.0, 300.0, most_rows=1000)
    assert found.windows <= MOST_WINDOWS
    assert len(found.rows) <= 1000 + MOST_WINDOWS
    assert found.stride > 1
    assert cut(np.array([0.0, np.nan]), 0.0, 300.0).windows == 0
    assert cut(np.zeros(0), 0.0, 300.0).windows == 0
    assert cut(np.linspace(0, 1000, 200), 0.0, 300.0).windows == 3
    assert cut(np.linspace(0, 1199, 200), 0.0, 300.0).windows == 4
