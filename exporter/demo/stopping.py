"""Ctrl-C, an order to end and a closed terminal all mean the same: stop in good order."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def on_signals() -> Iterator[threading.Event]:
    """Give an event that such a signal sets; before and after, signals do what they did.

    A signal that is ignored stays ignored, as under nohup.
    """
    stop = threading.Event()

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    watched = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in watched}
    try:
        yield stop
    finally:
        for number, action in before.items():
            signal.signal(number, action)
