import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.recorded import DataError, Row, format_of, open_recording
from exporter.cli.tables import event, plan

EVENTS = [
    {"id": "a", "score": 0.25, "label": 1, "features": {"amount": 3.5, "zip": "02139"}},
    {"id": "b", "score": 0.75, "prediction": "cat", "features": {"amount": None, "zip": "10001"}},
]


def rows(path: Path, form: str | None = None) -> list[Row]:
    with open_recording(str(path), form) as recording:
        return list(recording.rows)


def events(path: Path) -> list[Any]:
    return [json.loads(row.body) for row in rows(path)]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_ndjson_lines_are_passed_on_as_they_are(tmp_path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"id": 1}\n\n  {broken\r\n\xff\xfe\n{"score": NaN}')
    assert rows(path) == [
        Row("line 1", b'{"id": 1}'),
        Row("line 3", b"{broken"),
        Row("line 4", b"\xff\xfe", "not UTF-8 text"),
        Row("line 5", b'{"score": NaN}'),
    ]


@pytest.mark.parametrize(
    "document",
    [
        EVENTS,
        {
            "columns": {
                "id": ["a", "b"],
                "score": [0.25, 0.75],
                "label": [1, None],
                "prediction": [None, "cat"],
                "features": {"amount": [3.5, None], "zip": ["02139", "10001"]},
            }
        },
    ],
)
def test_json_arrays_and_columns(tmp_path, document: Any) -> None:
    assert events(write(tmp_path / "e.json", json.dumps(document))) == EVENTS


def test_a_json_object_is_one_event_and_shared_fields_of_columns_are_in_each(tmp_path) -> None:
    assert events(write(tmp_path / "e.json", '{"id": 1}')) == [{"id": 1}]
    columns = '{"model": "m", "columns": {"id": [1, 2]}}'
    assert events(write(tmp_path / "e.json", columns)) == [
        {"model": "m", "id": 1},
        {"model": "m", "id": 2},
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("e.json", "{", "not JSON"),
        ("e.json", "[" * 100_000, "not JSON"),
        (
            "e.json",
            '{"columns": {"id": [1], "score": [1, 2]}}',
            "columns of different lengths: 1, 2",
        ),
        ("e.json", '{"columns": {"id": 1}}', "column id is no array"),
        ("e.csv", "", "empty: a header"),
        ("e.csv", "id,scor\n", "column 'scor' is no field of an event; did you mean score?"),
        ("e.csv", "id,id\n", "a column is named twice"),
        ("e.csv", "id,features.\n", "column 'features.' is no field"),
        ("e.csv", 'id\n"' + "x" * 200_000, "line 2: field larger"),
        ("e.csv.gz", "no gzip", "Not a gzipped file"),
        ("e.txt", "", "say which format it is with --format"),
        ("e.parquet", "no parquet", "not Parquet"),
        ("e.arrow", "no arrow", "not Arrow"),
    ],
)
def test_files_that_are_no_events(tmp_path, name: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=r".+") as caught:
        rows(write(tmp_path / name, text))
    assert str(caught.value).startswith(str(tmp_path / name))
    assert message in str(caught.value)


def test_files_that_are_not_there(tmp_path) -> None:
    for name in ("none.csv", "none.parquet", "none.arrow"):
        with pytest.raises(DataError, match="no such file"):
            rows(tmp_path / name)
    with pytest.raises(DataError, match=r"[Ii]s a directory"):
        rows(tmp_path, "csv")


CSV = """\
id,model,score,label,prediction,latency_seconds,ts,features.amount,features.zip,scores.a,segments.region
1,m,0.25,true,007,1e-3,2026-01-01T00:00:00Z,3.5,02139,.5,1
2,m,,,cat,,1767225600,,,nan,
3,m
"""


