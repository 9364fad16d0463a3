"""The promise, in short: months without drift, and a change that is seen.

``python -m benchmarks.false_alarms`` measures it at length; its table is in docs/decisions.md.
"""

import numpy as np
import pytest
from scipy import stats

from benchmarks.false_alarms import (
    SHIFTS,
    Case,
    around_median,
    cases,
    delay,
    months,
    quiet,
    table,
    upper_bound,
)
from benchmarks.rules import Episodes, psi
from benchmarks.streams import NAMES, Stream
from exporter.drift.effect import Runs
from exporter.drift.subjects import ENDS

TENTHS = np.arange(1, 10) / 10
AT_5_A_MINUTE = 0.5 / 43_200 / 139
"""What one decision may alarm at by chance: two windows of three have enough events."""
MONTHS = [
    Case(5, False, 10_000, seed=1, interval=5),
    Case(5, True, 100_000, seed=2, interval=5),
    Case(50, False, 100_000, seed=3, interval=5),
    Case(50, True, 10_000, seed=4, interval=5),
]


@pytest.mark.slow
@pytest.mark.parametrize("case", MONTHS, ids=str)
def test_a_month_without_drift_has_no_page(case):
    _, begun = quiet(case)
    assert begun["critical"] == 0
    # Asked the same questions, customary rules cry wolf: the stream is no easy one.
    assert begun["p < .05"] > 100
    assert begun["mean + 3 sd"] > 10


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "shift", "most"), [(50, 0.5, 60), (500, 1.0, 2)])
def test_a_change_is_seen(rate, shift, most):
    assert delay(rate, shift, 7) <= most


@pytest.mark.parametrize(("expected", "shift"), SHIFTS.items())
def test_a_shift_has_the_psi_that_is_stated(expected, shift):
    known, live = np.full(10, 0.1), tenths(shift)
    found = psi(live * 1e6, known * 1e6, Runs.of([10], [True]))
    assert found == pytest.approx([expected], abs=0.001)


@pytest.mark.parametrize(
    ("ends", "series", "power"), [(TENTHS, 200, 0.055), (ENDS, 200, 0.46), (ENDS, 60, 0.54)]
)
def test_one_minute_of_five_is_a_matter_of_chance(ends, series, power):
    """Why the largest change takes one or two decisions at 500 a minute, and not by the code.

    A minute after it, a fifth of a full window of 2500 events is new.
    """
    found = called(ends, 2500, 0.2, 1.0, 0.5 / 43_200 / series)
    assert found == pytest.approx(power, abs=0.02)


def test_groups_that_are_fine_at_the_ends_see_a_shift_sooner():
    """The smallest change at 5 events a minute, in a full 1h window: a matter of chance again."""
    few = ENDS[(ENDS > 0.04) & (ENDS < 0.96)]  # ten events are expected in each group
    alpha = AT_5_A_MINUTE / 5
    assert called(few, 300, 1.0, 0.35, alpha) > 1.3 * called(TENTHS, 300, 1.0, 0.35, alpha) > 0.01


@pytest.mark.parametrize(
    ("window", "minutes", "low", "high"),
    [(360, 220, 0, 0.1), (360, 280, 0.5, 0.7), (1440, 700, 0, 0.05), (1440, 860, 0.5, 0.75)],
)
def test_a_window_of_six_hours_calls_the_smallest_change_soonest(window, minutes, low, high):
    """At 5 events a minute; no 1h window does it surely."""
    found = called(ENDS, 5 * window, minutes / window, 0.35, AT_5_A_MINUTE)
    assert low <= found <= high


def called(ends, n, new, shift, alpha, m=100_000, times=40_000):
    """Return how often a shift is called of which ``new`` is the share in a window, by chance.

    The counts are drawn, so that nothing rests on the distribution that the limit comes from.
    """
    rng = np.random.default_rng(1)
    edges = stats.norm.ppf(np.concatenate([[0], ends, [1]]))
    q, moved = np.diff(stats.norm.cdf(edges)), np.diff(stats.norm.cdf(edges - shift))
    known = rng.multinomial(m, q, times)
    live = rng.multinomial(n, new * moved + (1 - new) * q, times)
    n_eff = 1 / (1 / n + 1 / m)
    x = n_eff * ((live / n - known / m) ** 2 / ((live + known) / (n + m))).sum(axis=1)
    return (x > stats.ncx2.isf(alpha, len(ends), n_eff * 0.02)).mean()


def tenths(shift):
    """Return the shares of a normal variable, moved so far, in the tenths of one that is not."""
    return np.diff(stats.norm.cdf(stats.norm.ppf(np.linspace(0, 1, 11)) - shift))


def test_streams_have_the_stated_spread():
    still, moving = (Stream(1, 50, dependent).means(0, 14 * 1440) for dependent in (False, True))
    assert not still.any()
    assert moving.shape == (14 * 1440, len(NAMES))
    assert moving.var(axis=0).mean() == pytest.approx(0.5**2 / 2 + 0.2**2, rel=0.1)
    hours = moving.reshape(14, 1440, -1).mean(axis=0)
    assert np.ptp(hours, axis=0).mean() == pytest.approx(1.0, rel=0.25)


def test_an_alarm_that_lasts_is_one_episode():
    seen = Episodes()
    for alarming in ([], ["a"], ["a"], ["a", "b"], [], ["a"]):
        seen.see("rule", alarming)
    assert seen.begun["rule"] == 3


def test_interval_of_a_median():
    """The coverage is known whatever the distribution: how many of n lie below the median."""
    for n in (6, 9, 24, 100):
        low, high = around_median([float(i) for i in range(n)][::-1])
        assert low == n - 1 - high
        missed = 2 * stats.binom.cdf(low, n, 0.5)
        assert missed <= 0.05 < 2 * stats.binom.cdf(low + 1, n, 0.5)


def test_decisions_may_be_closer_than_a_minute():
    found = delay(500, 1.0, 7, seconds=15)
    assert found % 0.25 == 0
    assert found <= 2


def test_bound_is_that_of_a_poisson_rate():
    assert upper_bound(0, 20) == pytest.approx(3 / 20, rel=0.01)
    for episodes in (0, 1, 7):
        bound = upper_bound(episodes, 1)
        assert stats.poisson.cdf(episodes, bound) == pytest.approx(0.05)


def test_psi_of_each_run():
    live, known = np.array([9.5, 19.5, 4.5, 4.5]), np.array([19.5, 9.5, 4.5, 4.5])
    found = psi(live, known, Runs.of([2, 2], [True, True]))
    assert found == pytest.approx([(2 / 3 - 1 / 3) * np.log(2) * 2, 0])


def test_cases_are_even_and_tabled():
    every = cases(8, [5, 50])
    assert len(every) == 16
    # A run that is broken off has as many months of each rate.
    assert [case.rate for case in every[:4]] == [5, 50, 5, 50]
    assert {(case.dependent, case.rows) for case in every if case.rate == 5} == {
        (dependent, rows) for dependent in (False, True) for rows in (10_000, 100_000)
    }
    lines = table([(case, Episodes().begun) for case in every])
    assert len(lines) == 2 + 2 * 5
    assert len({line.count("|") for line in lines}) == 1


def test_a_run_that_was_broken_off_goes_on(tmp_path):
    kept = tmp_path / "months"
    short = [Case(5, False, 10_000, seed, days=1, interval=60) for seed in (1, 2)]
    first = months(short[:1], 1, kept)
    both = months(short, 1, kept)
    assert both[0] == first[0]
    assert [case for case, _ in both] == short
    assert len(kept.read_text().splitlines()) == 2
    assert months(short, 1, kept) == both
