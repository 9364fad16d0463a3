"""Passwords of users, compared with their bcrypt hashes beside the event loop."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

MAX_VERIFIED: Final = 1000
"""Credentials that are remembered as right; what was wrong is computed anew each time."""
MAX_WAITING: Final = 32
"""Comparisons that may wait for each other: a hash takes a tenth of a second and more."""
_LONGEST: Final = 72
_COST: Final = 10
# Nobody's: it is compared with where there is no such user.
_NOBODY: Final = "Fkr41P3nGMlsGqXxXqyhw.8vZq2UjBBk6mHjK3bEZlMhI0rYvUnrK"


class TooManyWaiting(Exception):
    """More passwords than can be looked at."""


class Passwords:
    """Compares passwords, one at a time, and remembers those that were right."""

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._verified: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: dict[bytes, asyncio.Future[bool]] = {}
        self._thread = ThreadPoolExecutor(1, "passwords")

    async def verify(self, users: Mapping[str, str], name: str, password: bytes) -> bool:
        """Return whether it is the password of that user; a user that is not there costs as much.

        Raises :class:`TooManyWaiting`.
        """
        hashed = users.get(name) or _nobodys(users)
        key = self._key(name, hashed, password)
        if key in self._verified:
            self._verified.move_to_end(key)
            return True
        right = await self._compared(key, hashed, password) and name in users
        if right:
            self._verified[key] = None
            if len(self._verified) > MAX_VERIFIED:
                self._verified.popitem(last=False)
        return right

    def close(self) -> None:
        """Give up what is waiting."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _compared(self, key: bytes, hashed: str, password: bytes) -> bool:
        """Compare, once for all who ask the same at the same time."""
        if (asked := self._waiting.get(key)) is None:
            if len(self._waiting) >= MAX_WAITING:
                raise TooManyWaiting
            loop = asyncio.get_running_loop()
            asked = loop.run_in_executor(self._thread, _matches, hashed, password)
            self._waiting[key] = asked
            asked.add_done_callback(lambda _: self._waiting.pop(key, None))
        # Who goes away does not take the answer away from the others.
        return await asyncio.shield(asked)

    def _key(self, name: str, hashed: str, password: bytes) -> bytes:
        mac = hmac.new(self._secret, digestmod="sha256")
        for part in (name.encode(), hashed.encode(), password):
            mac.update(len(part).to_bytes(8, "big") + part)
        return mac.digest()


def _nobodys(users: Mapping[str, str]) -> str:
    """Return a hash that takes as long as those of the users."""
    cost = max((hashed.split("$")[2] for hashed in users.values()), default=str(_COST))
    return f"$2b${cost}${_NOBODY}"


def _matches(hashed: str, password: bytes) -> bool:
    import bcrypt  # noqa: PLC0415 - for those who have users

    try:
        # As bcrypt always did, and Go does: what is longer is cut off.
        return bcrypt.checkpw(password[:_LONGEST], hashed.encode())
    except ValueError:
        return False
