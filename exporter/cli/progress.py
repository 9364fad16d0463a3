"""Progress on a terminal as a bar in place, elsewhere as a plain line now and then."""

from collections.abc import Callable
from typing import Final, TextIO

WIDTH: Final = 30
TERMINAL_SECONDS: Final = 0.1
PLAIN_SECONDS: Final = 5.0


class Progress:
    """Shows how far a piece of work is; ``clock`` returns monotonic seconds."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._terminal = stream.isatty()
        self._next = clock() + (0.0 if self._terminal else PLAIN_SECONDS)
        self._shown = 0

    def update(self, fraction: float, text: str) -> None:
        """Show a fraction of 0 to 1 and a text, unless something was shown a moment ago."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + (TERMINAL_SECONDS if self._terminal else PLAIN_SECONDS)
        self._show(fraction, text)

    def finish(self, fraction: float, text: str) -> None:
        """Show the end, whenever something was shown last."""
        self._show(fraction, text)
        if self._terminal:
            self._stream.write("\n")
            self._stream.flush()

    def _show(self, fraction: float, text: str) -> None:
        if not self._terminal:
            self._stream.write(f"{fraction:4.0%} {text}\n")
            self._stream.flush()
            return
        done = round(fraction * WIDTH)
        line = f"[{'#' * done}{'.' * (WIDTH - done)}] {fraction:4.0%} {text}"
        self._stream.write("\r" + line.ljust(self._shown))
        self._stream.flush()
        self._shown = len(line)
