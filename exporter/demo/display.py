"""The demo's output: lines of news, and a summary that is redrawn in place on a terminal."""

import dataclasses
import os
import shutil
import textwrap
from typing import TextIO

from exporter.demo.schedule import Phase

PLAIN_INTERVAL = 5.0

_CLEAR_LINE = "\r\x1b[2K"
_BAR_WIDTH = 12
_INDENT = " " * 7


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """What the summary shows; times in seconds, `total` None for a run without end."""

    elapsed: float
    total: float | None
    phase: Phase
    predictions: int
    labels: int
    accuracy: dict[str, float]
    alerts: str


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds: `1:07`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"


def bar(share: float, width: int = _BAR_WIDTH) -> str:
    """Return a bar filled to `share`, which is cut to 0..1."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    return "[" + "#" * filled + "." * (width - filled) + "]"


def summary(progress: Progress, windows: tuple[str, ...]) -> str:
    """Return the summary as one line, what matters first: a narrow terminal cuts the rest."""
    parts = (
        f"{_time(progress)} {phase_name(progress.phase)}",
        f"accuracy {_accuracy(progress.accuracy, windows)}",
        progress.alerts,
        f"{progress.labels} of {progress.predictions} labelled",
    )
    return " | ".join(parts)


def _time(progress: Progress) -> str:
    """Return the time, with a bar over the run, or over the phase where the run has no end."""
    elapsed, total, phase = progress.elapsed, progress.total, progress.phase
    if total is not None:
        return f"{clock(elapsed)}/{clock(total)} {bar(elapsed / total)}"
    return f"{clock(elapsed)} {bar((elapsed - phase.start) / (phase.end - phase.start))}"


def phase_name(phase: Phase) -> str:
    """Return in two words how the world is."""
    if phase.changed:
        return "HOUR IN UTC"
    return "recovered" if phase.start > 0 else "all well"


def _accuracy(values: dict[str, float], windows: tuple[str, ...]) -> str:
    known = (f"{values[name]:.3f}" if name in values else "-" for name in windows)
    return ", ".join(f"{name} {value}" for name, value in zip(windows, known, strict=True))


def _columns() -> int:
    """Return how many columns a line may fill without the terminal breaking it."""
    return max(shutil.get_terminal_size().columns - 1, 20)


class Display:
    """Writes to a terminal, or plain lines to anything else.

    `is_gone` says that nobody can read on: the terminal or the pipe was closed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._last_plain = -PLAIN_INTERVAL
        self.is_gone = False

    def say(self, text: str = "") -> None:
        """Write a line that stays."""
        self._write((_CLEAR_LINE if self._is_terminal else "") + text + "\n")

    def tell(self, when: float, text: str) -> None:
        """Write news with the time they came at; on a terminal in lines that fit."""
        line = f"{clock(when):>5}  {text}"
        if self._is_terminal:
            line = textwrap.fill(line, _columns(), subsequent_indent=_INDENT)
        self.say(line)

    def update(self, line: str, now: float) -> None:
        """Show the summary: in place on a terminal, else every five seconds of `now` a line."""
        if self._is_terminal:
            self._write(_CLEAR_LINE + line[: _columns()])
        elif now - self._last_plain >= PLAIN_INTERVAL:
            self._last_plain = now
            self._write(line + "\n")

    def clear(self) -> None:
        """Take the summary off a terminal."""
        if self._is_terminal:
            self._write(_CLEAR_LINE)

    def _write(self, text: str) -> None:
        if self.is_gone:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # a closed pipe or terminal
            self.is_gone = True
            # What is buffered goes nowhere, or Python would complain about it at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
