"""The life of a service: what is done from its start to its end, beside answering requests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from exporter.service import Service
from exporter.web.yielding import Precedence

log = logging.getLogger("modelmeter")

TICK_SECONDS: Final = 0.1
"""How long an event waits at most before it is folded."""
LOOK_SECONDS: Final = 0.5
"""How often it is looked whether first events are there, or a snapshot is due."""


class Threads:
    """A thread for each kind of work, so that none waits for another kind."""

    def __init__(self) -> None:
        self.counting = ThreadPoolExecutor(1, "count")
        self.reading = ThreadPoolExecutor(1, "read")
        self.saving = ThreadPoolExecutor(1, "save")
        self.scraping = ThreadPoolExecutor(1, "scrape")
        self.building = ThreadPoolExecutor(1, "references")
        self.showing = ThreadPoolExecutor(1, "page")

    def end(self) -> None:
        """Return when the work that was begun is done."""
        for thread in vars(self).values():
            thread.shutdown()


@contextlib.asynccontextmanager
async def living(service: Service, threads: Threads, precedence: Precedence) -> AsyncIterator[None]:
    """Restore the state, and do what is due again and again, until the end of the block.

    Then what is under way is waited for, and what was counted is saved.
    """

    def tick() -> None:
        precedence.give_way()
        service.tick()

    def build_first() -> None:
        # Before the state is back, a collection that is whole may have become a reference already.
        if not service.restoring:
            service.references.build_first()

    def end() -> None:
        for one in service.beside:
            one.end()
        threads.end()
        service.close()

    tasks = [
        asyncio.create_task(_restore(service, threads.saving)),
        asyncio.create_task(_again(TICK_SECONDS, tick, threads.counting)),
        asyncio.create_task(_again(LOOK_SECONDS, build_first, threads.building)),
        asyncio.create_task(_again(LOOK_SECONDS, service.ledger.save_if_due, threads.saving)),
    ]
    for one in service.beside:
        one.start()
    yield
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    service.references.builder.end()
    # Not on the event loop: a second signal must be heard meanwhile.
    await asyncio.to_thread(end)


async def _restore(service: Service, thread: ThreadPoolExecutor) -> None:
    """Bring the state back; without it there is nothing to serve."""
    try:
        await asyncio.get_running_loop().run_in_executor(thread, service.restore)
    except Exception:
        log.exception("the state cannot be restored")
        service.failed = True
        signal.raise_signal(signal.SIGTERM)


async def _again(seconds: float, work: Callable[[], None], thread: ThreadPoolExecutor) -> None:
    """Do ``work`` in a thread again and again, with a pause between."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(seconds)
        try:
            await loop.run_in_executor(thread, work)
        except Exception:
            log.exception("failed: %s", work.__name__)
