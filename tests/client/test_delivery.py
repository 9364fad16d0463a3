"""From the queue to the server: everything arrives once, or is counted as dropped."""

import gzip
import json
import logging
import random
import ssl
import threading
import time
from email.utils import formatdate

import pytest
import yaml

from exporter.client import Client, _pause_of
from tests.client.support import adds_up, one_by_one, scripted, taken
from tests.web.certificates import Authority
from tests.web.conftest import process, served  # noqa: F401
from tests.web.support import HOST, Process, free_port, samples, until

ABOUT = {"model": "m", "version": "none"}


def counted(counts, **more):
    """Whether all was accepted at the first try, but for what is named."""
    expected = {"duplicates": 0, "rejected": 0, "dropped": {}, "queued": 0, "retried": 0} | more
    assert adds_up(counts)
    assert {name: getattr(counts, name) for name in expected} == expected
    return True


@pytest.mark.slow
def test_kills_in_the_middle_lose_nothing_and_count_nothing_twice(tmp_path):
    """Half of the events have ids; the other half rests on the keys of the requests alone."""
    rng, port, data = random.Random(3), free_port(), tmp_path / "data"
    server = Process(tmp_path, data=data, port=port)
    client = Client(server.url, model="m", flush_seconds=0.02, batch_events=50, max_events=10**6)
    ends = threading.Event()

    def log(number):
        count = 0
        while not ends.is_set():
            client.log(id=f"{number}-{count}", score=0.5)
            client.log(score=0.5)
            count += 1
            ends.wait(0.0005)
        pairs.append((number, count))

    pairs = []
    threads = [threading.Thread(target=log, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            time.sleep(rng.uniform(0.2, 0.8))  # a kill at any moment
            server.end()
            server = Process(tmp_path, data=data, port=port)
        ends.set()
        for thread in threads:
            thread.join()
        logged = sum(count for _, count in pairs)
        assert client.flush(60)
        assert counted(client.counts(), accepted=2 * logged, retried=client.counts().retried)
        assert client.counts().retried > 0
        assert server.value("model_predictions_total", **ABOUT) == 2 * logged
        for number, count in pairs:
            for one in range(count):
                client.label(id=f"{number}-{one}", label=1)
        assert client.flush(60)
        assert server.value("model_labels_total", **ABOUT) == logged
        assert server.value("model_pending_labels", **ABOUT) == 0
    finally:
        ends.set()
        client.close(0.01)
        server.end()


def test_an_answer_that_is_lost_does_not_count_twice(served):  # noqa: F811
    """A cut connection after the server has counted: the same request is sent again."""
    before = served.value("model_predictions_total", model="cut", version="none") or 0

    def passed_on(request, *, lost):
        found = served.request("POST", request.path, request.body, request.headers)
        assert found.status == 200
        return None if lost else (200, {}, found.body)

    answers = [lambda request, lost=lost: passed_on(request, lost=lost) for lost in (1, 1, 0, 0)]
    with scripted(one_by_one(*answers)) as proxy, Client(proxy.url) as client:
        for _ in range(10):
            client.log("cut", score=0.5)
        assert client.flush(30)
        client.log("cut", score=0.5)
        assert client.flush(30)
        assert counted(client.counts(), accepted=11, retried=2, requests=4)
    keys = [request.headers["idempotency-key"] for request in proxy.requests]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert served.value("model_predictions_total", model="cut", version="none") == before + 11


def test_rejections_are_counted_and_told_once_in_a_while(served, caplog):  # noqa: F811
    with caplog.at_level(logging.WARNING, "modelmeter.client"), Client(served.url) as client:
        for _ in range(3):
            client.log("rejecting", score=0.5, id="same")
            client.log("rejecting", score=1.5)
            client.log("no name!", score=0.5)
            assert client.flush()
        client.label("rejecting", None, 1)  # a request of which nothing is taken
        assert client.flush()
        assert counted(client.counts(), accepted=1, duplicates=2, rejected=7)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2, "the first at once, the others together at the end"
    assert "score must be between 0 and 1, got 1.5" in told[0]
    assert "id is required for a label" in told[1]


def test_what_is_too_large_is_sent_in_halves_and_smaller_from_then_on(process):  # noqa: F811
    server = process({"max_body_bytes": "16KiB"})
    with Client(server.url, flush_seconds=5) as client:
        for i in range(400):
            client.log("m", id=i, score=0.5, features={"text": "x" * 100})
        client.log("m", id="large", score=0.5, features={"text": "x" * 20_000})
        assert client.flush()
        first = client.counts()
        assert counted(first, accepted=400, dropped={"too_large": 1})
        for i in range(400):
            client.log("m", id=f"again-{i}", score=0.5, features={"text": "x" * 100})
        assert client.flush()
        second = client.counts()
        assert second.accepted == 800
        assert second.requests - first.requests < first.requests
    assert server.value("model_predictions_total", **ABOUT) == 800


def test_a_server_that_asks_to_wait_is_left_alone_for_so_long():
    busy = (503, {"Retry-After": "1"}, b'{"error": "busy"}')
    date = (429, {"Retry-After": formatdate(time.time() + 2, usegmt=True)}, b"")
    with scripted(one_by_one(busy, date)) as server, Client(server.url) as client:
        client.log("m", score=0.5)
        assert client.flush(20)
        assert counted(client.counts(), accepted=1, retried=2)
    first, second, third = (request.at for request in server.requests)
    assert 1 <= second - first < 5
    assert third > second


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, 0), ("2", 2), ("0.5", 0.5), ("-1", 0), ("nan", 0), ("inf", 0), ("soon", 0), ("", 0)],
)
def test_what_retry_after_asks_for(text, seconds):
    assert _pause_of(text) == seconds


