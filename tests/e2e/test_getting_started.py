"""Every command of ``docs/getting-started.md``, in its order, in one shell, by the real programs.

Ports are free ones, the project is cloned from this checkout, and Slack is a receiver of this test.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.programs import program
from tests.web.support import HOST, free_port, until

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "getting-started.md"
FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.M | re.S)
END = "end of block"


class Block(NamedTuple):
    language: str
    file: str
    text: str


def blocks() -> list[Block]:
    return [Block(*found) for found in FENCE.findall(PAGE.read_text("utf-8"))]


@contextmanager
def slack() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """What Slack would have been sent."""
    told: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    try:
        yield server.server_address[1], told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def find(told: list[dict[str, Any]], title: str) -> dict[str, Any] | None:
    """The first message of this title."""
    return next((one for one in list(told) if one["attachments"][0]["title"] == title), None)


class Shell:
    """One bash that keeps its folder, its variables and its jobs from block to block."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                ["bash", "-euo", "pipefail"], cwd=folder, env=environment, text=True,
                stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def run(self, block: str, seconds: int) -> str:
        """What a block writes; it must succeed."""
        assert self._process.stdin is not None
        before = len(self.output())
        self._process.stdin.write(f"{block}\necho '{END}'\n")
        self._process.stdin.flush()
        until(
            lambda: f"{END}\n" in self.output()[before:] or self._process.poll() is not None,
            block, seconds,
        )  # fmt: skip
        assert self._process.poll() is None, f"{block}\n{self.output()[before:]}"
        return self.output()[before:]

    def output(self) -> str:
        return self._output.read_text("utf-8", "replace")

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.communicate("kill $(jobs -p); wait || true\n", timeout=60)


def programs(folder: Path) -> str:
    """A PATH on which every program has the name that the page uses."""
    folder.mkdir()
    names = {
        "prometheus": ("prometheus",),
        "promtool": ("promtool",),
        "amtool": ("amtool",),
        "alertmanager": ("alertmanager", "prometheus-alertmanager"),
    }
    for name, known in names.items():
        (folder / name).symlink_to(program(*known))
    (folder / "kubectl").symlink_to(Path(sys.executable).with_name("kubectl"))
    (folder / "python3").symlink_to(shutil.which(sys.executable) or sys.executable)
    return f"{folder}:/usr/local/bin:/usr/bin:/bin"


@pytest.mark.slow
def test_every_command_works_and_slack_is_told(tmp_path: Path) -> None:
    program("curl")
    program("git")
    ports = {name: str(free_port()) for name in ("9920", "9090", "9093")}
    environment = {
        **{name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))},
        "HOME": str(Path.home()),
        "PATH": programs(tmp_path / "programs"),
        "PROMETHEUS": str(tmp_path / "etc-prometheus"),
        "GRAFANA": str(tmp_path / "etc-grafana"),
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": f"url.file://{ROOT}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/modelmeter/modelmeter",
        "GIT_CONFIG_KEY_1": "safe.directory",
        "GIT_CONFIG_VALUE_1": "*",
    }
    work = tmp_path / "work"
    work.mkdir()
    shell = Shell(work, environment)
    with slack() as (port, told):
        webhook = f"http://{HOST}:{port}/services/T000/B000/XXXX"
        try:
            answers = [
                follow(block, shell, work / "modelmeter", ports, webhook) for block in blocks()
            ]
            page = until(lambda: find(told, "FIRING ModelMetricBeyondLimit fraud"), "the page", 60)
        finally:
            shell.end()
    check(answers)
    message = page["attachments"][0]
    assert page["channel"] == "#model-alerts"
    assert "*critical* accuracy_ratio of model fraud (version 3)" in message["text"]
    assert "|What to do>" in message["text"]
    built = json.loads((work / "modelmeter/reference.json").read_text())
    assert built["reference"]["rows"] == 20_000
    assert (work / "modelmeter/slack-webhook").stat().st_mode & 0o77 == 0
    assert list((tmp_path / "etc-grafana/dashboards").glob("*.json"))
    provider = yaml.safe_load(
        (tmp_path / "etc-grafana/provisioning/dashboards/modelmeter.yml").read_text()
    )["providers"][0]
    assert provider["options"]["path"] == str(tmp_path / "etc-grafana/dashboards")


def follow(block: Block, shell: Shell, folder: Path, ports: dict[str, str], webhook: str) -> str:
    """Do what a block says."""
    text = block.text.replace("https://hooks.slack.com/services/T000/B000/XXXX", webhook)
    for stated, free in ports.items():
        text = text.replace(f"localhost:{stated}", f"{HOST}:{free}")
    if block.file:
        (folder / block.file).write_text(text)
        return ""
    if block.language == "yaml":
        assert yaml.safe_load(text)
        return ""
    assert block.language == "sh", block
    own = [f"--web.listen-address={HOST}:{ports['9920']}" if "modelmeter serve" in text else ""]
    return shell.run(text.replace("modelmeter serve", f"modelmeter serve {own[0]}"), 300)


def check(answers: list[str]) -> None:
    """The answers on the way are those that the page promises."""
    every = "\n".join(answers)
    assert "modelmeter.yml: OK (windows 5m, 1h, 24h; 1 model; 1 limit)" in every
    assert every.count('{"accepted":1,') == 2
    assert 'model_accuracy_ratio{model="fraud",version="3",window="5m"} 1.0' in every
    assert '{"accepted":1000,"duplicates":0,"rejected":[],"rejected_total":0}' in every
    assert "http://localhost:3000/d/modelmeter-model-quality" in every
    assert "kind: PrometheusRule" in every
    assert 'grafana_dashboard: "1"' in every


def test_every_block_is_of_a_kind_that_is_run() -> None:
    found = blocks()
    assert len(found) == PAGE.read_text("utf-8").count("\n```\n") > 15
    assert {block.language for block in found} == {"sh", "yaml"}
