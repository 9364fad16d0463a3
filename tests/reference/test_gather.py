"""Recorded events of every format make the same reference."""

import csv
import gzip
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from exporter.config import FeatureSettings, ModelSettings, Settings
from exporter.ingest import BodyError
from exporter.reference import formats, gather, tables
from exporter.reference.formats import Inflated, batches
from exporter.reference.make import NotUsable, make
from tests.reference.events import KINDS, binary, multiclass, ndjson


def flat(events):
    """Events as columns of a table."""
    rows = [
        {k: v for k, v in e.items() if k != "features"}
        | {f"features.{name}": value for name, value in e["features"].items()}
        for e in events
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def as_csv(events):
    text = io.StringIO()
    table = flat(events)
    writer = csv.writer(text)
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue().encode()


def as_columns(events):
    table = {name: [e.get(name) for e in events] for name in ("id", "ts", "score", "label")}
    names = events[0]["features"]
    table["features"] = {name: [e["features"][name] for e in events] for name in names}
    return json.dumps({"columns": table}).encode()


def as_parquet(events):
    out = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(flat(events)), out, row_group_size=90)
    return out.getvalue()


def as_arrow(events, new=pa.ipc.new_stream):
    table = pa.table({**flat(events)})
    names = [name for name in table.column_names if name.startswith("features.")]
    arrays = [table.column(name).combine_chunks() for name in names]
    inputs = pa.StructArray.from_arrays(arrays, [n.removeprefix("features.") for n in names])
    table = table.drop_columns(names).append_column("features", inputs)
    out = io.BytesIO()
    with new(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=77)
    return out.getvalue()


BODIES = {
    "ndjson": ("ndjson", ndjson),
    "array": ("json", lambda events: json.dumps(events).encode()),
    "columns": ("json", as_columns),
    "csv": ("csv", as_csv),
    "parquet": ("parquet", as_parquet),
    "arrow stream": ("arrow", as_arrow),
    "arrow file": ("arrow", lambda events: as_arrow(events, pa.ipc.new_file)),
}


def made(body, form="ndjson", model=None, settings=None):
    return make(io.BytesIO(body), form, model, settings or Settings())


@pytest.mark.parametrize("name", BODIES)
def test_every_format_makes_the_same_reference(name, monkeypatch):
    monkeypatch.setattr(formats, "BATCH_ROWS", 50)
    monkeypatch.setattr(tables, "BATCH_ROWS", 50)
    monkeypatch.setattr(formats, "BATCH_BYTES", 5000)
    form, write = BODIES[name]
    events = binary()
    one, other = made(write(events), form).reference, made(ndjson(events)).reference
    assert {bins.name: bins.kind for bins in one.schema.bins} == KINDS
    assert one.schema == other.schema
    np.testing.assert_allclose(one.vector, other.vector)
    assert (one.rows, one.labels, one.covers) == (400, 400, 399 * 4.5)


def test_a_label_alone_goes_to_the_prediction_of_its_id():
    events = binary(100)
    labels = [{"id": e["id"], "label": e.pop("label")} for e in events]
    stray = [{"id": "nobody", "label": 1}]
    one = made(ndjson(labels[:50] + events + labels[50:] + stray)).reference
    other = made(ndjson(binary(100))).reference
    assert (one.rows, one.labels) == (100, 100)
    assert one.schema.codes.keys() == other.schema.codes.keys()
    confusion = [r.under(other.schema)["confusion"] for r in (one, other)]
    np.testing.assert_array_equal(*confusion)


def test_events_of_other_models_are_left_out():
    mine = [{**e, "model": "fraud"} for e in binary(60)]
    theirs = [{**e, "model": "spam"} for e in multiclass(40)]
    found = made(ndjson(mine + theirs), model="fraud")
    assert (found.reference.rows, found.others, found.model) == (60, 40, "fraud")
    assert made(ndjson(mine + theirs), model="fr*").reference.rows == 60
    with pytest.raises(NotUsable, match=r"events of 2 models \(fraud, spam\): name one"):
        made(ndjson(mine + theirs))
    with pytest.raises(NotUsable, match="all 40 name other models"):
        made(ndjson(theirs), model="fraud")
    assert made(ndjson(mine)).model == "fraud"


