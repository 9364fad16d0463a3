"""Bearer tokens: files of them, read again when they change, and what a token's sender may do."""

from __future__ import annotations

import hashlib
import hmac
import logging

from exporter.config import TokenSettings, tokens
from exporter.web.watch import Watched

log = logging.getLogger("modelmeter")

Digests = tuple[bytes, ...]


class Tokens:
    """The tokens of now; only their hashes are kept."""

    def __init__(self) -> None:
        self._settings: tuple[TokenSettings, ...] = ()
        self._files: dict[str, tuple[Watched, Digests]] = {}

    def scope(self, settings: tuple[TokenSettings, ...], token: bytes) -> frozenset[str] | None:
        """Return what the sender of a token may do, None where nobody knows it.

        All tokens are compared, each in constant time.
        """
        if settings is not self._settings:
            wanted = {one.file for one in settings}
            self._files = {path: self._files[path] for path in wanted & set(self._files)}
            self._settings = settings
        digest = _digest(token)
        found: frozenset[str] | None = None
        for one in settings:
            for known in self._digests(one.file):
                if hmac.compare_digest(known, digest):
                    found = one.scope | (found or frozenset())
        return found

    def _digests(self, path: str) -> Digests:
        """Return the hashes of a file's tokens; those it had last where it is not readable now."""
        known = self._files.get(path)
        if known is not None and not known[0].changed():
            return known[1]
        watched = Watched([path])
        try:
            digests = tuple(map(_digest, tokens.read(path)))
        except tokens.TokenError as error:
            log.error("tokens not read again, the old ones stay: %s", error)
            digests = () if known is None else known[1]
        else:
            log.info("tokens read", extra={"file": path, "tokens": len(digests)})
        self._files[path] = (watched, digests)
        return digests


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
