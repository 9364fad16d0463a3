"""What a benchmark tells: rows of a table, with an aim where there is one."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

OURS: Final = ("fastapi", "numpy", "prometheus-client", "psutil", "uvicorn")


@dataclass(frozen=True)
class Row:
    """A figure; ``holds`` is ``None`` where there is no aim."""

    what: str
    figure: str
    beside: str = ""
    """The peer or the floor in the same run, and the ratio."""
    aim: str = ""
    holds: bool | None = None
    why: str = ""
    """What bounds it, where the aim is missed."""

    @property
    def verdict(self) -> str:
        """Return the last column."""
        return "" if self.holds is None else "holds" if self.holds else "MISSED"


def table(rows: Iterable[Row]) -> str:
    """Return rows as text; the reasons of what is missed stand below."""
    rows = list(rows)
    cells = [("", "figure", "beside it", "aim", "")]
    cells += [(one.what, one.figure, one.beside, one.aim, one.verdict) for one in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    reasons = [f"* {one.what}: {one.why}" for one in rows if one.why and one.holds is False]
    return "\n".join([lines[0], "-" * len(lines[0].ljust(60)), *lines[1:], *reasons])


def machine() -> dict[str, Any]:
    """Return what was measured on."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load before": round(os.getloadavg()[0], 2),
        "versions": {name: version(name) for name in OURS},
        "commit": _commit(),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def save(path: Path, rows: Sequence[Row], of: dict[str, Any]) -> None:
    """Write everything as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": of, "rows": [asdict(one) for one in rows]}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")


def show(text: str) -> None:
    """Say what is being done."""
    if sys.stderr.isatty():
        print(f"\r{text:<78}\r", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def report(about: str | None, rows: Callable[[bool], Iterable[Row]]) -> int:
    """Measure and print a table; the status is 1 if an aim was missed. ``rows`` takes ``quick``."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small and rough: does it run?")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    of, found = machine(), list(rows(options.quick))
    show("")
    if options.json:
        save(options.json, found, of)
    print(table(found))
    return 1 if any(one.holds is False for one in found) else 0
