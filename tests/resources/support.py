"""What the tests of the model server's resources share: programs, and a sampler with its clock."""

import subprocess
import sys
import time
from collections.abc import Callable

from prometheus_client.metrics_core import Metric

from exporter.collectors.model_server import ModelServerCollector
from exporter.config import ModelServerSettings, Settings
from exporter.server.procfs import Proc
from exporter.server.sampler import Sampler
from exporter.server.server import Server

BUSY = "import sys; print('ready', flush=True)\nwhile True: sum(range(1000))"
IDLE = "import sys; print('ready', flush=True); sys.stdin.read()"
LISTEN = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""
PARENT = """
import subprocess, sys
code = "x = bytearray(40_000_000)\\nwhile True: sum(range(1000))"
child = subprocess.Popen([sys.executable, "-c", code])
print(child.pid, flush=True)
for line in sys.stdin:
    child.kill(); child.wait(); print("reaped", flush=True)
child.kill()
"""
Start = Callable[..., "subprocess.Popen[str]"]
SETTINGS = Settings()


class Watch:
    """Model servers, sampled when a test says so; a second passes before each sample."""

    def __init__(
        self,
        target: ModelServerSettings | dict[str, ModelServerSettings],
        settings: Settings = SETTINGS,
        proc: Proc | None = None,
        root: str = "/",
        **more,
    ) -> None:
        self.now = 1000.0
        targets = target if isinstance(target, dict) else {"": target}
        self.servers = [Server(name, one, proc, root, **more) for name, one in targets.items()]
        self.sampler = Sampler(self.servers, settings, lambda: self.now, time.time, 64)
        self.collector = ModelServerCollector(self.sampler, lambda: self.now)

    def families(self) -> dict[str, Metric]:
        return {family.name: family for family in self.collector.collect()}

    def values(self) -> dict[str, float]:
        """The samples without labels, by name."""
        families = self.collector.collect()
        return {s.name: s.value for family in families for s in family.samples if not s.labels}

    def labelled(self, name: str) -> dict[tuple[str, ...], float]:
        """The samples of a name, by the values of their labels."""
        families = self.collector.collect()
        each = [s for family in families for s in family.samples if s.name == name]
        return {tuple(s.labels.values()): s.value for s in each}

    def sample(self, seconds: float = 1.0) -> dict[str, float]:
        self.now += seconds
        self.sampler.sample()
        return self.values()


def found_pid(pid: int) -> Callable[[ModelServerSettings], int | None]:
    """A way to find a process that is always the same one, on a frozen /proc too."""
    return lambda _: pid


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


def launched(code: str, *arguments: str, **more) -> "subprocess.Popen[str]":
    """A Python program that has written its first line."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **more,
    )
    process.first_line = process.stdout.readline().strip()
    return process
