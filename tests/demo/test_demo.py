"""The whole demo: real Prometheus and Alertmanager, one alert that fires and is resolved."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.demo.support import is_running, wait_until

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")
pytestmark = pytest.mark.slow


class Demo:
    """A demo that runs; its output goes to a file, its temporary files to a folder of its own."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.output = folder / "output.txt"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "exporter", "demo", *arguments],
                cwd=ROOT,
                env={**os.environ, "TMPDIR": str(self.temporary), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.text or self.process.poll() is not None, 60.0)
        assert text in self.text

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, seconds: float) -> int:
        return self.process.wait(seconds)


@contextmanager
def demo(*arguments: str, **environment: str) -> Iterator[Demo]:
    with tempfile.TemporaryDirectory() as folder:
        running = Demo(Path(folder), *arguments, **environment)
        try:
            yield running
        finally:
            if running.process.poll() is None:
                running.process.terminate()
            running.process.wait(30)


def assert_nothing_is_left(running: Demo, children: list[psutil.Process]) -> None:
    assert [child.pid for child in children if is_running(child.pid)] == []
    assert list(running.temporary.iterdir()) == []
    assert "nothing is left running" in running.text


def told(text: str, what: str) -> list[int]:
    """Return the seconds at which the lines that hold `what` were told."""
    times = re.findall(rf"^ *(\d+):(\d\d)  .*{re.escape(what)}", text, re.MULTILINE)
    return [60 * int(minutes) + int(seconds) for minutes, seconds in times]


@pytest.mark.timeout(120)
def test_an_alert_fires_after_the_change_and_is_resolved_after_the_recovery():
    with demo("--duration", "50") as running:
        running.wait_for("labelled")
        children = running.children()
        assert len(children) == 4
        assert running.end(90) == 0
        (change,) = told(running.text, "THE WORLD CHANGES")
        (recovery,) = told(running.text, "THE WORLD RECOVERS")
        fired = told(running.text, "ALERT FIRING (critical) ModelMetricBeyondLimit")
        resolved = told(running.text, "ALERT RESOLVED (critical) ModelMetricBeyondLimit")
        # A scrape that a busy machine misses resolves the alert and fires it anew.
        assert 1 <= len(fired) == len(resolved) <= 3
        assert change < fired[0] < recovery + 5
        assert recovery < resolved[-1] <= 50
        assert "accuracy_ratio of model bike-demand (version 1) over 15s" in running.text
        assert f"delivered: {len(fired)} firing, {len(fired)} resolved." in running.text
        assert_nothing_is_left(running, children)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_good_order(number):
    with demo() as running:
        running.wait_for("labelled")
        children = running.children()
        running.process.send_signal(number)
        assert running.end(30) == 0
        assert_nothing_is_left(running, children)


def test_when_a_program_dies_its_last_words_are_told():
    with demo() as running:
        running.wait_for("labelled")
        children = running.children()
        victim = next(child for child in children if "serve" in child.cmdline())
        victim.kill()
        assert running.end(30) == 1
        assert "modelmeter demo: modelmeter ended with signal 9" in running.text
        assert "msg=listening" in running.text
        assert [child.pid for child in children if is_running(child.pid)] == []
        assert list(running.temporary.iterdir()) == []


def test_without_prometheus_it_says_so_and_runs_alone(tmp_path):
    with demo("--duration", "3", PATH=str(tmp_path)) as running:
        running.wait_for("labelled")
        children = running.children()
        assert len(children) == 2
        assert running.end(30) == 0
        assert "Prometheus is not installed" in running.text
        assert "limit held" in running.text
        assert_nothing_is_left(running, children)


def test_a_wanted_port_is_used():
    with demo() as first:
        first.wait_for("what Prometheus reads  ")
        port = ADDRESS.findall(first.text)[0]
        with demo("--port", port) as second:
            assert second.end(30) == 1
            assert f"port {port} for modelmeter cannot be used" in second.text
        first.process.terminate()
        assert first.end(30) == 0
    with demo("--duration", "1", "--port", port) as third:
        assert third.end(30) == 0
        assert f"http://127.0.0.1:{port}/metrics" in third.text
