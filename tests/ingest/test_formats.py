"""Every format gives the same columns for the same events."""

import io
import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.ingest import FORMATS, BodyError, together
from exporter.ingest.columns import check
from tests.ingest.support import ARROW, NDJSON, raw, read

SAFE = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9
)
TIMES = st.floats(0, 4e9)
UNIT = st.floats(0, 1)


def numbers_of(draw):
    """Columns of one kind each, as Arrow wants them; any event may lack any of them."""
    return draw(
        st.sampled_from(
            [
                {"prediction": st.floats(-1e12, 1e12), "label": st.floats(-1e12, 1e12)},
                {"prediction": st.integers(-(2**40), 2**40), "label": st.integers(0, 9)},
                {"prediction": SAFE, "label": SAFE, "score": UNIT},
                {"prediction": st.booleans(), "label": st.booleans(), "score": UNIT},
                {"scores": st.dictionaries(st.sampled_from("abc"), UNIT, min_size=1)},
            ]
        )
    )


@st.composite
def bodies(draw):
    """Events, whose ``features`` are of the same kind in a column."""
    kinds = numbers_of(draw)
    feature = draw(st.sampled_from([st.floats(-1e9, 1e9), SAFE, st.booleans(), st.integers(0, 99)]))
    optional = {
        "version": st.sampled_from(["1", "v2", "a/b:c"]),
        "id": SAFE,
        "ts": TIMES,
        "latency_seconds": st.floats(0, 1e3),
        "task": st.sampled_from(["binary", "multiclass"]),
        "segments": st.dictionaries(st.sampled_from(["region", "device"]), SAFE, min_size=1),
        "features": st.fixed_dictionaries({}, optional={"f": feature, "g h": st.none()}),
        **kinds,
    }
    event = st.fixed_dictionaries({"model": st.sampled_from(["m", "n"])}, optional=optional)
    return draw(st.lists(event, min_size=1, max_size=6))


GROUPS = ("features", "scores", "segments")


def as_columns(events):
    """The same events, a column a field."""
    columns = {}
    for name in dict.fromkeys(name for event in events for name in event):
        if name in GROUPS:
            keys = dict.fromkeys(key for event in events for key in event.get(name, {}))
            columns[name] = {k: [event.get(name, {}).get(k) for event in events] for k in keys}
        else:
            columns[name] = [event.get(name) for event in events]
    return {"columns": columns}


def as_arrow(events, *, dotted):
    columns = as_columns(events)["columns"]
    arrays = {}
    for name, column in columns.items():
        if name not in GROUPS:
            arrays[name] = pa.array(column)
        elif dotted:
            arrays.update({f"{name}.{key}": pa.array(values) for key, values in column.items()})
        elif column:
            rows = [
                dict(zip(column, row, strict=True)) for row in zip(*column.values(), strict=True)
            ]
            arrays[name] = pa.array(rows)
    return stream(pa.table(arrays))


def stream(table, chunk=2):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=chunk)
    return sink.getvalue()


def plain(columns):
    """Columns as lists, whatever they were made from."""
    found = {}
    for name in columns.__dataclass_fields__:
        column = getattr(columns, name)
        if name == "features" and isinstance(column, dict):
            rows = zip(*(listed(values) for values in column.values()), strict=True)
            column = [dict(zip(column, row, strict=True)) for row in rows]
        elif column is not None:
            column = listed(column)
        if column is not None and any(value is not None for value in column):
            found[name] = column
    return found


def listed(column):
    values = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return [None if isinstance(v, float) and math.isnan(v) else v for v in values]


def without_gaps(found):
    """A row of columns cannot tell an absent object of features from one without values."""
    rows = found.pop("features", None)
    if rows is not None:
        kept = [{k: v for k, v in (row or {}).items() if v is not None} for row in rows]
        if any(kept):
            found["features"] = kept
    return found


@given(bodies())
def test_rows_columns_lines_and_arrow_say_the_same(events):
    rows, rejected = read(events)
    same = [
        read("\n".join(map(json.dumps, events)).encode(), NDJSON),
        read("\r\n".join(map(json.dumps, events)).encode() + b"\n", NDJSON),
        read(json.dumps(events, indent=2).encode()),
    ]
    for other, bad in same:
        assert plain(other) == plain(rows)
        assert bad == rejected
    expected = without_gaps(plain(rows))
    for other, bad in (
        read(as_columns(events)),
        read(as_arrow(events, dotted=True), ARROW),
        read(as_arrow(events, dotted=False), ARROW),
    ):
        assert without_gaps(plain(other)) == expected
        assert [(one.index, one.field) for one in bad] == [(o.index, o.field) for o in rejected]


@given(st.lists(st.one_of(bodies(), st.just([{"score": 7}, 7, {}])), min_size=1, max_size=4))
def test_bodies_that_come_together_are_as_if_apart(sent):
    raws = [raw(body, model="k") for body in sent]
    whole, rejected = check(together(raws))
    starts = np.cumsum([0, *(one.size for one in raws)]).tolist()
    apart = [check(raw(body, model="k")) for body in sent]
    good, bad, predicted = [], [], []
    for start, (columns, faults) in zip(starts, apart, strict=False):
        good += [start + i for i in columns.at]
        bad += [(start + one.index, one.field) for one in faults]
        predicted += columns.prediction or [None] * len(columns)
    assert list(whole.at) == good
    assert [(one.index, one.field) for one in rejected] == bad
    assert list(whole.prediction or [None] * len(whole)) == predicted


