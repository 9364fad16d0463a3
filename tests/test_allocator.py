"""One arena: threads take their memory from the same place, and what is free goes back."""

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


GIVEN_BACK = """
import ctypes, resource
from exporter.allocator import give_back

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
pages = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
taken = [libc.malloc(ctypes.c_size_t(50_000)) for _ in range(2000)]
for one in taken:
    ctypes.memset(one, 1, 50_000)
full = pages()
for one in taken[:-1]:  # the last one keeps the top of the heap where it is
    libc.free(ctypes.c_void_p(one))
kept = pages()
give_back()
print(full - kept, kept - pages())
"""


def test_what_is_free_below_the_top_goes_back():
    command = [sys.executable, "-c", GIVEN_BACK]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    by_itself, given_back = map(int, told.split())
    assert by_itself < 10e6
    assert given_back > 90e6
