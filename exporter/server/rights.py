"""What may not be read: said once in the log, and shown as long as it is so."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

log = logging.getLogger("modelmeter.model_server")

T = TypeVar("T")


class Rights:
    """What of one model server could not be read for want of rights."""

    def __init__(self, server: str = "") -> None:
        self._server = server
        self._tried: set[str] = set()
        self.lacking: set[str] = set()
        """What was refused when it was last tried."""
        self.refused: set[str] = set()
        """What was refused at any time."""

    def begin(self) -> None:
        """Begin a sample; what is not tried in it is as it was."""
        self._tried = set()

    def tries(self, what: str) -> None:
        """Take note that ``what`` is tried."""
        if what not in self._tried:
            self._tried.add(what)
            self.lacking.discard(what)

    def read(self, what: str, reader: Callable[[int], T], pid: int) -> T | None:
        """Return what ``reader`` reads of a process, ``None`` where it is refused or gone."""
        self.tries(what)
        try:
            return reader(pid)
        except PermissionError as error:
            self.deny(what, str(error))
        except (OSError, ValueError, LookupError):
            pass  # It has just ended, or this kernel has no such file.
        return None

    def deny(self, what: str, reason: str) -> None:
        """Take note that ``what`` is refused."""
        self.tries(what)
        self.lacking.add(what)
        if what not in self.refused:
            self.refused.add(what)
            log.warning(
                "cannot read the model server's %s",
                what,
                extra={**named(self._server), "reason": reason},
            )


def named(server: str) -> dict[str, str]:
    """Return what a log line says of one of several servers."""
    return {"server": server} if server else {}
