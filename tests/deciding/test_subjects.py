"""The groups that a reference's numbers are compared in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.false_alarms import reference
from exporter.drift.subjects import ENDS, HEAVY, group_starts, subjects


@pytest.fixture(scope="module")
def known():
    # 100 000 rows of the features of the simulation, and the scores of its model
    return subjects(reference(100_000, False, 7).under(reference(100_000, False, 7).schema))


def shares(known, kind, name=""):
    place = next(i for i, one in enumerate(known.every) if (one.kind, one.name) == (kind, name))
    start, size = known.runs.starts[place], known.runs.sizes[place]
    counts = known.reference[start : start + size]
    return counts / counts.sum()


@pytest.mark.parametrize(
    ("kind", "name"), [("feature", "number_5"), ("feature", "skewed_1"), ("prediction", "")]
)
def test_groups_of_numbers_end_where_they_should(known, kind, name):
    ends = np.cumsum(shares(known, kind, name))[:-1]
    # The bins of a reference are fine enough for every end to be found.
    assert ends == pytest.approx(ENDS, abs=0.006)
    assert ends[0] == pytest.approx(ENDS[0], abs=0.002)


def test_a_heavy_value_has_a_group_of_its_own(known):
    whole = np.floor(np.exp(1.2 + 0.5 * np.random.default_rng(1).normal(size=100_000)))
    every = np.unique(whole, return_counts=True)[1] / 100_000
    heavy = every[every > HEAVY]
    assert len(heavy) >= 3
    found = shares(known, "feature", "count_0")
    assert np.abs(found[:, None] - heavy).min(axis=0) == pytest.approx(0, abs=0.006)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=40).filter(any))
def test_no_group_is_empty_and_a_heavy_bin_is_alone(counts):
    reference = np.array(counts, float)
    starts = group_starts(reference)
    assert starts[0] == 0
    assert (np.add.reduceat(reference, starts) > 0).all()
    group = np.searchsorted(starts, np.arange(len(counts)), side="right")
    for one in np.flatnonzero(reference > HEAVY * reference.sum()):
        assert reference[group == group[one]].sum() == reference[one]


def test_categories_are_as_they_are(known):
    assert shares(known, "feature", "device") == pytest.approx([0.25] * 4, abs=0.01)
