"""The process that builds a reference beside the one that serves: ``-m exporter.reference.worker``.

It reads a job and its body from standard input, writes the result to standard output, and gives
way to the server: in the use of processors, and when memory runs out.
"""

from __future__ import annotations

import contextlib
import gc
import io
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from exporter.config import Settings
from exporter.ingest import BodyError, Unavailable
from exporter.reference import file
from exporter.reference.first import unpacked
from exporter.reference.formats import ENDINGS, Inflated
from exporter.reference.job import LENGTH, Job, Result
from exporter.reference.make import Made, NotUsable, from_events, make
from exporter.reference.tables import TooLarge
from exporter.registry import discover

NICENESS: Final = 10
MAX_MEMORY: Final = 3 * 2**30
"""Bytes that a body of somebody else's may take, whatever it says that it holds."""


class _Bounded(io.RawIOBase):
    """At most ``limit`` bytes of ``content``; raises :class:`TooLarge` where there are more."""

    def __init__(self, content: IO[bytes], limit: int) -> None:
        self._content = content
        self._room = limit

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        part = self._content.read(min(len(into), self._room + 1))
        self._room -= len(part)
        if self._room < 0:
            raise TooLarge
        into[: len(part)] = part
        return len(part)


def main() -> int:
    """Do one job; return the exit status."""
    _give_way()
    # One job and then the end: looking for garbage among millions of events took most of the time.
    gc.disable()
    discover()
    stream = sys.stdin.buffer
    (size,) = LENGTH.unpack(stream.read(LENGTH.size))
    job = msgspec.msgpack.decode(stream.read(size), type=Job)
    # All of it is read before anything is answered: the other side never waits on both pipes.
    body = b"" if job.kind == "file" else stream.read()
    if job.kind == "body":
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    sys.stdout.buffer.write(msgspec.msgpack.encode(result(job, body)))
    sys.stdout.buffer.flush()
    return 0


def result(job: Job, body: bytes) -> Result:
    """Return what becomes of a job."""
    try:
        made = _made(job, body)
    except TooLarge:
        return Result(413, error=f"body is larger than {job.limit} bytes, once decompressed")
    except BodyError as error:
        return Result(400, error=error.error, detail=[error.detail] if error.detail else [])
    except file.BadFile as error:
        return Result(400, error=str(error))
    except Unavailable as error:
        return Result(415, error=str(error))
    except NotUsable as error:
        listed = [msgspec.to_builtins(one) for one in error.listed]
        told = {"field": error.field, "error": str(error)}
        return Result(
            422, error=str(error), detail=[told, *listed], rejected=error.rejected, listed=listed
        )
    except OSError as error:
        return Result(400, error=(error.strerror or str(error)).lower())
    except MemoryError:
        return _out_of_memory(job)
    data = file.dumps(made.reference)
    try:
        file.loads(data)
    except file.BadFile as error:
        # Numbers so large that their sums are none.
        return Result(422, error=f"these events make no reference: {error}")
    return Result(
        200,
        data,
        model=made.model,
        others=made.others,
        rejected=made.rejected,
        listed=[msgspec.to_builtins(one) for one in made.listed],
    )


def _out_of_memory(job: Job) -> Result:
    if job.kind != "body":
        return Result(503, error="not enough memory to build the reference")
    most = MAX_MEMORY // 2**30
    return Result(413, error=f"body needs more than {most} GiB of memory: send fewer events")


def _made(job: Job, body: bytes) -> Made:
    settings = Settings(defaults=job.settings)
    told: Any = {"source": job.source, "independent": job.independent}
    if job.kind == "packed":
        return from_events(unpacked(_parts(body)), job.model, settings, **told)
    if job.kind == "file":
        with Path(job.path).open("rb") as content:
            built = file.is_reference(content.read(len(file.MAGIC)))
            content.seek(0)
            form, opened = (None, content) if built else _by_name(job.path, content)
            return make(opened, form, job.model, settings, **told)
    told["limit"] = job.limit
    plain: Any = io.BytesIO(body)
    if job.zipped:
        plain = io.BufferedReader(_Bounded(io.BufferedReader(Inflated(plain)), job.limit))
        if job.form in (None, "parquet"):
            plain = io.BytesIO(plain.read())
    return make(plain, job.form, job.model, settings, **told)


def _by_name(path: str, content: IO[bytes]) -> tuple[str, Any]:
    """Return the format that a file's name means, and its content decompressed."""
    zipped = path.endswith(".gz")
    ending = path.removesuffix(".gz").rpartition(".")[2].lower()
    form = ENDINGS.get(ending)
    if form is None:
        known = ", ".join(f".{one}" for one in ENDINGS)
        raise BodyError(f"is no reference file, and its name ends in none of {known}")
    if not zipped:
        return form, content
    plain: Any = io.BufferedReader(Inflated(content))
    return form, io.BytesIO(plain.read()) if form == "parquet" else plain


def _parts(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        (size,) = LENGTH.unpack_from(body, at)
        at += LENGTH.size + size
        yield body[at - size : at]


def _give_way() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    sys.exit(main())
