"""``/openapi.json``: valid, complete, and true of what is answered."""

import json

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from exporter.config import Settings, TokenSettings
from exporter.web.access import needed
from tests.web.support import running, until

ROUTES = {
    ("/metrics", "get"),
    ("/-/healthy", "get"),
    ("/-/ready", "get"),
    ("/-/reload", "post"),
    ("/v1/events", "post"),
    ("/v1/models", "get"),
    ("/v1/models/{model}", "get"),
    ("/v1/models/{model}", "delete"),
    ("/v1/reference", "get"),
    ("/v1/reference", "put"),
    ("/v1/reference", "delete"),
}


@pytest.fixture(scope="module")
def document(served) -> dict:
    served.get("/openapi.json")
    return served.get("/openapi.json").json()


def test_it_is_valid_and_complete(document) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)
    paths = document["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == ROUTES
    for methods in paths.values():
        for operation in methods.values():
            assert operation["summary"]
            assert all(answer["description"] for answer in operation["responses"].values())


def test_it_tells_who_may_do_what(document) -> None:
    schemes = document["components"]["securitySchemes"]
    assert {name: one["scheme"] for name, one in schemes.items()} == {
        "basic": "basic", "bearer": "bearer"
    }  # fmt: skip
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if path in ("/-/healthy", "/-/ready"):
                assert operation["security"] == []
                assert not {"401", "403"} & set(operation["responses"])
            else:
                scope = needed(method.upper(), path)
                assert operation["security"] == [{"basic": []}, {"bearer": [scope]}, {}]
                assert {"401", "403", "429"} <= set(operation["responses"])


def test_refusals_are_as_it_says(document, tmp_path) -> None:
    (tmp_path / "token").write_text("a-token")
    tokens = (TokenSettings(str(tmp_path / "token"), frozenset(("ingest",))),)
    with running(Settings(tokens=tokens)) as client:
        for headers, status in (({}, 401), ({"Authorization": "Bearer a-token"}, 403)):
            answer = client.request("GET", "/v1/models", None, headers)
            assert answer.status == status
            told = document["paths"]["/v1/models"]["get"]["responses"][str(status)]
            schema = told["content"]["application/json"]["schema"]
            Draft202012Validator(schema).validate(answer.json())


def test_the_page_that_shows_it_is_there(served) -> None:
    assert b"/openapi.json" in served.get("/docs").body


MODEL = "/v1/models/{model}"


def test_what_is_answered_is_what_it_says(served, document) -> None:
    events = [{"model": "told", "id": i, "score": i / 9, "label": i % 2} for i in range(9)]
    answers = [
        ("/v1/events", "post", served.post(events)),
        ("/v1/events", "post", served.post([*events, {"score": 7}])),
        ("/v1/events", "post", served.post({"model": "told"})),
        ("/v1/events", "post", served.post(b"[")),
        ("/v1/events", "post", served.post(b" " * (5 * 2**20))),
        ("/v1/events", "post", served.post({}, Content_Type="text/csv")),
        ("/v1/models", "get", served.get("/v1/models")),
        (MODEL, "get", served.get("/v1/models/told")),
        (MODEL, "get", served.get("/v1/models/nobody")),
        (MODEL, "delete", served.request("DELETE", "/v1/models/nobody")),
        (MODEL, "delete", served.request("DELETE", "/v1/models/told")),
    ]
    for path, method, answer in answers:
        told = document["paths"][path][method]["responses"][str(answer.status)]
        schema = told["content"]["application/json"]["schema"]
        Draft202012Validator(schema).validate(answer.json())
    assert {str(answer.status) for _, _, answer in answers} == {
        "200", "400", "404", "413", "415", "422"
    }  # fmt: skip


@pytest.fixture(scope="module")
def often():
    """A server that decides every tick."""
    with running(Settings(decision_interval=0.1)) as client:
        yield client


def decided(answer):
    """The answer, once there are decisions of drift in it."""
    return answer if answer.json()["versions"][0]["windows"]["1h"]["drift"] else None


def test_what_is_answered_about_references_is_what_it_says(often, document) -> None:
    served = often

    def events(count):
        for i in range(count):
            known = {"number": i % 50, "name": "ab"[i % 2], "new": None}
            yield {"model": "compared", "score": i % 9 / 9, "label": i % 2, "features": known}

    path = "/v1/reference"
    about = f"{path}?model=compared"
    timed = [{**one, "ts": 1.7e9 + i} for i, one in enumerate(events(2000))]
    recorded = json.dumps(timed).encode()
    answers = [
        (path, "put", served.request("PUT", about, recorded, {"content-type": "application/json"})),
        (path, "put", served.request("PUT", about, b"[", {"content-type": "application/json"})),
        (path, "put", served.request("PUT", about, b"[]", {"content-type": "application/json"})),
        (path, "put", served.request("PUT", about, b"", {"content-type": "text/plain"})),
        (path, "get", served.get(about)),
        (path, "get", served.get(f"{path}?model=nobody")),
    ]
    assert served.post(list(events(500))).status == 200
    shown = until(lambda: decided(served.get("/v1/models/compared")), "decisions")
    answers += [
        (MODEL, "get", shown),
        (path, "delete", served.request("DELETE", about)),
        (path, "delete", served.request("DELETE", about)),
    ]
    for where, method, answer in answers:
        told = document["paths"][where][method]["responses"][str(answer.status)]
        schema = told["content"]["application/json"]["schema"]
        Draft202012Validator(schema).validate(answer.json())
    assert [answer.status for _, _, answer in answers] == [
        200, 400, 422, 415, 200, 404, 200, 200, 404
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "valid"),
    [
        ({"model": "m", "score": 0.5}, True),
        ([{"model": "m", "prediction": True, "id": 7, "features": {"a": None}}], True),
        ({"model": "m", "columns": {"score": [0.5, None], "features": {"a": [1, "x"]}}}, True),
        ([{"model": "-m", "score": 0.5}], False),
        ([{"model": "m", "score": 1.5}], False),
        ([{"model": "m", "prediction": []}], False),
        ("text", False),
    ],
)
def test_the_schema_of_events_takes_what_the_service_takes(served, document, body, valid) -> None:
    operation = document["paths"]["/v1/events"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert Draft202012Validator(schema).is_valid(body) == valid
    assert (served.post(json.dumps(body).encode()).status == 200) == valid
