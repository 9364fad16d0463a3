"""From the first event to the exit: alone in a folder, forks, signals, and the end of a program."""

import ast
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from exporter import client as module
from exporter.client import Client
from tests.client.support import adds_up, scripted
from tests.web.conftest import served  # noqa: F401
from tests.web.support import HOST, free_port, until
from tests.web.support import Client as Asking

FILE = Path(module.__file__)


def program(folder, text, *arguments, flags=("-I", "-S"), **options):
    """Starts a program beside a copy of the file, which is all that it can import."""
    shutil.copy(FILE, folder / "client.py")
    begin = f"import sys; sys.path.insert(0, {str(folder)!r}); from client import *\n"
    command = [sys.executable, *flags, "-c", begin + textwrap.dedent(text), *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def ended(process, seconds=30):
    out, error = process.communicate(timeout=seconds)
    assert (process.returncode, error) == (0, "")
    return out


def value(server, model):
    return server.value("model_predictions_total", model=model, version="none")


def test_the_file_needs_nothing_but_the_standard_library():
    tree = ast.parse(FILE.read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.name.split(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module.split(".")[0])
    assert names <= sys.stdlib_module_names


def test_importing_it_loads_nothing_else_of_the_package():
    text = "import sys, exporter.client; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", text],
        cwd=FILE.parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    ours = {name for name in done.stdout.split() if name.split(".")[0] == "exporter"}
    assert ours == {"exporter", "exporter.client"}
    assert not loaded & {"numpy", "fastapi", "starlette", "prometheus_client", "msgspec", "asyncio"}


def test_a_copy_alone_sends_at_the_end_of_its_program(served, tmp_path):  # noqa: F811
    text = """
        client = Client(sys.argv[1], flush_seconds=60)
        client.log("alone", score=0.5)
        client.log("alone", score=0.5)
    """
    ended(program(tmp_path, text, served.url))
    assert value(served, "alone") == 2


def test_handlers_of_the_exit_may_log(served, tmp_path):  # noqa: F811
    """No thread can be started then; what they log is sent all the same."""
    text = """
        import atexit
        client = Client(sys.argv[1], flush_seconds=60)
        atexit.register(lambda: client.log("leaving", score=0.5))
    """
    ended(program(tmp_path, text, served.url))
    assert value(served, "leaving") == 1


@pytest.mark.parametrize("listening", [False, True], ids=["refused", "silent"])
def test_an_exit_takes_no_longer_than_it_may(listening, tmp_path):
    text = """
        import time
        client = Client(sys.argv[1], exit_seconds=1, max_events=10**6, batch_events=10)
        for _ in range(1000):
            client.log("m", score=0.5)
        print(time.time())
    """
    ends = threading.Event()
    with scripted(lambda request: ends.wait(60) and None) as server:
        url = server.url if listening else f"http://{HOST}:{free_port()}"
        process = program(tmp_path, text, url)
        out, _ = process.communicate(timeout=30)
        took = time.time() - float(out)
        ends.set()
    assert process.returncode == 0
    assert took < 5, "one second, and what the interpreter takes"


def test_forked_workers_send_their_own_events_and_only_those(served, tmp_path):  # noqa: F811
    text = """
        import os, threading
        client = Client(sys.argv[1], flush_seconds=60)
        client.log("prefork", score=0.5)      # the parent's: its thread runs, this one waits
        children = []
        for _ in range(3):
            child = os.fork()
            if not child:
                assert client.counts().logged == 0
                for _ in range(10):
                    client.log("prefork", score=0.5)
                assert client.flush(20), client.counts()
                assert client.counts().accepted == 10
                client.log("prefork", score=0.5)
                sys.exit()                    # an ordinary end of a worker
            children.append(child)
        assert {os.waitpid(child, 0)[1] for child in children} == {0}
        assert client.counts().queued == 1
    """
    ended(program(tmp_path, text, served.url, flags=("-I",)))
    assert value(served, "prefork") == 3 * 11 + 1


def test_a_fork_while_other_threads_log(served, tmp_path):  # noqa: F811
    """Locks that are held in that moment stay held in the child for ever: it has others."""
    text = """
        import logging, os, threading
        logging.disable()  # what the threads log may be more than a busy machine takes
        client = Client(sys.argv[1], flush_seconds=0.001)
        ends = threading.Event()
        def log():
            while not ends.is_set():
                client.log("forking", score=0.5)
        threads = [threading.Thread(target=log) for _ in range(3)]
        for thread in threads: thread.start()
        for _ in range(30):
            child = os.fork()
            if not child:
                client.log("child", score=0.5)
                os._exit(0 if client.flush(20) else 1)
            assert os.waitpid(child, 0)[1] == 0
        ends.set()
        for thread in threads: thread.join()
    """
    ended(program(tmp_path, text, served.url), 100)
    assert value(served, "child") == 30


def test_nothing_is_imported_once_it_is_made(served, tmp_path):  # noqa: F811
    """The lock of a module that is being imported as others fork stays held in the child."""
    text = """
        client = Client(sys.argv[1], flush_seconds=60)
        known = set(sys.modules)
        client.log("importing", score=0.5)
        assert client.flush(20)
        assert not set(sys.modules) - known, set(sys.modules) - known
    """
    ended(program(tmp_path, text, served.url))
    assert value(served, "importing") == 1


def test_workers_of_multiprocessing_may_close(served, tmp_path):  # noqa: F811
    text = """
        import multiprocessing
        client = Client(sys.argv[1], flush_seconds=60)
        def work():
            client.log("pool", score=0.5)
            client.close()
        workers = [multiprocessing.get_context("fork").Process(target=work) for _ in range(2)]
        for worker in workers: worker.start()
        for worker in workers: worker.join()
        assert [worker.exitcode for worker in workers] == [0, 0]
    """
    ended(program(tmp_path, text, served.url))
    assert value(served, "pool") == 2


def test_a_signal_handler_may_log_in_the_middle_of_anything(tmp_path):
    """Handlers come at random moments of ``log``, once each, and log too."""
    text = """
        import random, signal
        client = Client(sys.argv[1], max_events=10**6, flush_seconds=0.001, exit_seconds=1)
        handled = 0
        def handler(*_):
            global handled
            handled += 1
            client.log("m", score=0.25)
        signal.signal(signal.SIGALRM, handler)
        rng = random.Random(1)
        logged = 0
        while handled < 3000:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 3e-5))
            client.log("m", score=0.5, features={"a": 1.5})
            logged += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        counts = client.counts()
        assert counts.logged == logged + handled, counts
        assert counts.logged == counts.sent + counts.queued + sum(counts.dropped.values())
        assert not counts.dropped, counts
        assert client.flush(30)
    """
    with scripted() as server:
        ended(program(tmp_path, text, server.url), 60)


UVICORN = """
    import uvicorn
    client = Client(sys.argv[1], model=sys.argv[3], flush_seconds=60)
    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                await send({"type": kind + ".complete"})
                if kind.endswith("shutdown"):
                    return
        client.log(score=0.5)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
    uvicorn.run(LatencyMiddleware(app), port=int(sys.argv[2]), log_level="critical")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_a_server_that_is_ended_by_a_signal_sends_what_waits(served, tmp_path, number):  # noqa: F811
    """uvicorn ends by the signal itself, so that no handler of the exit runs."""
    port, model = free_port(), f"signal-{number}"
    process = program(tmp_path, UVICORN, served.url, port, model, flags=("-I",))
    try:

        def asked():
            try:
                return Asking(port).get("/").status
            except OSError:
                assert process.poll() is None, process.communicate()
                return None

        assert until(asked, "an answer") == 204
        process.send_signal(number)
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode in (0, -number, 128 + number)
    assert value(served, model) == 1


def test_closing_sends_what_waits_and_ends_the_thread():
    with scripted() as server:
        client = Client(server.url, flush_seconds=60)
        assert "modelmeter" not in names_of_threads()
        client.log("m", score=0.5)
        assert "modelmeter" in names_of_threads()
        client.close()
        assert "modelmeter" not in names_of_threads()
        assert client.counts().accepted == 1
        assert adds_up(client.counts())
    assert len(server.events()) == 1


def names_of_threads():
    return {one.name for one in threading.enumerate()}


def test_where_no_thread_can_be_started_the_end_sends(served, tmp_path):  # noqa: F811
    text = """
        import threading
        threading.stack_size(1 << 46)     # more than there is
        client = Client(sys.argv[1])
        client.log("threadless", score=0.5)
        assert client.counts().queued == 1
        assert len(threading.enumerate()) == 1
        import logging; logging.disable()
    """
    ended(program(tmp_path, text, served.url))
    assert value(served, "threadless") == 1
