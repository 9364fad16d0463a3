"""A modelmeter and a Prometheus that scrapes it every second, on free ports of this machine."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


class Installation:
    """What listens where, and how it is asked."""

    def __init__(self, modelmeter: int, prometheus: int) -> None:
        self.modelmeter = f"http://127.0.0.1:{modelmeter}"
        self.prometheus = f"http://127.0.0.1:{prometheus}/api/v1"

    def is_ready(self) -> bool:
        """Whether modelmeter says so; raises OSError while it does not listen."""
        with urllib.request.urlopen(self.modelmeter + "/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)

    def send(self, events: list[dict[str, Any]]) -> None:
        """Send events that must all be accepted."""
        body, headers = json.dumps(events).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(self.modelmeter + "/v1/events", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            if json.load(answer)["rejected_total"]:
                raise ValueError("some were rejected")

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of Prometheus's answer; urllib.error.HTTPError for a query that fails."""
        query = urllib.parse.urlencode(parameters).encode()
        request = urllib.request.Request(f"{self.prometheus}/{path}", query)
        if path.startswith("label/"):  # which takes no form
            request = urllib.request.Request(f"{self.prometheus}/{path}?{query.decode()}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, expr: str, **parameters: str) -> list[dict[str, Any]]:
        """The series that an expression has now, or at the time that is given."""
        found: list[dict[str, Any]] = self.ask("query", query=expr, **parameters)["result"]
        return found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until(holds: Callable[[], object], seconds: float) -> None:
    """Wait until something holds; raises TimeoutError. What does not listen yet does not hold."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError(f"not within {seconds} s")


def started(
    command: list[str], log: IO[str], stack: ExitStack, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """A process that ends when the stack does."""
    running = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, env=env)

    def end() -> None:
        running.send_signal(signal.SIGTERM)
        running.wait(timeout=30)

    stack.callback(end)
    return running


@contextmanager
def installed(
    folder: Path, prometheus: str, settings: Mapping[str, Any], env: Mapping[str, str] | None = None
) -> Iterator[Installation]:
    """Both programs, ready, with the shipped rules; they end with the block.

    `prometheus` is the program's path; state and logs are in `folder`.
    """
    ports = free_port(), free_port()
    there = Installation(*ports)
    scraping = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ROOT / "prometheus/rules/*.yml")],
        "scrape_configs": [
            {
                "job_name": "modelmeter",
                "static_configs": [{"targets": [f"127.0.0.1:{ports[0]}"]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(scraping))
    (folder / "modelmeter.yml").write_text(yaml.safe_dump(dict(settings)))
    serve = [sys.executable, "-m", "exporter", "serve", f"--config={folder / 'modelmeter.yml'}"]
    serve += [f"--data-dir={folder / 'kept'}", f"--web.listen-address=127.0.0.1:{ports[0]}"]
    watch = [prometheus, f"--config.file={folder / 'prometheus.yml'}"]
    watch += [
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{ports[1]}",
    ]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "log").open("w"))
        started(serve, log, stack, env)
        started(watch, log, stack)
        until(there.is_ready, 60)
        until(lambda: there.query("up == 1"), 60)
        yield there
