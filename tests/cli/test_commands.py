import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from exporter import __version__
from exporter.__main__ import main
from exporter.cli.parser import COMMANDS, chosen
from exporter.config import ConfigError, environment_warnings

Run = subprocess.CompletedProcess[str]


def command(*arguments: str, **environ: str) -> Run:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MODELMETER_", "WEB_"))}
    return subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=clean | environ,
    )


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Serve one status on every path and yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/-/healthy" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_help_names_every_command_and_flag() -> None:
    shown = command("--help").stdout
    for name, (_, help_, _) in COMMANDS.items():
        assert re.search(rf"^    {name} +", shown, re.MULTILINE)
        assert help_ in shown
    serve = command("serve", "--help").stdout
    for flag in (
        "--config", "--web.listen-address", "--data-dir", "--no-persist", "--log.level",
        "--log.format",
    ):  # fmt: skip
        assert flag in serve


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str) -> None:
    done = command(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: modelmeter {name}")
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_a_web_configuration_that_is_not_there() -> None:
    for arguments in (["--web.config.file", "none.yml"], ["serve", "--web.config.file=none.yml"]):
        done = command(*arguments, "--web.listen-address", "127.0.0.1:0")
        assert (done.returncode, "none.yml: no such file" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ([], ["serve"]),
        (["--config", "x"], ["serve", "--config", "x"]),
        (["serve", "--config", "x"], ["serve", "--config", "x"]),
        (["version"], ["version"]),
        (["-h"], ["-h"]),
        (["--version"], ["--version"]),
    ],
)
def test_serve_is_the_default(given: list[str], meant: list[str]) -> None:
    assert chosen(given) == meant


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    first = capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == first
    assert first.startswith(f"modelmeter {__version__} (Python 3.")


def test_unknown_commands_and_flags_are_usage_errors() -> None:
    assert command("serv").returncode == 2
    assert command("serve", "--no-such").returncode == 2
    assert command("serve", "--conf", "x").returncode == 2


def test_check_config_of_a_good_file(tmp_path) -> None:
    file = tmp_path / "modelmeter.yaml"
    file.write_text("models: [{name: a, limits: {accuracy_ratio: {min: 0.9}}}, {name: b}]")
    done = command("check-config", str(file), MODELMETER_MAX_MODELS="none of its business")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file}: OK (windows 5m, 1h, 24h; 2 models; 1 limit)\n"


def test_check_config_of_a_bad_file(tmp_path) -> None:
    file = tmp_path / "modelmeter.yaml"
    file.write_text(
        "join: {max_pendng: 1}\nmodels: [{name: a, limits: {acuracy_ratio: {min: 0.9}}}]"
    )
    done = command("check-config", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    first, second = done.stderr.splitlines()
    assert first == (
        f"{file}:1: join.max_pendng: unknown key; did you mean max_pending? "
        "allowed: ttl, max_pending"
    )
    assert "models[0].limits.acuracy_ratio: " in second
    assert "did you mean accuracy_ratio?" in second
    assert "mean_absolute_error" in second
    missing = command("check-config", str(tmp_path / "none"))
    assert (missing.returncode, missing.stderr) == (1, f"{tmp_path}/none: no such file\n")


def test_serve_refuses_bad_settings_before_it_starts(tmp_path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("gpu: maybe\n")
    done = command("--config", str(file), "--log.level", "loud")
    assert done.returncode == 1
    assert done.stderr == (
        "--log.level: unknown value loud; allowed: debug, info, warn, error\n"
        f"{file}:1: gpu: unknown value maybe; allowed: auto, off, required\n"
    )


def test_serve_refuses_more_than_one_worker() -> None:
    done = command("serve", WEB_CONCURRENCY="4")
    assert done.returncode == 1
    assert "WEB_CONCURRENCY=4: modelmeter runs in one process" in done.stderr


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (302, 1)])
def test_healthcheck(status: int, code: int) -> None:
    with answering(status) as port:
        by_flag = command("healthcheck", "--web.listen-address", f":{port}")
        by_environment = command("healthcheck", MODELMETER_WEB_LISTEN_ADDRESS=f"0.0.0.0:{port}")
    assert by_flag.returncode == by_environment.returncode == code
    assert by_flag.stderr == (
        "" if code == 0 else f"not healthy: 127.0.0.1:{port} answered {status}\n"
    )


def test_healthcheck_where_nothing_listens() -> None:
    with answering(200) as port:
        pass
    done = command("healthcheck", "--web.listen-address", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert "not healthy" in done.stderr
    assert "Connection refused" in done.stderr
    assert command("healthcheck", "--web.listen-address", "nonsense").returncode == 1


def test_a_healthcheck_loads_nothing_heavy() -> None:
    program = (
        "import sys; from exporter.__main__ import main\n"
        "main(['healthcheck', '--web.listen-address', '127.0.0.1:1'])\n"
        "heavy = {'numpy', 'fastapi', 'scipy', 'uvicorn', 'pyarrow', 'psutil', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_warnings_are_for_the_log_and_no_errors() -> None:
    assert environment_warnings({"MODELMETER_NONSENSE": "1"})
    assert issubclass(ConfigError, ValueError)
