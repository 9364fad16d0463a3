"""What modelmeter itself takes, the processes that it starts included."""

import os
import subprocess
import sys

import pytest

from exporter.collectors.own import Cost

CHILD = """
import os, sys
ballast = bytearray(60_000_000); ballast[::4096] = bytes(len(ballast[::4096]))
while sum(os.times()[:2]) < 0.3: sum(range(1000))
print("done", flush=True); sys.stdin.read()
"""


def own_seconds() -> float:
    return sum(os.times()[:4])


def test_a_process_that_it_started_counts_once_while_it_runs_and_after():
    cost = Cost()
    before, memory = cost.read()
    assert before == pytest.approx(own_seconds(), abs=0.05)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout.readline() == b"done\n"
    running, with_child = cost.read()
    assert running - before > 0.25
    assert with_child - memory > 55e6
    child.stdin.close()
    child.wait()
    child.stdout.close()
    for _ in range(3):
        ended, without = cost.read()
        assert running <= ended <= own_seconds() + 0.05
    assert without < with_child - 50e6


def test_what_ended_between_two_readings_counts():
    cost = Cost()
    before, _ = cost.read()
    subprocess.run([sys.executable, "-c", CHILD], input=b"", capture_output=True, check=True)
    after, _ = cost.read()
    assert after - before > 0.25