def test_only_rows_can_come_together():
    assert raw([{"score": 0.5, "features": {"a": 1}}]).by_row
    assert not raw({"columns": {"score": [0.5], "features": {"a": [1]}}}).by_row
    # A null is a NaN in a column of floats: among rows it would be a number that was sent.
    assert not raw(stream(pa.table({"score": [0.5, None]})), ARROW).by_row


def test_one_object_is_a_body_of_one():
    event = {"id": 7, "prediction": "yes", "features": {"a": None}}
    assert plain(read(event)[0]) == plain(read([event])[0])


def test_what_stands_for_all_rows_of_columns():
    columns = {"prediction": [1, 2], "id": ["a", None]}
    body = {"model": "n", "version": "7", "task": "regression", "columns": columns}
    found = plain(read(body)[0])
    assert found["model"] == ["n", "n"]
    assert found["version"] == ["7", "7"]
    assert found["task"] == ["regression"] * 2
    assert found["id"] == ["a", None]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["a"], "score": [0.1, 0.2]}, "equally long"),
        ({"id": "abc"}, "must be an array"),
        ({"features": [1, 2]}, "must be an object of arrays"),
        ({"features": {"a": 1}}, "must be an array"),
        ([1], "must be an object"),
    ],
)
def test_columns_that_are_none(columns, message):
    with pytest.raises(BodyError, match=message):
        read({"columns": columns})


@pytest.mark.parametrize(
    "type",
    [pa.float32(), pa.float16(), pa.decimal128(9, 3), pa.int8(), pa.uint64(), pa.int32()],
)
def test_arrow_numbers_of_any_width(type):
    table = pa.table({"prediction": pa.array([1, None, 3], pa.int8()).cast(type)})
    table = table.append_column("label", table.column(0)).append_column("id", pa.array(["a"] * 3))
    columns, rejected = read(stream(table), ARROW)
    assert [(one.index, one.field) for one in rejected] == [(1, "prediction")]
    assert [float(value) for value in columns.prediction] == [1, 3]


def test_arrow_times_dictionaries_and_large_strings():
    moments = pa.array([1_790_000_000_500, None], pa.timestamp("ms", "UTC"))
    classes = pa.array(["yes", "no"]).dictionary_encode()
    ids = pa.array(["a", "b"], pa.large_string())
    columns, rejected = read(
        stream(pa.table({"ts": moments, "prediction": classes, "id": ids})), ARROW
    )
    assert not rejected
    assert plain(columns)["ts"] == [1_790_000_000.5, None]
    assert plain(columns)["prediction"] == ["yes", "no"]
    assert plain(columns)["id"] == ["a", "b"]


def test_objects_without_keys_are_absent():
    columns = {"score": [0.5, 1.0]} | {group: {} for group in GROUPS}
    empty = pa.array([{}, {}], pa.struct([]))
    table = pa.table({"score": [0.5, 1.0], **dict.fromkeys(GROUPS, empty)})
    for found, rejected in (read({"columns": columns}), read(stream(table), ARROW)):
        assert not rejected
        assert found.score.tolist() == [0.5, 1.0]
        assert found.scores is None or list(found.scores) == [None, None]
        assert not any(found.features or [])


def test_a_null_object_of_features_is_an_event_without_features():
    features = pa.array([{"a": 1.0}, None, {"a": None}], pa.struct([("a", pa.float64())]))
    table = pa.table({"score": [0.5, 0.5, 0.5], "features": features})
    rows = [{"a": 1.0}, None, {"a": None}]
    listed = [{"score": 0.5, "features": row} for row in rows]
    for found, rejected in (read(stream(table), ARROW), read(listed)):
        assert not rejected
        assert list(found.features) == rows


def test_no_rows_of_arrow_are_no_events():
    schema = pa.schema([("score", pa.float64()), ("features", pa.struct([("a", pa.int64())]))])
    for chunk in (1, None):
        columns, rejected = read(stream(schema.empty_table(), chunk), ARROW)
        assert (len(columns), rejected) == (0, [])


def test_arrow_nan_is_no_null():
    scores = pa.array([0.5, math.nan, None])
    table = pa.table({"score": scores, "label": pa.array(["1"] * 3), "id": pa.array(list("abc"))})
    columns, rejected = read(stream(table), ARROW)
    assert [(one.index, one.field) for one in rejected] == [(1, "score")]
    assert plain(columns)["score"] == [0.5, None]


@pytest.mark.parametrize(
    "body",
    [b"", b"not arrow", b"\xff\xff\xff\xff\x00\x00\x00\x00", b"\xff" * 400,
     stream(pa.table({"score": [0.5]}))[:100]],
)  # fmt: skip
def test_what_is_no_arrow_stream(body):
    with pytest.raises(BodyError):
        read(body, ARROW)


def test_every_media_type_of_the_contract_is_there():
    assert {"application/json", NDJSON, ARROW} <= FORMATS.keys()
