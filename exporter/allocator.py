"""How the C library hands out memory: from one place, whatever thread asks, and back again.

glibc gives each thread an arena of its own, up to eight a core, and keeps what was freed in each.
The threads of modelmeter take turns at the same work (counting, snapshots, scrapes), so that each
arena grows to the size of the largest of it: memory rose by 4 MB a minute under load, with nothing
lost (ADR 16).
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""From glibc's ``malloc.h``."""
LARGE: Final = 128 * 1024
"""From so many bytes on a piece has pages of its own, which go back with it.

It is what glibc begins with; by itself it would raise this to the largest piece ever freed, and
keep scrapes and bodies of megabytes among the small pieces.
"""
KEPT_FREE: Final = 4 * 2**20
"""Bytes that stay free at the top, so that it does not go up and down all the time."""


def use_one_arena() -> bool:
    """Let all threads that have not asked for memory yet share one arena, large pieces apart.

    Returns whether the C library took it: only glibc knows arenas, others have nothing to mend.
    """
    wanted = {M_ARENA_MAX: 1, M_MMAP_THRESHOLD: LARGE, M_TRIM_THRESHOLD: KEPT_FREE}
    try:
        libc = ctypes.CDLL(None)
        return all(libc.mallopt(name, value) for name, value in wanted.items())
    except (AttributeError, OSError):
        return False


def give_back() -> None:
    """Return to the system what is free, after work that took much for a short time."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
