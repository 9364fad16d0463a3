"""How long a reference of a million events takes to build, and how much memory.

    python -m benchmarks.reference [--rows N] [--features N]

Numbers with 2 % nulls, integers, categories; ids, time stamps, scores and labels; from Parquet,
by the command `modelmeter reference build` in a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet


def write(path, rows, features):
    """Write a Parquet file of events, a row group of 2**18 rows at a time."""
    rng = np.random.default_rng(1)
    writer = None
    for start in range(0, rows, 2**18):
        size = min(2**18, rows - start)
        table = pa.table(columns(rng, start, size, features))
        writer = writer or pa.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def columns(rng, start, size, features):
    score = rng.beta(2, 3, size)
    found = {
        "id": [f"id-{start + i}" for i in range(size)],
        "ts": 1.79e9 + 1.2 * np.arange(start, start + size),
        "score": score,
        "label": (rng.random(size) < score).astype(np.int64),
    }
    categories = np.array([f"category {k}" for k in range(30)])
    for k in range(features):
        if k % 5 == 0:
            column = pa.array(categories[rng.integers(0, 30, size)])
        elif k % 10 == 3:
            column = pa.array(rng.integers(0, 500, size))
        else:
            column = pa.array(rng.normal(k, 1 + k, size), mask=rng.random(size) < 0.02)
        found[f"features.f{k}"] = column
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, output = Path(folder) / "events.parquet", Path(folder) / "out.mmref"
        write(data, arguments.rows, arguments.features)
        command = [sys.executable, "-m", "exporter", "reference", "build", data, "-o", output]
        start = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - start
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(f"{arguments.rows} rows, {arguments.features} features")
        print(
            f"{data.stat().st_size / 2**20:.0f} MiB of Parquet, {output.stat().st_size} bytes built"
        )
        print(f"{seconds:.1f} s, of which {used.ru_utime + used.ru_stime:.1f} s on processors")
        print(f"{used.ru_maxrss / 1024:.0f} MiB of memory at most")


if __name__ == "__main__":
    main()
