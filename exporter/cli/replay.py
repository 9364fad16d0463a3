"""``modelmeter replay``: recorded events, sent to a modelmeter."""

import argparse
import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from exporter.cli import clients
from exporter.cli.progress import Progress
from exporter.cli.recorded import FORMATS, Recording, open_recording
from exporter.cli.rows import DataError, Row
from exporter.cli.sender import Reply, Sender, SendError, endpoint
from exporter.config.units import parse_duration

LISTED: Final = 5
MAX_BATCH_BYTES: Final = 2**20
EPILOG: Final = """\
DATA is NDJSON, JSON (an event, an array, or a columns object), CSV, Parquet or Arrow; the first
three may be gzipped; "-" is standard input.  In tables the columns are an event's fields (model,
version, id, ts, prediction, score, label, …), and features.NAME, scores.CLASS, segments.NAME.
Windows run on the time of arrival: replayed events count now, whatever their ts says.

examples:
  modelmeter replay events.ndjson --url http://localhost:9920
  modelmeter replay history.parquet --url http://localhost:9920 --model fraud --rate 500
  zcat events.ndjson.gz | modelmeter replay - --url http://localhost:9920
  modelmeter replay events.ndjson --url https://meter.example --token-file ingest.token

exit status: 0 all events were taken, 1 some were rejected or not sent, 2 wrong usage.
"""


def _url(text: str) -> str:
    try:
        endpoint(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _batch(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 100000, got {text}")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return rate


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError:
        message = f"must be a duration such as 30s or 5m, got {text}"
        raise argparse.ArgumentTypeError(message) from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``replay``."""
    parser.epilog = EPILOG
    parser.add_argument("data", metavar="DATA", help="file of events, - for standard input")
    parser.add_argument(
        "--url", required=True, type=_url, help="where modelmeter is, such as http://localhost:9920"
    )
    parser.add_argument("--model", help="model of the events that name none")
    parser.add_argument(
        "--format", choices=list(FORMATS), help="format of DATA (default: by its name)"
    )
    parser.add_argument(
        "--batch", type=_batch, default=1000, metavar="N", help="events a request (default: 1000)"
    )
    parser.add_argument(
        "--rate", type=_rate, metavar="N", help="events a second (default: as fast as it goes)"
    )
    parser.add_argument(
        "--retry-for",
        type=_duration,
        default=60.0,
        metavar="DURATION",
        help="how long a batch is tried while the server is away or busy (default: 1m)",
    )
    clients.add_flags(parser)


@dataclass
class Tally:
    """What became of the events so far."""

    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    sent: int = 0
    first: list[str] = field(default_factory=list)

    def reject(self, row: Row, reason: str, at: str = "") -> None:
        """Count a rejected event, and remember it when it is among the first."""
        self.rejected += 1
        if len(self.first) < LISTED:
            self.first.append(f"{row.place}: {f'{at}: ' if at else ''}{reason}")

    def summary(self) -> str:
        """Return the counts in one line."""
        return f"{self.accepted} accepted, {self.duplicates} duplicates, {self.rejected} rejected"


def batches(rows: Iterable[Row], most: int) -> Iterator[list[Row]]:
    """Return rows in lists of at most ``most`` and about a MiB, well below a server's limit."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        if batch and (len(batch) == most or size + len(row.body) > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(row.body) + 1
    if batch:
        yield batch


def send(sender: Sender, rows: list[Row], tally: Tally) -> None:
    """Post a batch and count its answer; one too large for the server is halved."""
    for row in rows:
        if row.error:
            tally.reject(row, row.error)
    good = [row for row in rows if not row.error]
    tally.sent += len(rows) - len(good)
    if good:
        _send(sender, good, tally)


def _send(sender: Sender, rows: list[Row], tally: Tally) -> None:
    reply = sender.post(b"\n".join(row.body for row in rows) + b"\n")
    if reply.status == 413 and len(rows) > 1:
        half = len(rows) // 2
        _send(sender, rows[:half], tally)
        _send(sender, rows[half:], tally)
        return
    tally.sent += len(rows)
    if reply.status == 413:
        tally.reject(rows[0], "too large for the server")
    else:
        _count(reply, rows, tally)


def _count(reply: Reply, rows: list[Row], tally: Tally) -> None:
    body = reply.body
    listed: list[dict[str, Any]] = body.get("rejected") or body.get("detail") or []
    total = int(body.get("rejected_total", len(rows) if reply.status == 422 else len(listed)))
    tally.accepted += int(body.get("accepted", 0))
    tally.duplicates += int(body.get("duplicates", 0))
    before = tally.rejected
    for item in listed:
        tally.reject(rows[item["index"]], item["error"], item.get("field") or "")
    tally.rejected = before + total


def pace(
    rate: float | None, clock: Callable[[], float], sleep: Callable[[float], None]
) -> Callable[[int], None]:
    """Return a function that waits until so many events may have been sent."""
    start = clock()

    def wait(sent: int) -> None:
        if rate is not None and (early := start + sent / rate - clock()) > 0:
            sleep(early)

    return wait


def replay(
    recording: Recording, sender: Sender, tally: Tally, arguments: argparse.Namespace
) -> None:
    """Send a recording at the asked rate and show how far it is. Raises SendError, DataError."""
    progress = Progress(sys.stderr, time.monotonic)
    wait = pace(arguments.rate, time.monotonic, time.sleep)
    most = arguments.batch
    if arguments.rate is not None:
        most = min(most, max(1, int(arguments.rate / 4)))  # a steady flow, not a gush now and then
    for batch in batches(recording.rows, most):
        wait(tally.sent)
        send(sender, batch, tally)
        progress.update(recording.fraction(), f"{tally.sent} events")
    progress.finish(1.0, f"{tally.sent} events")


def run(arguments: argparse.Namespace) -> int:
    """Replay a file and print what became of its events; return the exit status."""
    tally = Tally()
    problem = ""
    with contextlib.ExitStack() as stack:
        try:
            opened = open_recording(arguments.data, arguments.format)
            recording = stack.enter_context(opened)
            sender = stack.enter_context(contextlib.closing(_sender(arguments)))
        except (DataError, clients.ClientError) as error:
            print(error, file=sys.stderr)
            return 2
        try:
            replay(recording, sender, tally, arguments)
        except (SendError, DataError) as error:
            problem = str(error)
        except KeyboardInterrupt:
            problem = "interrupted"
    return _report(tally, problem)


def _sender(arguments: argparse.Namespace) -> Sender:
    """Return what sends. Raises ClientError."""
    known = clients.authorization(arguments.token_file, arguments.user_file, os.environ)
    context = None
    if endpoint(arguments.url).secure:
        context = clients.context(arguments.ca_file, arguments.cert_file, arguments.key_file)
    return Sender(
        arguments.url,
        context=context,
        headers=({"X-Model": arguments.model} if arguments.model else {}) | known,
        patience=arguments.retry_for,
        clock=time.monotonic,
        sleep=time.sleep,
        notice=lambda text: print(text, file=sys.stderr),
    )


def _report(tally: Tally, problem: str) -> int:
    print(tally.summary())
    for line in tally.first:
        print(f"rejected {line}", file=sys.stderr)
    if tally.rejected > len(tally.first):
        print(f"… and {tally.rejected - len(tally.first)} more", file=sys.stderr)
    if problem:
        print(f"stopped after {tally.sent} events: {problem}", file=sys.stderr)
    return 1 if problem or tally.rejected else 0
