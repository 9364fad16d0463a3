"""What waits is bounded, in events and in bytes, whatever becomes of the server."""

import gc
import threading
import tracemalloc

from exporter.client import Client
from tests.client.support import adds_up, scripted
from tests.web.support import free_port

NOWHERE = 0.01
"""Seconds to wait at the end for a server that is not there."""


def dead(**options):
    return Client(f"http://127.0.0.1:{free_port()}", exit_seconds=NOWHERE, **options)


def test_no_more_events_wait_than_may_and_all_are_counted_from_many_threads():
    with dead(max_events=1000) as client:
        threads = [
            threading.Thread(target=lambda: [client.log("m", score=0.5) for _ in range(500)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        counts = client.counts()
        assert (counts.logged, counts.queued) == (4000, 1000)
        assert counts.dropped == {"queue_full": 3000}
    counts = client.counts()
    assert counts.dropped == {"queue_full": 3000, "exit": 1000}
    assert adds_up(counts)


def test_no_more_bytes_are_held_than_may():
    text = "x" * 10_000
    with dead(max_bytes=1 << 20, max_events=10**9) as client:
        client.log("m", score=0.5)
        gc.collect()
        tracemalloc.start()
        try:
            for _ in range(2000):
                client.log("m", score=0.5, features={"text": text})
            held, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert 90 < client.counts().queued <= 105
        assert client.counts().dropped["queue_full"] + client.counts().queued == 2001
        # What waits, once more as the body that is being sent, and little else.
        assert held < 2.3 * (1 << 20)
        assert most < 2.5 * (1 << 20)


def test_an_event_larger_than_a_batch_is_not_taken():
    with dead(batch_bytes=2000) as client:
        client.log("m", score=0.5, features={"text": "x" * 2000})
        assert client.counts().dropped == {"too_large": 1}


def test_room_comes_back_when_events_are_answered_for():
    with scripted() as server, Client(server.url, max_events=10, max_bytes=10_000) as client:
        for _ in range(20):
            for _ in range(10):
                client.log("m", score=0.5, features={"text": "x" * 100})
            assert client.flush()
        assert client.counts().accepted == 200
        assert client.counts().queued == 0
    assert len(server.events()) == 200


def test_after_the_end_nothing_is_taken():
    with dead() as client:
        pass
    client.log("m", score=0.5)
    client.label("m", 1, 1)
    client.close()
    assert client.counts().dropped == {"closed": 2}
