"""Finding the model server among real processes."""

import os
import re
import socket
import subprocess
import time

import psutil

from exporter.config import ModelServerSettings
from exporter.server.find import find
from tests.resources.support import IDLE, LISTEN, Start, until


def test_found_by_port_and_its_worker_is_not_preferred(start: Start) -> None:
    forking = LISTEN.replace(
        "print(",
        "import os\npid = os.fork()\nif pid == 0: sys.stdin.read(); os._exit(0)\nprint(",
        1,
    )
    process = start(forking)
    assert find(ModelServerSettings(port=int(process.first_line))) == process.pid


def test_a_port_that_is_only_used_as_a_client_is_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        port = client.getsockname()[1]
        assert find(ModelServerSettings(port=port)) is None
        client.close()


def test_found_by_command_line_but_never_ourselves(start: Start) -> None:
    mark = f"--mark={os.getpid()}-{time.monotonic_ns()}"
    pattern = ModelServerSettings(cmdline=re.escape(mark) + "$")
    assert find(pattern) is None
    process = start(IDLE, mark)
    assert find(pattern) == process.pid
    own = " ".join(psutil.Process().cmdline())
    assert find(ModelServerSettings(cmdline=re.escape(own))) != os.getpid()


def test_found_by_pid_and_pid_file_while_it_runs(start: Start, tmp_path) -> None:
    process = start(IDLE)
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{process.pid}\n")
    for target in (
        ModelServerSettings(pid=process.pid),
        ModelServerSettings(pid_file=str(pid_file)),
    ):
        assert find(target) == process.pid
    process.kill()
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert find(ModelServerSettings(pid=process.pid)) is None, "a zombie does not run"


def test_found_by_name(tmp_path) -> None:
    program = tmp_path / "scoreserver"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "60"])
    try:
        until(lambda: find(ModelServerSettings(name="scoreserver")) is not None)
        assert find(ModelServerSettings(name="scoreserver")) == process.pid
        assert find(ModelServerSettings(name="scoreserve")) is None
    finally:
        process.kill()
        process.wait()
