"""The landing page ``/``: one file without outside assets, which keeps itself up to date.

It is made in a thread, never on the event loop; who looks within a second of another sees the same.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from html import escape
from importlib.resources import files
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from exporter import __version__
from exporter.scrape import wants_gzip
from exporter.service import Service
from exporter.web.page.content import content
from exporter.web.page.resources import OwnUse
from exporter.web.yielding import Precedence

FRESH_SECONDS: Final = 1.0
REST: Final = 9
"""After a page that took long to make, so many times as long passes before the next."""
KEPT: Final = 16
"""Pages that are kept: one for each model that is looked at."""
Model = Annotated[str | None, Query(description="Show the versions of this model alone.")]
Fragment = Annotated[bool, Query(description="Only the part that changes.")]


class _Asked(NamedTuple):
    model: str | None
    fragment: bool
    base_url: str
    compressed: bool


class _Made(NamedTuple):
    body: bytes
    at: float
    until: float


class Pages:
    """Makes pages in ``thread``, one at a time, and keeps them for a moment."""

    def __init__(self, make: Callable[[_Asked], bytes], clock: Callable[[], float],
                 thread: Executor) -> None:  # fmt: skip
        self._make = make
        self._clock = clock
        self._thread = thread
        self._kept: OrderedDict[_Asked, _Made] = OrderedDict()
        self._turn = asyncio.Lock()

    async def get(self, asked: _Asked) -> bytes:
        """Return the page as it is, or was a moment ago."""
        async with self._turn:
            made, now = self._kept.get(asked), self._clock()
            if made is None or not made.at <= now < made.until:
                loop = asyncio.get_running_loop()
                body = await loop.run_in_executor(self._thread, self._make, asked)
                done = self._clock()
                made = _Made(body, now, done + max(FRESH_SECONDS, REST * (done - now)))
                self._kept[asked] = made
            self._kept.move_to_end(asked)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return made.body


def router(service: Service, thread: Executor, precedence: Precedence) -> APIRouter:
    """Return the route of the landing page; it is made in ``thread``, after scrapes that wait."""
    page = (files("exporter.web") / "landing.html").read_text("utf-8")
    before, after = page.replace("{version}", escape(__version__)).split("{content}")
    own = OwnUse(service.clock.monotonic())

    def make(asked: _Asked) -> bytes:
        precedence.give_way()
        told = content(service, own, asked.base_url, asked.model)
        body = (told if asked.fragment else f"{before}{told}{after}").encode()
        return gzip.compress(body, 1) if asked.compressed else body

    pages = Pages(make, service.clock.monotonic, thread)
    headers = {
        "content-security-policy": policy(page),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "vary": "accept-encoding",
    }
    routes = APIRouter()

    @routes.get("/", include_in_schema=False)
    async def landing(
        request: Request, model: Model = None, fragment: Fragment = False
    ) -> Response:
        if service.restoring:
            return _closed(service)
        if model is not None and not service.monitor.models.versions(model):
            service.requests.refused[404] += 1
            return PlainTextResponse("This model is not monitored.\n", 404)
        compressed = wants_gzip(request.headers.get("accept-encoding", ""))
        asked = _Asked(model, fragment, str(request.base_url), compressed)
        encoding = {"content-encoding": "gzip"} if compressed else {}
        return HTMLResponse(await pages.get(asked), headers=headers | encoding)

    return routes


def policy(page: str) -> str:
    """Return the Content-Security-Policy: its own style and script and nothing else.

    Both are allowed by their hash, so that nothing that came with an event can run.
    """
    style, script = (_hash(page, element) for element in ("style", "script"))
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash(page: str, element: str) -> str:
    found = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    assert len(found) == 1, f"one <{element}> on the page"
    return f"'sha256-{base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()}'"


def _closed(service: Service) -> Response:
    """Answer in words, for a person; the browser asks again by itself."""
    service.requests.refused[503] += 1
    told = "modelmeter is restoring its state. This page comes when it is done.\n"
    return PlainTextResponse(told, 503, headers={"retry-after": "1", "refresh": "2"})
