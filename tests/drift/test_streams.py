"""Distances of two streams, chunk by chunk, against Evidently, NannyML, and raw values."""

import csv
from itertools import pairwise

import numpy as np
import pytest

from exporter.comparison import even, features, groups, outputs
from exporter.drift.js import between as js
from exporter.drift.ks import between as ks
from exporter.drift.psi import GROUPS, psi
from exporter.drift.psi import between as psi_between
from exporter.drift.wasserstein import between as wasserstein
from tests.drift.streams import STREAMS, chunks, feature, names, reference, table, window


def answers(file):
    with (STREAMS / file).open() as lines:
        return list(csv.DictReader(lines))


EVIDENTLY, NANNYML = answers("evidently_drift.csv"), answers("nannyml_js.csv")


@pytest.fixture(scope="module")
def compared():
    """(stream, chunk, feature) to what is compared there."""
    found = {}
    for stream in ("carloan", "housing"):
        for chunk, rows in chunks(stream).items():
            live = window(stream, "analysis", rows)
            both = features(live) | {"p_a": outputs(live)}
            found |= {(stream, chunk, name): one for name, one in both.items()}
    return found


def expected(rows, column):
    """(stream, chunk, feature) to the answer in a column."""
    return {
        (row["dataset"], row["chunk"], row["feature"]): float(row[column])
        for row in rows
        if row[column]
    }


def errors(compared, distance, wanted):
    return np.array([abs(distance(compared[key]) - value) for key, value in wanted.items()])


def close(found, mean, most):
    return found.mean() <= mean and found.max() <= most


def constant(wanted):
    """The errors of the best constant in place of a distance."""
    values = np.array(list(wanted.values()))
    return np.abs(values - np.median(values))


def test_ks_is_evidentlys(compared):
    wanted = expected([row for row in EVIDENTLY if row["type"] == "num"], "ks_stat")
    assert len(wanted) == 136
    assert close(errors(compared, ks, wanted), 0.005, 0.03)
    assert not close(constant(wanted), 0.005, 0.03)


def test_wasserstein_is_evidentlys(compared):
    wanted = expected([row for row in EVIDENTLY if row["type"] == "num"], "wasserstein_norm")
    wanted = {key: value for key, value in wanted.items() if key[2] != "p_a"}
    assert len(wanted) == 114
    assert close(errors(compared, wasserstein, wanted), 0.005, 0.02)
    assert not close(constant(wanted), 0.005, 0.02)


def categorical(key, compared):
    return not compared[key].ordered


def test_js_of_categories_is_nannymls(compared):
    """Both have a bin a category."""
    wanted = {k: v for k, v in expected(NANNYML, "js").items() if categorical(k, compared)}
    assert len(wanted) >= 20
    assert errors(compared, js, wanted).max() < 1e-6
    assert constant(wanted).max() > 1e-3


@pytest.mark.parametrize(("stream", "mean"), [("carloan", 0.006), ("housing", 0.04)])
def test_js_of_numbers_is_near_to_nannymls(compared, stream, mean):
    """NannyML has other bins: evenly wide, by Doane's rule."""
    wanted = {
        key: value
        for key, value in expected(NANNYML, "js").items()
        if key[0] == stream and not categorical(key, compared)
    }
    found = np.array([js(compared[key]) for key in wanted])
    values = np.array(list(wanted.values()))
    assert np.abs(found - values).mean() <= mean
    assert np.abs(values - np.median(values)).mean() > mean
    assert np.corrcoef(found, values)[0, 1] > 0.9


def raw_shares(values, edges, low, high):
    """Counts of raw values in [edges[i], edges[i+1]), then outside, then missing."""
    missing = np.isnan(values).sum()
    inside = values[(values >= low) & (values < high)]
    known = [np.count_nonzero((inside >= a) & (inside < b)) for a, b in pairwise(edges)]
    return np.array([*known, len(values) - missing - len(inside), missing], float)


@pytest.mark.parametrize("stream", ["carloan", "housing"])
def test_psi_is_that_of_raw_values_in_the_same_bins(compared, stream):
    bins = {one.name: one for one in reference(stream).schema.bins if one.kind == "numeric"}
    assert len(bins) >= 3
    for name, one in bins.items():
        edges = one.edges
        known = feature(stream, "reference", name)
        fine = raw_shares(known, edges, edges[0], edges[-1])[:-2]
        ends = np.append(edges[groups(fine, even(GROUPS))], edges[-1])
        wanted = raw_shares(known, ends, edges[0], edges[-1])
        for chunk, rows in chunks(stream).items():
            live = raw_shares(feature(stream, "analysis", name, rows), ends, edges[0], edges[-1])
            found = psi_between(compared[stream, chunk, name])
            assert found == pytest.approx(psi(wanted, live), abs=1e-9)


def test_psi_follows_evidentlys(compared):
    """Its bins are evenly wide: the same order, not the same number."""
    wanted = expected(EVIDENTLY, "psi")
    found = [psi_between(compared[key]) for key in wanted]
    order = [np.argsort(np.argsort(values)) for values in (found, list(wanted.values()))]
    assert np.corrcoef(*order)[0, 1] > 0.8


@pytest.mark.parametrize("stream", ["carloan", "housing"])
def test_the_reference_itself_lies_at_no_distance(stream):
    for one in (
        features(window(stream, "reference")) | {"p_a": outputs(window(stream, "reference"))}
    ).values():
        assert psi_between(one) == 0
        assert js(one) == pytest.approx(0, abs=1e-7)
        if one.ordered:
            assert ks(one) == 0
        if one.edges is not None:
            assert wasserstein(one) == pytest.approx(0, abs=1e-9)


def test_the_streams_have_features():
    assert len(names("carloan")) == 7
    assert len(names("housing")) == 8
    assert len(table("carloan", "analysis")["p_a"]) == 50_000
