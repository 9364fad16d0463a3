"""``modelmeter reference build``: recorded events to a reference file."""

import argparse
import contextlib
import io
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from exporter import config
from exporter.cli import settings as cli
from exporter.cli.progress import Progress
from exporter.cli.recorded import FORMATS, format_of
from exporter.cli.rows import DataError

LISTED: Final = 5
READING: Final = 0.6
"""The share of the work that reading is."""
EPILOG: Final = """\
DATA is NDJSON, JSON (an event, an array, or a columns object), CSV, Parquet or Arrow; the first
three may be gzipped; "-" is standard input.  In tables the columns are an event's fields (ts, id,
prediction, score, label, …), and features.NAME, scores.CLASS.

examples:
  modelmeter reference build last-month.parquet -o fraud.mmref
  modelmeter reference build events.ndjson.gz -o fraud.mmref --model fraud --config modelmeter.yaml

exit status: 0 the reference was built, 1 the events make none, 2 wrong usage.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``reference``."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    build = actions.add_parser(
        "build",
        help="build a reference file from recorded events",
        description="Build a reference file from recorded events.",
        epilog=EPILOG,
        formatter_class=parser.formatter_class,
        allow_abbrev=False,
    )
    build.add_argument("data", metavar="DATA", help="file of events, - for standard input")
    build.add_argument("-o", "--output", metavar="FILE", required=True, help="file to write")
    build.add_argument("--model", help="the model; events that name another are left out")
    build.add_argument(
        "--config", metavar="FILE", help="configuration file: kinds of features, threshold, classes"
    )
    build.add_argument(
        "--format", choices=list(FORMATS), help="format of DATA (default: by its name)"
    )
    build.add_argument(
        "--independent", action="store_true", help="vouch that the events are independent"
    )


def run(arguments: argparse.Namespace) -> int:
    """Build a reference, print what was found, and return the exit status."""
    try:
        given = {"--config": arguments.config}
        settings = config.load(given, environ=os.environ, **cli.known())
        form = arguments.format or (
            "ndjson" if arguments.data == "-" else format_of(arguments.data)
        )
        with _opened(arguments.data, form) as content:
            return _build(arguments, settings, content, form)
    except config.ConfigError as error:
        cli.complain(error)
        return 2
    except DataError as error:
        print(error, file=sys.stderr)
        return 2


class _Content(io.FileIO):
    """A file that knows how much of it was read."""

    done = 0

    def readinto(self, into: Any) -> int | None:
        """Read into a buffer."""
        count = super().readinto(into)
        self.done += count or 0
        return count

    @property
    def fraction(self) -> float:
        """How much was read, from 0 to 1; 0 where the size is not known."""
        size = os.fstat(self.fileno()).st_size
        return min(1.0, self.done / size) if size else 0.0


@contextlib.contextmanager
def _opened(path: str, form: str) -> Iterator[tuple[_Content, IO[bytes]]]:
    """Give the file, and its content as it reads; raises DataError."""
    from exporter.reference.formats import Inflated  # noqa: PLC0415 - numpy, for this command only

    try:
        raw = _Content(sys.stdin.fileno() if path == "-" else path, closefd=path != "-")
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    with raw:
        content: Any = io.BufferedReader(raw)
        if path.endswith(".gz"):
            if form in ("parquet", "arrow"):
                raise DataError(f"{path}: {form} is not read gzipped")
            content = io.BufferedReader(Inflated(content))
        yield raw, content


def _build(
    arguments: argparse.Namespace,
    settings: config.Settings,
    content: tuple[_Content, IO[bytes]],
    form: str,
) -> int:
    from exporter.cli.found import table  # noqa: PLC0415
    from exporter.ingest import BodyError, Raw, Unavailable  # noqa: PLC0415
    from exporter.reference import file  # noqa: PLC0415
    from exporter.reference.formats import batches  # noqa: PLC0415
    from exporter.reference.make import NotUsable, from_events  # noqa: PLC0415

    progress = Progress(sys.stderr, time.monotonic)

    def read() -> Iterator[Raw]:
        rows = 0
        for raw in batches(content[1], form):
            rows += raw.size
            progress.update(READING * content[0].fraction, f"{rows} events read")
            yield raw

    def told(what: str, done: int, steps: int) -> None:
        share = done / steps if steps else 1.0
        half = (1 - READING) / 2
        begin = READING if what.startswith("feature") else READING + half
        progress.update(begin + half * share, what)

    try:
        made = from_events(
            read(),
            arguments.model,
            settings,
            source=Path(arguments.data).name,
            independent=arguments.independent,
            progress=told,
        )
        progress.finish(1.0, f"{made.reference.rows} events")
        file.save(made.reference, arguments.output)
    except (BodyError, Unavailable, NotUsable) as error:
        field = getattr(error, "field", "")
        print(f"{arguments.data}: {f'{field}: ' if field else ''}{error}", file=sys.stderr)
        _rejections(getattr(error, "rejected", 0), getattr(error, "listed", ()))
        return 1
    except OSError as error:
        print(f"{arguments.output}: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        return 1
    print(f"{arguments.output}: {Path(arguments.output).stat().st_size} bytes")
    print("\n".join(table(made.reference)))
    if made.others:
        print(f"{made.others} events of other models were left out", file=sys.stderr)
    _rejections(made.rejected, made.listed)
    return 0


def _rejections(count: int, listed: Any) -> None:
    for one in listed[:LISTED]:
        print(f"rejected event {one.index}: {one.field}: {one.error}", file=sys.stderr)
    if count > min(len(listed), LISTED):
        print(f"… {count} events rejected in all", file=sys.stderr)
