"""Who may come in: asked in front of every route, before a body is read."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
from starlette.types import Message, Scope, Send

from exporter.config.web_settings import RequestRate, WebSettings
from exporter.rate import RateLimit
from exporter.service import Service
from exporter.web.access import EVERYTHING, allows, is_open, needed
from exporter.web.errors import Refused
from exporter.web.live import WebConfig
from exporter.web.tokens import Tokens
from exporter.web.users import Passwords, TooManyWaiting

Headers = list[tuple[bytes, bytes]]

_NO_CONFIG: Final = WebSettings("")
_REALM: Final = 'realm="modelmeter"'


class _Challenged(Refused):
    """A refusal that says how to come in: a header for each way."""

    def __init__(
        self, status: int, error: str, ways: Sequence[str], detail: Sequence[Any] = ()
    ) -> None:
        super().__init__(status, error, detail)
        self.challenges = [("www-authenticate", way) for way in ways]


class Guard:
    """Lets requests pass that may, and answers the others."""

    def __init__(self, service: Service, web: WebConfig | None) -> None:
        self._service = service
        self._web = web
        self._tokens = Tokens()
        self._passwords = Passwords()
        self._rate = (RequestRate(), RateLimit(None))

    def close(self) -> None:
        """Give up what is waiting."""
        self._passwords.close()

    async def admit(self, scope: Scope, send: Send) -> Send | None:
        """Return how to answer a request that may pass; None for one that is answered already."""
        settings = self._web.settings() if self._web is not None else _NO_CONFIG
        send = _with_headers(send, settings)
        try:
            if not is_open(scope["method"], scope["path"]):
                self._limit(settings.rate_limit)
                await self._check(scope, settings)
        except Refused as error:
            self._service.requests.refused[error.status] += 1
            await _answer(send, error)
            return None
        return send

    def _limit(self, rate: RequestRate) -> None:
        if rate != self._rate[0]:
            a_second = 1 / rate.interval if rate.interval else None
            self._rate = (rate, RateLimit(a_second, rate.burst))
        wait = self._rate[1].take(1, self._service.clock.monotonic())
        if wait > 0:
            told = {"retry-after": str(math.ceil(wait))}
            raise Refused(429, "more requests than rate_limit", headers=told)

    async def _check(self, scope: Scope, settings: WebSettings) -> None:
        """Raise :class:`Refused` unless whoever asks is known and may."""
        if not settings.users and not self._service.settings.tokens:
            return
        known = await self._scope(scope["headers"], settings)
        if known is None:
            raise self._unknown(settings)
        need = needed(scope["method"], scope["path"])
        if not allows(known, need):
            told = f'Bearer {_REALM}, error="insufficient_scope", scope="{need}"'
            raise _Challenged(403, f"this needs the scope {need}", [told], [{"scope": need}])

    async def _scope(self, headers: Headers, settings: WebSettings) -> frozenset[str] | None:
        """Return what the sender of these headers may do, None where nobody knows them."""
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) != 1:
            return None
        kind, _, credential = given[0].strip().partition(b" ")
        credential = credential.strip()
        if kind.lower() == b"bearer":
            return self._tokens.scope(self._service.settings.tokens, credential)
        if kind.lower() == b"basic" and settings.users:
            return EVERYTHING if await self._is_user(credential, settings) else None
        return None

    async def _is_user(self, credential: bytes, settings: WebSettings) -> bool:
        try:
            name, colon, password = base64.b64decode(credential, validate=True).partition(b":")
            user = name.decode()
        except (binascii.Error, UnicodeDecodeError):
            return False
        if not colon:
            return False
        try:
            return await self._passwords.verify(settings.users, user, password)
        except TooManyWaiting:
            told = {"retry-after": "1"}
            raise Refused(503, "too many passwords to look at", headers=told) from None

    def _unknown(self, settings: WebSettings) -> Refused:
        ways = [f'Basic {_REALM}, charset="UTF-8"'] if settings.users else []
        ways += [f"Bearer {_REALM}"] if self._service.settings.tokens else []
        return _Challenged(401, "this needs a user or a token that is known", ways)


def _with_headers(send: Send, settings: WebSettings) -> Send:
    """Return ``send`` so that each answer has the configured headers."""
    if not settings.http.headers:
        return send
    more = _encoded(settings.http.headers.items())

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return sending


def _encoded(headers: Iterable[tuple[str, str]]) -> Headers:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]


async def _answer(send: Send, error: Refused) -> None:
    content = orjson.dumps(error.body)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
        *_encoded(error.headers.items()),
        *_encoded(error.challenges if isinstance(error, _Challenged) else ()),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
