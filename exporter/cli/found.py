"""What was found in a reference, as lines of text."""

from collections.abc import Sequence
from typing import Final

from exporter.config.units import format_duration
from exporter.reference.reference import FEWEST_WINDOWS, FeatureSummary, Reference

HEAD: Final = ("feature", "kind", "because", "missing", "distinct", "from", "to")
WIDEST: Final = 32


def table(reference: Reference) -> list[str]:
    """Return the lines of a table, a feature each, under a line about the whole."""
    lengths = [s for s, one in reference.variability.items() if one.windows >= FEWEST_WINDOWS]
    rows = [(*HEAD, *(f"natural {format_duration(seconds)}" for seconds in lengths))]
    for one in reference.found:
        natural = [_natural(reference, f"feature:{one.name}", seconds) for seconds in lengths]
        rows.append((*_cells(one, reference.rows), *natural))
    for subject in ("prediction", "label"):
        natural = [_natural(reference, subject, seconds) for seconds in lengths]
        if any(natural):
            rows.append((subject, *("",) * (len(HEAD) - 1), *natural))
    return [_whole(reference), *(_aligned(rows) if len(rows) > 1 else [])]


def _whole(reference: Reference) -> str:
    schema = reference.schema
    parts = [f"{schema.task} model", f"{reference.rows} events", f"{reference.labels} labels"]
    if schema.classes:
        parts.append(f"classes {', '.join(schema.classes[:10])}")
    covers = reference.covers
    parts.append("no time stamps" if covers is None else f"over {format_duration(round(covers))}")
    return "; ".join(parts)


def _cells(one: FeatureSummary, rows: int) -> tuple[str, ...]:
    missing = f"{one.missing / rows:.2%}" if rows else ""
    ends = ["" if end is None else f"{end:.6g}" for end in (one.low, one.high)]
    return (one.name, one.kind, one.chosen, missing, str(one.distinct), *ends)


def _natural(reference: Reference, subject: str, seconds: float) -> str:
    effect = reference.variability[seconds].effects.get(subject)
    return "" if effect is None else f"{effect:.4f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    short = [
        [cell if len(cell) <= WIDEST else cell[: WIDEST - 1] + "…" for cell in r] for r in rows
    ]
    widths = [max(map(len, column)) for column in zip(*short, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < 3 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in short
    ]
