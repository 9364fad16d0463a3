"""Control groups made for a test, of whichever version a controller is mounted with."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.resources.support import until

MIB = 2**20


class NoGroup(Exception):
    """No group can be made here; says what is missing."""


def mounted(controller: str) -> tuple[Path, int]:
    """Where groups with a controller can be made, and of which version they are."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, _, kind = line.partition(" - ")
        name, _, options = kind.split()[:3]
        point = Path(place.split()[4])
        if name == "cgroup" and controller in options.split(","):
            return point, 1
        if name == "cgroup2":
            given = (point / "cgroup.subtree_control").read_text().split()
            if controller in given:
                return point, 2
    raise NoGroup(f"no hierarchy with the controller {controller} is mounted")


@contextmanager
def group(controller: str, pid: int) -> Iterator[tuple[Path, int]]:
    """A group with one process in it: its folder and version; raises :class:`NoGroup`.

    The processes in it must have ended before the end of the block.
    """
    point, version = mounted(controller)
    folder = point / f"modelmeter-test-{os.getpid()}-{time.monotonic_ns()}"
    try:
        folder.mkdir()
    except OSError as error:
        raise NoGroup(f"no group can be made in {point}: {error.strerror}") from error
    try:
        (folder / "cgroup.procs").write_text(str(pid))
        yield folder, version
    finally:
        until(lambda: not (folder / "cgroup.procs").read_text())
        folder.rmdir()


def limit_cpu(folder: Path, version: int, cores: float) -> None:
    quota = round(cores * 100_000)
    if version == 2:
        (folder / "cpu.max").write_text(f"{quota} 100000")
    else:
        (folder / "cpu.cfs_period_us").write_text("100000")
        (folder / "cpu.cfs_quota_us").write_text(str(quota))


def limit_memory(folder: Path, version: int, limit: int) -> None:
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    (folder / name).write_text(str(limit))
