"""One server for the bodies that are meant to do harm: it must outlive them all."""

from collections.abc import Iterator

import pytest

from tests.hostile.support import Watched


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Watched]:
    """``modelmeter serve`` in a process of its own."""
    client = Watched(tmp_path_factory.mktemp("hostile"))
    try:
        yield client
    finally:
        client.end()
