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


def test_a_pid_file_that_is_none_is_not_waited_for_and_not_read_whole(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for content in ("-1", "0", "1.5", "\0", "1" * 10_000, "\u0661"):
        (tmp_path / "file").write_text(content)
        assert find(ModelServerSettings(pid_file=str(tmp_path / "file"))) is None, content
    for path in ("pipe", "folder", "loop", "none", "\0"):
        assert find(ModelServerSettings(pid_file=str(tmp_path / path))) is None, path
    assert find(ModelServerSettings(pid_file="/dev/zero")) is None
    (tmp_path / "file").write_text(f"{os.getpid()}\n" + "more\n" * 10_000)
    assert find(ModelServerSettings(pid_file=str(tmp_path / "file"))) == os.getpid()


def test_a_long_command_line_is_looked_through_in_part(start: Start) -> None:
    begins = start(IDLE, "here-it-is", "a" * 60_000)
    start(IDLE, "a" * 60_000, "there-it-is")
    assert find(ModelServerSettings(cmdline="here-it-is a")) == begins.pid
    assert find(ModelServerSettings(cmdline="there-it-is$")) is None


def test_those_that_end_while_they_are_looked_at_hide_no_other(start: Start, monkeypatch) -> None:
    ends, stays = start(IDLE, "twin-server"), start(IDLE, "twin-server")
    parent_of = psutil.Process.ppid

    def ppid(process: psutil.Process) -> int:
        if process.pid == ends.pid and ends.poll() is None:
            ends.kill()
            ends.wait()
        return parent_of(process)

    monkeypatch.setattr(psutil.Process, "ppid", ppid)
    assert find(ModelServerSettings(cmdline="twin-server$")) == stays.pid


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