def test_events_that_are_wrong_are_told_with_their_place():
    body = ndjson(binary(30)) + b'{"score": 1.7}\n{broken\n{"label": 1}\n' + ndjson(binary(10))
    found = made(body)
    assert (found.reference.rows, found.rejected) == (40, 3)
    assert [(one.index, one.field) for one in found.listed] == [
        (30, "score"), (31, "event"), (32, "id"),
    ]  # fmt: skip


def test_settings_of_the_model_are_kept():
    settings = Settings(
        models=(
            ModelSettings(
                name="m",
                threshold=0.9,
                features={
                    "grade": FeatureSettings("numeric"),
                    "amount": FeatureSettings("categorical"),
                },
            ),
        )
    )
    schema = made(ndjson(binary()), model="m", settings=settings).reference.schema
    assert {b.name: b.kind for b in schema.bins} == {
        **KINDS, "grade": "numeric", "amount": "categorical",
    }  # fmt: skip
    assert schema.threshold == 0.9
    wrong = Settings(
        models=(ModelSettings(name="m", features={"color": FeatureSettings("numeric")}),)
    )
    with pytest.raises(NotUsable, match="is configured as numeric") as error:
        made(ndjson(binary()), model="m", settings=wrong)
    assert error.value.field == "features.color"


def test_values_of_mixed_types_and_features_that_come_late(monkeypatch):
    monkeypatch.setattr(formats, "BATCH_BYTES", 1000)
    events = [{"score": 0.5, "features": {"a": 1.5 * i}} for i in range(60)]
    events += [{"score": 0.5, "features": {"a": "text", "b": i}} for i in range(20)]
    events += [{"score": 0.5}]
    reference = made(ndjson(events)).reference
    found = {one.name: one for one in reference.found}
    assert (found["a"].kind, found["a"].values, found["a"].distinct) == ("categorical", 80, 61)
    assert (found["b"].values, found["b"].kind) == (20, "numeric")
    assert found["b"].missing in (60, 61)


@pytest.mark.parametrize(
    ("form", "body", "told"),
    [
        ("json", b"{", "body is not JSON"),
        ("json", b"3", "must be an object or an array"),
        ("csv", b"", "a header"),
        ("csv", b"scor,label\n1,2\n", "did you mean score"),
        ("csv", b"score,score\n1,2\n", "named twice"),
        ("csv", b"score\n\xff\n", "not UTF-8"),
        ("parquet", b"PAR1 no", "not Parquet"),
        ("arrow", b"no", "not Arrow"),
        ("arrow", b"ARROW1\0\0no", "not Arrow"),
    ],
)
def test_a_body_that_is_something_else(form, body, told):
    with pytest.raises(BodyError, match=told):
        list(batches(io.BytesIO(body), form))


def test_csv_cells_are_told_with_their_line():
    (raw,) = batches(io.BytesIO(b"score,label\n0.5,1\n0.5\n0.25,0\n"), "csv")
    assert raw.fields == {"score": [0.5, 0.25], "label": [1, 0]}
    assert [(r.index, r.error) for r in raw.rejected] == [
        (1, "line 3 has 1 cells, the header has 2")
    ]


def test_a_small_file_of_endless_events_is_refused(monkeypatch):
    out = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"score": np.full(3_000_000, 0.5)}), out)
    assert len(out.getvalue()) < 100_000
    monkeypatch.setattr(gather, "MAX_ROWS", 1_000_000)
    with pytest.raises(BodyError, match="more than 1000000 events"):
        made(out.getvalue(), "parquet")


def test_gzip_of_several_members():
    one, two = b"x" * 200_000, b"y" * 3
    packed = gzip.compress(one) + gzip.compress(two)
    assert io.BufferedReader(Inflated(io.BytesIO(packed))).read() == one + two
    for wrong in (packed[:-9], b"no gzip", packed + b"more"):
        with pytest.raises(BodyError, match="not gzip"):
            io.BufferedReader(Inflated(io.BytesIO(wrong))).read()
