"""References that are meant to take memory or time, or that name files: refused within bounds."""

import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter.reference.file import MEDIA_TYPE
from tests.fuzz.targets import headed
from tests.hostile.support import ARROW, GZIP, JSON, MIB, NDJSON
from tests.hostile.test_events import COLLIDING, DEEP, claims, columns, rows
from tests.web.test_bodies import arrow

CSV = {"Content-Type": "text/csv"}
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
BUILT = {"Content-Type": MEDIA_TYPE}
LONG = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000, pa.int8()), ["x" * MIB])


def parquet(named: dict, **options) -> bytes:
    sink = io.BytesIO()
    table = pa.table(named).replace_schema_metadata(None)
    pq.write_table(table, sink, compression="zstd", **options)
    return sink.getvalue()


def zeros(count: int) -> pa.Array:
    """So many numbers, of memory that is never touched one by one."""
    return pa.Array.from_buffers(pa.float64(), count, [None, pa.py_buffer(bytes(8 * count))])


HARMFUL = {
    "a text in 50 000 rows": (lambda: parquet({"prediction": LONG}), PARQUET, 422),
    "compressed pages": (lambda: parquet({"score": zeros(40_000_000)}, use_dictionary=False),
                         PARQUET, 413),
    "nulls in Parquet": (lambda: parquet({"score": pa.nulls(21_000_000, pa.float64())}),
                         PARQUET, 400),
    "nulls in Arrow": (lambda: arrow({"score": pa.nulls(21_000_000)}), ARROW, 400),
    "compressed buffers": (lambda: arrow({f"features.f{i}": zeros(8_000_000) for i in range(5)},
                                         compression="zstd"), ARROW, 413),
    "an Arrow dictionary": (lambda: arrow({"prediction": LONG}), ARROW, 422),
    "huge buffers": (lambda: claims(2**60), ARROW, 413),
    "negative events": (lambda: rows(-(2**60)), ARROW, 400),
    "a million columns": (lambda: b",".join(b"features.f%d" % i for i in range(1_000_000)),
                          CSV, 400),
    "200 million commas": (lambda: gzip.compress(b"," * 200_000_000, 1), CSV | GZIP, 400),
    "a row that never ends": (lambda: gzip.compress(b'score\n' + b'"\n",' * 9_000_000, 1),
                              CSV | GZIP, 400),
    "a gzip bomb": (lambda: gzip.compress(bytes(300 * MIB), 1), JSON | GZIP, 413),
    "many gzip members": (lambda: gzip.compress(b"") * 100_000 + gzip.compress(b"{}"),
                          NDJSON | GZIP, 422),
    "deep": (lambda: DEEP, JSON, 400),
    "events without end": (lambda: gzip.compress(b"[" + b"{}," * 85_000_000 + b"{}]", 1),
                          JSON | GZIP, 413),
    "colliding features": (lambda: columns(prediction=["a"], features={"f": COLLIDING}), JSON, 400),
    "a file that says it is large": (lambda: headed(b"\xdf\xff\xff\xff\xff"), BUILT, 400),
    "the name of a file": (lambda: b"/etc/passwd", CSV, 400),
    "the address of a file": (lambda: b'{"file":"file:///etc/passwd"}', JSON, 422),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMFUL)
def test_it_is_refused_within_memory(server, harm):
    make, headers, status = HARMFUL[harm]
    body = make()
    with server.children_below(3500 * MIB):
        answer = server.put(body, headers, seconds=200)
    assert answer.status == status, answer.body[:500]
    assert {"error", "detail"} <= set(answer.json())
    assert server.most_memory() < 300 * MIB
    assert server.get("/-/healthy").status == 200


def test_colliding_numbers_build_a_reference_soon(server):
    values = ["x", *COLLIDING]
    body = columns(prediction=["a"] * len(values), features={"f": values})
    body = body.replace(b'"model": "m"', b'"model": "hostile"')
    answer = server.put(body, JSON, seconds=200)
    assert answer.status == 200, answer.body[:500]