@pytest.mark.parametrize("status", [401, 403, 404, 408, 500, 502, 503, 200, 302])
def test_what_may_yet_succeed_is_tried_again(status):
    """Also a 200 of something that is no modelmeter."""
    answer = (status, {}, b"[1]")
    with scripted(one_by_one(answer)) as server, Client(server.url) as client:
        client.log("m", score=0.5)
        assert client.flush(20)
        assert counted(client.counts(), accepted=1, retried=1)
    assert server.requests[0].body == server.requests[1].body


def test_what_cannot_succeed_is_dropped_and_the_next_is_sent():
    with scripted(one_by_one((400, {}, b"{}"))) as server, Client(server.url) as client:
        client.log("m", score=0.5)
        assert client.flush(20)
        client.log("m", score=0.5)
        assert client.flush(20)
        assert counted(client.counts(), accepted=1, dropped={"refused": 1})
    assert len(server.requests) == 2


def test_what_is_not_taken_in_time_expires():
    with Client(f"http://{HOST}:{free_port()}", retry_seconds=0.5) as client:
        client.log("m", score=0.5)
        assert client.flush(20)
        assert client.counts().dropped == {"expired": 1}
        assert client.counts().retried > 0


def test_a_server_that_never_answers_holds_up_the_thread_only():
    ends = threading.Event()
    with scripted(one_by_one(lambda request: ends.wait(30) and None)) as server:
        client = Client(server.url, timeout_seconds=0.3)
        client.log("m", score=0.5)
        until(lambda: client.counts().requests > 1, "another try")
        ends.set()
        assert client.flush(20)
        assert counted(client.counts(), accepted=1, retried=1)
        client.close()


def test_bodies_are_compressed_from_a_size_on():
    answer = scripted(lambda request: taken(plain(request)))
    with answer as server, Client(server.url, gzip_bytes=1000) as client:
        client.log("m", score=0.5)
        assert client.flush()
        client.log("m", score=0.5, features={"text": "x" * 1000})
        assert client.flush()
        assert client.counts().accepted == 2
    encodings = [request.headers.get("content-encoding") for request in server.requests]
    assert encodings == [None, "gzip"]


