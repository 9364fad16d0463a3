"""The process: signals, reloads, the end."""

import signal
import socket
import subprocess
import sys

import pytest

from tests.web.support import HOST, until

RELOADED = "modelmeter_config_last_reload_successful"
HEAD = b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
EVENT = b'{"model":"m","score":1}'


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_answers_what_was_begun_and_exits_0(process, number) -> None:
    client = process()
    client.post({"model": "m", "score": 1})
    with socket.create_connection((HOST, client.port), timeout=30) as begun:
        begun.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(EVENT) + EVENT[:5])
        client.get("/-/healthy")
        client.process.send_signal(number)
        until(lambda: "msg=stopping" in client.log(), "the stop")
        begun.sendall(EVENT[5:])
        answer = b"".join(iter(lambda: begun.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"accepted":1' in answer
    assert client.process.wait(30) == 0
    assert "Traceback" not in client.log()
    with pytest.raises(ConnectionRefusedError):
        client.get("/-/healthy")


def test_a_body_that_never_comes_does_not_hold_up_the_end(process) -> None:
    client = process()
    with socket.create_connection((HOST, client.port)) as begun:
        begun.sendall(HEAD + b"Content-Length: 100\r\n\r\n[")
        client.get("/-/healthy")
        assert client.stop() == 0


def test_reload_applies_what_is_good_and_refuses_what_is_bad(process) -> None:
    model = {"name": "m", "threshold": 0.5, "limits": {"accuracy_ratio": {"min": 0.9}}}
    good = {"decision_interval": "1s", "windows": ["5m"], "models": [model]}
    client = process(good)
    client.post([{"score": 0.6, "label": 1}] * 20)

    def limit() -> float | None:
        names = {"metric": "accuracy_ratio", "bound": "min", "level": "critical"}
        return client.value("model_metric_limit", model="m", version="none", window="5m", **names)

    until(lambda: limit() == 0.9, "the limit")
    for bad, said in (
        ({**good, "max_modles": 3}, "max_modles: unknown key; did you mean max_models?"),
        ({"models": [{"name": "m", "threshold": 7}]}, "models[0].threshold"),
    ):
        client.configure(bad)
        answer = client.request("POST", "/-/reload")
        assert answer.status == 500
        assert answer.json()["error"] == "configuration not reloaded, the old one stays"
        assert said in answer.json()["detail"][0]
        assert client.value(RELOADED) == 0
        assert limit() == 0.9

    model["limits"] = {"accuracy_ratio": {"min": 0.8}}
    client.configure({**good, "max_body_bytes": "1KiB", "max_models": 1})
    assert client.request("POST", "/-/reload").status == 200
    assert client.value(RELOADED) == 1
    until(lambda: limit() == 0.8, "the new limit")
    assert client.post(b" " * 2000).status == 413
    assert client.post({"model": "second", "score": 1}).status == 200
    dropped = client.value("modelmeter_series_dropped_total", reason="max_models")
    assert dropped == 1
    assert client.value("model_predictions_total", model="m", version="none") == 20


def test_hangup_reloads_and_a_file_that_is_gone_is_refused(process) -> None:
    client = process({"max_models": 3})
    client.config.unlink()
    client.process.send_signal(signal.SIGHUP)
    until(lambda: client.value(RELOADED) == 0, "the refusal")
    assert client.request("POST", "/-/reload").status == 500
    client.config.write_bytes(b"\xff\x00")
    client.process.send_signal(signal.SIGHUP)
    until(lambda: client.log().count("not reloaded") == 3, "the second refusal")
    client.configure({"max_models": 1})
    client.process.send_signal(signal.SIGHUP)
    until(lambda: client.value(RELOADED) == 1, "the reload")
    assert "Traceback" not in client.log()
    assert client.stop() == 0


def test_a_port_in_use_is_status_1_and_says_so(process) -> None:
    client = process()
    command = [sys.executable, "-m", "exporter", "serve", "--no-persist"]
    done = subprocess.run(
        [*command, f"--web.listen-address={HOST}:{client.port}"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"cannot listen on {HOST}:{client.port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_kill_leaves_nothing_in_the_way_of_the_next(process, tmp_path) -> None:
    first = process()
    first.post({"model": "m", "score": 1})
    before = set(tmp_path.iterdir())
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    assert set(tmp_path.iterdir()) == before
    second = process()
    assert second.sum("model_predictions_total") == 0
    assert second.stop() == 0
