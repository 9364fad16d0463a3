"""The command line beside a real, running modelmeter."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIG = """
windows: [5m]
models: [{name: fraud, task: binary, limits: {accuracy_ratio: {min: 0.9}}}]
"""


def modelmeter(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "exporter", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Serving:
    """A modelmeter in its own process; its log lines are JSON in a file."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._log = folder / "log"
        self.config = folder / "modelmeter.yaml"
        self.config.write_text(CONFIG)
        command = [sys.executable, "-m", "exporter", "--config", str(self.config)]
        command += ["--web.listen-address", self.address, "--log.format", "json", *arguments]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stderr=log, env=os.environ | {"MODELMETER_JOIN_TLL": "1d"}
            )
        self.until(lambda: any(line["msg"] == "listening" for line in self.log()))
        self.until(lambda: self.health().returncode == 0)

    def log(self) -> list[dict[str, object]]:
        complete = self._log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in complete.splitlines()]

    def until(self, condition) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.05)

    def health(self) -> subprocess.CompletedProcess[str]:
        return modelmeter("healthcheck", "--web.listen-address", self.address)

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


@pytest.fixture
def serving(tmp_path) -> Iterator[Serving]:
    running = Serving(tmp_path, "--no-persist")
    yield running
    running.process.kill()
    running.process.wait()


def test_a_life_from_replay_to_the_end(serving: Serving, tmp_path) -> None:
    data = tmp_path / "events.csv"
    rows = [f"{i},{0.9 if i % 4 else 0.1},1,{i}" for i in range(200)]
    data.write_text("id,score,label,features.amount\n" + "\n".join([*rows, "x,1.7,1,0"]))
    done = modelmeter("replay", str(data), "--url", f"http://{serving.address}", "--batch", "64")
    assert (done.returncode, done.stdout) == (1, "200 accepted, 0 duplicates, 1 rejected\n")
    assert "rejected line 202: score: must be between 0 and 1, got 1.7" in done.stderr
    shown = serving.metrics()
    assert shown['model_predictions_total{model="fraud",version="none"}'] == 200
    assert shown['model_accuracy_ratio{model="fraud",version="none",window="5m"}'] == 0.75
    again = modelmeter("replay", str(data), "--url", f"http://{serving.address}")
    assert again.stdout == "0 accepted, 200 duplicates, 1 rejected\n"

    warnings = [line["msg"] for line in serving.log() if line["level"] == "warn"]
    assert warnings == [
        "unknown environment variable MODELMETER_JOIN_TLL; did you mean MODELMETER_JOIN_TTL?"
    ]

    reloaded = "modelmeter_config_last_reload_successful"
    serving.config.write_text("windos: [5m]\n")
    serving.process.send_signal(signal.SIGHUP)
    serving.until(lambda: serving.metrics()[reloaded] == 0)
    told = [line["msg"] for line in serving.log() if line["level"] == "error"]
    assert f"{serving.config}:1: windos: unknown key; did you mean windows?" in str(told[-1])
    serving.config.write_text(CONFIG.replace("0.9", "0.8"))
    serving.process.send_signal(signal.SIGHUP)
    serving.until(lambda: serving.metrics()[reloaded] == 1)

    serving.process.send_signal(signal.SIGTERM)
    assert serving.process.wait(timeout=30) == 0
    assert serving.health().returncode == 1


def test_a_port_in_use_is_told(serving: Serving) -> None:
    done = modelmeter("serve", "--no-persist", "--web.listen-address", serving.address)
    assert done.returncode == 1
    assert "cannot listen on" in done.stderr


def test_where_the_state_is_kept_is_said(serving: Serving, tmp_path) -> None:
    assert "nothing is kept on disk: a restart begins anew" in [one["msg"] for one in serving.log()]
    folder = str(tmp_path / "state")
    done = modelmeter("serve", "--data-dir", folder, "--web.listen-address", serving.address)
    assert f'msg="state is kept" data_dir={folder} durability=disk' in done.stderr