def plain(request):
    if request.headers.get("content-encoding") == "gzip":
        request.body = gzip.decompress(request.body)
    return request


def test_modelmeter_takes_compressed_bodies(served):  # noqa: F811
    with Client(served.url, gzip_bytes=0) as client:
        client.log("compressed", score=0.5)
        assert client.flush()
        assert counted(client.counts(), accepted=1)


@pytest.fixture(scope="module")
def ours():
    return Authority("ours")


@pytest.fixture
def secured(ours, tmp_path, process):  # noqa: F811
    ours.issue("server").write(tmp_path, "server")
    (tmp_path / "ca.crt").write_bytes(ours.cert)
    (tmp_path / "ingest.token").write_text("the-token\n")
    web = {"tls_server_config": {"cert_file": "server.crt", "key_file": "server.key"}}
    (tmp_path / "web.yml").write_text(yaml.safe_dump(web))
    (tmp_path / "read.token").write_text("to-read")
    config = {
        "tokens": [{"file": f"{scope}.token", "scope": scope} for scope in ("ingest", "read")]
    }
    context = ssl.create_default_context(cafile=tmp_path / "ca.crt")
    return process(config, f"--web.config.file={tmp_path / 'web.yml'}", context=context)


def test_a_token_over_tls(secured, tmp_path):
    with Client(secured.url, token="the-token", ca_file=str(tmp_path / "ca.crt")) as client:
        client.log("m", score=0.5)
        assert client.flush(20)
        assert counted(client.counts(), accepted=1)
        assert "the-token" not in repr(vars(client))


def test_files_that_come_late_or_change_are_read_again(secured, tmp_path):
    token, ca = tmp_path / "client.token", tmp_path / "client-ca.crt"
    token.write_text("wrong")
    ca.write_bytes(Authority("theirs").cert)
    with Client(secured.url, token_file=str(token), ca_file=str(ca)) as client:
        client.log("m", score=0.5)
        until(lambda: client.counts().retried, "a certificate that is not trusted")
        ca.write_bytes((tmp_path / "ca.crt").read_bytes())
        until(lambda: refused(secured), "a token that is not known")
        token.write_text("the-token")
        assert client.flush(30)
        assert counted(client.counts(), accepted=1, retried=client.counts().retried)


def refused(server):
    text = server.get("/metrics", Authorization="Bearer to-read").body.decode()
    return samples(text)["modelmeter_requests_rejected_total", frozenset({("code", "401")})]


def test_a_user(tmp_path):
    (tmp_path / "user").write_text("name:pass:word\n")
    with scripted() as server:
        for options in ({"user": "name:pass:word"}, {"user_file": str(tmp_path / "user")}):
            with Client(server.url, **options) as client:
                client.log("m", score=0.5)
                assert client.flush()
    headers = {request.headers["authorization"] for request in server.requests}
    assert headers == {"Basic bmFtZTpwYXNzOndvcmQ="}


@pytest.mark.parametrize("content", [None, b"", b"two words", b"\xff"])
def test_a_bad_file_is_told_without_what_is_in_it(content, tmp_path, caplog):
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with scripted() as server, Client(server.url, token_file=str(path)) as client:
        client.log("m", score=0.5)
        until(lambda: client.counts().retried, "a try")
        path.write_text("good")
        assert client.flush(20)
    assert "two words" not in caplog.text
    assert "token" in caplog.text or "utf-8" in caplog.text
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer good"]


def test_the_path_of_the_url_is_kept_and_connections_too():
    with scripted() as server:
        with Client(f"{server.url}/gateway/events?team=risk") as client:
            for _ in range(3):
                client.log("m", score=0.5)
                assert client.flush()
        with Client(server.url) as client:
            client.log("m", score=0.5)
            assert client.flush()
    assert [request.path for request in server.requests] == 3 * ["/gateway/events?team=risk"] + [
        "/v1/events"
    ]
    assert json.loads(server.requests[-1].body)["score"] == 0.5
