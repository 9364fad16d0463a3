"""The settings files of the demo's programs: what is shipped, with less patience."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from exporter.demo.connection import HOST
from exporter.demo.dataset import BUSY, CLASSES
from exporter.demo.model import MODEL, THRESHOLD

ACCURACY_LIMIT = 0.85
WINDOWS = ("15s", "1m", "5m")
KEEP_FIRING_FOR = "2s"

Settings = dict[str, Any]


def modelmeter(model_server_port: int) -> Settings:
    """Return modelmeter's settings: short windows, and a decision every second."""
    categorical = {"kind": "categorical"}
    return {
        "windows": list(WINDOWS),
        "decision_interval": "1s",
        "model_server": {"port": model_server_port},
        "models": [
            {
                "name": MODEL,
                "team": "city-bikes",
                "task": "binary",
                "classes": list(CLASSES),
                "positive_class": BUSY,
                "threshold": THRESHOLD,
                "features": {name: dict(categorical) for name in ("month", "hour", "weather")},
                "limits": {"accuracy_ratio": {"min": ACCURACY_LIMIT}},
            }
        ],
    }


def prometheus(
    modelmeter_port: int, alertmanager_port: int | None, rules: Sequence[Path]
) -> Settings:
    """Return Prometheus's settings: the rules as they are, scraped and evaluated every second."""
    settings: Settings = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(file) for file in rules],
        "scrape_configs": [{"job_name": "modelmeter", "static_configs": _targets(modelmeter_port)}],
    }
    if alertmanager_port is not None:
        managers = [{"static_configs": _targets(alertmanager_port)}]
        settings["alerting"] = {"alertmanagers": managers}
    return settings


def _targets(port: int) -> list[Settings]:
    return [{"targets": [f"{HOST}:{port}"]}]


def alertmanager(webhook_port: int) -> Settings:
    """Return Alertmanager's settings: everything to the demo's webhook, within a second."""
    return {
        "route": {
            "receiver": "demo",
            "group_by": ["alertname", "model", "version", "window"],
            "group_wait": "1s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "inhibit_rules": [
            {
                "source_matchers": ["severity = critical"],
                "target_matchers": ["severity = warning"],
                "equal": ["alertname", "instance", "model", "version", "window"],
            }
        ],
        "receivers": [
            {
                "name": "demo",
                "webhook_configs": [
                    {"url": f"http://{HOST}:{webhook_port}/", "send_resolved": True}
                ],
            }
        ],
    }


def impatient(rules: Path) -> Settings:
    """Return a file of rules as it is shipped, but for how long alerts outlast their cause."""
    settings: Settings = yaml.safe_load(rules.read_text(encoding="utf-8"))
    for group in settings["groups"]:
        for rule in group["rules"]:
            if "keep_firing_for" in rule:
                rule["keep_firing_for"] = KEEP_FIRING_FOR
    return settings


def shipped_rules() -> list[Path]:
    """Return the alerting rules that come with modelmeter, empty where they were not installed.

    An installed package carries them inside; a checkout has them beside the package.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "rules", package.parents[1] / "prometheus" / "rules"):
        if files := sorted(folder.glob("*.yml")):
            return files
    return []
