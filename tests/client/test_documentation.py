"""Every example of ``docs/client.md`` and the README, run; every option and reason, told."""

import inspect
import re
from pathlib import Path

import pytest

from exporter import client as module
from exporter.client import Client
from tests.client.support import scripted
from tests.client.test_middleware import serving
from tests.web.conftest import served  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "client.md").read_text("utf-8")


def examples(text):
    return re.findall(r"```python\n(.*?)```", text, re.S)


def run(code, url):
    assert "http" in code
    found = {}
    exec(compile(code.replace("http://localhost:9920", url), "example", "exec"), found)
    return found


def with_(examples, what):
    (one,) = (code for code in examples if what in code)
    return one


@pytest.mark.parametrize("page", ["README.md", "docs/client.md"])
def test_the_first_example_logs_a_prediction_and_its_label(page, served):  # noqa: F811
    code = examples((ROOT / page).read_text("utf-8"))[0]
    name = page.replace("/", "-")
    with run(code.replace('"fraud"', f'"{name}"'), served.url)["client"] as client:
        assert client.flush()
        assert client.counts().accepted == 2
    assert served.value("model_labels_total", model=name, version="3") == 1


def test_the_example_with_fastapi():
    with scripted() as server:
        found = run(with_(examples(PAGE), "FastAPI()"), server.url)
        with found["client"] as client, serving(found["app"]) as asking:
            answer = asking.post({}, "/predict?amount=500")
            assert (answer.status, answer.body) == (200, b"0.5")
        assert client.counts().accepted == 1
    (event,) = server.events()
    assert event["latency_seconds"] > 0
    assert event["features"] == {"amount": 500.0}


def test_the_example_with_threads():
    with scripted() as server:
        found = run(with_(examples(PAGE), "with timed()"), server.url)
        with found["client"]:
            assert found["predict"](500.0) == 0.5
    assert [event["latency_seconds"] > 0 for event in server.events()] == [True]


def test_the_example_with_tls_is_one_that_can_be_made():
    code = with_(examples(PAGE), "ca_file")
    with run(code, "")["client"] as client:
        assert client.counts().logged == 0
    assert len(examples(PAGE)) == 4


def test_every_option_and_every_reason_is_told():
    options = set(inspect.signature(Client).parameters)
    table = PAGE.split("## Options")[1]
    told = {name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in row.split(", ")}
    assert {f"`{name}`" for name in options} <= told
    source = inspect.getsource(module)
    reasons = set(re.findall(r'dropped\["(\w+)"\]', PAGE))
    assert all(f'"{reason}"' in source for reason in reasons)
    assert len(reasons) == 7
