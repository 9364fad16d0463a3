"""Child processes are watched and always ended; nothing outlives the demo."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.demo import processes
from exporter.demo.processes import ChildDied, Children
from tests.demo.support import is_running, wait_until

ROOT = Path(__file__).resolve().parents[2]
FOREVER = "import signal; signal.pause()"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1); {FOREVER}"
WITH_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {FOREVER!r}])
print(child.pid, flush=True)
{FOREVER}
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


def first_line(log: Path) -> str:
    wait_until(lambda: log.exists() and "\n" in log.read_text())
    return log.read_text().splitlines()[0]


def test_a_child_that_ends_is_reported_with_its_last_lines(tmp_path):
    with Children(tmp_path, os.environ) as children:
        children.start("sleeper", python(FOREVER))
        children.check()
        code = "print('first'); print(*range(100), sep='\\n'); raise SystemExit('out of milk')"
        children.start("fails", python(code))
        with pytest.raises(ChildDied) as caught:
            wait_until(lambda: children.check() is not None)
    assert "fails ended with status 1" in str(caught.value)
    assert "out of milk" in str(caught.value)
    assert "first" not in str(caught.value)


def test_a_killed_child_is_reported_with_the_signal(tmp_path):
    with Children(tmp_path, os.environ) as children:
        children.start("child", python(f"import os; print(os.getpid()); {FOREVER}"))
        os.kill(int(first_line(tmp_path / "child.log")), signal.SIGKILL)
        with pytest.raises(ChildDied, match="child ended with signal 9"):
            wait_until(lambda: children.check() is not None)


def test_children_and_their_children_end_whatever_happens(tmp_path):
    def fail() -> None:
        with Children(tmp_path, os.environ) as children:
            children.start("family", python(WITH_CHILD))
            assert is_running(int(first_line(tmp_path / "family.log")))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    grandchild = int(first_line(tmp_path / "family.log"))
    wait_until(lambda: not is_running(grandchild))


def test_a_child_that_does_not_listen_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "STOP_TIMEOUT", 0.2)
    with Children(tmp_path, os.environ) as children:
        children.start("stubborn", python(f"import os; print(os.getpid()); {STUBBORN}"))
        pid = int(first_line(tmp_path / "stubborn.log"))
        wait_until(lambda: (tmp_path / "stubborn.log").read_text().count("\n") == 2)
    assert not is_running(pid)


def test_children_get_the_environment_they_are_given_and_no_signal_of_the_terminal(tmp_path):
    code = "import os; print(os.environ['WHO'], os.getpgid(0) == os.getpid())"
    with Children(tmp_path, {"WHO": "me"}) as children:
        children.start("child", python(code))
        assert first_line(tmp_path / "child.log") == "me True"


PARENT = """
import json, os, pathlib, signal, sys
from exporter.demo.processes import Children
folder, command = json.loads(sys.argv[1])
Children(pathlib.Path(folder), os.environ).start("child", command)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_children_end_even_when_the_parent_is_killed(tmp_path):
    command = python(f"import os; print(os.getpid()); {FOREVER}")
    arguments = json.dumps([str(tmp_path), command])
    with subprocess.Popen([*python(PARENT), arguments], cwd=ROOT) as process:
        child = int(first_line(tmp_path / "child.log"))
        assert is_running(child)
        process.kill()
    wait_until(lambda: not is_running(child))
