"""Latency of requests by the middleware, in real servers: FastAPI and plain ASGI applications."""

import asyncio
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware

from exporter.client import Client, LatencyMiddleware, timed
from tests.client.support import scripted
from tests.web.support import Client as Asking
from tests.web.support import until

TAKES = 0.05
"""Seconds that handlers take, at least."""


@contextmanager
def serving(app):
    config = uvicorn.Config(app, port=0, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started, "the start")
        yield Asking(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


def api(client):
    app = FastAPI()
    app.add_middleware(LatencyMiddleware)

    @app.get("/coroutine")
    async def coroutine(name: str):
        client.log("m", id=name, score=0.5)
        await asyncio.sleep(TAKES)

    @app.get("/thread")
    def thread(name: str):
        client.log("m", id=name, score=0.5)
        time.sleep(TAKES)

    @app.get("/stream")
    async def stream(name: str):
        async def parts():
            yield b"a"
            client.log("m", id=name, score=0.5)
            await asyncio.sleep(TAKES)
            yield b"b"

        return StreamingResponse(parts())

    @app.get("/fails")
    async def fails(name: str):
        client.log("m", id=name, score=0.5)
        await asyncio.sleep(TAKES)
        raise ValueError

    @app.get("/given")
    async def given(name: str):
        client.log("m", id=name, score=0.5, latency_seconds=12.5)
        client.label("m", name, 1)
        await asyncio.sleep(TAKES)

    @app.get("/background")
    async def background(name: str, tasks: BackgroundTasks):
        def later():
            time.sleep(20 * TAKES)
            client.log("m", id=name, score=0.5)

        tasks.add_task(later)
        await asyncio.sleep(TAKES)

    @app.get("/inner")
    async def inner(name: str):
        with timed():
            client.log("m", id=name, score=0.5)
        await asyncio.sleep(20 * TAKES)

    return app


@pytest.fixture(scope="module")
def logged():
    """Asks a path, and returns the events that came of it and how long it took."""
    with scripted() as server, Client(server.url) as client, serving(api(client)) as asking:

        def ask(path, name):
            start = time.perf_counter()
            answer = asking.get(f"/{path}?name={name}")
            took = time.perf_counter() - start
            until(lambda: any(one["id"] == name for one in server.events()), "the event")
            assert client.flush()
            return answer, [one for one in server.events() if one["id"] == name], took

        yield ask


@pytest.mark.parametrize("path", ["coroutine", "thread", "stream", "fails"])
def test_the_latency_is_that_of_the_request(logged, path):
    answer, (event,), took = logged(path, path)
    assert answer.status == (500 if path == "fails" else 200)
    assert answer.body in (b"null", b"ab", b"Internal Server Error")
    assert TAKES * 0.9 < event["latency_seconds"] < took
    assert 0 <= time.time() - event["ts"] < 60


def test_a_latency_that_is_given_is_kept_and_labels_have_none(logged):
    _, (prediction, label), _ = logged("given", "given")
    assert prediction["latency_seconds"] == 12.5
    assert "latency_seconds" not in label


def test_what_is_logged_after_the_answer_has_the_latency_of_the_answer(logged):
    _, (event,), _ = logged("background", "background")
    assert TAKES * 0.9 < event["latency_seconds"] < 20 * TAKES


def test_an_inner_measurement_goes_first(logged):
    _, (event,), took = logged("inner", "inner")
    assert event["latency_seconds"] < TAKES < took


def test_requests_at_the_same_time_have_each_their_own(logged):
    found = {}

    def ask(number):
        path = ("inner", "coroutine", "given")[number % 3]
        found[number] = logged(path, f"many-{number}")[1][0]["latency_seconds"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 30
    assert all(found[i] == 12.5 for i in range(2, 30, 3))
    assert all(TAKES * 0.9 < found[i] < 12.5 for i in range(1, 30, 3))
    assert all(found[i] < found[i + 1] for i in range(0, 30, 3))


def test_under_middleware_that_runs_the_application_in_a_task_of_its_own():
    with scripted() as server, Client(server.url) as client:
        app = FastAPI()

        @app.get("/")
        async def root():
            client.log("m", score=0.5)

        async def passed_on(request, call_next):
            return await call_next(request)

        app.add_middleware(BaseHTTPMiddleware, dispatch=passed_on)
        app.add_middleware(LatencyMiddleware)
        with serving(app) as asking:
            assert asking.get("/").status == 200
    assert [0 < event["latency_seconds"] < 5 for event in server.events()] == [True]


def test_a_plain_application_and_one_that_is_cut_off():
    """The latency of a request whose client goes away ends with the application."""
    began, gone = threading.Event(), threading.Event()

    with scripted() as server, Client(server.url) as client:

        async def app(scope, receive, send):
            assert scope["type"] == "http"  # no lifespan: uvicorn goes without
            client.log("m", id=scope["path"], score=0.5)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            if scope["path"] == "/cut":
                began.set()
                await receive()
                assert (await receive())["type"] == "http.disconnect"
                gone.set()
                raise asyncio.CancelledError
            await send({"type": "http.response.body", "body": b"done"})
            await asyncio.sleep(TAKES)

        with serving(LatencyMiddleware(app)) as asking:
            assert asking.get("/plain").body == b"done"
            connection = asking.connection()
            connection.request("GET", "/cut")
            assert began.wait(30)
            assert client.counts().queued + client.counts().sent == 2
            connection.close()
            assert gone.wait(30)
            until(lambda: client.flush() and client.counts().sent == 2, "both events")
    plain, cut = sorted(server.events(), key=lambda one: one["id"], reverse=True)
    assert (plain["id"], cut["id"]) == ("/plain", "/cut")
    assert plain["latency_seconds"] < TAKES
    assert cut["latency_seconds"] > 0


def test_events_of_requests_count_against_the_bounds():
    with scripted() as server, Client(server.url, max_events=10) as client:
        with timed():
            for _ in range(15):
                client.log("m", score=0.5)
            assert client.counts().queued == 10
            assert client.flush(), "what a request holds is not waited for"
            assert server.requests == []
        assert client.flush()
        assert client.counts().accepted == 10
        assert client.counts().dropped == {"queue_full": 5}


def test_what_a_request_holds_at_the_end_is_counted_as_dropped():
    with scripted() as server, Client(server.url) as client:
        with timed():
            client.log("m", score=0.5)
            client.close()
        assert client.counts().dropped == {"exit": 1}
        assert client.counts().queued == 0
    assert server.requests == []


def test_an_event_loop_is_not_held_up_while_the_server_is_silent():
    """The server takes requests and never answers; each wait for it would take ten seconds."""
    ends = threading.Event()
    with scripted(lambda request: ends.wait(60) and None) as server:
        client = Client(server.url, flush_seconds=0.001, max_events=3000, exit_seconds=0.01)

        async def log():
            longest, before = 0.0, time.perf_counter()
            while not (client.counts().dropped and server.requests):
                client.log("m", score=0.5)
                client.label("m", 1, 1)
                await asyncio.sleep(0)
                now = time.perf_counter()
                longest, before = max(longest, now - before), now
            return longest

        assert asyncio.run(log()) < 5
        ends.set()
        client.close()
