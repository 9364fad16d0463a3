"""Whatever names clients choose, what is exposed can be read again, and no label is long."""

import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from exporter.events import MAX_CLASS, MAX_FEATURE, MAX_MODEL, MAX_VERSION, OTHER_CLASS
from tests.programs import program
from tests.web.support import JSON, running, samples

NASTY = ['"', "\\", "\\n", "\n", "\r\n", "\r", "\u2028", "\x85", "\x00", "\x7f", '"} 1\nx{a="',
         "#", "\U0001f600", "\u202e", "e\u0301", " ", "{}", ",", "NaN", "a=b", "\ufeff", "%s",
         "\x1b[31m", "c" * MAX_CLASS, "\U0001f600" * MAX_CLASS]  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=MAX_CLASS),
)
LONGEST = {"model": MAX_MODEL, "version": MAX_VERSION, "feature": MAX_FEATURE}


@pytest.fixture(scope="module")
def served():
    with running() as client:
        yield client


def events_of(model, names):
    """Every name as a class, as a label, as a class of scores, as a feature and as its value."""
    for name in names:
        features = {name: 1, "value": name}
        yield {"model": model, "prediction": name, "label": name, "features": features}


def exposed(client):
    """All samples; both formats are read, and must agree on the names and labels."""
    plain = samples(client.get("/metrics").body.decode())
    text = client.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    again = {(s.name, frozenset(s.labels.items())) for f in openmetrics(text.body.decode())
             for s in f.samples}  # fmt: skip
    models = {key for key in plain if key[0].startswith("model_")}
    assert models == {key for key in again if key[0].startswith("model_")}
    return plain


def test_nasty_names_come_out_as_they_went_in(served):
    assert served.post(list(events_of("nasty", NASTY))).json()["accepted"] == len(NASTY)
    found = {}
    for name, labels in exposed(served):
        for label, value in labels:
            found.setdefault((name, label), set()).add(value)
    assert set(NASTY) <= found["model_predicted_class_total", "predicted"]
    assert set(NASTY) <= found["model_feature_values_total", "feature"]
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"], input=served.get("/metrics").body,
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@settings(max_examples=25)
@given(st.lists(NAMES, min_size=1, max_size=5), st.integers(0, 5))
def test_any_names_can_be_read_again(served, names, model):
    good = [name for name in names if name != OTHER_CLASS]
    answer = served.post(list(events_of(f"any-{model}", good)) or [{"model": "m", "score": 1}])
    assert answer.status in (200, 422), answer.body
    for _, labels in exposed(served):
        for label, value in labels:
            assert len(value) <= LONGEST.get(label, MAX_CLASS), (label, value)
    json.loads(served.get("/v1/models").body)


@pytest.mark.parametrize(
    "event",
    [
        {"model": "m" * (MAX_MODEL + 1), "score": 1},
        {"model": 'm"', "score": 1},
        {"model": "m\n", "score": 1},
        {"model": "m", "version": "v" * (MAX_VERSION + 1), "score": 1},
        {"model": "m", "version": "\\", "score": 1},
        {"model": "m", "prediction": "c" * (MAX_CLASS + 1)},
        {"model": "m", "score": 1, "features": {"f" * (MAX_FEATURE + 1): 1}},
    ],
)
def test_what_would_be_too_long_a_label_is_refused(served, event):
    assert served.post([event]).status == 422


def test_a_long_number_is_no_long_class(served):
    """An integer of 300 digits is a class of a few characters."""
    body = b'[{"model":"digits","prediction":"a"},{"model":"digits","prediction":%s}]'
    assert served.request("POST", "/v1/events", body % (b"7" * 300), JSON).status == 200
    classes = {
        dict(labels)["predicted"]
        for name, labels in served.metrics()
        if name == "model_predicted_class_total" and ("model", "digits") in labels
    }
    assert len(classes) == 2
    assert max(map(len, classes)) < 30
