"""Where the control groups of a process are: its paths, and the mounts in which they can be seen.

``/proc/<pid>/cgroup`` names a path in each hierarchy, ``mountinfo`` the part of it that lies at a
mount point; both are told as the reader's namespace has them. A sidecar sees another container's
groups only in that container's own mounts, through ``/proc/<pid>/root``: there the container's
group is the top, and what is above it (a pod, a slice) cannot be seen.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from exporter.server.procfs import read_whole

UNIFIED: Final = ""
"""The controller's name that stands for the hierarchy of version 2."""
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")

Chain = tuple[str, ...]
"""The folder of a group, then those of its ancestors that can be seen, nearest first."""


class _Mount(NamedTuple):
    point: str
    root: str
    controllers: frozenset[str]


def chains(proc: str, root: str, pid: int) -> Mapping[str, Chain]:
    """Return the groups of a process by controller; :data:`UNIFIED` is that of version 2.

    ``root`` is where the machine's own mount points begin. A group that is the top of the whole
    machine is left out: it holds everything. Raises ``OSError`` where the process is gone or, as
    ``PermissionError``, where only its own mounts show the groups and they may not be read.
    """
    wanted = dict(_paths(read_whole(f"{proc}/{pid}/cgroup").decode(errors="replace")))
    found: dict[str, Chain] = {}
    for mounts, prefix in ((f"{proc}/self", root), (f"{proc}/{pid}", f"{proc}/{pid}/root")):
        if wanted.keys() <= found.keys():
            break
        try:
            text = read_whole(f"{mounts}/mountinfo").decode(errors="replace")
            for controller in wanted.keys() - found.keys():
                if chain := _seen(text, prefix, controller, wanted[controller]):
                    found[controller] = chain
        except PermissionError:
            if not found:
                raise
    return {controller: chain for controller, chain in found.items() if not _is_top(chain[0])}


def _paths(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            if not controller.startswith("name="):
                yield controller, path


def _seen(text: str, prefix: str, controller: str, path: str) -> Chain | None:
    """Return the chain of ``path`` in the first mount that shows it."""
    for mount in _mounts(text):
        below = _below(path, mount.root)
        if controller in mount.controllers and below is not None:
            top = prefix.rstrip("/") + mount.point
            folders = [top]
            for part in below:
                folders.append(f"{folders[-1]}/{part}")
            # Not `isdir`: that would take what is refused for what is not there.
            try:
                os.stat(folders[-1])
            except (FileNotFoundError, NotADirectoryError):
                continue
            return tuple(reversed(folders))
    return None


def _mounts(text: str) -> Iterator[_Mount]:
    for line in text.splitlines():
        place, _, kind = line.partition(" - ")
        fields, (type_, *_, options) = place.split(), kind.split()
        if type_ == "cgroup2":
            yield _Mount(_plain(fields[4]), _plain(fields[3]), frozenset((UNIFIED,)))
        elif type_ == "cgroup":
            controllers = frozenset(options.split(","))
            yield _Mount(_plain(fields[4]), _plain(fields[3]), controllers)


def _plain(path: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), path)


def _below(path: str, root: str) -> list[str] | None:
    """Return the steps from ``root`` down to ``path``, ``None`` if it lies elsewhere.

    Both may begin with ``..``: what lies outside of the reader's namespace.
    """
    steps = [part for part in path.split("/") if part]
    above = [part for part in root.split("/") if part]
    rest = steps[len(above) :]
    return rest if steps[: len(above)] == above and ".." not in rest else None


def _is_top(folder: str) -> bool:
    """Return whether this is the top of a whole hierarchy: what is only there, or not there."""
    if os.path.exists(f"{folder}/cgroup.controllers"):
        return not os.path.exists(f"{folder}/cgroup.type")
    return os.path.exists(f"{folder}/release_agent")
