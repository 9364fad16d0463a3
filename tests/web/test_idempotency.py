"""``Idempotency-Key``: a repeat gets the first answer, and nothing counts twice."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

from exporter import answers
from exporter.answers import Answer, Answers
from tests.web.support import HOST, Time, running

EVENT = {"model": "m", "score": 0.5}


def predictions(client) -> float | None:
    return client.value("model_predictions_total", model="m", version="none")


def test_a_repeat_is_answered_as_the_first_for_ten_minutes_and_no_longer() -> None:
    time = Time()
    with running(clock=time.clock) as client:
        first = client.post([EVENT, {"model": "m", "score": 2}], Idempotency_Key="k")
        assert first.json()["accepted"] == 1
        time.now += answers.KEEP_SECONDS - 1
        # Another body under the key of the first is taken for the first.
        assert client.post(EVENT, Idempotency_Key="k").body == first.body
        assert predictions(client) == 1
        assert client.post(EVENT, Idempotency_Key="other").json()["rejected"] == []
        assert predictions(client) == 2
        time.now += 2
        assert client.post(EVENT, Idempotency_Key="k").json()["rejected"] == []
        assert predictions(client) == 3


def test_repeats_at_the_same_time_count_once(served) -> None:
    body = json.dumps([{"model": "same", "score": 0.5}] * 3000).encode()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: served.post(body, Idempotency_Key="same"), range(16)))
    assert {(one.status, one.body) for one in found} == {(200, found[0].body)}
    assert served.value("model_predictions_total", model="same", version="none") == 3000


def test_what_failed_first_is_tried_again() -> None:
    with running() as client:
        assert client.post(b"[", Idempotency_Key="k").status == 400
        client.service.stopping = True
        assert client.post(EVENT, Idempotency_Key="k").status == 503
        client.service.stopping = False
        assert client.post(EVENT, Idempotency_Key="k").status == 200
        assert predictions(client) == 1


def test_what_was_wholly_rejected_stays_so(served) -> None:
    first = served.post({"model": "m", "score": 7}, Idempotency_Key="rejected")
    again = served.post(EVENT, Idempotency_Key="rejected")
    assert (first.status, again.status) == (422, 422)
    assert first.body == again.body


def test_a_first_that_breaks_off_makes_way_for_the_one_that_waits(served) -> None:
    head = (
        b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Idempotency-Key: broken\r\nContent-Length: 100\r\n\r\n["
    )
    with ThreadPoolExecutor(4) as pool:
        with socket.create_connection((HOST, served.port)) as connection:
            connection.sendall(head)
            served.get("/-/healthy")  # answered after the bytes before it were read
            event = {"model": "broken", "score": 1}
            waiting = [pool.submit(served.post, event, Idempotency_Key="broken") for _ in range(4)]
        found = [one.result(30) for one in waiting]
    assert [one.status for one in found] == [200] * 4
    assert served.value("model_predictions_total", model="broken", version="none") == 1


def test_keys_and_answers_are_bounded() -> None:
    kept = Answers()
    for i in range(1000):
        kept.keep(b"%d" % i, Answer(0.0, 200, b"x" * 100_000))
    assert kept.get(b"999", 0.0) is not None
    assert kept.get(b"0", 0.0) is None
    assert len(kept.dump()) * 100_000 <= answers.MAX_BYTES


def test_a_restart_answers_as_the_first_time(tmp_path) -> None:
    with running(folder=tmp_path) as client:
        first = client.post([EVENT, {"model": "m", "score": 2}], Idempotency_Key="k")
    with running(folder=tmp_path) as client:
        assert client.post(EVENT, Idempotency_Key="k").body == first.body
        assert predictions(client) == 1
