"""What it costs to sample a model server every second, beside the server itself.

    python -m benchmarks.sampling [--quick]

A sleeping server of Python with 1, 8 and 32 children of 4 threads each, on this machine's own
``/proc`` and groups. CPU time is that of the sampling thread alone; the share is of one core, at
one sample a second. The status is 1 if the aim was missed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psutil

from benchmarks.result import Row, report, show
from exporter.config import ModelServerSettings, Settings
from exporter.server.sampler import Sampler
from exporter.server.server import Server

CHILDREN: Final = (1, 8, 32)
AIM: Final = 0.005
"""Share of a core at one sample a second."""
CHILD: Final = """
import sys, threading
for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
ballast = bytearray(20_000_000)
print("ready", flush=True)
sys.stdin.read()
"""
SERVER: Final = f"""
import subprocess, sys
pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE)
command = [sys.executable, "-c", {CHILD!r}]
children = [subprocess.Popen(command, **pipes) for _ in range(int(sys.argv[1]))]
for child in children:
    child.stdout.readline()
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def serving(children: int) -> Iterator[int]:
    """A server with so many children; its process id."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(children)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        server.stdout.readline()
        yield server.pid
    finally:
        server.stdin.close()
        server.wait()
        server.stdout.close()


def cost(pid: int, samples: int) -> list[float]:
    """CPU seconds of each of so many samples, a second of the sampler's clock apart."""
    now = 0.0
    target = Server("", ModelServerSettings(pid=pid))
    sampler = Sampler([target], Settings(), lambda: now, time.time, psutil.cpu_count() or 1)
    spent = []
    for _ in range(samples):
        before = time.thread_time()
        sampler.sample()
        spent.append(time.thread_time() - before)
        now += 1.0
    return spent


def rows(quick: bool) -> Iterator[Row]:
    """Yield a row for each number of children."""
    samples = 20 if quick else 120
    for children in CHILDREN:
        show(f"sampling: {children} children")
        with serving(children) as pid:
            mean = sum(cost(pid, samples)) / samples
        what = f"sample a model server of {children} children every second"
        held = mean <= AIM
        yield Row(what, f"{mean:.2%} of a core", "", f"<= {AIM:.1%}", held, "a file a process")


if __name__ == "__main__":
    sys.exit(report(__doc__, rows))
