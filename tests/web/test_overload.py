"""Clients that are slow, many or hostile: what they get, and that others do not feel it."""

import contextlib
import gzip
import http.client
import json
import resource
import socket
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.web.connections import RESERVED_FILES, Limits
from tests.web.support import HOST, JSON, running, until

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSED = "modelmeter_connections_closed_total"
REFUSED = "modelmeter_requests_rejected_total"
SHORT = Limits(head_seconds=0.5, idle_seconds=0.5, write_seconds=0.5, rest_seconds=0.5)


def connect(client, *, receive_buffer=None):
    one = socket.socket()
    if receive_buffer is not None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    one.settimeout(30)
    one.connect((HOST, client.port))
    return one


def rest(connection):
    """What still comes until the server closes."""
    with contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


def closed(client, reason):
    return client.service.requests.closed[reason]


@pytest.fixture(scope="module")
def short():
    """Its patience is short, and the kernel keeps little for clients that do not read."""
    with running(limits=SHORT, send_buffer=4096) as client:
        yield client


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000,
        b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 200,
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nX: " + b"a" * 10_000 + b"\r\n\r\n",
    ],
    ids=["address", "header", "unfinished", "fields", "unfinished fields", "both"],
)
def test_a_head_that_is_too_large_is_431(short, head) -> None:
    before = short.value(REFUSED, code="431")
    answer = short.raw(head)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"connection: close" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"].startswith("the head is larger")
    assert short.value(REFUSED, code="431") == before + 1


def test_a_large_head_after_a_body_and_trailers_without_end_are_refused(short) -> None:
    post = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    event = b'{"model":"m","score":1}'
    whole = post + b"Content-Length: %d\r\n\r\n" % len(event) + event
    with connect(short) as one:
        one.sendall(whole)
        assert one.recv(65536).startswith(b"HTTP/1.1 200 ")
        one.sendall(b"GET /" + b"a" * 20_000)
        assert rest(one).startswith(b"HTTP/1.1 431 ")
    before = closed(short, "invalid")
    with connect(short) as one:
        one.sendall(post + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"trailer: x\r\n" * 200)
        rest(one)
    assert closed(short, "invalid") == before + 1


def test_a_head_that_trickles_is_408(short) -> None:
    before = short.value(REFUSED, code="408")
    with connect(short) as one:
        start = time.monotonic()
        one.settimeout(0.05)
        one.sendall(b"GET / HTTP/1.1\r\nX: ")
        answer = b""
        while not answer:
            assert time.monotonic() - start < 30
            one.sendall(b"a")
            with contextlib.suppress(TimeoutError):
                answer = one.recv(65536)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - start >= SHORT.head_seconds
    assert short.value(REFUSED, code="408") == before + 1


def test_a_second_head_that_does_not_come_is_408(short) -> None:
    with connect(short) as one:
        one.sendall(GET + b"GET /met")
        assert b"HTTP/1.1 408 " in rest(one)


def test_who_says_nothing_is_closed(short) -> None:
    before = short.value(CLOSED, reason="header_timeout")
    with connect(short) as one:
        assert rest(one) == b""
    assert short.value(CLOSED, reason="header_timeout") == before + 1


def test_a_connection_that_is_kept_and_not_used_is_closed(short) -> None:
    before = short.value(CLOSED, reason="idle")
    with connect(short) as one:
        one.sendall(GET)
        answer = rest(one)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" not in answer
    assert short.value(CLOSED, reason="idle") == before + 1


def test_a_connection_that_is_used_is_kept(short) -> None:
    connection = short.connection()
    start = time.monotonic()
    while time.monotonic() - start < 3 * SHORT.idle_seconds:
        connection.request("GET", "/-/healthy")
        assert connection.getresponse().read() == b"modelmeter is healthy.\n"
        first = connection.sock
        time.sleep(SHORT.idle_seconds / 5)
    assert connection.sock is first
    connection.close()


