"""What the tests of GPUs share."""

import pytest

from tests.gpu.support import Driver, Reader


@pytest.fixture
def reading(tmp_path):
    """Start to read GPUs in a state, and return the driver's stand-in and the process."""
    running = []

    def start(state, *flags, **options):
        driver = Driver(tmp_path, state, *flags)
        running.append(Reader(driver.env, tmp_path, **options))
        return driver, running[-1]

    yield start
    for one in running:
        one.__exit__()
