"""Writes the small bodies that fuzzing starts from: ``python -m tests.fuzz.seeds``.

One of each shape that a decoder knows. What fuzzing has found lies beside them, and stays.
"""

import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from exporter.config import Settings
from exporter.reference import file
from exporter.reference.make import make
from tests.fuzz.targets import headed
from tests.reference.events import binary, multiclass, ndjson, regression

CORPUS = Path(__file__).with_name("corpus")
EVENTS = [
    {"model": "m", "version": "1", "id": "a", "ts": 1.79e9, "score": 0.9, "label": 1,
     "features": {"x": 1.5, "y": "u", "z": None}, "latency_seconds": 0.1},
    {"model": "m", "version": "1", "id": 7, "ts": "2026-09-21T00:00:00Z", "prediction": "yes"},
    {"id": "a", "label": True},
    {"scores": {"a": 0.2, "b": 0.8}, "task": "multiclass", "segments": {"region": "eu"}},
    {"prediction": -1.5e3, "label": 2, "task": "regression"},
]  # fmt: skip
COLUMNS = {"model": "m", "version": "1", "columns": {
    "id": ["a", 2, None], "score": [0.1, 0.5, 1], "label": ["1", 0, True],
    "features": {"x": [1, 2.5, None], "y": ["u", "v", "w"]},
}}  # fmt: skip
CONFIG = """\
windows: [5m, 1h, 100 labels]
max_body_bytes: 4MiB
join: {ttl: 7d, max_pending: 1000}
drift: {windows: [1h], distances: [psi], min_effect: 0.02}
model_server: {port: 8080}
defaults: &d {threshold: 0.5}
models:
  - name: "fraud-*"
    task: binary
    classes: ["0", "1"]
    labels: {coverage: complete}
    features: {zip: {kind: categorical}}
    reference: {first: 1000}
    limits: {accuracy_ratio: {min: 0.9}, roc_auc_ratio: {drop: 0.05}}
"""


def tables() -> dict[str, pa.Table]:
    """Events in the shapes that a table may have."""
    texts = pa.array(["yes", "no", None]).dictionary_encode()
    inputs = pa.array([{"x": 1.0, "y": "u"}, {"x": None, "y": "v"}, None])
    times = pa.array([1, 2, 3], pa.timestamp("s", "UTC"))
    return {
        "dotted": pa.table({"id": ["a", "b", "c"], "score": [0.1, 0.9, 0.5], "label": [0, 1, 1],
                            "features.x": [1.0, None, 2.0], "features.y": ["u", "v", "w"]}),
        "struct": pa.table({"ts": times, "prediction": texts, "label": texts, "features": inputs}),
        "scores": pa.table({"scores.a": [0.2, 1.0], "scores.b": pa.array([0.8, None], pa.float32()),
                            "label": ["a", "b"]}),
        "numbers": pa.table({"prediction": pa.array([1, 2], pa.decimal128(5, 2)),
                             "label": pa.array([1, None], pa.int8())}),
    }  # fmt: skip


def stream(table: pa.Table, new=pa.ipc.new_stream) -> bytes:
    sink = io.BytesIO()
    with new(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return sink.getvalue()


def parquet(table: pa.Table, **options) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def built(events: list[dict]) -> bytes:
    made = make(io.BytesIO(ndjson(events)), "ndjson", None, Settings())
    return file.dumps(made.reference)[len(headed(b"")) :]


def seeds() -> dict[str, dict[str, bytes]]:
    """Target -> name -> content."""
    one = json.dumps(EVENTS[0]).encode()
    lines = ndjson(EVENTS)
    array = json.dumps(EVENTS).encode()
    columns = json.dumps(COLUMNS).encode()
    shapes = tables()
    csv = b"id,ts,score,label,features.x,features.y\na,1.79e9,0.1,1,2,u\nb,,0.9,0,,'v w'\n"
    zipped = {"one": gzip.compress(one, mtime=0), "two": gzip.compress(b"a", mtime=0) * 2}
    return {
        "json": {"object": one, "array": array, "columns": columns},
        "ndjson": {"lines": lines, "broken": b"{}\n\n[1]\n{\n" + one},
        "arrow": {name: stream(table) for name, table in shapes.items()},
        "gunzip": zipped,
        "inflated": zipped,
        "csv": {
            "rows": csv,
            "quoted": b'prediction,label\n"a\n,""b",c\n',
            "bom": b"\xef\xbb\xbf" + csv,
        },
        "parquet": {
            **{name: parquet(table) for name, table in shapes.items()},
            "plain": parquet(shapes["dotted"], use_dictionary=False, compression="none"),
        },
        "arrow_table": {
            "stream": stream(shapes["dotted"]),
            "file": stream(shapes["struct"], pa.ipc.new_file),
        },
        "recorded_json": {"array": array, "columns": columns},
        "recorded_ndjson": {"lines": lines},
        "reference_file": {
            "binary": built(binary(40)),
            "multiclass": built(multiclass(40)),
            "regression": built(regression(40)),
        },
        "config": {"all": CONFIG.encode(), "alias": b"a: &a [1]\nb: [*a, *a]\n"},
    }


def main() -> None:
    for target, files in seeds().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / f"seed-{name}").write_bytes(content)


if __name__ == "__main__":
    main()
