"""``/metrics`` for many scrapers at once: those that wait together share one rendering.

Nobody is served what was collected before he asked: a ``200`` to events before a scrape means that
the scrape shows them. So whoever comes while a rendering is under way waits for the next one.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

from exporter.scrape import Scraper, render, wants_gzip, wants_openmetrics
from exporter.web.yielding import Precedence

Rendered = tuple[bytes, dict[str, str]]
Form = tuple[bool, bool]
"""Whether it is OpenMetrics, and whether it is compressed."""
_ACCEPT = {True: "application/openmetrics-text", False: ""}
_ENCODING = {True: "gzip", False: ""}


class Scrapes:
    """Renders in ``thread``; no more than one scrape is collected at a time."""

    def __init__(self, scraper: Scraper, thread: Executor, precedence: Precedence) -> None:
        self._scraper = scraper
        self._thread = thread
        self._precedence = precedence
        self._waiting: dict[Form, asyncio.Future[Rendered]] = {}
        self._rendering = False

    async def get(self, accept: str, encoding: str) -> Rendered:
        """Return the exposition as the client wants it, and the headers that say so."""
        form = wants_openmetrics(accept), wants_gzip(encoding)
        future = self._waiting.get(form)
        if future is None:
            future = self._waiting[form] = asyncio.get_running_loop().create_future()
            self._start()
        # Who goes away does not take the rendering away from the others.
        return await asyncio.shield(future)

    def _start(self) -> None:
        if self._rendering or not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        self._rendering = True
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._render, list(waiting))
        work.add_done_callback(lambda done: self._rendered(waiting, done))

    def _render(self, forms: list[Form]) -> dict[Form, Rendered]:
        with self._precedence:
            families = self._scraper.collect()
            return {form: render(families, _ACCEPT[form[0]], _ENCODING[form[1]]) for form in forms}

    def _rendered(
        self,
        waiting: dict[Form, asyncio.Future[Rendered]],
        done: asyncio.Future[dict[Form, Rendered]],
    ) -> None:
        self._rendering = False
        error = done.exception()
        for form, future in waiting.items():
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(done.result()[form])
        self._start()
