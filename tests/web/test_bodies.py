"""Bodies that are too large, too slow, not what they say, or meant to do harm."""

import io
import json
import socket
import zlib

import pyarrow as pa
import pytest

from exporter.config import Settings
from exporter.web import body as bodies
from exporter.web.room import BODIES_AT_ONCE
from tests.web.support import HOST, JSON, running, until, zipped

MIB = 2**20
ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}
NDJSON = {"Content-Type": "application/x-ndjson"}
GZIP = JSON | {"Content-Encoding": "gzip"}
GOOD = json.dumps([{"model": "m", "score": 0.5}]).encode()


def still_serves(client) -> bool:
    return (
        client.get("/-/healthy").status == client.post({"model": "m", "score": 0.1}).status == 200
    )


def refused(answer, status: int, error: str) -> None:
    assert (answer.status, set(answer.json())) == (status, {"error", "detail"}), answer.body
    assert error in answer.json()["error"]


@pytest.mark.parametrize("body", [b" " * (5 * MIB), (b" " * 65536 for _ in range(160))])
def test_a_client_that_sends_too_much_is_told_so(served, body) -> None:
    refused(served.request("POST", "/v1/events", body, JSON), 413, "max_body_bytes (4194304 bytes)")
    assert still_serves(served)


def test_a_body_said_to_be_too_large_is_refused_before_it_comes(served) -> None:
    head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection((HOST, served.port), timeout=30) as connection:
        connection.sendall(head + b"Content-Length: 5242880\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_too_much_is_never_all_in_memory(process) -> None:
    client = process()
    client.post(GOOD)
    before = client.most_memory()
    for _ in range(3):
        refused(client.request("POST", "/v1/events", b" " * (5 * MIB), JSON), 413, "larger")
        stream = (b" " * 65536 for _ in range(2048))
        refused(client.request("POST", "/v1/events", stream, JSON), 413, "larger")
        bomb = zipped_zeros(4096)
        assert len(bomb) < 4.1 * MIB
        refused(client.request("POST", "/v1/events", bomb, GZIP), 413, "larger")
    assert client.most_memory() - before < 40 * MIB
    assert still_serves(client)


def zipped_zeros(mib: int) -> bytes:
    """A gzip of so many MiB of zeros, made of copies of one deflated piece of 64 MiB."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = stream.compress(bytes(64 * MIB)) + stream.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + piece * (mib // 64)


def test_at_the_limit_it_is_taken_and_one_byte_more_is_not() -> None:
    with running(Settings(max_body_bytes=1000)) as client:
        fits = GOOD.ljust(1000)
        for body, status in ((fits, 200), (fits + b" ", 413)):
            assert client.post(body).status == status
            assert client.request("POST", "/v1/events", iter([body]), JSON).status == status
            assert client.request("POST", "/v1/events", zipped(body), GZIP).status == status


def test_gzip_of_many_members_takes_time_in_proportion(served) -> None:
    """200 000 of them once took the square of that."""
    body = zipped(b"") * 200_000 + zipped(GOOD)
    assert served.request("POST", "/v1/events", body, GZIP).json()["accepted"] == 1


def test_gzip_members_follow_each_other() -> None:
    parts = [bytes([65 + i]) * (i * 777) for i in range(20)]
    body = b"".join(map(zipped, parts))
    assert bodies.gunzip(body, 10 * MIB) == b"".join(parts)
    ends = {len(b"".join(map(zipped, parts[:i]))) for i in range(len(parts))}
    for cut in set(range(len(body))) - ends:
        with pytest.raises(bodies.Refused, match="not gzip"):
            bodies.gunzip(body[:cut], 10 * MIB)


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        (b'{"model": "m", "prediction": "\xff"}', JSON, "not UTF-8"),
        (b'[{"model": "m", "prediction": "\xc3\x28"}]', JSON, "not UTF-8"),
        (b'{"model": "\\ud800", "score": 1}', JSON, "surrogate"),
        (b"[" * 100_000, JSON, "nested too deeply"),
        (b'{"a":' * 100_000, JSON, "nested too deeply"),
        (b'[{"model":"m","features":' + b"[" * 100_000, JSON, "nested too deeply"),
        (b"", JSON, "not JSON"),
        (b"   ", JSON, "not JSON"),
        (b"[{]", JSON, "not JSON"),
        (b'{"model": "m", "score": 1} x', JSON, "not JSON"),
        (b"1", JSON, "must be an object or an array, got a number"),
        (b'{"columns": []}', JSON, "columns must be an object"),
        (b'{"columns": {"score": [1, 2], "label": [1]}}', JSON, "equally long"),
        (b"ARROW1", ARROW, "not an Arrow stream"),
        (b"", ARROW, "not an Arrow stream"),
        (b"no gzip", GZIP, "not gzip"),
        (zipped(GOOD)[:-3], GZIP, "ends too early"),
        (zipped(GOOD) + b"junk", GZIP, "not gzip"),
        (GOOD.decode().encode("utf-16"), JSON, ""),
    ],
)
def test_what_is_not_what_it_says_is_400(served, body, headers, error) -> None:
    refused(served.request("POST", "/v1/events", body, headers), 400, error)
    assert still_serves(served)


def test_the_place_of_a_fault_is_told(served) -> None:
    answer = served.post(b'[{"model": "m", "score": 1},\n {"model" "m"}]').json()
    assert answer["detail"] == [{"line": 2, "column": 11, "position": 39}]
    answer = served.post(b'{"model": "m\xff", "score": 1}').json()
    assert answer["detail"] == [{"position": 12}]


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({}, "content type (none)"),
        ({"Content-Type": "text/csv"}, "content type text/csv"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "urlencoded"),
        (JSON | {"Content-Encoding": "br"}, "content encoding br"),
        (JSON | {"Content-Encoding": "gzip, gzip"}, "content encoding gzip, gzip"),
    ],
)
def test_what_is_not_known_is_415_and_says_what_is(served, headers, named) -> None:
    answer = served.request("POST", "/v1/events", GOOD, headers)
    refused(answer, 415, named)
    assert "allowed" in answer.json()["detail"][0]


def test_types_are_read_as_http_means_them(served) -> None:
    for headers in (
        {"Content-Type": "Application/JSON ; charset=utf-8"},
        JSON | {"Content-Encoding": "identity"},
    ):
        assert served.request("POST", "/v1/events", GOOD, headers).status == 200
    encoding = JSON | {"Content-Encoding": "GZIP"}
    assert served.request("POST", "/v1/events", zipped(GOOD), encoding).status == 200


def arrow(columns: dict | pa.Table, **options) -> bytes:
    sink = io.BytesIO()
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as out:
        out.write_table(table)
    return sink.getvalue()


HARMFUL = {
    "nulls": (lambda: {"label": pa.nulls(10**8)}, {}, "says that it holds 100000000 events"),
    "runs": (
        lambda: {"score": pa.RunEndEncodedArray.from_arrays([2**31 - 1], [1])},
        {},
        "column score has type run_end_encoded",
    ),
    "views": (
        lambda: {"model": pa.array(["m" * 50], pa.string_view())},
        {},
        "column model has type string_view",
    ),
    "lists": (lambda: {"label": [[1]]}, {}, "column label has type list"),
    "nested": (lambda: {"features": [{"x": {"y": 1}}]}, {}, "column features.x has type struct"),
    "compressed": (
        lambda: {"model": ["m"] * 10**6},
        {"compression": "zstd"},
        "compressed Arrow buffers",
    ),
    "compressed dictionary": (
        lambda: {"model": pa.array(["m" * 10**6] * 10).dictionary_encode()},
        {"compression": "lz4"},
        "compressed Arrow buffers",
    ),
}


@pytest.mark.parametrize("harm", HARMFUL)
def test_arrow_that_says_it_holds_more_than_it_does_is_400(served, harm) -> None:
    columns, options, error = HARMFUL[harm]
    body = arrow(columns(), **options)
    refused(served.request("POST", "/v1/events", body, ARROW), 400, error)
    assert still_serves(served)


def test_an_arrow_dictionary_costs_no_copies(process) -> None:
    client = process()
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int8()), ["x" * 2 * MIB])
    answer = client.request("POST", "/v1/events", arrow({"model": long}), ARROW)
    assert (answer.status, answer.json()["rejected_total"]) == (422, 20_000)
    assert client.most_memory() < 400 * MIB


def test_a_body_that_never_ends_is_408() -> None:
    head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with running(body_seconds=0.2) as client:
        for rest in (
            b"Content-Length: 100\r\n\r\n[",
            b"Transfer-Encoding: chunked\r\n\r\n1\r\n[\r\n",
        ):
            answer = client.raw(head + rest)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b'{"error":"body did not arrive in 0.2 s","detail":[]}' in answer
            assert b"connection: close" in answer.lower()
        assert still_serves(client)
        assert client.value("modelmeter_requests_rejected_total", code="408") == 2


def test_clients_that_send_nothing_hold_nothing_up(served) -> None:
    """Many that say they will send a large body, and do not, once kept all others out."""
    head = (
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 4194304\r\n\r\n["
    )
    idle = [socket.create_connection((HOST, served.port)) for _ in range(2 * BODIES_AT_ONCE)]
    try:
        for connection in idle:
            connection.sendall(head)
        assert still_serves(served)
    finally:
        for connection in idle:
            connection.close()


def test_too_many_bodies_at_once_are_503() -> None:
    limit = 1000
    head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    body = b"Content-Length: 1000\r\n\r\n" + b" " * 999
    with running(Settings(max_body_bytes=limit)) as client:
        open_ones = [socket.create_connection((HOST, client.port)) for _ in range(BODIES_AT_ONCE)]
        try:
            for connection in open_ones:
                connection.sendall(head + body)
            answer = until(lambda: one if (one := client.post(GOOD)).status == 503 else None)
            refused(answer, 503, "too many bodies at once")
            assert int(answer.headers["retry-after"]) >= 1
        finally:
            for connection in open_ones:
                connection.close()
        until(lambda: client.post(GOOD).status == 200, "room again")


def test_who_goes_away_in_the_middle_leaves_nothing(served) -> None:
    before = served.value("modelmeter_events_received_total")
    head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for _ in range(20):
        with socket.create_connection((HOST, served.port)) as connection:
            connection.sendall(head + b"Content-Length: 5000\r\n\r\n" + GOOD)
    assert still_serves(served)
    assert served.value("modelmeter_events_received_total") == before + 1


def test_requests_may_follow_each_other_without_waiting(served) -> None:
    one = (
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n%s\r\n%s"
    )
    event = b'{"model":"pipelined","score":1}'
    requests = [one % (len(event), b"", event)] * 9
    requests += [one % (len(event), b"Connection: close\r\n", event)]
    answer = served.raw(b"".join(requests))
    assert answer.count(b"HTTP/1.1 200 ") == answer.count(b'"accepted":1') == 10
    assert served.value("model_predictions_total", model="pipelined", version="none") == 10


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n" % (b"9" * 5000),
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01 not http\r\n\r\n",
    ],
)
def test_what_is_no_request_is_400(served, request_) -> None:
    assert served.raw(request_).startswith(b"HTTP/1.1 400 ")
    assert still_serves(served)


def test_a_reference_that_trickles_is_408_and_lets_the_next_be_built(monkeypatch) -> None:
    monkeypatch.setattr("exporter.web.references.BODY_SECONDS", 0.3)
    head = (
        b"PUT /v1/reference?model=m HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000\r\n\r\n["
    )
    with running() as client:
        answer = client.raw(head)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'{"error":"body did not arrive in 0.3 s","detail":[]}' in answer
        monkeypatch.undo()
        events = b'[{"score": 0.5}, {"score": 0.7}]'
        path = "/v1/reference?model=m"
        until(lambda: client.request("PUT", path, events, JSON).status != 503, "the next one")
