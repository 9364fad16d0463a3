"""A coded column is what the list of its values is, to all who count it."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.bins import FeatureBins
from exporter.coded import Coded, Coding
from exporter.config import ModelSettings, Settings
from exporter.layout import Layout
from exporter.reference import file
from exporter.reference.build import feature, quantiles
from exporter.reference.codes import feature_codes
from exporter.reference.formats import batches
from exporter.reference.gather import MOST_VALUES, _Column
from exporter.reference.make import make
from exporter.registry import STATISTICS, discover
from exporter.rows import ABSENT, Predictions
from exporter.schema import Schema

VALUES = st.lists(st.sampled_from(["x", "y", "2", "", None, ABSENT, 1, True, 1.0, 2, 7.5, "z"]))

BINS = (
    FeatureBins("f", "numeric", edges=np.array([1.0, 2.0, 7.0])),
    FeatureBins("f", "categorical", categories=("x", "2", "1")),
    FeatureBins("f", "categorical", categories=("x", "y"), rest=True),
    FeatureBins("f", "identifier"),
)


def coded(values):
    coding = Coding()
    codes = coding.codes(values)
    return Coded(codes, coding.values)


def same(found, expected):
    """Equal, and of the same types."""
    return [(type(a), a) for a in found] == [(type(b), b) for b in expected]


@given(VALUES, VALUES)
def test_a_value_has_one_code(first, second):
    coding = Coding()
    codes = np.concatenate([coding.codes(first), coding.codes(coded(second))])
    assert same(Coded(codes, coding.values), first + second)
    kinds = {(type(value), value) for value in first + second}
    assert len(coding) == len(coding.values) == len(kinds)


@given(VALUES, st.data())
def test_rows_of_it(values, data):
    rows = data.draw(st.lists(st.integers(0, max(0, len(values) - 1)))) if values else []
    part = coded(values).take(np.array(rows, np.int64))
    taken = [values[row] for row in rows]
    assert same(part, taken)
    assert [(type(one), one) for one in part.values] == list(
        dict.fromkeys(zip(map(type, taken), taken, strict=True))
    )
    assert same(coded(values).where_not(None), [one for one in values if one is not None])


@pytest.mark.parametrize("bins", BINS, ids=lambda bins: bins.kind)
@given(values=VALUES)
def test_it_is_counted_as_its_list_is(bins, values):
    discover()
    layout = Layout(Schema("binary", features=("f",), bins=(bins,)), STATISTICS.values())
    told = [
        layout.fold(Predictions(size=len(values), features={"f": column}), None)
        for column in (coded(values), values)
    ]
    np.testing.assert_array_equal(*told)


@given(VALUES)
def test_a_reference_finds_the_same_in_it(values):
    assert feature("f", coded(values), ModelSettings()) == feature("f", values, ModelSettings())


@pytest.mark.parametrize("bins", BINS[1:3], ids=lambda bins: str(bins.rest))
@given(values=st.lists(st.sampled_from(["x", "2", None, 1, True, "other"])))
def test_its_bins_are_those_of_its_list(bins, values):
    np.testing.assert_array_equal(feature_codes(coded(values), bins), feature_codes(values, bins))


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([["a", "b"], ["a"]], Coded),
        ([np.array([1.0, np.nan]), ["a"], np.array([3.0, np.nan])], Coded),
        ([np.array([1.0])], np.ndarray),
        ([[f"{i}" for i in range(MOST_VALUES + 1)], ["a"]], list),
        ([["a"] * (2 * MOST_VALUES + 2), [f"{i}" for i in range(MOST_VALUES + 1)]], Coded),
    ],
)
def test_a_growing_column_keeps_every_value(parts, kind):
    """Codes while values repeat, a list once most of them differ; NaN is a gap."""
    column, size, expected = _Column(coded=True), 0, []
    for part in parts:
        column.add(size, part)
        size += len(part)
        expected += part.tolist() if isinstance(part, np.ndarray) else part
    found = column.finish(size + 2)
    assert isinstance(found, kind)
    plain = [None if one is None or one != one else one for one in [*expected, None, None]]
    assert [None if one is None or one != one else one for one in found] == plain


def test_texts_of_a_table_come_as_codes():
    table = pa.table(
        {"score": [0.1, 0.2, 0.9], "features.a": ["x", None, "x"], "features.b": [1, 2, 3]}
    )
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    (raw,) = batches(io.BytesIO(out.getvalue()), "parquet")
    assert isinstance(raw.fields["features"]["a"], Coded)
    assert list(raw.fields["features"]["a"]) == ["x", None, "x"]
    assert list(raw.fields["features"]["b"]) == [1, 2, 3]


def test_texts_as_codes_make_the_reference_that_they_make_as_values():
    """A dictionary of texts is read as values, plain texts as codes."""
    rng = np.random.default_rng(3)
    texts = pa.array(rng.choice(["a", "b", "c", None], 5000, p=[0.6, 0.2, 0.1, 0.1]))
    score = rng.random(5000)
    made = []
    for column in (texts, texts.cast(pa.large_string()), texts.dictionary_encode()):
        out = io.BytesIO()
        table = pa.table({"ts": 1.79e9 + np.arange(5000.0), "score": score, "features.a": column})
        pyarrow.parquet.write_table(table, out)
        made.append(make(io.BytesIO(out.getvalue()), "parquet", None, Settings()).reference)
    assert file.dumps(made[0]) == file.dumps(made[1]) == file.dumps(made[2])


@given(st.lists(st.floats(-1e150, 1e150), min_size=1), st.lists(st.floats(0, 1), min_size=1))
def test_quantiles_are_numpys(values, shares):
    ordered = np.sort(np.array(values))
    np.testing.assert_array_equal(
        quantiles(ordered, np.array(shares)), np.quantile(ordered, shares)
    )