def test_csv_cells(tmp_path) -> None:
    found = rows(write(tmp_path / "e.csv", "\ufeff" + CSV))
    assert json.loads(found[0].body) == {
        "id": "1",
        "model": "m",
        "score": 0.25,
        "label": True,
        "prediction": "007",
        "latency_seconds": 0.001,
        "ts": "2026-01-01T00:00:00Z",
        "features": {"amount": 3.5, "zip": "02139"},
        "scores": {"a": 0.5},
        "segments": {"region": "1"},
    }
    assert json.loads(found[1].body) == {
        "id": "2",
        "model": "m",
        "prediction": "cat",
        "ts": 1767225600,
        "features": {"amount": None, "zip": None},
    }
    assert found[2] == Row("line 4", b"", "has 2 cells, the header has 11")


def test_csv_quotes_and_places(tmp_path) -> None:
    path = write(tmp_path / "e.csv", 'id,label\n"a,""b""\nc",x\n\nd,y\n')
    assert [row.place for row in rows(path)] == ["line 3", "line 5"]
    assert events(path)[0] == {"id": 'a,"b"\nc', "label": "x"}


def test_gzip_and_how_far_it_is(tmp_path) -> None:
    path = tmp_path / "e.ndjson.gz"
    path.write_bytes(gzip.compress(b'{"id":1}\n' * 5000))
    with open_recording(str(path)) as recording:
        assert recording.fraction() == 0.0
        assert len(list(recording.rows)) == 5000
        assert recording.fraction() == 1.0
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"e.ndjson.gz: "):
        rows(path)


def table() -> pa.Table:
    return pa.table(
        {
            "id": [1, 2],
            "score": [0.25, float("nan")],
            "label": pa.array(["a", "b"]).dictionary_encode(),
            "ts": pa.array([1_767_225_600_000, None], pa.timestamp("ms")),
            "features": [{"amount": 3.5, "zip": "x"}, {"amount": None, "zip": None}],
            "scores": pa.array([[("a", 0.5)], []], pa.map_(pa.string(), pa.float64())),
        }
    )


@pytest.mark.parametrize("kind", ["parquet", "arrow file", "arrow stream"])
def test_parquet_and_arrow(tmp_path, kind: str) -> None:
    path = tmp_path / ("e.parquet" if kind == "parquet" else "e.arrow")
    if kind == "parquet":
        pyarrow.parquet.write_table(table(), path)
    else:
        new = pyarrow.ipc.new_file if kind == "arrow file" else pyarrow.ipc.new_stream
        with pa.OSFile(str(path), "wb") as sink, new(sink, table().schema) as writer:
            writer.write_table(table())
    assert events(path) == [
        {
            "id": 1,
            "score": 0.25,
            "label": "a",
            "ts": "2026-01-01T00:00:00+00:00",
            "features": {"amount": 3.5, "zip": "x"},
            "scores": {"a": 0.5},
        },
        {"id": 2, "label": "b", "features": {"amount": None, "zip": None}, "scores": {}},
    ]
    with open_recording(str(path)) as recording:
        next(recording.rows)
        assert recording.fraction() == 0.5


def test_parquet_with_dotted_columns_and_what_json_cannot_hold(tmp_path) -> None:
    path = tmp_path / "e.parquet"
    pyarrow.parquet.write_table(
        pa.table({"id": ["a"], "features.x": [1.5], "label": [b"\xff"]}), path
    )
    assert rows(path)[0].error == "Object of type bytes is not JSON serializable"
    both = pa.table({"features": [{"a": 1}], "features.x": [1.5]})
    pyarrow.parquet.write_table(both, path)
    with pytest.raises(DataError, match="features stands both as a whole"):
        rows(path)


def test_the_format_follows_from_the_name() -> None:
    assert format_of("a.b/E.JSONL.gz".replace("JSONL", "jsonl")) == "ndjson"
    assert format_of("x.CSV") == "csv"
    assert format_of("x.pq") == "parquet"


@given(st.dictionaries(st.sampled_from(["id", "score", "features.a", "scores.b"]), st.floats(0, 1)))
def test_an_event_of_a_row_holds_every_value_once(row: dict[str, float]) -> None:
    made = event(plan(list(row)), list(row.values()))
    flat = {}
    for field, value in made.items():
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        flat |= {f"{field}.{name}" if name else field: part for name, part in parts}
    assert flat == row
