"""Small line plots as SVG, readable on light and on dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

WIDE, TALL, LEFT, TOP, BOTTOM, GAP = 240, 150, 52, 30, 42, 24
GREY: Final = "#808080"
BLUE: Final = "#3274d9"


class Panel(NamedTuple):
    """A quantity, and its values at the places of the plot."""

    title: str
    values: Sequence[float]


def draw(axis: str, places: Sequence[float], panels: Sequence[Panel]) -> str:
    """Return an SVG with a panel for each quantity, from 0 on, over the same places."""
    one = LEFT + WIDE + GAP
    width, height = one * len(panels), TOP + TALL + BOTTOM
    parts = [_panel(axis, places, panel, number * one) for number, panel in enumerate(panels)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="11" fill="{GREY}">\n'
        + "\n".join(parts) + "\n</svg>\n"
    )  # fmt: skip


def _panel(axis: str, places: Sequence[float], panel: Panel, left: float) -> str:
    most, far = _round_up(max(panel.values)), max(places)
    x0, y0 = left + LEFT, TOP + TALL
    points = [
        (x0 + place / far * WIDE, y0 - value / most * TALL)
        for place, value in zip(places, panel.values, strict=True)
    ]
    lines = [f'<text x="{x0}" y="{TOP - 12}" font-weight="bold">{panel.title}</text>']
    for part in (0, 0.5, 1):
        y, x = y0 - part * TALL, x0 + part * WIDE
        lines.append(f'<path d="M{x0} {y}h{WIDE}" stroke="{GREY}" stroke-opacity=".3"/>')
        lines.append(f'<text x="{x0 - 6}" y="{y + 4}" text-anchor="end">{part * most:g}</text>')
        lines.append(
            f'<text x="{x}" y="{y0 + 16}" text-anchor="middle">{_short(part * far)}</text>'
        )
    lines.append(f'<text x="{x0 + WIDE / 2}" y="{y0 + 33}" text-anchor="middle">{axis}</text>')
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    lines.append(f'<path d="{path}" fill="none" stroke="{BLUE}" stroke-width="2"/>')
    lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{BLUE}"/>' for x, y in points]
    return "\n".join(lines)


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 3, 5 and 10 times a power of ten."""
    if value <= 0:
        return 1.0
    unit: float = 10.0 ** (len(f"{int(value)}") - 1) if value >= 1 else 0.1
    return next(unit * step for step in (1, 2, 3, 5, 10) if unit * step >= value)


def _short(value: float) -> str:
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"
