"""Who may do what: users, tokens with scopes, and nobody; each against each route."""

import base64
import itertools
from pathlib import Path

import bcrypt
import pytest
import yaml

from exporter.config import Settings, TokenSettings
from exporter.web.access import needed
from exporter.web.live import WebConfig
from tests.web.support import JSON, Running, Time, running

PASSWORDS = {"alice": "correct horse", "böb": "päss:wörd"}
HASHES = {
    name: bcrypt.hashpw(p.encode(), bcrypt.gensalt(4)).decode() for name, p in PASSWORDS.items()
}
TOKENS = {scope: f"{scope}-0123456789abcdef" for scope in ("ingest", "read", "admin", "both")}
SCOPES = {"ingest": {"ingest"}, "read": {"read"}, "admin": {"admin"}, "both": {"ingest", "read"}}


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def bearer(token: str) -> str:
    return f"Bearer {token}"


def web_config(folder: Path, **content) -> WebConfig:
    file = folder / "web.yml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    return WebConfig(str(file))


def with_tokens(folder: Path) -> Settings:
    for name, token in TOKENS.items():
        (folder / name).write_text(f"# for tests\n\n{token}\n")
    files = [TokenSettings(str(folder / name), frozenset(scope)) for name, scope in SCOPES.items()]
    return Settings(tokens=tuple(files))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("access")


@pytest.fixture(scope="module")
def tokens(folder):
    with running(with_tokens(folder)) as client:
        yield client


@pytest.fixture(scope="module")
def both(folder):
    with running(with_tokens(folder), web=web_config(folder, basic_auth_users=HASHES)) as client:
        yield client


@pytest.fixture(scope="module")
def users(tmp_path_factory):
    web = web_config(tmp_path_factory.mktemp("users"), basic_auth_users=HASHES)
    with running(web=web) as client:
        yield client


EVENT = b'{"model": "m", "score": 0.5, "label": 1}'
REQUESTS = [
    ("POST", "/v1/events", "ingest", 200),
    ("GET", "/v1/events", "ingest", 405),
    ("GET", "/metrics", "read", 200),
    ("HEAD", "/metrics", "read", 200),
    ("GET", "/v1/models", "read", 200),
    ("GET", "/v1/models/nobody", "read", 404),
    ("GET", "/v1/models/a/b", "read", 404),
    ("GET", "/v1/reference?model=m", "read", 404),
    ("GET", "/", "read", 200),
    ("GET", "/docs", "read", 200),
    ("GET", "/openapi.json", "read", 200),
    ("DELETE", "/v1/models/nobody", "admin", 404),
    ("PUT", "/v1/reference?model=m", "admin", 415),
    ("DELETE", "/v1/reference?model=m", "admin", 404),
    ("POST", "/-/reload", "admin", 200),
    ("POST", "/metrics", "admin", 405),
    ("GET", "/nowhere", "admin", 404),
    ("GET", "/-/reload", "admin", 405),
    ("OPTIONS", "/v1/events", "ingest", 405),
    ("GET", "//v1/models", "admin", 404),
    ("POST", "/-/healthy", "admin", 405),
]


def ask(client: Running, method: str, path: str, *authorization: str):
    headers = dict(JSON) if path == "/v1/events" else {}
    if authorization:
        headers["Authorization"] = authorization[0]
    return client.request(method, path, EVENT if method == "POST" else None, headers)


@pytest.mark.parametrize(("method", "path", "need", "status"), REQUESTS)
def test_each_scope_against_each_route(tokens, method, path, need, status) -> None:
    for name, token in TOKENS.items():
        may = need in SCOPES[name] or name == "admin"
        answer = ask(tokens, method, path, bearer(token))
        assert answer.status == (status if may else 403), name
        if not may and method != "HEAD":
            assert answer.json() == {
                "error": f"this needs the scope {need}",
                "detail": [{"scope": need}],
            }
            assert (
                f'error="insufficient_scope", scope="{need}"' in answer.headers["www-authenticate"]
            )


@pytest.mark.parametrize(("method", "path", "need", "status"), REQUESTS)
def test_nobody_and_strangers_against_each_route(both, tokens, method, path, need, status) -> None:
    for authorization in ((), (bearer("nobody's"),), (bearer(""),), (basic("alice", "wrong"),)):
        answer = ask(both, method, path, *authorization)
        assert answer.status == 401
        if method != "HEAD":
            assert set(answer.json()) == {"error", "detail"}
    assert ask(tokens, method, path, basic("alice", PASSWORDS["alice"])).status == 401
    for name, password in PASSWORDS.items():
        assert ask(both, method, path, basic(name, password)).status == status
    assert ask(both, method, path, bearer(TOKENS["admin"])).status == status


