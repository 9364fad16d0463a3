"""One arena: threads take their memory from the same place."""

import subprocess
import sys

import pytest

COUNTED = """
import ctypes, sys, threading
from exporter.allocator import use_one_arena

libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_info"):
    print("no glibc")
    sys.exit()
if sys.argv[1] == "one":
    assert use_one_arena()
libc.malloc.restype = ctypes.c_void_p
met = threading.Barrier(8)

def take():
    met.wait()
    assert libc.malloc(ctypes.c_size_t(50_000))
    met.wait()

threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
print(open(sys.argv[2]).read().count("<heap nr="))
"""


def arenas(how: str, file: str) -> int:
    """How many arenas glibc has after eight threads have asked for memory."""
    command = [sys.executable, "-c", COUNTED, how, file]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if told == "no glibc":
        pytest.skip("the C library here is not glibc: it has no arenas")
    return int(told)


def test_eight_threads_share_one_arena(tmp_path):
    assert arenas("one", str(tmp_path / "info")) == 1


def test_they_would_not_by_themselves(tmp_path):
    assert arenas("as it is", str(tmp_path / "info")) > 1
