"""The running demo: traffic, the world's changes, and what is seen of them."""

import threading
import time

from exporter.demo import status, texts
from exporter.demo.connection import Connection
from exporter.demo.display import Display, Progress, summary
from exporter.demo.schedule import Schedule
from exporter.demo.sender import EventSender
from exporter.demo.settings import WINDOWS
from exporter.demo.stack import MODEL_SERVER, MODELMETER, Stack
from exporter.demo.status import Status
from exporter.demo.traffic import Traffic
from exporter.demo.webhook import Inbox

_TICK = 0.25
_STATUS_INTERVAL = 1.0


class Show:
    """Sends the traffic and tells what happens, until the time is over."""

    def __init__(
        self,
        programs: Stack,
        times: Schedule,
        duration: float | None,
        inbox: Inbox,
        display: Display,
    ) -> None:
        self._programs = programs
        self._times = times
        self._duration = duration
        self._inbox = inbox
        self._display = display
        self._modelmeter = Connection(programs.ports[MODELMETER])
        self._status = Status()
        self._next_status = 0.0
        self._start = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set or the time is over. Raises ChildDied."""
        self._start = time.monotonic()
        traffic = self._traffic()
        traffic.start()
        try:
            self._watch(stop)
        finally:
            traffic.stop()
            self._modelmeter.close()
            self._display.clear()
        self._display.say(
            texts.last_words(
                self._inbox, self._status.predictions, self._status.labels, self._programs.tools
            )
        )

    def _traffic(self) -> Traffic:
        return Traffic(
            Connection(self._programs.ports[MODEL_SERVER]),
            EventSender(self._programs.url(MODELMETER, "/v1/events")),
            lambda: self._times.phase(self._elapsed()).changed,
        )

    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    def _watch(self, stop: threading.Event) -> None:
        phase = self._times.phase(0.0)
        while not (stop.is_set() or self._display.is_gone or self._is_over()):
            self._programs.children.check()
            now = self._elapsed()
            if self._times.phase(now).start != phase.start:
                phase = self._times.phase(now)
                self._display.tell(now, texts.news_of(phase))
            self._read_mail(now)
            self._refresh(now)
            stop.wait(_TICK)

    def _is_over(self) -> bool:
        return self._duration is not None and self._elapsed() >= self._duration

    def _read_mail(self, now: float) -> None:
        for notification in self._inbox.take():
            self._display.tell(now, str(notification))

    def _refresh(self, now: float) -> None:
        if now >= self._next_status:
            self._next_status = now + _STATUS_INTERVAL
            self._status = status.read(self._modelmeter) or self._status
        self._display.update(summary(self._progress(now), WINDOWS[:2]), now)

    def _progress(self, now: float) -> Progress:
        return Progress(
            elapsed=now,
            total=self._duration,
            phase=self._times.phase(now),
            predictions=self._status.predictions,
            labels=self._status.labels,
            accuracy=self._status.accuracy,
            alerts=self._alerts(),
        )

    def _alerts(self) -> str:
        """Return what was delivered, or without Alertmanager what modelmeter decided."""
        if self._programs.tools.alertmanager is not None:
            firing = self._inbox.firing
            return f"{firing} ALERT{'S' * (firing > 1)} FIRING" if firing else "no alert"
        return "LIMIT BROKEN" if self._status.broken else "limit held"