@pytest.mark.parametrize(("method", "path", "need", "status"), REQUESTS)
def test_nothing_is_asked_for_without_users_and_tokens(served, method, path, need, status) -> None:
    assert ask(served, method, path).status == status
    assert ask(served, method, path, bearer("anything")).status == status


def test_health_is_open_always(both) -> None:
    for path in ("/-/healthy", "/-/ready"):
        for method in ("GET", "HEAD"):
            assert ask(both, method, path).status == 200
            assert ask(both, method, path, basic("alice", "wrong")).status == 200


def test_every_route_has_its_scope(both) -> None:
    """A new route is admin's until somebody says otherwise; this says what the routes are."""
    document = both.request("GET", "/openapi.json", None, {"Authorization": bearer(TOKENS["read"])})
    found = {
        (method.upper(), path): needed(method.upper(), path)
        for path, methods in document.json()["paths"].items()
        for method in methods
        if not path.startswith("/-/")
    }
    assert found == {
        ("POST", "/v1/events"): "ingest",
        ("GET", "/metrics"): "read",
        ("GET", "/v1/models"): "read",
        ("GET", "/v1/models/{model}"): "read",
        ("DELETE", "/v1/models/{model}"): "admin",
        ("GET", "/v1/reference"): "read",
        ("PUT", "/v1/reference"): "admin",
        ("DELETE", "/v1/reference"): "admin",
    }


def test_how_to_come_in_is_told(users, tokens, both) -> None:
    def ways(client) -> list[str]:
        connection = client.connection()
        connection.request("GET", "/metrics")
        found = connection.getresponse().headers.get_all("www-authenticate")
        connection.close()
        return found

    assert ways(users) == ['Basic realm="modelmeter", charset="UTF-8"']
    assert ways(tokens) == ['Bearer realm="modelmeter"']
    assert ways(both) == [*ways(users), *ways(tokens)]


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic", "Basic ", "Basic !!!", "Basic YWxpY2U", "Basic YWxpY2U=", "Basic //8=",
        basic("", ""), basic("alice", ""), basic("alice", "correct horse "),
        basic("Alice", "correct horse"), basic("alice", "x" * 5000), basic("alice", "nul\0"),
        "Digest username=alice", "correct horse", bearer(TOKENS["admin"][:-1]),
        bearer(TOKENS["admin"].upper()), bearer("# for tests"), "Bearer",
        f"Basic {TOKENS['admin']}", HASHES["alice"], basic("alice", HASHES["alice"]),
    ],
    ids=itertools.count(),  # hashes are others every time
)  # fmt: skip
def test_credentials_that_are_none(both, authorization) -> None:
    assert ask(both, "GET", "/metrics", authorization).status == 401


@pytest.mark.parametrize("form", ["basic {}", "BASIC {}", "Basic   {}"])
def test_schemes_have_no_case(both, form) -> None:
    credential = basic("alice", PASSWORDS["alice"]).split()[1]
    assert ask(both, "GET", "/metrics", form.format(credential)).status == 200
    assert ask(both, "GET", "/metrics", f"bearer {TOKENS['read']}").status == 200


def test_two_credentials_are_none(both) -> None:
    line = f"Authorization: {bearer(TOKENS['admin'])}\r\n".encode()
    request = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    assert both.raw(request + line + b"\r\n").startswith(b"HTTP/1.1 200")
    assert both.raw(request + line + line + b"\r\n").startswith(b"HTTP/1.1 401")


def test_a_password_longer_than_bcrypt_reads_is_cut_as_everywhere(tmp_path) -> None:
    long = "p" * 80
    web = web_config(
        tmp_path,
        basic_auth_users={"a": bcrypt.hashpw(long[:72].encode(), bcrypt.gensalt(4)).decode()},
    )
    with running(web=web) as client:
        assert ask(client, "GET", "/metrics", basic("a", long)).status == 200
        assert ask(client, "GET", "/metrics", basic("a", long[:71])).status == 401


def test_the_answer_comes_before_the_body(both) -> None:
    head = b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    announced = b"Content-Length: 3000000\r\nConnection: close\r\n\r\n"
    assert both.raw(head + announced + b"[").startswith(b"HTTP/1.1 401")
    waiting = b"Expect: 100-continue\r\n" + announced
    assert both.raw(head + waiting).startswith(b"HTTP/1.1 401")


def test_refusals_are_counted(both) -> None:
    def counted(code: str) -> float:
        text = both.request("GET", "/metrics", None, {"Authorization": bearer(TOKENS["read"])}).body
        line = f'modelmeter_requests_rejected_total{{code="{code}"}} '
        return float(text.decode().partition(line)[2].split("\n")[0])

    before = counted("401"), counted("403")
    for _ in range(3):
        assert ask(both, "POST", "/v1/events").status == 401
    assert ask(both, "GET", "/metrics", bearer(TOKENS["ingest"])).status == 403
    assert (counted("401"), counted("403")) == (before[0] + 3, before[1] + 1)


