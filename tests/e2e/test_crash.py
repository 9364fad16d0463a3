"""Kills at random moments under load: what was acknowledged counts, once, and stays counted."""

import json
import os
import random
import threading
import time
from http.client import HTTPException

import pytest

from tests.web.support import Process

ROUNDS = int(os.environ.get("MODELMETER_CRASH_ROUNDS", "5"))
"""50 for a long run."""
SENDERS = 4
ABOUT = {"model": "m", "version": "none"}


class Sender(threading.Thread):
    """Sends predictions and labels until it is told to end; what failed is sent again."""

    def __init__(self, number, seed):
        super().__init__()
        self.number = number
        self.rng = random.Random(seed)
        self.server = None
        self.ends = threading.Event()
        self.acknowledged = 0
        self.keyed = {}
        self.faults = []
        self._body = None

    def run(self):
        # What was begun is sent until it is answered, as long as there is a server.
        while not self.ends.is_set() or (self._body is not None and self.server is not None):
            try:
                self.step()
            except Exception as error:
                self.faults.append(repr(error))
                return

    def step(self):
        server = self.server
        if server is None:
            self.ends.wait(0.01)
            return
        body, events, key = self._body or self.make()
        self._body = body, events, key
        try:
            answer = server.post(body, **({"Idempotency_Key": key} if key else {}))
        except (OSError, HTTPException):  # the second: killed in the middle of an answer
            self.ends.wait(0.01)  # whether it was counted will show when it is sent again
            return
        if answer.status == 503:
            return
        assert answer.status == 200, answer.body
        told = answer.json()
        assert told["accepted"] + told["duplicates"] == events, told
        if key:
            self.keyed[key] = (body, answer.body)
        self.acknowledged += events // 2
        self._body = None

    def make(self):
        """Pairs of a prediction and its label: with ids, or without and with a key."""
        size = self.rng.choice([1, 1, 1, 10, 200])
        key = (
            f"{self.number}-{self.acknowledged}-{self.rng.random()}"
            if self.rng.random() < 0.3
            else None
        )
        events = []
        for i in range(size):
            about = {"model": "m", "id": f"{self.number}-{self.acknowledged + i}"}
            events += [{**about, "score": 0.5, "latency_seconds": 0.01}, {**about, "label": 1}]
        return json.dumps(events).encode(), len(events), key


def totals(server):
    return {
        (name, labels): value
        for (name, labels), value in server.metrics().items()
        if name.startswith("model_") and name.endswith(("_total", "_count", "_sum", "_bucket"))
    }


@pytest.mark.slow
def test_kills_under_load_lose_nothing_and_count_nothing_twice(tmp_path):
    rng = random.Random(7)
    data = tmp_path / "data"
    senders = [Sender(number, number) for number in range(SENDERS)]
    exposed = {}
    for sender in senders:
        sender.start()
    try:
        for _ in range(ROUNDS):
            server = Process(tmp_path, {"max_journal_bytes": "4MiB"}, data=data)
            try:
                found = totals(server)
                for key, value in exposed.items():
                    assert found.get(key, 0.0) >= value, key
                for sender in senders:
                    sender.server = server
                deadline = time.monotonic() + rng.uniform(0.3, 1.5)
                while time.monotonic() < deadline:
                    exposed = totals(server)
            finally:
                for sender in senders:
                    sender.server = None
                server.end()
        server = Process(tmp_path, data=data)
        for sender in senders:
            sender.server = server
            sender.ends.set()
            sender.join(30)
            assert not sender.is_alive(), "the last answer never came"
        assert [sender.faults for sender in senders] == [[]] * SENDERS
        acknowledged = sum(sender.acknowledged for sender in senders)
        assert acknowledged > ROUNDS * 20
        assert server.value("model_predictions_total", **ABOUT) == acknowledged
        assert server.value("model_labels_total", **ABOUT) == acknowledged
        assert server.value("model_pending_predictions", **ABOUT) == 0
        assert server.value("modelmeter_store_damaged_total") == 0
        for key, (body, answer) in list(senders[0].keyed.items())[-5:]:
            assert server.post(body, Idempotency_Key=key).body == answer
        assert server.value("model_predictions_total", **ABOUT) == acknowledged
        server.end()
    finally:
        for sender in senders:
            sender.server = None
            sender.ends.set()


def test_a_stop_in_the_middle_of_a_snapshot_leaves_a_whole_state(tmp_path):
    """The folder is small and the snapshots many: one is always being written."""
    data = tmp_path / "data"
    counted = 0
    for _ in range(3):
        server = Process(tmp_path, {"max_journal_bytes": "4MiB"}, data=data)
        try:
            body = [{"model": "m", "id": counted + i, "score": 0.5} for i in range(3000)]
            for start in range(12):
                events = [{**one, "id": one["id"] + start * 3000} for one in body]
                assert server.post(events).json()["accepted"] == 3000
            counted += 36_000
            assert server.stop() == 0
        finally:
            server.end()
        assert not list(data.glob("*.new"))
    server = Process(tmp_path, data=data)
    try:
        assert server.value("model_predictions_total", **ABOUT) == counted
        assert server.value("model_pending_predictions", **ABOUT) == counted
    finally:
        server.end()


def test_a_second_signal_ends_at_once_and_loses_nothing(tmp_path):
    server = Process(tmp_path, data=tmp_path / "data")
    try:
        assert (
            server.post([{"model": "m", "id": i, "score": 0.5} for i in range(1000)]).status == 200
        )
        server.process.terminate()
        server.process.terminate()
        server.process.wait(10)
    finally:
        server.end()
    again = Process(tmp_path, data=tmp_path / "data")
    try:
        assert again.value("model_predictions_total", **ABOUT) == 1000
    finally:
        again.end()
