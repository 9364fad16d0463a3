"""`make bench`: every program runs, small, and tells rows of a table. No figure is judged."""

import json
import subprocess
import sys

import pytest

from benchmarks.__main__ import PARTS
from benchmarks.result import Row, save, table

# Its environments of peers are fetched, some 600 MB.
SMALL = [name for name in PARTS if name != "beside"]


@pytest.mark.parametrize("name", SMALL)
def test_a_program_runs_and_tells_rows(name, tmp_path):
    file = tmp_path / "rows.json"
    command = [sys.executable, "-m", f"benchmarks.{name}", "--quick", f"--json={file}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    told = json.loads(file.read_text())
    assert told["machine"]["versions"]["numpy"]
    rows = [Row(**one) for one in told["rows"]]
    assert len({one.what for one in rows}) == len(rows) > 0
    assert done.stdout.strip() == table(rows).strip()
    missed = [one for one in rows if one.holds is False]
    assert done.returncode == bool(missed)


def test_what_is_missed_has_a_reason_below_the_table():
    rows = [
        Row("fast", "1 us", "peer 5 us, ratio 5.0", "< 2 us", holds=True, why="unused"),
        Row("slow", "9 us", "", "< 2 us", holds=False, why="it is hard"),
        Row("plain", "3 us"),
    ]
    lines = table(rows).splitlines()
    assert lines[2].endswith("holds")
    assert lines[3].endswith("MISSED")
    assert lines[5:] == ["* slow: it is hard"]


def test_rows_survive_as_json(tmp_path):
    rows = [Row("fast", "1 us", holds=True)]
    save(tmp_path / "new/rows.json", rows, {"cpu": "some"})
    told = json.loads((tmp_path / "new/rows.json").read_text())
    assert [Row(**one) for one in told["rows"]] == rows
