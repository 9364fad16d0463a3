"""The demo's child processes: started with a log of their own, watched, and always ended."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOG_LINES = 20
STOP_TIMEOUT = 10.0

_PR_SET_PDEATHSIG = 1


class ChildDied(Exception):
    """A child process ended although nobody had asked it to; says which, and its last lines."""


class Children:
    """Child processes, each in a process group of its own so that Ctrl-C reaches the parent only.

    Used as a context manager: on the way out, however that comes about, all are ended.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = dict(environment)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a command; its output goes to a file named after it."""
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_end_with_parent(),  # noqa: PLW1509 - it only makes one system call
            )

    def check(self) -> None:
        """Raise ChildDied when one is no longer running."""
        for name, process in self._running.items():
            status = process.poll()
            if status is not None:
                raise ChildDied(f"{name} ended with {_reason(status)}\n{self._last_lines(name)}")

    def stop(self) -> None:
        """End all: ask first, the last started first; kill what has not gone in ten seconds."""
        for process in reversed(self._running.values()):
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        for process in self._running.values():
            _await(process, deadline)
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def _last_lines(self, name: str) -> str:
        lines = self._log(name).read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (it wrote nothing)"


def _reason(status: int) -> str:
    return f"status {status}" if status >= 0 else f"signal {-status}"


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a child's whole group; once it has been waited for, its number may be another's."""
    if process.poll() is None:
        os.killpg(process.pid, number)


def _await(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)
        process.wait()


def _end_with_parent() -> Callable[[], None] | None:
    """Return what a child does first: ask Linux to end it should the demo itself be killed."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # loaded before the fork: a child of threads must not load anything

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask
