"""Reference files: what is saved is read back, and nothing else is."""

import io
import struct
import zlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Settings
from exporter.reference import file
from exporter.reference.file import BadFile, dumps, load, loads, save
from exporter.reference.make import make
from exporter.registry import STATISTICS
from tests.reference.events import binary, multiclass, ndjson, regression

GOLDEN = Path(__file__).parents[1] / "golden" / "reference-1.mmref"


def built(events):
    return make(io.BytesIO(ndjson(events)), "ndjson", None, Settings(), source="test").reference


def again(body):
    """The bytes of a file with another body, its head made true."""
    return file.MAGIC + struct.pack("<HII", 1, len(body), zlib.crc32(body)) + body


def opened(data):
    return msgspec.msgpack.decode(data[len(file.MAGIC) + 10 :])


def changed(**fields):
    return again(msgspec.msgpack.encode({**opened(dumps(built(binary(60)))), **fields}))


def same(one, other):
    for name in ("schema", "rows", "labels", "covers", "independent", "source", "found"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.schema.fingerprint == other.schema.fingerprint
    for name in ("score_edges", "calibration"):
        pair = getattr(one.schema, name), getattr(other.schema, name)
        assert (pair[0] is None) == (pair[1] is None), name
        if pair[0] is not None:
            np.testing.assert_array_equal(*pair)
    assert [bins.scale for bins in one.schema.bins] == [bins.scale for bins in other.schema.bins]
    np.testing.assert_array_equal(one.vector, other.vector)
    assert {s: (v.windows, dict(v.effects)) for s, v in one.variability.items()} == {
        s: (v.windows, dict(v.effects)) for s, v in other.variability.items()
    }


@pytest.mark.parametrize("events", [binary(), multiclass(), regression()])
def test_what_is_saved_is_read_back(events, tmp_path):
    reference = built(events)
    save(reference, tmp_path / "one.mmref")
    same(load(tmp_path / "one.mmref"), reference)
    assert [path.name for path in tmp_path.iterdir()] == ["one.mmref"]


def test_the_golden_file_is_read():
    """Written by the first release that had references: every later one reads it."""
    reference = load(GOLDEN)
    schema = reference.schema
    assert (reference.rows, reference.labels, reference.covers) == (400, 400, 399 * 4.5)
    assert (schema.task, schema.positive, set(schema.classes)) == ("binary", "1", {"0", "1"})
    assert {b.name: b.kind for b in schema.bins} == {
        "amount": "numeric", "grade": "categorical", "color": "categorical", "key": "identifier",
    }  # fmt: skip
    window = reference.under(schema)
    events = binary()
    scores = np.array([event["score"] for event in events])
    labels = np.array([event["label"] for event in events])
    assert (window.predictions, window.labels) == (400, 400)
    assert window["predicted"].sum() == 400
    positive = schema.codes["1"]
    right = int(((scores >= 0.5) == (labels == 1)).sum())
    assert np.trace(window["confusion"]) == right
    assert window["label_score_bins"][positive].sum() == labels.sum()
    amount = window.features["amount"]
    assert (amount.missing, amount.total) == (20, 400)
    known = [e["features"]["amount"] for e in events if e["features"]["amount"] is not None]
    assert amount.sums.sum() == pytest.approx(sum(known))
    assert window.features["color"].counts.sum() == 400
    assert schema.calibration.shape == (1, schema.score_bins)
    assert [one.chosen for one in reference.found if one.name == "grade"] == ["4 distinct integers"]


def test_statistics_are_found_by_name():
    """A release with more statistics, or with fewer, reads what it knows."""
    reference = built(binary(60))
    known = opened(dumps(reference))["statistics"]
    assert set(known) <= set(STATISTICS)
    more = {**known, "of_a_later_release": [[2, 2], bytes(32)]}
    np.testing.assert_array_equal(loads(changed(statistics=more)).vector, reference.vector)
    fewer = {name: array for name, array in known.items() if name != "confusion"}
    read = loads(changed(statistics=fewer))
    assert read.under(read.schema)["confusion"].sum() == 0
    assert read.under(read.schema)["predicted"].sum() == 60
    assert loads(changed(of_a_later_release=[1, 2])).rows == 60


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"rows": -1}, "rows"),
        ({"rows": "many"}, "rows"),
        ({"task": "guess"}, "task"),
        ({"classes": ["0", "0"]}, "classes"),
        ({"classes": ["c"] * 102}, "classes"),
        ({"threshold": float("nan")}, "threshold"),
        ({"features": []}, "bins"),
        ({"score_edges": [[1, 3], bytes(16)]}, "score_edges"),
        ({"score_edges": [[2**32, 2**32], b""]}, "score_edges"),
        ({"score_edges": [[1, 2], np.array([0.5, 0.2]).tobytes()]}, "score_edges"),
        ({"score_edges": [[1, 2], np.array([0.5, np.nan]).tobytes()]}, "score_edges"),
        ({"score_edges": [[2, 1], np.array([0.5, 0.5]).tobytes()]}, "score_edges"),
        ({"score_edges": None}, "calibration"),
        ({"calibration": [[1, 2], np.array([0.5, 1.5]).tobytes()]}, "calibration"),
        ({"statistics": {"confusion": [[2, 2], bytes(24)]}}, "statistics.confusion"),
        ({"statistics": {"confusion": [[-2, -2], bytes(32)]}}, "statistics"),
    ],
)  # fmt: skip
def test_content_that_makes_no_sense_is_refused(fields, told):
    with pytest.raises(BadFile, match=told):
        loads(changed(**fields))


def test_what_is_no_reference_file_is_refused():
    data = dumps(built(binary(60)))
    for wrong in (b"", b"PAR1" + data, data[:20], file.MAGIC):
        with pytest.raises(BadFile, match="not a reference file"):
            loads(wrong)
    later = bytearray(data)
    later[len(file.MAGIC)] = 2
    with pytest.raises(BadFile, match="format 2; this release reads up to 1"):
        loads(bytes(later))
    with pytest.raises(BadFile, match="its head says"):
        loads(data[:-1])
    endless = file.MAGIC + struct.pack("<HII", 1, 2**32 - 1, 0)
    with pytest.raises(BadFile, match="are allowed"):
        loads(endless)
    damaged = bytearray(data)
    damaged[-40] ^= 1
    with pytest.raises(BadFile, match="checksum"):
        loads(bytes(damaged))
    with pytest.raises(BadFile, match="cannot be read"):
        loads(again(b"\xdd\xff\xff\xff\xff"))


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_else_than_fail(body):
    with pytest.raises(BadFile):
        loads(again(body))
    with pytest.raises(BadFile):
        loads(body)