def test_the_rest_of_a_body_that_is_answered_does_not_come(short) -> None:
    before = short.value(CLOSED, reason="body_timeout")
    with connect(short) as one:
        one.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        assert rest(one).startswith(b"HTTP/1.1 200 ")
    assert short.value(CLOSED, reason="body_timeout") == before + 1


def test_who_never_reads_an_answer_is_closed(short) -> None:
    before = short.value(CLOSED, reason="write_timeout")
    with connect(short, receive_buffer=4096) as one:
        one.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 30)
        until(lambda: short.value(CLOSED, reason="write_timeout") == before + 1, "the end")
    assert short.get("/-/healthy").status == 200


def test_too_many_requests_without_waiting_are_cut_off(short) -> None:
    before = closed(short, "limit")
    with connect(short) as one:
        one.sendall(GET * 5000)
        rest(one)
    assert closed(short, "limit") == before + 1


def test_an_upgrade_is_not_made_and_the_request_is_answered(short) -> None:
    """Java's client asks for HTTP/2 in this way."""
    asked = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = short.raw(asked)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer


def test_a_client_that_hangs_up_amid_its_requests_leaves_no_error(short, caplog) -> None:
    for _ in range(20):
        with connect(short) as one:
            one.sendall(GET * 10)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    until(lambda: len(short.connections) <= 1, "the end of all")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def loris(client, number):
    """Connections whose heads never end."""
    ones = [connect(client) for _ in range(number)]
    for one in ones:
        one.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nX-")
    return ones


def test_more_connections_than_there_may_be() -> None:
    """Those that say nothing make room, those that are idle come next, those at work stay."""
    with running(limits=Limits(connections=50)) as client:
        kept = client.connection()
        kept.request("GET", "/-/healthy")
        kept.getresponse().read()
        silent = loris(client, 120)
        assert client.get("/metrics").status == 200
        assert len(client.connections) <= 50
        assert client.value(CLOSED, reason="limit") >= 70
        # An idle connection was older than all of them, and is there still.
        first = kept.sock
        kept.request("GET", "/-/healthy")
        assert kept.getresponse().read() == b"modelmeter is healthy.\n"
        assert kept.sock is first
        kept.close()
        for one in silent:
            one.close()


def test_where_all_are_at_work_one_more_is_503() -> None:
    with running(limits=Limits(connections=5)) as client, ThreadPoolExecutor(5) as pool:
        with client.service.monitor.lock:
            waiting = [pool.submit(client.get, "/metrics") for _ in range(5)]
            until(lambda: client.connections.working() == 5, "work")
            answer = client.get("/-/healthy")
            assert answer.status == 503
            assert answer.headers["retry-after"] == "1"
            assert answer.json() == {"error": "too many connections", "detail": []}
        assert [one.result().status for one in waiting] == [200] * 5
        assert client.value(REFUSED, code="503") == 1


def test_bodies_that_come_slowly_make_room() -> None:
    """Sixteen of them would otherwise keep everybody out for as long as a body may take."""
    with running(slow_seconds=0.5) as client:
        size = client.service.settings.max_body_bytes
        head = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        slow = [connect(client) for _ in range(17)]
        for one in slow:
            with contextlib.suppress(OSError):
                one.sendall(head + b"Content-Length: %d\r\n\r\n" % size + b" " * (size - 1))
        until(lambda: client.post([{"model": "m", "score": 1}]).status == 200, "room")
        until(lambda: client.value(REFUSED, code="408"), "the end of one that was slow")
        for one in slow:
            one.close()


