"""Servers for the tests: one application for many tests, and processes of their own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.web.support import Process, Running, running


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    """The application with no settings; tests name models of their own."""
    with running() as client:
        yield client


@pytest.fixture
def process(tmp_path) -> Iterator[Callable[..., Process]]:
    """Starts ``modelmeter serve`` with a configuration; all are ended by their pid."""
    started: list[Process] = []

    def start(config: dict[str, Any] | None = None, *flags: str, **more: Any) -> Process:
        started.append(Process(tmp_path, config, *flags, **more))
        return started[-1]

    yield start
    for one in started:
        one.end()
