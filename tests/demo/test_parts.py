"""The small parts: arguments, ports, tools, the reading of /metrics."""

import argparse
import os
import socket

import pytest

from exporter.demo import add_arguments, ports, stack, status, tools


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


def test_without_arguments_the_demo_runs_on_free_ports_without_end():
    assert vars(parsed()) == {
        "duration": None,
        "change_after": None,
        "port": None,
        "model_port": None,
        "prometheus_port": None,
        "alertmanager_port": None,
    }


@pytest.mark.parametrize(("text", "seconds"), [("120", 120.0), ("2m", 120.0), ("1.5", 1.5)])
def test_durations_are_seconds_or_prometheus_durations(text, seconds):
    assert parsed("--duration", text).duration == seconds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--duration", "soon"], "'soon' is not a time such as 120 or 2m"),
        (["--duration", "-3"], "'-3' is not a time"),
        (["--duration", "0"], "must be longer than 0"),
        (["--port", "70000"], "'70000' is not a port from 1 to 65535"),
    ],
)
def test_wrong_arguments_are_explained(arguments, message, capsys):
    with pytest.raises(SystemExit):
        parsed(*arguments)
    assert message in capsys.readouterr().err


def test_ports_are_free_and_different():
    names = [str(number) for number in range(50)]
    picked = ports.pick(dict.fromkeys(names))
    assert len(set(picked.values())) == 50
    with socket.socket() as server:
        server.bind(("127.0.0.1", picked["7"]))


def test_a_wanted_port_is_given_unless_it_is_taken():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        taken = server.getsockname()[1]
        with pytest.raises(ports.PortTaken, match=f"port {taken} for modelmeter cannot be used"):
            ports.pick({"modelmeter": taken, "other": None})
    assert ports.pick({"modelmeter": taken}) == {"modelmeter": taken}


def program(folder, name):
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return str(file)


def test_programs_are_found_on_path_under_either_name(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools.find() == tools.Tools(None, None)
    upstream = program(tmp_path, "alertmanager")
    assert tools.find() == tools.Tools(None, None)
    prometheus = program(tmp_path, "prometheus")
    assert tools.find() == tools.Tools(prometheus, upstream)
    debian = program(tmp_path, "prometheus-alertmanager")
    assert tools.find() == tools.Tools(prometheus, debian)


def test_what_is_missing_is_named_with_the_way_to_get_it():
    assert tools.missing(tools.Tools("p", "a")) == []
    alone = "\n".join(tools.missing(tools.Tools(None, None)))
    assert "Prometheus is not installed" in alone
    assert "apt-get install --no-install-recommends prometheus prometheus-alertmanager" in alone
    mute = "\n".join(tools.missing(tools.Tools("p", None)))
    assert "Alertmanager is not installed" in mute


def test_the_programs_do_not_see_settings_meant_for_another_modelmeter(monkeypatch):
    monkeypatch.setenv("MODELMETER_WINDOWS", "1h")
    monkeypatch.setenv("WEB_CONCURRENCY", "4")
    seen = stack.environment()
    assert "MODELMETER_WINDOWS" not in seen
    assert "WEB_CONCURRENCY" not in seen
    assert seen["PATH"] == os.environ["PATH"]


EXPOSITION = """\
# TYPE model_predictions_total counter
model_predictions_total{model="bike-demand",version="1"} 310.0
model_predictions_total{model="another",version="1"} 5.0
# TYPE model_labels_total counter
model_labels_total{model="bike-demand",version="1"} 290.0
# TYPE model_accuracy_ratio gauge
model_accuracy_ratio{model="bike-demand",version="1",window="15s"} 0.7
model_accuracy_ratio{model="bike-demand",version="1",window="1m"} 0.9
# TYPE model_metric_limit_breached gauge
"""
BREACHED = (
    'model_metric_limit_breached{{model="bike-demand",version="1",window="{}",'
    'metric="accuracy_ratio",bound="min",level="{}"}} {}\n'
)


def test_the_status_is_read_from_the_exposition():
    lines = [BREACHED.format("15s", "critical", 1), BREACHED.format("1m", "critical", 0)]
    lines.append(BREACHED.format("5m", "warning", 1))
    read = status.parse(EXPOSITION + "".join(lines))
    assert read == status.Status(310, 290, {"15s": 0.7, "1m": 0.9}, {"15s"})


def test_before_the_first_event_there_is_no_status_yet():
    assert status.parse("") == status.Status()