def test_500_that_trickle_and_a_bomb_at_once(process) -> None:
    """Good clients and scrapers do not notice."""
    client = process()
    bomb = gzip.compress(b" " * 200_000_000, 9)
    events = json.dumps([{"model": "m", "score": 0.5, "label": 1}] * 20).encode()
    scrapes = []
    with contextlib.ExitStack() as stack:
        for one in loris(client, 500):
            stack.enter_context(one)
        with ThreadPoolExecutor(1) as pool:
            bombs = pool.submit(lambda: [
                client.request("POST", "/v1/events", bomb, JSON | {"Content-Encoding": "gzip"})
                for _ in range(20)
            ])  # fmt: skip
            sent = 0
            while not bombs.done() or sent < 50:
                assert client.request("POST", "/v1/events", events, JSON).status == 200
                start = time.monotonic()
                assert client.get("/metrics").status == 200
                scrapes.append(time.monotonic() - start)
                sent += 1
            assert {answer.status for answer in bombs.result()} == {413}
        assert client.value("model_predictions_total", model="m", version="none") == 20 * sent
        assert max(scrapes) < 10
    assert client.most_memory() < 300 * 2**20
    assert client.stop() == 0
    assert "Traceback" not in client.log()


def test_fifty_scrapers_share_their_scrapes() -> None:
    with running() as client, ThreadPoolExecutor(50) as pool:
        client.post([{"model": "m", "score": 0.5, "label": 1}] * 20)
        collected = []
        collect = client.service.scraper.collect
        client.service.scraper.collect = lambda: collected.append(1) or collect()
        with client.service.monitor.lock:
            asked = [pool.submit(client.get, "/metrics") for _ in range(50)]
            until(lambda: client.connections.working() == 50, "all scrapers")
        answers = [one.result() for one in asked]
        assert {answer.status for answer in answers} == {200}
        assert len(collected) == 2


def test_a_scrape_shows_what_was_counted_before_it_was_asked_for() -> None:
    """Though another is being rendered meanwhile, from before."""
    with running() as client, ThreadPoolExecutor(2) as pool:
        client.post({"model": "m", "score": 0.5})
        lock = client.service.monitor.lock
        collect = client.service.scraper.collect
        begun = []

        def late():
            families = collect()
            begun.append(1)
            with lock:
                return families

        client.service.scraper.collect = late
        lock.acquire()
        held = pool.submit(client.get, "/metrics")
        lock.release()
        held.result()
        for expected in (2, 3, 4):
            with ThreadPoolExecutor(4) as scrapers:
                others = [scrapers.submit(client.get, "/metrics") for _ in range(4)]
                client.post({"model": "m", "score": 0.5})
                assert client.sum("model_predictions_total") == expected
                assert {one.result().status for one in others} == {200}


def test_a_handshake_that_does_not_come_is_ended(certificate) -> None:
    limits = Limits(handshake_seconds=0.5, head_seconds=0.5)
    with running(limits=limits, **certificate) as client:
        with connect(client) as silent:
            assert rest(silent) == b""
        assert client.service.requests.closed["handshake_timeout"] == 1


def test_the_bounds_hold_under_tls(certificate) -> None:
    limits = Limits(connections=20, head_seconds=0.5)
    with running(limits=limits, **certificate) as client:
        silent = [connect(client) for _ in range(50)]
        context = ssl.create_default_context(cafile=certificate["ssl_certfile"])
        for path, status in (("/-/healthy", 200), ("/" + "a" * 20_000, 431)):
            secure = http.client.HTTPSConnection(HOST, client.port, timeout=30, context=context)
            secure.request("GET", path)
            assert secure.getresponse().status == status
            secure.close()
        assert len(client.connections) <= 20
        assert client.service.requests.closed["limit"] >= 30
        with context.wrap_socket(connect(client), server_hostname=HOST) as late:
            late.sendall(b"GET / HT")
            assert rest(late).startswith(b"HTTP/1.1 408 ")
        for one in silent:
            one.close()


@pytest.mark.parametrize(("hard", "most"), [(4096, 1024), (1024, 1024 - RESERVED_FILES), (64, 32)])
def test_the_bound_respects_the_number_of_files(hard, most) -> None:
    program = (
        "import resource; from exporter.web.connections import most_connections as most;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, (32, {hard}));"
        "print(most(1024), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == [str(most), str(hard), str(hard)]
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= hard
