"""Every route and method: its status, its headers, and the one shape of all errors."""

import pytest

from exporter.config import ModelSettings, Settings
from tests.web.support import running

OURS = {
    "/": ("GET", "HEAD"),
    "/metrics": ("GET", "HEAD"),
    "/-/healthy": ("GET", "HEAD"),
    "/-/ready": ("GET", "HEAD"),
    "/-/reload": ("POST",),
    "/v1/events": ("POST",),
    "/v1/models": ("GET", "HEAD"),
    "/v1/models/team/fraud:2": ("DELETE", "GET", "HEAD"),
    "/v1/reference": ("DELETE", "GET", "HEAD", "PUT"),
    "/docs": ("GET", "HEAD"),
    "/openapi.json": ("GET", "HEAD"),
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
WRONG = [(path, one) for path, allowed in OURS.items() for one in METHODS if one not in allowed]


@pytest.mark.parametrize(("path", "method"), WRONG)
def test_another_method_is_405_and_names_those_there_are(served, path, method) -> None:
    answer = served.request(method, path)
    assert answer.status == 405
    assert tuple(answer.headers["allow"].split(", ")) == OURS[path]
    if method != "HEAD":
        assert answer.json() == {"error": f"Method Not Allowed: {method} {path}", "detail": []}


@pytest.mark.parametrize("path", [path for path, methods in OURS.items() if "HEAD" in methods])
def test_head_is_get_without_the_body(served, path) -> None:
    head, got = served.request("HEAD", path), served.get(path)
    assert (head.status, head.body) == (got.status, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/v1", "/v1/references", "/v1/models/nobody", "/v1/models/", "//metrics"]
    + [f"{path}/" for path in OURS if path not in ("/", "/v1/models/team/fraud:2")],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_path_is_404_and_never_a_redirect(served, path, method) -> None:
    if (path, method) in {("/v1/models/nobody", "POST"), ("/v1/models/", "POST")}:
        return
    answer = served.request(method, path)
    assert answer.status == 404
    assert set(answer.json()) == {"error", "detail"}


def test_health_is_told_as_prometheus_does(served) -> None:
    assert served.get("/-/healthy").body == b"modelmeter is healthy.\n"
    assert served.get("/-/ready").body == b"modelmeter is ready.\n"
    assert served.get("/-/ready").headers["content-type"].startswith("text/plain")


def test_a_model_is_shown_by_name_and_version_and_deleted(served) -> None:
    for version in ("1", "2"):
        event = {"model": "team/a:b", "version": version, "score": 0.9, "label": 1}
        assert served.post(event).status == 200
    shown = served.get("/v1/models/team/a:b").json()
    assert [one["version"] for one in shown["versions"]] == ["1", "2"]
    one = served.get("/v1/models/team/a:b?version=2").json()["versions"]
    assert [(view["version"], view["task"]) for view in one] == [("2", "binary")]
    assert one[0]["windows"]["5m"]["values"]["accuracy_ratio"] == 1
    listed = served.get("/v1/models").json()["models"]
    assert ("team/a:b", "1") in [(view["model"], view["version"]) for view in listed]

    assert served.get("/v1/models/team/a:b?version=3").status == 404
    assert served.request("DELETE", "/v1/models/team/a:b?version=3").status == 404
    gone = served.request("DELETE", "/v1/models/team/a:b?version=1")
    assert (gone.status, gone.json()) == (200, {"deleted": 1})
    assert served.value("model_predictions_total", model="team/a:b", version="1") is None
    assert served.value("model_predictions_total", model="team/a:b", version="2") == 1
    assert served.request("DELETE", "/v1/models/team/a:b").json() == {"deleted": 1}
    assert served.request("DELETE", "/v1/models/team/a:b").status == 404
    assert b"team/a:b" not in served.get("/metrics").body


def test_reload_without_a_file_is_fine(served) -> None:
    assert served.request("POST", "/-/reload").body == b"configuration reloaded.\n"


def test_while_it_stops_it_takes_no_more_events() -> None:
    with running() as client:
        client.service.stopping = True
        for answer in (client.post({"model": "m", "score": 1}), client.get("/-/ready")):
            assert answer.status == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json() == {"error": "modelmeter is stopping", "detail": []}
        assert client.get("/-/healthy").status == 200
        assert client.value("modelmeter_requests_rejected_total", code="503") == 2


def test_over_the_rate_is_429_with_the_time_to_wait() -> None:
    with running(Settings(max_events_per_second=10, models=(ModelSettings("m"),))) as client:
        first = client.post([{"score": 0.5}] * 50)
        again = client.post({"score": 0.5})
        assert (first.status, again.status) == (200, 429)
        assert 1 <= int(again.headers["retry-after"]) <= 5
        assert again.json()["error"] == "more events than max_events_per_second"
        assert client.value("model_predictions_total", model="m", version="none") == 50


def test_what_nobody_expected_is_500_in_the_same_shape(served, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(served.service.ledger, "_count", broken)
    monkeypatch.setattr(served.service, "reload", broken)
    for answer in (
        served.post({"model": "m", "score": 1}),
        served.post([{"model": "m", "score": 1}] * 5000),
        served.request("POST", "/-/reload"),
    ):
        assert answer.status == 500
        assert answer.json() == {"error": "internal error, see the log", "detail": []}
    monkeypatch.undo()
    assert served.post({"model": "after", "score": 1}).status == 200
