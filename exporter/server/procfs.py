"""A process as ``/proc`` shows it; the folder is given, so that a frozen one can be read as well.

Whatever cannot be read raises ``OSError``: ``PermissionError`` where the right to lacks, another
one where the process is gone.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

TICKS: Final = os.sysconf("SC_CLK_TCK")
PAGE: Final = os.sysconf("SC_PAGE_SIZE")

Identity = tuple[int, int]
"""A process id and when it started, in ticks: ids are used again."""


class Stat(NamedTuple):
    """What ``/proc/<pid>/stat`` tells: CPU time in seconds, resident memory in bytes."""

    pid: int
    parent: int
    started: int
    zombie: bool
    cpu_seconds: float
    """Of the process and of the children that it has waited for."""
    threads: int
    resident: int

    @property
    def identity(self) -> Identity:
        """What tells this process from another one of the same id."""
        return self.pid, self.started


class Status(NamedTuple):
    """What ``/proc/<pid>/status`` tells beyond that."""

    switches: float
    """Context switches of the first thread."""
    peak: float | None
    """The most resident memory there ever was, in bytes; none of a zombie."""
    swap: float | None


def read(path: str) -> bytes:
    """Return a small file that the kernel writes in one piece."""
    # Not by `open`: that costs as much as the kernel's part of it, again.
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 65_536)
    finally:
        os.close(file)


def read_whole(path: str) -> bytes:
    """Return a file that the kernel may write in several pieces, a list of anything."""
    with open(path, "rb", buffering=0) as file:
        return file.readall()


class Proc:
    """One ``/proc``."""

    def __init__(self, folder: str = "/proc") -> None:
        self.folder = folder
        # Linux tells how many files are open as the size of the folder (from 6.2 on).
        self._sized = folder == "/proc" and _size("/proc/self/fd") > 0

    def pids(self) -> set[int]:
        """Return the ids of all processes there are."""
        return {int(name) for name in os.listdir(self.folder) if name.isdecimal()}

    def stat(self, pid: int) -> Stat | None:
        """Return what a process is and used, ``None`` when it is gone."""
        try:
            content = read(f"{self.folder}/{pid}/stat")
            # The name in brackets may hold anything, brackets and spaces included.
            f = content[content.rindex(b")") + 2 :].split()
            cpu = (int(f[11]) + int(f[12]) + int(f[13]) + int(f[14])) / TICKS
            dead = f[0] in b"ZX"
            return Stat(pid, int(f[1]), int(f[19]), dead, cpu, int(f[17]), int(f[21]) * PAGE)
        except (OSError, ValueError, IndexError):
            return None

    def status(self, pid: int) -> Status:
        """Return switches, peak and swap of a process."""
        return _status(read(f"{self.folder}/{pid}/status"))

    def switches(self, pid: int) -> dict[int, float]:
        """Return the context switches of each thread that runs."""
        found = {}
        for thread in os.listdir(f"{self.folder}/{pid}/task"):
            try:
                content = read(f"{self.folder}/{pid}/task/{thread}/status")
            except OSError:
                continue
            found[int(thread)] = _status(content).switches
        return found

    def input_output(self, pid: int) -> tuple[float, float]:
        """Return the bytes read from and written to storage, children waited for included."""
        values = dict(line.split(b": ") for line in read(f"{self.folder}/{pid}/io").splitlines())
        return float(values[b"read_bytes"]), float(values[b"write_bytes"])

    def open_files(self, pid: int) -> int:
        """Return how many files a process has open."""
        folder = f"{self.folder}/{pid}/fd"
        if not self._sized:
            return len(os.listdir(folder))
        file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)  # refused as a list would be
        try:
            return os.fstat(file).st_size
        finally:
            os.close(file)

    def most_files(self, pid: int) -> float | None:
        """Return how many files a process may have open, ``None`` if any number."""
        for line in read(f"{self.folder}/{pid}/limits").splitlines():
            if line.startswith(b"Max open files"):
                soft = line.split()[3]
                return None if soft == b"unlimited" else float(soft)
        return None

    def unique_memory(self, pid: int) -> float:
        """Return the bytes that would be free if a process ended; costs a walk of its pages."""
        total = 0
        for line in read_whole(f"{self.folder}/{pid}/smaps_rollup").splitlines():
            if line.startswith((b"Private_Clean:", b"Private_Dirty:", b"Private_Hugetlb:")):
                total += int(line.split()[1]) * 1024
        return float(total)

    def uptime(self) -> float:
        """Return the ticks since the machine started: the clock that processes start on."""
        return float(read(f"{self.folder}/uptime").split()[0]) * TICKS

    def boot_time(self) -> float:
        """Return when the machine started, in seconds since the epoch."""
        for line in read_whole(f"{self.folder}/stat").splitlines():
            if line.startswith(b"btime "):
                return float(line.split()[1])
        return 0.0


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _status(content: bytes) -> Status:
    switches = _after(content, b"\nvoluntary_ctxt_switches:") or 0.0
    switches += _after(content, b"\nnonvoluntary_ctxt_switches:") or 0.0
    peak, swap = _after(content, b"\nVmHWM:"), _after(content, b"\nVmSwap:")
    return Status(
        switches, None if peak is None else peak * 1024, None if swap is None else swap * 1024
    )


def _after(content: bytes, name: bytes) -> float | None:
    """Return the number behind a name; most lines are of no use, and are not looked at."""
    place = content.find(name)
    if place < 0:
        return None
    start = place + len(name)
    return float(content[start : content.find(b"\n", start)].split()[0])
