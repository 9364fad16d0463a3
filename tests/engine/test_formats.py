"""One model fed in one format after another: what waits to be folded is of every kind."""

import json

import numpy as np
import pyarrow as pa
import pytest

from exporter.ingest.columns import check
from exporter.intake import Moment
from exporter.rows import ABSENT, Predictions, concat
from tests.engine.support import WALL, monitor, samples
from tests.ingest.support import ARROW, JSON, NDJSON, raw

SHAPES = {
    "binary": {"score": 0.75, "label": 1},
    "multiclass": {"scores": {"a": 0.25, "b": 0.75}, "label": "b"},
    "regression": {"prediction": 2.5, "label": 2.0},
}


def bodies(fields, start):
    """The same four events in each format; one of the features is missing, of one event all."""
    rows = [
        {**fields, "id": f"{start + i}", "latency_seconds": 0.01, "features": features}
        for i, features in enumerate(
            [{"a": 1.0, "b": "x"}, {"a": None, "b": "y"}, None, {"a": 2.5, "b": None}]
        )
    ]
    yield JSON, json.dumps(rows).encode()
    yield NDJSON, b"\n".join(json.dumps(row).encode() for row in rows)
    yield JSON, json.dumps(rows[0]).encode()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for group in ("features", "scores"):
        if group in columns:
            found = [row or {} for row in columns[group]]
            names = dict.fromkeys(name for row in found for name in row)
            columns[group] = {name: [row.get(name) for row in found] for name in names}
    yield JSON, json.dumps({"columns": columns}).encode()
    flat = {key: values for key, values in columns.items() if not isinstance(values, dict)}
    for group in ("features", "scores"):
        flat |= {f"{group}.{name}": v for name, v in columns.get(group, {}).items()}
    table = pa.table(flat)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    yield ARROW, sink.getvalue().to_pybytes()


@pytest.mark.parametrize("task", SHAPES)
def test_formats_may_follow_each_other_in_any_order(task):
    """Through the start buffer and after it; folded together whatever they came in."""
    monitored = monitor()
    random = np.random.default_rng(1)
    sent = 0
    for round_number in range(400):
        kinds = list(bodies(SHAPES[task], 100 * round_number))
        media_type, body = kinds[random.integers(len(kinds))]
        columns, rejected = check(raw(body, media_type))
        assert not rejected
        outcome = monitored.ingest(columns, rejected, Moment(round_number / 100, WALL))
        assert outcome.accepted == len(columns)
        sent += len(columns)
    found = samples(monitored, 4.0)
    totals = {name: value for (name, _), value in found.items() if name.endswith("s_total")}
    assert totals["model_predictions_total"] == sent
    assert totals["model_labels_total"] == sent


def test_features_may_come_in_any_format_in_turn():
    """Rows give lists of Python's numbers, Arrow gives arrays; both wait to be folded together."""
    parts = [
        Predictions(2, features={"a": [1.0, None], "b": ["x", "y"]}),
        Predictions(2, features={"a": np.array([2.0, np.nan])}),
        Predictions(1),
        Predictions(1, features={"a": np.array([3.0])}),
    ]
    joined = concat(parts)
    assert repr(joined.features["a"]) == repr([1.0, None, 2.0, float("nan"), ABSENT, 3.0])
    assert joined.features["b"] == ["x", "y", None, None, ABSENT, None]
    arrays = concat([parts[1], parts[3]]).features["a"]
    np.testing.assert_array_equal(arrays, [2.0, np.nan, 3.0])
