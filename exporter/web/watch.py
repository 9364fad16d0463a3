"""Whether files have changed since they were read."""

from __future__ import annotations

import os
from collections.abc import Iterable

Stamp = tuple[int, ...] | None


def stamp(path: str) -> Stamp:
    """Return what changes when a file is written or replaced; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev)


class Watched:
    """Files, as they were when this was made."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._stamps = {path: stamp(path) for path in paths}

    def also(self, paths: Iterable[str]) -> Watched:
        """Return these files as they were, and more as they are."""
        more = Watched(paths)
        more._stamps |= self._stamps
        return more

    def changed(self) -> bool:
        """Return whether one of the files is another now."""
        return any(stamp(path) != before for path, before in self._stamps.items())
