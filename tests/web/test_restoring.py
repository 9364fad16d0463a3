"""Until the state is back nothing is shown, nothing is taken, and health says that it is alive."""

import signal
import subprocess
import sys
import threading

import pytest

from exporter.reference_store import ReferenceStore
from exporter.service import Service
from tests.web.support import running, until

CLOSED = [
    ("GET", "/"),
    ("GET", "/metrics"),
    ("GET", "/-/ready"),
    ("POST", "/-/reload"),
    ("POST", "/v1/events"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/m"),
    ("DELETE", "/v1/models/m"),
    ("GET", "/v1/reference?model=m"),
    ("PUT", "/v1/reference?model=m"),
    ("DELETE", "/v1/reference?model=m"),
]


def test_nothing_is_shown_before_all_of_it_is_back(tmp_path, monkeypatch):
    with running(folder=tmp_path) as client:
        assert client.post({"model": "m", "score": 0.5}).status == 200
    begun, go = threading.Event(), threading.Event()
    restore = Service.restore

    def slow(service):
        begun.set()
        assert go.wait(30)
        restore(service)

    monkeypatch.setattr(Service, "restore", slow)
    found = {}

    def look(client):
        assert begun.wait(30)
        for method, path in CLOSED:
            found[method, path] = client.request(
                method, path, b"{}", {"Content-Type": "application/json"}
            )
        found["healthy"] = client.get("/-/healthy").status
        go.set()

    with running(folder=tmp_path, meanwhile=look) as client:
        assert found.pop("healthy") == 200
        assert {answer.status for answer in found.values()} == {503}
        assert all("retry-after" in answer.headers for answer in found.values())
        assert client.value("model_predictions_total", model="m", version="none") == 1


def test_a_stop_while_it_restores_leaves_everything_as_it_was(tmp_path, monkeypatch):
    with running(folder=tmp_path) as client:
        assert client.post({"model": "m", "score": 0.5}).status == 200
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*-*")}

    def broken(service):
        raise RuntimeError("broken")

    monkeypatch.setattr(Service, "restore", broken)
    monkeypatch.setattr("exporter.web.life.signal.raise_signal", lambda number: None)
    with pytest.raises(AssertionError, match="the restore"), running(folder=tmp_path, seconds=1):
        pass
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*-*")} == before


def test_no_reference_is_built_of_first_events_that_may_be_one_already(tmp_path, monkeypatch):
    """It would be journalled in the midst of what is done again."""
    ticks, built = [], []
    begun, go = threading.Event(), threading.Event()
    restore, tick = Service.restore, Service.tick

    def slow(service):
        begun.set()
        assert go.wait(30)
        restore(service)

    def ticked(service):
        ticks.append(service.restoring)
        tick(service)

    def look(client):
        assert begun.wait(30)
        until(lambda: len(ticks) > 5, "ticks")
        go.set()

    monkeypatch.setattr("exporter.web.life.LOOK_SECONDS", 0.01)
    monkeypatch.setattr(Service, "restore", slow)
    monkeypatch.setattr(Service, "tick", ticked)
    monkeypatch.setattr(ReferenceStore, "build_first", lambda self: built.append(len(ticks)))
    with running(folder=tmp_path, meanwhile=look):
        until(lambda: built, "a look at first events")
    assert ticks[5]
    assert min(built) > 5


@pytest.mark.parametrize("method", ["restore", "close"])
def test_a_second_signal_ends_at_once_whatever_is_being_done(tmp_path, method):
    code = f"""
import sys, time
from exporter import service

def slow(self):
    print("begun", flush=True)
    time.sleep(60)
service.Service.{method} = slow
from exporter.__main__ import main
sys.exit(main(["serve", "--web.listen-address=127.0.0.1:0", "--data-dir={tmp_path}"]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        lines = iter(process.stdout.readline, "")
        first = "begun" if method == "restore" else "state restored"
        assert any(first in line for line in lines)
        process.send_signal(signal.SIGTERM)
        assert any(("begun" if method == "close" else "stopping") in line for line in lines)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 1
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
