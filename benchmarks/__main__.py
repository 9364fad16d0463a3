"""Every benchmark with an aim, one after the other, in a table: `make bench`.

    python -m benchmarks [--quick] [--only ingest restart] [--json build/bench.json]

Each runs in a process of its own. Nothing else should run on the machine. What takes long and has a
document of its own is not among them: false_alarms, soak, reference, growth.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.result import Row, machine, save, table

PARTS = [
    "ingest",
    "inside",
    "loop",
    "journal",
    "beside",
    "scrape",
    "memory",
    "restart",
    "client",
    "sampling",
]


def measured(name: str, *, quick: bool) -> list[Row]:
    """Run a program; return its rows, or one that says that it failed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", f"--json={file}"]
        subprocess.run([*command, *(["--quick"] if quick else [])], stdout=2, check=False)
        if not file.exists():
            return [Row(name, "failed", holds=False, why="the program ended with an error")]
        return [Row(**one) for one in json.loads(file.read_text(encoding="utf-8"))["rows"]]


def main() -> int:
    """Measure and print; the status is 1 if an aim was missed or a program failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small and rough: does it run?")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"))
    options = parser.parse_args()
    of: dict[str, Any] = machine()
    found: list[Row] = []
    for number, name in enumerate(options.only, 1):
        print(f"{number} of {len(options.only)}: {name}", file=sys.stderr)
        start = time.monotonic()
        found += measured(name, quick=options.quick)
        print(f"{name}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    save(options.json, found, of)
    print(", ".join(f"{key}: {value}" for key, value in of.items()))
    print(table(found))
    print(f"as JSON: {options.json}")
    return 1 if any(one.holds is False for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
