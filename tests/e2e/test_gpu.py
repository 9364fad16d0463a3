"""`modelmeter serve` beside GPUs: what it exposes, and that a hung driver holds nothing up."""

import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.cli.test_serve import free_port
from tests.deploy.metric_names import SERIES
from tests.gpu.support import H100, TWO, Driver, of, series, up
from tests.programs import program

SUCCESS = 'modelmeter_scrape_collector_success{collector="gpu"}'


class Serving:
    """A modelmeter in its own process, beside the driver's stand-in."""

    def __init__(self, driver: Driver, *arguments: str, **env: str) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._log = driver.path.with_name("serve.log")
        command = [sys.executable, "-m", "exporter", "--no-persist", *arguments]
        command += ["--web.listen-address", self.address]
        env = driver.env | {"MODELMETER_SAMPLE_INTERVAL": "100ms"} | env
        with self._log.open("w") as log:
            self.process = subprocess.Popen(command, stderr=log, env=env)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
            return answer.read().decode()

    def until(self, condition):
        deadline = time.monotonic() + 30
        while True:
            assert time.monotonic() < deadline, self._log.read_text()
            assert self.process.poll() is None, self._log.read_text()
            try:
                shown = series(self.get("/metrics"))
            except OSError:
                shown = None
            if shown is not None and condition(shown):
                return shown
            time.sleep(0.05)

    def end(self) -> float:
        """End it, and return how long that took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0
        return time.monotonic() - began


@pytest.fixture
def serving(tmp_path):
    running = []

    def start(state, *arguments, **env):
        driver = Driver(tmp_path, state)
        running.append(Serving(driver, *arguments, **env))
        return driver, running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.wait()


def test_gpus_are_exposed_as_the_interface_names_them(serving):
    gpu = H100 | {"processes": "", "event": "1 0 31"}
    _, running = serving(TWO | {"0": gpu})
    running.until(lambda s: up(s) == {"0": 1, "1": 1} and "xid" in " ".join(s))
    text = running.get("/metrics")
    names = {name.partition("{")[0] for name in series(text) if "_gpu_" in name}
    assert names == {name for name in SERIES if "_gpu_" in name} - {
        "model_gpu_process_memory_bytes"
    }
    linted = subprocess.run(
        [program("promtool"), "check", "metrics"], input=text, text=True, capture_output=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, "")
    assert running.end() < 5


def test_a_driver_that_hangs_slows_neither_scrapes_nor_the_end(serving):
    driver, running = serving(TWO)
    running.until(lambda s: up(s) == {"0": 1, "1": 1})
    driver.write(TWO | {"every": "hang"})
    shown = running.until(lambda s: up(s) == {"0": 0, "1": 0})
    assert "power_watts" not in of(shown, 0)
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        running.get("/metrics")
        running.get("/-/ready")
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 2
    assert running.end() < 8


@pytest.mark.parametrize(("mode", "shown"), [("required", 0), ("auto", None), ("off", None)])
def test_no_driver(serving, mode, shown):
    driver, running = serving({"init": "error 9"}, MODELMETER_GPU=mode)
    found = running.until(lambda s: mode == "off" or driver.noted("init"))
    assert found.get(SUCCESS) == shown
    assert running.get("/-/ready")
    if mode == "off":
        assert not driver.noted("init")
        maps = Path(f"/proc/{running.process.pid}/maps").read_text()
        assert "nvidia-ml" not in maps


def test_the_model_servers_own_memory_is_matched(serving):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as server:
        gpu = H100 | {"processes": f"{server.pid}:8192 1:4096"}
        _, running = serving(TWO | {"0": gpu}, MODELMETER_MODEL_SERVER_PID=str(server.pid))
        shown = running.until(lambda s: "process_memory_bytes" in of(s, 0))
        assert of(shown, 0)["process_memory_bytes"] == 8192
        assert "process_memory_bytes" not in of(shown, 1)
        server.kill()
