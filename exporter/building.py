"""References built beside the process: events and scrapes never wait for one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec

import exporter
from exporter.config import ModelSettings
from exporter.packing import plain
from exporter.reference.file import loads
from exporter.reference.job import LENGTH, Job, Result
from exporter.reference.reference import Reference

BUILD_SECONDS: Final = 900.0
"""A build that takes longer is given up."""


class BuildError(Exception):
    """A reference that could not be built; ``status`` is the HTTP status that says why."""

    def __init__(self, status: int, error: str, detail: Iterable[Any] = ()) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.detail = list(detail)


@dataclass(frozen=True)
class Built:
    """A reference, and what became of the events that it was built of."""

    reference: Reference
    model: str = ""
    others: int = 0
    rejected: int = 0
    listed: list[Any] = field(default_factory=list)


class Build:
    """One process that builds one reference; ends with its ``with`` block, whatever happens."""

    def __init__(self, job: Job) -> None:
        root = str(Path(exporter.__file__).parents[1])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "exporter.reference.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        packed = msgspec.msgpack.encode(job, enc_hook=plain)
        self.write(LENGTH.pack(len(packed)) + packed)

    def __enter__(self) -> Build:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def write(self, part: bytes) -> None:
        """Hand over a part of the body."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(part)
        except BrokenPipeError:
            raise self._died() from None

    def result(self, seconds: float = BUILD_SECONDS) -> Built:
        """Wait for the reference; raises :class:`BuildError`."""
        try:
            out, _ = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise BuildError(503, f"the reference was not built in {seconds:g} s") from None
        if self._process.returncode:
            raise self._died()
        result = msgspec.msgpack.decode(out, type=Result)
        if result.status != 200:
            raise BuildError(result.status, result.error, result.detail)
        return Built(
            loads(result.data), result.model, result.others, result.rejected, result.listed
        )

    @property
    def runs(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the process, if it still runs."""
        if self.runs:
            self._process.kill()

    def end(self) -> None:
        """Kill the process, if it still runs, and let go of its pipes."""
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        self._process.wait()

    def _died(self) -> BuildError:
        status = self._process.wait()
        return BuildError(503, f"the process that built the reference ended with status {status}")


class Builder:
    """Builds one reference at a time."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self._running: set[Build] = set()
        self._stopped = False

    def start(self, job: Job) -> Build:
        """Start a build; whoever has the turn may."""
        if self._stopped:
            raise BuildError(503, "modelmeter is stopping")
        self._running = {build for build in self._running if build.runs}
        build = Build(job)
        self._running.add(build)
        return build

    def end(self) -> None:
        """End what is being built, for good."""
        self._stopped = True
        for build in tuple(self._running):
            build.kill()

    def file(self, path: str, model: str, settings: ModelSettings) -> Built:
        """Return the reference in a file: events, or one that was built. May take long."""
        wanted = settings.reference
        job = Job(
            _for_all(settings),
            "file",
            model=model,
            source=Path(path).name,
            independent=wanted.independent if wanted is not None else False,
            path=path,
        )
        with self.turn, self.start(job) as build:
            return build.result()

    def packed(
        self, parts: Iterable[bytes], model: str, settings: ModelSettings, source: str
    ) -> Built:
        """Return the reference that packed batches of events make. May take long."""
        wanted = settings.reference
        vouched = wanted.independent if wanted is not None else False
        job = Job(_for_all(settings), "packed", None, model, source, vouched)
        with self.turn, self.start(job) as build:
            for part in parts:
                build.write(LENGTH.pack(len(part)) + part)
            return build.result()


def body_job(
    settings: ModelSettings, form: str | None, model: str, limit: int, *, zipped: bool
) -> Job:
    """Return the job of a request's body."""
    wanted = settings.reference
    vouched = wanted.independent if wanted is not None else False
    source = "PUT /v1/reference"
    return Job(_for_all(settings), "body", form, model, source, vouched, zipped, limit)


def _for_all(settings: ModelSettings) -> ModelSettings:
    return replace(settings, name="*")
