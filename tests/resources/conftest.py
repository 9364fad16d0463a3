import psutil
import pytest

from tests.resources.support import launched


@pytest.fixture
def start():
    """Start Python programs that end with the test, and wait for their first line."""
    running = []

    def launch(code, *arguments, **more):
        process = launched(code, *arguments, **more)
        running.append(process)
        return process

    yield launch
    for process in running:
        alive = process.poll() is None
        for child in psutil.Process(process.pid).children(recursive=True) if alive else []:
            child.kill()
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
