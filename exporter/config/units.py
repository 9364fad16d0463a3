"""Durations as Prometheus writes them, and sizes in bytes."""

import re

_MILLISECONDS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_DURATION = re.compile("".join(f"(?:(?P<{unit}>[0-9]{{1,15}}){unit})?" for unit in _MILLISECONDS))
_SIZES = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_SIZE = re.compile(r"([0-9]{1,15}) ?([A-Za-z]*)")
_GO_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_GO_PART = re.compile(r"([0-9]{1,15}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(ns|us|µs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Return the seconds of a Prometheus duration such as ``1h30m``, ``7d`` or ``100ms``.

    Units come in the order y w d h m s ms, each at most once; a bare ``0`` is zero.
    Raises ValueError for anything else.
    """
    if text == "0":
        return 0.0
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"not a duration: {text!r}")
    parts = match.groupdict(default="0")
    return sum(int(parts[unit]) * size for unit, size in _MILLISECONDS.items()) / 1000


def format_duration(seconds: float) -> str:
    """Return the shortest Prometheus duration of a time given in seconds (to the millisecond)."""
    rest = round(seconds * 1000)
    if rest == 0:
        return "0s"
    parts = []
    for unit, size in _MILLISECONDS.items():
        count, left = divmod(rest, size)
        if count and (unit not in "yw" or left == 0):
            parts.append(f"{count}{unit}")
            rest = left
    return "".join(parts)


def parse_size(text: str) -> int:
    """Return the bytes of a size: ``4MiB``, ``4MB``, ``4096``. Raises ValueError otherwise."""
    match = _SIZE.fullmatch(text)
    if match is None or match[2] not in _SIZES:
        raise ValueError(f"not a size: {text!r}")
    return int(match[1]) * _SIZES[match[2]]


def format_size(size: int) -> str:
    """Return a number of bytes in the largest binary unit that divides it."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _SIZES[unit] == 0:
            return f"{size // _SIZES[unit]}{unit}"
    return str(size)


def parse_go_duration(text: str) -> float:
    """Return the seconds of a duration as Go writes it: ``1m30s``, ``1.5s``, ``0``.

    Raises ValueError for anything else, and for one that is negative.
    """
    if text == "0":
        return 0.0
    parts = _GO_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"not a duration: {text!r}")
    return float(sum(float(number) * _GO_SECONDS[unit] for number, unit in parts))
