"""Take the picture of the landing page that README.md shows: a real modelmeter, a made-up hour.

    python scripts/landing_picture.py docs/images/landing.png
    python scripts/landing_picture.py --scheme dark --width 400 /tmp/phone.png
    python scripts/landing_picture.py --serve 8000

Six models live through an hour on a clock that goes fast and then stands; then the page is served,
and Chromium looks at it. The model server that is watched is the script itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvicorn

from exporter import app, ledger
from exporter.cli.settings import known
from exporter.config import Settings, load
from exporter.server.sampler import Sampler
from exporter.server.server import Server
from exporter.service import Clock, Service

MINUTES: Final = 62
FALL: Final = 36
"""The minute from which on things go wrong."""
CONFIG: Final = """
windows: [5m, 1h, 24h]
decision_interval: 10s
sample_interval: 500ms
grafana_url: https://grafana.example.org
model_server: {{pid: {pid}}}
models:
  - {{name: fraud, team: risk,
     limits: {{accuracy_ratio: {{min: 0.88}}, roc_auc_ratio: {{min: 0.9}}}},
     reference: {{file: fraud.ndjson, independent: true}}}}
  - {{name: churn, team: growth, limits: {{accuracy_ratio: {{min: 0.8}}}},
     reference: {{file: churn.ndjson}}}}
  - {{name: price, team: market, limits: {{mean_absolute_error: {{max: 30}}}}}}
  - {{name: ranking, team: search, limits: {{accuracy_ratio: {{min: 0.7}}}}}}
"""
Event = dict[str, Any]


@dataclass
class Stood:
    """A clock that goes when it is told: the picture shows the minute in which the hour ends."""

    now: float

    def read(self) -> float:
        """Return Unix seconds."""
        return self.now


@dataclass(frozen=True)
class Stream:
    """Events of one binary model version."""

    model: str
    version: str
    a_minute: int
    right: float
    covered: float = 1.0
    falls: bool = False
    begins: int = 0

    def events(self, minute: int, rng: np.random.Generator) -> list[Event]:
        """Return a minute's events."""
        many = int(rng.poisson(self.a_minute)) if minute >= self.begins else 0
        return [self.event(minute, rng) for _ in range(many)]

    def event(self, minute: int, rng: np.random.Generator) -> Event:
        """Return one event."""
        wrong = self.falls and minute >= FALL
        score = float(rng.beta(0.35, 0.55))
        noise = (1 - self.right) * (3.0 if wrong else 1.0)
        label = int((score > 0.5) ^ (rng.random() < noise))
        amount = float(rng.lognormal(3.4 + (0.8 if wrong else 0.0), 0.8))
        age = None if wrong and rng.random() < 0.15 else float(rng.normal(41, 12))
        event: Event = {
            "model": self.model, "version": self.version, "score": score,
            "latency_seconds": float(rng.gamma(4, 0.004)),
            "features": {"amount": amount, "age": age, "country": str(rng.choice(COUNTRIES))},
        }  # fmt: skip
        if rng.random() < self.covered:
            event["label"] = label
        return event


COUNTRIES: Final = ["at", "de", "fr", "it", "pl"]
STREAMS: Final = (
    Stream("fraud", "7", 120, 0.93, falls=True),
    Stream("fraud", "8-shadow", 120, 0.94),
    Stream("churn", "2", 60, 0.86, covered=0.4),
    Stream("ranking", "2026-05", 3, 0.72, begins=52),
)


def others(rng: np.random.Generator) -> list[Event]:
    """Return a minute of a regression and of a classifier of three classes."""
    prices = rng.lognormal(5, 0.4, int(rng.poisson(40)))
    found: list[Event] = [
        {
            "model": "price", "version": "12", "prediction": float(price),
            "label": float(rng.normal(price, 25)), "latency_seconds": 0.02,
        }
        for price in prices
    ]  # fmt: skip
    for _ in range(int(rng.poisson(25))):
        scores = rng.dirichlet((0.5, 0.4, 0.3))
        label = int(rng.choice(3, p=scores))
        named = dict(zip(("buy", "help", "leave"), map(float, scores), strict=True))
        found.append(
            {"model": "intent", "version": "1", "scores": named, "label": list(named)[label]}
        )
    return found


def live_through(service: Service, clock: Stood, seed: int) -> None:
    """Let the service count an hour, minute by minute."""
    rng = np.random.default_rng(seed)
    begin = clock.now
    for minute in range(MINUTES):
        events = [event for stream in STREAMS for event in stream.events(minute, rng)]
        content = json.dumps(events + others(rng)).encode()
        body = service.read("application/json", content, None, None)
        service.ledger.events([body], ledger.checked([body]))
        clock.now = begin + 60.0 * (minute + 1)
        service.tick()


def settings_in(folder: Path) -> Settings:
    """Return the settings, with references of a quiet day."""
    rng = np.random.default_rng(1)
    for name, stream in (("fraud", STREAMS[0]), ("churn", STREAMS[2])):
        lines = (json.dumps(replace(stream, covered=1.0).event(0, rng)) for _ in range(20_000))
        (folder / f"{name}.ndjson").write_text("\n".join(lines))
    file = folder / "modelmeter.yml"
    file.write_text(CONFIG.format(pid=os.getpid()))
    found = load({"--config": str(file), "--no-persist": "true"}, **known())
    return replace(found, persist=False)


@contextlib.contextmanager
def served(port: int) -> Iterator[str]:
    """Serve the page; return its address."""
    with tempfile.TemporaryDirectory() as folder:
        clock = Stood(60.0 * (time.time() // 60 - MINUTES))
        service = _service(settings_in(Path(folder)), clock)
        live_through(service, clock, seed=7)
        server = uvicorn.Server(uvicorn.Config(app.build(service), log_level="warning"))
        with socket.create_server(("127.0.0.1", port)) as listening:
            thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
            thread.start()
            try:
                address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
                _wait(lambda: server.started)
                _wait(lambda: service.beside[0].facts(clock.read()).shown["servers"][0]["windows"])
                yield address
            finally:
                server.should_exit = True
                thread.join()


def _service(settings: Settings, clock: Stood) -> Service:
    """Return a service on a clock of ours; its model server is this process."""
    servers = [Server(name, target) for name, target in settings.servers.items()]
    sampler = Sampler(servers, settings, time.time, time.time, os.cpu_count() or 1)
    return Service(settings, Clock(clock.read, clock.read), beside=[sampler])


def _wait(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("modelmeter did not come up")
        time.sleep(0.05)


def take(address: str, file: Path, scheme: str, width: int, height: int) -> None:
    """Write what Chromium shows of a page as a PNG."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((found for name in names if (found := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"none of {', '.join(names)} is installed")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={profile}",
                f"--window-size={width},{height}", "--force-device-scale-factor=1",
                f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
                f"--screenshot={file.resolve()}", address,
            ],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip


def main() -> int:
    """Take one picture, or serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("file", nargs="?", type=Path, help="the PNG to write")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=1000)
    parser.add_argument("--path", default="", help="of the page, such as ?model=fraud")
    parser.add_argument("--serve", type=int, metavar="PORT", help="serve it, and take no picture")
    wanted = parser.parse_args()
    if wanted.file is None and wanted.serve is None:
        parser.error("give a file, or --serve PORT")
    with served(wanted.serve or 0) as address:
        if wanted.file is not None:
            take(address + wanted.path, wanted.file, wanted.scheme, wanted.width, wanted.height)
        else:
            print(address, flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
