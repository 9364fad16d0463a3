"""The demo's client: asks for hours one after another, and reports later what became of them.

python -m exporter.demo.traffic --model-url URL --events-url URL
"""

import argparse
import http
import itertools
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from exporter.demo import dataset, schedule, stopping
from exporter.demo.connection import Connection
from exporter.demo.dataset import Hour
from exporter.demo.labels import LateLabels
from exporter.demo.model import MODEL
from exporter.demo.sender import EventSender
from exporter.demo.world import CHANGE, RECOVERY, with_hour_in_utc

log = logging.getLogger(__name__)

REQUESTS_PER_SECOND = 60.0
SEED = 2011
STOP_TIMEOUT = 10.0

_CATCH_UP = 1.0


def hours_in_turn(hours: Sequence[Hour], rng: random.Random) -> Iterator[Hour]:
    """Yield the hours without end: whole days, in an order drawn anew each time around.

    Days out of order keep the seasons out of the demo: the year would pass in 72 seconds.
    """
    days = [list(group) for _, group in itertools.groupby(hours, key=lambda hour: hour.date)]
    while True:
        rng.shuffle(days)
        yield from itertools.chain.from_iterable(days)


class Traffic:
    """A thread that sends requests at an even pace, and their labels late.

    `is_changed` says whether the world is changed at the moment: then the feed's hour is wrong.
    """

    def __init__(
        self, server: Connection, events: EventSender, is_changed: Callable[[], bool]
    ) -> None:
        rng = random.Random(SEED)
        _, streamed = dataset.split(dataset.load())
        self._hours = hours_in_turn(streamed, rng)
        self._late = LateLabels(rng)
        self._server = server
        self._events = events
        self._is_changed = is_changed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self.answered = 0
        self.failed = 0

    def start(self) -> None:
        """Begin."""
        self._events.start()
        self._thread.start()

    def stop(self) -> None:
        """End; labels that are not due yet are never sent."""
        self._stop.set()
        self._thread.join(STOP_TIMEOUT)
        self._events.close()
        self._server.close()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            self.step(next(self._hours), time.monotonic())
            # After a pause of the machine, go on at the usual pace instead of catching up.
            due = max(due + 1 / REQUESTS_PER_SECOND, time.monotonic() - _CATCH_UP)

    def step(self, hour: Hour, now: float) -> None:
        """Ask for one hour and send the labels that are due; `now` in monotonic seconds."""
        name = self._predict(with_hour_in_utc(hour) if self._is_changed() else hour)
        if name is None:
            self.failed += 1
        else:
            self.answered += 1
            self._late.add(name, hour.label, now)
        for known, label in self._late.due(now):
            self._events.send({"model": MODEL, "id": known, "label": label})

    def _predict(self, hour: Hour) -> str | None:
        """Return the id of the answer, None when there was no good one."""
        answer = self._server.post("/predict", {"features": hour.features()})
        if answer is None or answer.status != http.HTTPStatus.OK:
            log.warning("no prediction: %s", answer)
            return None
        return str(json.loads(answer.body)["id"])


def arguments() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(description="The demo's client.")
    parser.add_argument("--model-url", required=True, help="address of the model server")
    parser.add_argument("--events-url", required=True, help="modelmeter's /v1/events")
    return parser


def main() -> None:
    """Send requests until told to stop, and log when the world changes."""
    options = arguments().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    times, start = schedule.plan(None), time.monotonic()

    def phase() -> schedule.Phase:
        return times.phase(time.monotonic() - start)

    server = Connection.to(options.model_url)
    traffic = Traffic(server, EventSender(options.events_url), lambda: phase().changed)
    with stopping.on_signals() as stop:
        traffic.start()
        while not stop.wait(max(0.0, phase().end - (time.monotonic() - start))):
            log.info(CHANGE if phase().changed else RECOVERY)
        traffic.stop()


if __name__ == "__main__":
    main()
