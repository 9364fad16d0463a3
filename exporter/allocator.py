"""How the C library hands out memory: from one place, whatever thread asks.

glibc gives each thread an arena of its own, up to eight a core, and keeps what was freed in each.
The threads of modelmeter take turns at the same work (counting, snapshots, scrapes), so that each
arena grows to the size of the largest of it: memory rose by 4 MB a minute under load, with nothing
lost (ADR 16).
"""

from __future__ import annotations

import ctypes
from typing import Final

M_ARENA_MAX: Final = -8
"""From glibc's ``malloc.h``."""


def use_one_arena() -> bool:
    """Let all threads that have not asked for memory yet share one arena.

    Returns whether the C library took it: only glibc knows arenas, others have nothing to mend.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1))
    except (AttributeError, OSError):
        return False
