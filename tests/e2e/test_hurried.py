"""The copies that the incidents are tried with differ from what is shipped in durations only."""

import re

import pytest
import yaml

from tests.deploy.support import ROOT, RULE_FILES, load, ok
from tests.e2e import hurried

DURATION = re.compile(r"(?<![\w.])\d+(?:ms|[smhdw])\b")


@pytest.mark.parametrize(
    ("text", "faster"),
    [
        ("for: 5m", "for: 5000ms"),
        ("rate(x_total[1h] offset 1w)", "rate(x_total[60000ms] offset 10080000ms)"),
        ("model:x:rate5m > 0.5", "model:x:rate5m > 0.5"),
        ("vector(86400) # 15 minutes", "vector(86400) # 15 minutes"),
    ],
)
def test_a_duration_becomes_a_sixtieth(text, faster):
    assert hurried.hurried(text) == faster


def test_rules_differ_in_durations_only(tmp_path):
    hurried.rules(tmp_path / "rules")
    for shipped in RULE_FILES:
        copy = tmp_path / "rules" / shipped.name
        assert without(copy.read_text()) == without(shipped.read_text())
        ok("promtool", "check", "rules", copy)


@pytest.mark.parametrize("name", ["alertmanager", "alertmanager.example"])
def test_notifications_differ_in_durations_only(name):
    shipped = load(ROOT / f"alertmanager/{name}.yml")
    copy = hurried.notifications(shipped)
    assert without(yaml.safe_dump(copy)) == without(yaml.safe_dump(shipped))
    assert copy["route"]["group_interval"] == "5000ms"


def without(text: str) -> str:
    return DURATION.sub("TIME", text)
