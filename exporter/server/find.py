"""Finding the model server's process by what is configured of it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import psutil

from exporter.config.settings import ModelServerSettings

PID_FILE_BYTES: Final = 64
SEARCHED: Final = 32_768
"""How much of a command line is looked through: anybody's may be megabytes long, and a pattern may
take the square of the time."""


class Hidden(Exception):
    """Somebody listens on the port, and who that is may not be seen."""


def find(target: ModelServerSettings) -> int | None:
    """Return the running process that matches; the topmost, then oldest, when there are several.

    By name or command line neither this process nor its parents match: a shell or supervisor that
    started both repeats the pattern. Raises :class:`Hidden`.
    """
    if target.port is not None:
        found = _topmost(_alive(_listeners(target.port)))
        found = found and _holder(found, target.port)
    elif target.pid is not None:
        found = _topmost(_alive([target.pid]))
    elif target.pid_file is not None:
        found = _topmost(_alive(_written(target.pid_file)))
    else:
        found = _topmost(_matching(target))
    return None if found is None else found.pid


def left(port: int, pid: int) -> bool:
    """Return whether a process no longer listens on a port; not where that may not be seen."""
    try:
        return not _listens(psutil.Process(pid), port)
    except psutil.Error:
        return False


def _listeners(port: int) -> set[int]:
    """Return the processes that listen on a TCP port."""
    listening = (s for s in psutil.net_connections("tcp") if s.status == psutil.CONN_LISTEN)
    owners = {socket.pid for socket in listening if socket.laddr and socket.laddr.port == port}
    if owners == {None}:
        raise Hidden(f"the process on port {port} is another user's, or in another container")
    return {pid for pid in owners if pid is not None}


def _holder(process: psutil.Process, port: int) -> psutil.Process:
    """Return the topmost ancestor that holds the same socket: workers inherit it from a server.

    The kernel's table names one holder of a socket only, and that may be a worker.
    """
    try:
        parent = process.parent()
        held = parent is not None and _listens(parent, port)
    except psutil.Error:
        return process
    return _holder(parent, port) if parent and held else process


def _listens(process: psutil.Process, port: int) -> bool:
    sockets = process.net_connections("tcp")
    return any(s.laddr and s.laddr.port == port for s in sockets if s.status == psutil.CONN_LISTEN)


def _written(pid_file: str) -> list[int]:
    try:
        # Whatever is there: a pipe is not waited for, and no more than a number is read.
        file = os.open(pid_file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            words = os.read(file, PID_FILE_BYTES).split()
        finally:
            os.close(file)
    except (OSError, ValueError):
        return []
    return [int(words[0])] if words and words[0].isdigit() and len(words[0]) < 10 else []


def _alive(pids: Iterable[int]) -> Iterator[psutil.Process]:
    for pid in pids:
        try:
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def _matching(target: ModelServerSettings) -> Iterator[psutil.Process]:
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    pattern = re.compile(target.cmdline) if target.cmdline is not None else None
    for process in _alive(pid for pid in psutil.pids() if pid not in own):
        try:
            if pattern is not None:
                hit = pattern.search(" ".join(process.cmdline())[:SEARCHED]) is not None
            else:
                hit = target.name in (process.name(), Path((process.cmdline() or [""])[0]).name)
        except psutil.Error:
            continue
        if hit:
            yield process


def _topmost(processes: Iterable[psutil.Process]) -> psutil.Process | None:
    """Return the one with no parent among the others: a server, not its workers."""
    found: dict[int, tuple[int, float, psutil.Process]] = {}
    for process in processes:
        with contextlib.suppress(psutil.Error):  # It may have ended since it was found.
            found[process.pid] = process.ppid(), process.create_time(), process
    tops = [one for one in found.values() if one[0] not in found]
    _, _, topmost = min(tops or found.values(), key=lambda one: one[1], default=(0, 0.0, None))
    return topmost
