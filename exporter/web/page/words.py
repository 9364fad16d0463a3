"""Numbers and names as a person reads them."""

from __future__ import annotations

from typing import Final

NAMES: Final = {
    "roc_auc_ratio": "AUC",
    "f1_ratio": "F1",
    "r_squared": "R²",
    "estimated_f1_ratio": "estimated F1",
    "estimated_roc_auc_ratio": "estimated AUC",
    "expected_calibration_error_ratio": "calibration error",
    "root_mean_squared_error": "root mean squared error",
}
_UNITS: Final = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def named(metric: str) -> str:
    """Return what a metric is called, of its name without ``model_``."""
    return NAMES.get(metric) or metric.removesuffix("_ratio").replace("_", " ")


def number(value: float) -> str:
    """Return a number with three or four digits that tell something."""
    size = abs(value)
    if size >= 1e7 or 0 < size < 5e-4:
        return f"{value:.2e}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if size < 10 else f"{value:.1f}"


def rate(value: float) -> str:
    """Return a count that may be an average."""
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"


def limit(value: float) -> str:
    """Return a limit as it was configured, or with as many digits as a value."""
    short = f"{value:.6g}"
    return short if len(short) <= 6 else number(value)


def share(value: float) -> str:
    """Return a ratio in percent; only all is 100 %."""
    if 0.995 <= value < 1:
        return "> 99 %"
    return "< 1 %" if 0 < value < 0.005 else f"{value:.0%}".replace("%", " %")


def size(value: float) -> str:
    """Return bytes."""
    for unit, many in _UNITS:
        if value >= many:
            return (
                f"{value / many:.3g} {unit}"
                if value < 1000 * many
                else f"{value / many:,.0f} {unit}"
            )
    return f"{value:.0f} B"


def duration(seconds: float) -> str:
    """Return a short time."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:,.0f} s"


def count(many: int, noun: str) -> str:
    """Return so many of something."""
    return f"{many:,} {noun}{'' if many == 1 else 's'}"


def some(names: list[str], most: int) -> str:
    """Return names one after the other, and how many more there are."""
    left = len(names) - most
    return ", ".join(names[:most]) + (f" and {left:,} more" if left > 0 else "")
