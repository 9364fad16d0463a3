"""A line of the last hour as inline SVG: no script, no style attribute, no outside asset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import Final

from exporter.recent import KEPT
from exporter.web.page.words import number

WIDTH: Final = 2 * (KEPT - 1)
HEIGHT: Final = 22
_MARGIN: Final = 2

Points = Sequence[float | None]


def plot(
    name: str, values: Points, limits: Sequence[float] = (), *, least: float | None = None
) -> str:
    """Return the line of ``values``, a minute each, the last at the right; nothing without any.

    ``limits`` are dashed lines. ``least`` is a value that is always within: 0 for counts. What is
    seen is told in words too.
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = _range([*known, *limits, *([] if least is None else [least])])
    shapes = "".join(f'<path class="limit" d="M0 {_y(one, low, high)}h{WIDTH}"/>' for one in limits)
    shapes += "".join(_line(run, low, high) for run in _runs(values[-KEPT:]))
    told = (
        f"{name}, last hour: from {number(known[0])} to {number(known[-1])}, "
        f"lowest {number(min(known))}, highest {number(max(known))}"
    )
    title = f"<title>{escape(told)}</title>"
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{title}{shapes}</svg>'


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return what the height stands for: noise in the third digit is no mountain."""
    low, high = min(values), max(values)
    room = max(high - low, 0.02 * max(abs(low), abs(high)), 1e-9) - (high - low)
    return low - room / 2, high + room / 2


def _y(value: float, low: float, high: float) -> int:
    return round(_MARGIN + (HEIGHT - 2 * _MARGIN) * (high - value) / (high - low))


def _runs(values: Points) -> Iterator[tuple[int, list[float]]]:
    """Return stretches without a gap, each with the minute it begins at."""
    start = KEPT - len(values)
    run: list[float] = []
    for i, value in enumerate([*values, None]):
        if value is not None:
            run.append(value)
        elif run:
            yield start + i - len(run), run
            run = []


def _line(run: tuple[int, list[float]], low: float, high: float) -> str:
    first, values = run
    heights = [_y(value, low, high) for value in values]
    x = 2 * first
    if len(heights) == 1:
        return f'<circle cx="{min(x, WIDTH - 1)}" cy="{heights[0]}" r="1.5"/>'
    steps = pairwise(heights)
    return f'<path d="M{x} {heights[0]}l{" ".join(f"2 {b - a}" for a, b in steps)}"/>'
