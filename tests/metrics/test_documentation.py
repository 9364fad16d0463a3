"""Every registered family is documented as it is, and named as Prometheus wants it."""

import json
import re
from pathlib import Path

import pytest

from exporter.anomalies.minutes import Minute
from exporter.anomalies.series import LEARNING
from exporter.collectors.gpu import GpuCollector
from exporter.config import Limit, ModelSettings, Settings
from exporter.config.keys import DISTANCES
from exporter.config.settings import DriftSettings, ModelServerSettings
from exporter.gpu.device import Device, Sample
from exporter.gpu.gpus import Gpus
from exporter.gpu.nvml import Nvml
from exporter.ingest import decode
from exporter.ingest.columns import check
from exporter.ledger import Disk, checked
from exporter.reference.build import build
from exporter.registry import METRICS, TOTALS
from exporter.service import Clock, Service
from exporter.store.folder import Folder
from tests.resources.frozen import MACHINE, V2, process, write
from tests.resources.support import Watch, found_pid

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
ROWS = {
    cells[0].strip("`"): cells
    for line in PAGE.splitlines()
    if line.startswith("| `")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}
FAMILIES = METRICS | TOTALS


def kind(one):
    if one.name in METRICS:
        return "summary" if one.summary else "gauge"
    return "histogram" if one.edges else "counter"


@pytest.mark.parametrize("one", FAMILIES.values(), ids=lambda one: one.name)
def test_documented(one):
    _, documented, labels, meaning, *_ = ROWS[one.name]
    assert documented == kind(one)
    if documented != "histogram":
        assert tuple(re.findall(r"`(\w+)`", labels)) == one.labels
    assert meaning.endswith(".")


@pytest.mark.parametrize("one", FAMILIES.values(), ids=lambda one: one.name)
def test_named_as_prometheus_wants(one):
    assert re.fullmatch(r"model_[a-z0-9_]+", one.name)
    assert one.help.endswith(".")
    assert one.help[0].isupper()
    assert one.name.endswith("_total") == (kind(one) == "counter")
    assert ("seconds" in one.help) == ("_seconds" in one.name)
    assert not {"type", "job", "instance", "env", "le"} & set(one.labels)


@pytest.mark.parametrize("one", FAMILIES.values(), ids=lambda one: one.name)
def test_leaves_in_its_turn(one):
    """When there are too many series, families leave by group."""
    groups = {"counter": "total", "histogram": "histogram", "summary": "quantile"}
    if "confusion" in one.name:
        assert one.group == "confusion"
    elif kind(one) in groups:
        assert one.group == groups[kind(one)]
    if one.labels == ("class",) and one.name.startswith("model_class"):
        assert one.group == "class"


def test_edges_are_documented():
    for one in TOTALS.values():
        if one.edges and one.name != "model_prediction_score":
            numbers = [float(number) for number in ROWS[one.name][2].split()]
            assert tuple(numbers) == one.edges


def test_windows_of_n_labels_show_what_labels_tell():
    assert METRICS["model_accuracy_ratio"].on == "labels"
    assert METRICS["model_window_span_seconds"].on == "labels"
    assert METRICS["model_window_predictions"].on == "predictions"
    assert METRICS["model_latency_quantile_seconds"].on == "predictions"


def adopt(service, name, events):
    """Let a model have a reference made of events."""
    columns, _ = check(decode("application/json", json.dumps(events).encode()))
    settings = service.settings.for_model(name)
    reference, _ = build(columns, settings)
    service.monitor.models.find(name, "none", 1000.0).adopt(reference, 1000.0)


def sampled(folder):
    """The collector of a model server that shows all there is, in a container with limits."""
    proc = write(folder, MACHINE, V2, process(7))
    server = ModelServerSettings(pid=7)
    watch = Watch(server, proc=proc, root=str(folder), find=found_pid(7))
    watch.sample()
    watch.sample()
    return watch.collector


def read_gpus():
    """A GPU that shows all there is."""
    gpus = Gpus([Nvml()], Settings(), lambda: 1000.0, lambda: 1.79e9)
    sample = Sample(
        utilization_ratio=0.5,
        recorded=(0.5, 0.5),
        memory_used_bytes=1e9,
        memory_total_bytes=2e9,
        power_watts=100.0,
        power_limit_watts=300.0,
        temperature_celsius=50.0,
        energy_joules=1e6,
        process_memory_bytes=5e8,
        clock_hertz={"sm": 1e9},
        throttled={"sw_power_cap": 1.0},
        ecc_errors={"corrected": 0.0},
    )
    for sampler in gpus.samplers:
        sampler.absent = False
        sampler.board.expect(1, 1000.0)
        sampler.board.listen(0)
        sampler.board.take(0, [(Device("0", "GPU-a", "A"), sample)], 1000.0, 1.79e9)
    return gpus


def told(folder):
    """A service that was told of all that it can show, and keeps it in ``folder``."""
    limited = ModelSettings(name="binary", limits=(Limit("accuracy_ratio", "min", 0.5),))
    service = Service(
        Settings(models=(limited,), drift=DriftSettings(distances=DISTANCES)),
        Clock(lambda: 1000.0, lambda: 1.79e9),
        more_collectors=[sampled(folder / "machine"), GpuCollector(read_gpus(), lambda: 1000.0)],
        disk=Disk(Folder(folder / "state", sync=False)),
    )
    service.restore()
    common = {"latency_seconds": 0.1}
    outputs = {
        "binary": [({"score": 0.9}, 1), ({"score": 0.2}, 0)],
        "multiclass": [({"scores": {"a": 0.2, "b": 0.8}}, "b"), ({"scores": {"a": 1}}, "a")],
        "regression": [({"prediction": 1.5}, 2.5), ({"prediction": 3.5}, 1.0)],
    }
    events = [
        {
            "model": model,
            "id": number,
            **output,
            **common,
            "label": label,
            "features": {"a": number / 7, "b": "x"},
        }
        for model, pairs in outputs.items()
        for number, (output, label) in enumerate(pairs * 120)
    ]
    body = json.dumps(events).encode()
    for name in outputs:
        adopt(service, name, [event for event in events if event["model"] == name])
    sent = service.read("application/json", body, None, None)
    (outcome,) = service.ledger.events([sent], checked([sent]))
    assert not outcome.rejected
    service.monitor.tick(service.clock.monotonic())
    (model,) = service.monitor.models.versions("binary")
    model.anomalies.take(Minute(n, {"request_rate": 1.0}) for n in range(LEARNING + 1))
    return service


def test_everything_shown_is_documented_and_the_reverse(tmp_path):
    shown = {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in told(tmp_path).scraper.collect()
        if not family.name.startswith("process_")
    }
    assert shown == {name: cells[1] for name, cells in ROWS.items()}
