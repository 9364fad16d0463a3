"""The runbooks: one for each alert, complete, and about metrics that exist."""

import re

import pytest

from tests.deploy.support import ROOT, alert_rules, metric_names
from tests.deploy.test_alert_rules import KNOWN

RULES = alert_rules()
RUNBOOKS = "https://github.com/modelmeter/modelmeter/blob/main/"
QUERY = re.compile(r"```promql\n(.*?)```", re.DOTALL)
named = pytest.mark.parametrize(
    "rule", RULES, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}"
)


def text_of(rule) -> str:
    url = rule["annotations"]["runbook_url"]
    assert url == f"{RUNBOOKS}docs/runbooks/{rule['alert']}.md"
    return (ROOT / url.removeprefix(RUNBOOKS)).read_text(encoding="utf-8")


@named
def test_it_has_every_part(rule):
    text = text_of(rule)
    assert text.startswith(f"# {rule['alert']}\n")
    assert re.findall(r"^## (.+)$", text, re.M) == [
        "What it means",
        "Look at these first",
        "Likely causes",
        "What to do",
        "Silencing and tuning",
    ]
    assert rule["labels"]["severity"] in text.split("## What it means")[0]
    assert f"amtool silence add alertname={rule['alert']} " in text


@named
def test_it_has_three_things_to_look_at_and_they_exist(rule):
    queries = QUERY.findall(text_of(rule))
    assert len(queries) == 3
    for query in queries:
        assert metric_names(query) <= KNOWN


@named
def test_causes_of_a_model_are_told_by_data_model_and_environment(rule):
    if not rule["alert"].startswith("Modelmeter"):
        causes = text_of(rule).split("## Likely causes")[1].split("## What to do")[0]
        assert re.findall(r"^- \*\*(\w+)\*\*: ", causes, re.M) == ["Data", "Model", "Environment"]


def test_every_runbook_belongs_to_an_alert():
    pages = {page.stem for page in (ROOT / "docs/runbooks").glob("Model*.md")}
    assert pages == {rule["alert"] for rule in RULES}
    index = (ROOT / "docs/runbooks/README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\((Model\w+)\.md\)", index)) == pages


def test_links_between_pages_lead_somewhere():
    for page in [*(ROOT / "docs/runbooks").glob("*.md"), ROOT / "docs/alerts.md"]:
        for target in re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
