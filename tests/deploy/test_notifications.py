"""What notifications say: the templates, rendered by amtool, as golden files.

`UPDATE_GOLDEN=1` writes them anew; look at the difference before it is committed.
"""

import os
import re
from pathlib import Path

import pytest

from tests.deploy.support import ROOT, load, ok

FOLDER = Path(__file__).parent / "notifications"
CASES = sorted(FOLDER.glob("*.json"))
SHOWN = {
    "title": "text",
    "text": "text",
    "slack.color": "text",
    "slack.text": "text",
    "pagerduty.severity": "text",
    "runbook_url": "text",
    "dashboard_url": "text",
    "alerts_url": "text",
    "silence_url": "text",
    "email.html": "html",
}


def rendered(template: str, kind: str, data: Path) -> str:
    return ok(
        "amtool",
        "template",
        "render",
        f"--template.type={kind}",
        "--template.glob=alertmanager/templates/*.tmpl",
        f'--template.text={{{{ template "modelmeter.{template}" . }}}}',
        f"--template.data={data}",
    )


@pytest.mark.parametrize("data", CASES, ids=lambda file: file.stem)
def test_rendered_templates_are_the_golden_ones(data):
    parts = [f"== {name}\n{rendered(name, kind, data).strip()}\n" for name, kind in SHOWN.items()]
    golden = data.with_suffix(".golden.txt")
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text("\n".join(parts), encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == "\n".join(parts)


def test_names_that_clients_send_call_nobody_and_are_no_markup():
    data = FOLDER / "unsafe.json"
    slack = rendered("slack.text", "text", data)
    assert "&lt;!channel&gt; &amp; &lt;b&gt;" in slack
    assert "<" not in slack
    html = rendered("email.html", "html", data)
    assert "<b>" not in html
    assert "&lt;!channel&gt;" in html


def test_of_many_alerts_ten_are_told_and_the_rest_is_counted():
    for template, kind in (("text", "text"), ("slack.text", "text"), ("email.html", "html")):
        told = rendered(template, kind, FOLDER / "many.json")
        assert told.count("of feature f") == 10
        assert "and more, 12 in all" in told


def test_every_template_that_is_used_is_there_and_every_one_there_is_used():
    files = (ROOT / "alertmanager/templates").glob("*.tmpl")
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    defined = set(re.findall(r'define "modelmeter\.([\w.]+)"', text))
    example = str(load("alertmanager/alertmanager.example.yml"))
    used = set(re.findall(r'template "modelmeter\.([\w.]+)"', text + example))
    assert defined == used
    assert set(SHOWN) <= defined
