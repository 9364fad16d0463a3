"""Finding the model server's process by what is configured of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from exporter.config.settings import ModelServerSettings


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
        sockets = parent.net_connections("tcp") if parent else []
    except psutil.Error:
        return process
    held = any(s.laddr and s.laddr.port == port for s in sockets if s.status == psutil.CONN_LISTEN)
    return _holder(parent, port) if parent and held else process


def _written(pid_file: str) -> list[int]:
    try:
        words = Path(pid_file).read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
    return [int(words[0])] if words and words[0].isdecimal() and len(words[0]) < 10 else []


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
                hit = pattern.search(" ".join(process.cmdline())) is not None
            else:
                hit = target.name in (process.name(), Path((process.cmdline() or [""])[0]).name)
        except psutil.Error:
            continue
        if hit:
            yield process


def _topmost(processes: Iterable[psutil.Process]) -> psutil.Process | None:
    """Return the one with no parent among the others: a server, not its workers."""
    found = {process.pid: process for process in processes}
    tops = [process for process in found.values() if _parent(process) not in found]
    return min(tops or found.values(), key=lambda process: process.create_time(), default=None)


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None
