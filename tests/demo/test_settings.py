"""The generated settings, read by the programs they are for."""

from pathlib import Path

import yaml

from exporter import config
from exporter.demo import settings
from exporter.demo.dataset import BUSY, CLASSES
from exporter.demo.model import MODEL
from tests.deploy.support import ok

RULES = Path(__file__).resolve().parents[2] / "prometheus" / "rules"


def written(folder: Path, content: settings.Settings) -> Path:
    file = folder / "settings.yml"
    file.write_text(yaml.safe_dump(content))
    return file


def test_modelmeter_takes_its_own(tmp_path):
    file = written(tmp_path, settings.modelmeter(8080))
    read = config.load({"--config": str(file)}, limit_metrics={"accuracy_ratio"})
    (bikes,) = read.models
    assert (bikes.name, bikes.positive_class, bikes.classes) == (MODEL, BUSY, CLASSES)
    assert [window.name for window in read.windows] == list(settings.WINDOWS)
    assert read.decision_interval == 1.0


def test_promtool_takes_prometheus_settings_with_the_shipped_rules(tmp_path):
    shipped = settings.shipped_rules()
    assert shipped == sorted(RULES.glob("*.yml"))
    for file in shipped:
        (tmp_path / file.name).write_text(yaml.safe_dump(settings.impatient(file)))
    rules = [tmp_path / file.name for file in shipped]
    output = ok("promtool", "check", "config", written(tmp_path, settings.prometheus(1, 2, rules)))
    assert f"{len(shipped)} rule files found" in output
    assert "rules found" in output


def test_rules_differ_from_what_is_shipped_by_patience_alone():
    differ = set()
    for file in settings.shipped_rules():
        shipped = yaml.safe_load(file.read_text())["groups"]
        for before, after in zip(shipped, settings.impatient(file)["groups"], strict=True):
            for one, other in zip(before["rules"], after["rules"], strict=True):
                assert one.keys() == other.keys()
                differ |= {key for key in one if one[key] != other[key]}
    assert differ == {"keep_firing_for"}


def test_amtool_takes_alertmanagers(tmp_path):
    ok("amtool", "check-config", written(tmp_path, settings.alertmanager(1)))


def test_only_speed_differs_from_what_is_shipped():
    prometheus = settings.prometheus(9920, None, [])
    assert prometheus["scrape_configs"][0]["job_name"] == "modelmeter"
    assert "alerting" not in prometheus
