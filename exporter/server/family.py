"""A process and its descendants, followed from sample to sample at little cost."""

from __future__ import annotations

from typing import Final

from exporter.server.procfs import Identity, Proc, Stat

ANEW: Final = 60
"""Samples after which all processes of the machine are looked at again."""


class Family:
    """The descendants of one process; ``skip`` is left out with all of its own."""

    def __init__(self, proc: Proc, skip: int | None = None) -> None:
        self._proc = proc
        self._skip = skip
        self._root: Identity | None = None
        self._known: set[int] = set()
        self._order: list[int] = []
        self._age = 0

    def members(self, root: Stat) -> list[Stat]:
        """Return ``root`` and its descendants, each after its parent; ended ones are zombies.

        Only new processes and known descendants are looked at: a process gets another parent only
        when its own ends, and then it was one of them already.
        """
        self._age += 1
        if self._age >= ANEW or root.identity != self._root:
            self._root, self._age, self._known, self._order = root.identity, 0, set(), []
        there = self._proc.pids()
        # Parents before children: what a parent takes over of an ended child is then never counted
        # beside the child itself.
        look_at = [pid for pid in self._order if pid in there] + sorted(there - self._known)
        stats = [one for pid in look_at if pid != root.pid and (one := self._proc.stat(pid))]
        members = self._descendants(root, stats)
        self._known, self._order = there, [one.pid for one in members]
        return members

    def _descendants(self, root: Stat, stats: list[Stat]) -> list[Stat]:
        children: dict[int, list[Stat]] = {}
        for one in stats:
            if one.pid != self._skip:
                children.setdefault(one.parent, []).append(one)
        members = [root]
        for one in members:
            members += children.pop(one.pid, ())
        return members
