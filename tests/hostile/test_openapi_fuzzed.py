"""Requests made from ``/openapi.json``, right ones and wrong ones: answered as it says."""

import gzip

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tests.reference.events import binary, ndjson
from tests.web.support import running
from tests.web.test_openapi import ROUTES

EXAMPLES = 40
FEW = 5
"""Where each request that is right starts a process."""
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
BINARY = ("application/x-ndjson", "application/ndjson", "application/jsonl", "text/csv",
          "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file",
          "application/vnd.apache.parquet", "application/vnd.modelmeter.reference")  # fmt: skip
KNOWN = "known/model"
RECORDED = ndjson(binary(60))
BODIES = {
    "POST /v1/events": [RECORDED, b"{}\n", b"", b"\x00"],
    "PUT /v1/reference": [RECORDED, RECORDED[:200], b"", b"\x00"],
}
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
LABELS = sorted(f"{method.upper()} {path}" for path, method in ROUTES)
TAKE_NOTHING = {
    "GET /metrics",
    "GET /v1/models",
    "GET /-/healthy",
    "GET /-/ready",
    "POST /-/reload",
}
ASKED = [(label, POSITIVE) for label in LABELS]
ASKED += [(label, NEGATIVE) for label in LABELS if label not in TAKE_NOTHING]


@schemathesis.serializer(*BINARY)
def as_it_is(ctx, value):
    """Bytes as they are; anything else, where a wrong body is wanted, as text."""
    plain = getattr(value, "data", value)
    return plain if isinstance(plain, bytes) else str(plain).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def served():
    with running() as client:
        events = [{**event, "model": KNOWN, "version": "1"} for event in binary(60)]
        assert client.post(events).status == 200
        yield client


@pytest.fixture(scope="module")
def operations(served):
    schema = openapi.from_url(f"{served.url}/openapi.json")
    return {one.ok().label: one.ok() for one in schema.get_all_operations()}


def test_every_route_is_there(operations):
    assert sorted(operations) == LABELS


@pytest.mark.parametrize(("label", "mode"), ASKED)
def test_it_answers_as_it_says(served, operations, label, mode):
    """Half of the requests are about a model that is there, and half of the bodies are events."""
    operation = operations[label]
    answered = set()

    @settings(
        max_examples=FEW if label == "PUT /v1/reference" else EXAMPLES,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.data())
    def ask(case, data):
        if data.draw(st.booleans()):
            for given_ in (case.path_parameters, case.query):
                if given_ and "model" in given_:
                    given_["model"] = KNOWN
        if label in BODIES and data.draw(st.booleans()):
            body = data.draw(st.sampled_from(BODIES[label]))
            case.headers["Content-Type"] = case.media_type = "application/x-ndjson"
            if data.draw(st.booleans()):
                case.headers["Content-Encoding"] = "gzip"
                body = gzip.compress(body)
            case.body = body
        answer = case.call()
        case.validate_response(answer, checks=CHECKS)
        answered.add(answer.status_code)

    ask()
    assert answered
    assert served.get("/-/healthy").status == 200
    assert served.sum("modelmeter_scrape_collector_success") > 0