def test_users_change_while_it_runs(tmp_path) -> None:
    web = web_config(tmp_path, basic_auth_users={"alice": HASHES["alice"]})
    alice, bob = (basic(name, password) for name, password in PASSWORDS.items())
    with running(web=web) as client:

        def statuses() -> tuple[int, int]:
            return ask(client, "GET", "/metrics", alice).status, ask(client, "GET", "/", bob).status

        assert statuses() == (200, 401)
        web_config(tmp_path, basic_auth_users=HASHES)
        assert statuses() == (200, 200)
        web_config(tmp_path, basic_auth_users={"böb": HASHES["böb"]})
        assert statuses() == (401, 200)
        web_config(tmp_path, basic_auth_users={"alice": HASHES["böb"], "böb": HASHES["alice"]})
        assert statuses() == (401, 401)
        web_config(tmp_path, basic_auth_users=HASHES)
        assert statuses() == (200, 200)
        for half in ("", "basic_auth_users:", "basic_auth_users: {alice: $2y$10$abc}", "a: ["):
            (tmp_path / "web.yml").write_text(half)
            assert statuses() == (200, 200)
            assert ask(client, "GET", "/metrics").status == 401
        (tmp_path / "web.yml").unlink()
        assert statuses() == (200, 200)
        web_config(tmp_path, basic_auth_users={"alice": HASHES["alice"]})
        assert statuses() == (200, 401)


def test_tokens_change_while_it_runs(tmp_path) -> None:
    settings = with_tokens(tmp_path)
    file = tmp_path / "read"
    with running(settings) as client:

        def status(token: str) -> int:
            return ask(client, "GET", "/metrics", bearer(token)).status

        assert (status(TOKENS["read"]), status("new-one")) == (200, 401)
        file.write_text(f"{TOKENS['read']}\nnew-one\n")
        assert (status(TOKENS["read"]), status("new-one")) == (200, 200)
        file.write_text("new-one")
        assert (status(TOKENS["read"]), status("new-one")) == (401, 200)
        for broken in ("", "two words\n", "# nothing\n"):
            file.write_text(broken)
            assert status("new-one") == 200
        file.unlink()
        assert status("new-one") == 200
        file.write_text("newer")
        assert (status("newer"), status("new-one")) == (200, 401)


def test_tokens_of_a_reload(tmp_path) -> None:
    settings = [with_tokens(tmp_path)]
    with running(settings[0], read_settings=lambda: settings[0]) as client:
        admin = bearer(TOKENS["admin"])
        assert ask(client, "GET", "/metrics", bearer(TOKENS["read"])).status == 200
        settings[0] = Settings(tokens=tuple(t for t in settings[0].tokens if t.scope != {"read"}))
        assert ask(client, "POST", "/-/reload", admin).status == 200
        assert ask(client, "GET", "/metrics", bearer(TOKENS["read"])).status == 401
        assert ask(client, "GET", "/metrics", admin).status == 200


def test_headers_that_are_configured(tmp_path) -> None:
    headers = {"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=1"}
    http = {"headers": headers}
    web = web_config(tmp_path, http_server_config=http, basic_auth_users=HASHES)
    alice = basic("alice", PASSWORDS["alice"])
    with running(web=web) as client:
        answers = [
            ask(client, "GET", "/metrics"),
            ask(client, "GET", "/-/healthy"),
            ask(client, "GET", "/nowhere", alice),
            ask(client, "POST", "/v1/events", alice),
        ]
        assert [answer.status for answer in answers] == [401, 200, 404, 200]
        for answer in answers:
            assert {name: answer.headers.get(name.lower()) for name in headers} == headers
        web_config(tmp_path, basic_auth_users=HASHES)
        assert "x-frame-options" not in ask(client, "GET", "/-/healthy").headers


def test_no_other_site_may_ask(served, both) -> None:
    for client in (served, both):
        for method in ("GET", "OPTIONS"):
            asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
            answer = client.request(method, "/v1/models", None, asked)
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_rate_of_requests(tmp_path) -> None:
    web = web_config(tmp_path, rate_limit={"interval": "2s", "burst": 3})
    at = Time()
    with running(web=web, clock=at.clock) as client:
        assert [client.get("/metrics").status for _ in range(5)] == [200, 200, 200, 429, 429]
        assert client.get("/-/healthy").status == 200
        refused = client.get("/metrics")
        assert (refused.status, refused.headers["retry-after"]) == (429, "2")
        at.now += 2
        assert [client.get("/metrics").status for _ in range(2)] == [200, 429]
        web_config(tmp_path, rate_limit={"interval": "0"})
        assert [client.get("/metrics").status for _ in range(9)] == [200] * 9
