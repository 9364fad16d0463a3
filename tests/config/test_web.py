"""The web configuration: what is read of it, and what is said of what is wrong."""

import pytest

from exporter.config import ConfigError, web

HASH = "$2y$10$mDwo.lAisC94iLAyP81MCesa29IzH37oigHC/42V2pdJlUprsJPze"
TLS = "tls_server_config:\n  cert_file: a.crt\n  key_file: /keys/a.key\n"


def load(folder, text: str):
    file = folder / "web.yml"
    file.write_text(text)
    return web.load(str(file))


def said(folder, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_a_whole_one(tmp_path) -> None:
    settings = load(
        tmp_path,
        f"""\
tls_server_config:
  cert_file: a.crt
  key_file: /keys/a.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [prometheus.example, 10.0.0.7]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519]
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    Content-Security-Policy: ""
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  alice: {HASH}
  42: {HASH}
rate_limit:
  interval: 1m30s
  burst: 20
""",
    )
    tls = settings.tls
    assert tls is not None
    assert tls.files == (f"{tmp_path}/a.crt", "/keys/a.key", f"{tmp_path}/ca.crt")
    assert tls.client_allowed_sans == ("prometheus.example", "10.0.0.7")
    assert tls.prefer_server_cipher_suites is False
    assert settings.http.headers == {
        "X-Frame-Options": "deny",
        "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000",
    }
    assert settings.users == {"alice": HASH, "42": HASH}
    assert (settings.rate_limit.interval, settings.rate_limit.burst) == (90.0, 20)
    assert settings.notices == ()
    assert HASH not in repr(settings)


@pytest.mark.parametrize(
    "text", ["", "{}", "tls_server_config: {}", "basic_auth_users:\nrate_limit:", "# nothing"]
)
def test_nothing_configured(tmp_path, text: str) -> None:
    settings = load(tmp_path, text)
    assert (settings.tls, dict(settings.users), settings.rate_limit.interval) == (None, {}, 0.0)


def test_what_go_leaves_out_is_not_given(tmp_path) -> None:
    settings = load(tmp_path, TLS + '  client_auth_type: ""\n  client_ca_file: ""\n')
    assert settings.tls is not None
    assert settings.tls.client_auth_type == "NoClientCert"


def test_the_users_of_the_toolkits_own_example(tmp_path) -> None:
    text = "basic_auth_users:\n  bob: $2y$10$hLqFl9jSjoAAy95Z/zw8Ye8wkdMBM8c5Bn1ptYqP/AXyV0.oy0S8m"
    assert list(load(tmp_path, text).users) == ["bob"]


def test_all_problems_at_once_each_with_its_line(tmp_path) -> None:
    assert said(
        tmp_path,
        """\
tls_server_config:
  cert_file: a.crt
  kye_file: a.key
  min_version: TLS9
  client_auth_typ: RequireAndVerifyClientCert
http_server_config:
  headers:
    X-Frame-Option: deny
    X-Content-Type-Options: sniff
basic_auth_user: {}
""",
    ) == [
        "web.yml:10: basic_auth_user: unknown key; did you mean basic_auth_users? allowed: "
        "tls_server_config, http_server_config, basic_auth_users, rate_limit",
        "web.yml:3: tls_server_config.kye_file: unknown key; did you mean key_file? allowed: "
        "cert, key, client_ca, cert_file, key_file, client_auth_type, client_ca_file, "
        "client_allowed_sans, min_version, max_version, cipher_suites, "
        "prefer_server_cipher_suites, curve_preferences",
        "web.yml:5: tls_server_config.client_auth_typ: unknown key; did you mean "
        "client_auth_type? allowed: cert, key, client_ca, cert_file, key_file, client_auth_type, "
        "client_ca_file, client_allowed_sans, min_version, max_version, cipher_suites, "
        "prefer_server_cipher_suites, curve_preferences",
        "web.yml:4: tls_server_config.min_version: unknown value TLS9; did you mean TLS13? "
        "allowed: TLS10, TLS11, TLS12, TLS13",
        "web.yml:8: http_server_config.headers.X-Frame-Option: unknown key; did you mean "
        "X-Frame-Options? allowed: Content-Security-Policy, X-Frame-Options, "
        "X-Content-Type-Options, X-XSS-Protection, Strict-Transport-Security",
        "web.yml:9: http_server_config.headers.X-Content-Type-Options: unknown value sniff; "
        "did you mean nosniff? allowed: nosniff",
    ]


AT = ":4: tls_server_config."
WRONG = [
    ("tls_server_config: {cert_file: a}", "one of key_file and key is missing"),
    ("tls_server_config: {key_file: a}", "one of cert_file and cert is missing"),
    ("tls_server_config: {min_version: TLS12}", "one of cert_file and cert is missing"),
    (f"{TLS}  cert: x\n", f"{AT}cert: cert and cert_file are both given"),
    (f"{TLS}  min_version: TLS13\n  max_version: TLS12", f"{AT}min_version: TLS13 is above"),
    (f"{TLS}  client_ca_file: c", f"{AT}client_ca_file: certificate authorities for clients need"),
    (f"{TLS}  client_auth_type: RequireAnyClientCert", f"{AT}client_auth_type: RequireAnyClient"),
    (f"{TLS}  client_auth_type: RequireClientCert", "not supported; allowed: NoClientCert, "),
    (f"{TLS}  client_auth_type: VerifyClientCert", "did you mean VerifyClientCertIfGiven?"),
    (f"{TLS}  client_allowed_sans: [a]", f"{AT}client_allowed_sans: client_allowed_sans needs"),
    (f"{TLS}  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]", f"{AT}cipher_suites[0]: unknown"),
    (f"{TLS}  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  max_version: TLS12", "suite of TLS12"),
    (f"{TLS}  curve_preferences: [P256]", "did you mean CurveP256?"),
    (f"{TLS}  prefer_server_cipher_suites: yes", "must be true or false, got yes"),
    ("http_server_config: {http2: maybe}", ":1: http_server_config.http2: must be true or false"),
    ("http_server_config: {headers: {Server: x}}", "headers.Server: unknown key"),
    ('http_server_config: {headers: {X-XSS-Protection: "a\\nb"}}', "value on one line"),
    ("rate_limit: {interval: 1d, burst: 1}", "a duration as Go writes it"),
    ("rate_limit: {interval: 5, burst: 1}", "a duration as Go writes it"),
    ("rate_limit: {interval: -1s, burst: 1}", "a duration as Go writes it"),
    ("rate_limit:\n  interval: 1s", "must be at least 1 beside an interval"),
    ("rate_limit: {interval: 1s, burst: 0}", "rate_limit.burst: must be at least 1"),
    (f'basic_auth_users: {{"a:b": {HASH}}}', "must not be empty or hold a colon"),
    ("basic_auth_users: {a: }", "basic_auth_users.a: must be a bcrypt hash"),
    (f"basic_auth_users:\n  a: {HASH}\n  a: {HASH}", ":3: basic_auth_users.a: given twice"),
    ("auth_excluded_paths: [/metrics]", "auth_excluded_paths: unknown key"),
    ("- a", "must be a mapping"),
    ("a: [", "not YAML"),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_what_is_wrong_is_told(tmp_path, text: str, expected: str) -> None:
    found = said(tmp_path, text)
    assert any(expected in problem for problem in found), found


SECRET = "hunter2-and-more"


@pytest.mark.parametrize(
    "text",
    [
        f"basic_auth_users: {{alice: {SECRET}}}",
        f"basic_auth_users: {{alice: !!int {SECRET}}}",
        f"basic_auth_users: {{alice: *{SECRET}}}",
        f"basic_auth_users: {{alice: !{SECRET}}}",
        f"basic_auth_users: {{alice: !!{SECRET}}}",
        f"basic_auth_users: {{alice: [{SECRET}]}}",
        f"basic_auth_users: {{alice: '{SECRET}}}",
        f"basic_auth_users: {{alice: &{SECRET} x, bob: &{SECRET} y, : *z}}",
        f"basic_auth_users: {SECRET}",
        f"basic_auth_users: [{SECRET}]",
        f"basic_auth_users:\n  alice: $2y$10${SECRET}",
        f"tls_server_config: {{cert_file: a, key: b, key_file: '-----BEGIN {SECRET}'}}",
        f"tls_server_config: {{key: {SECRET}}}",
        SECRET,
    ],
)
def test_no_message_shows_a_secret(tmp_path, text: str) -> None:
    found = said(tmp_path, text)
    assert found
    assert SECRET not in "\n".join(found)


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        ("http_server_config: {http2: true}", "http_server_config.http2: HTTP/1.1 is all"),
        (TLS + "  min_version: TLS11", "tls_server_config.min_version: TLS11 is broken"),
        (TLS + "  client_auth_type: RequestClientCert", "RequestClientCert proves nothing"),
        (TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]", "TLS 1.3 offers all of its own"),
        (TLS + "  client_auth_type: VerifyClientCertIfGiven", "may connect as well"),
        (TLS + "  client_auth_type: RequireAndVerifyClientCert", "the system's authorities"),
    ],
)
def test_what_is_not_as_it_says_is_told(tmp_path, text: str, notice: str) -> None:
    assert any(notice in one for one in load(tmp_path, text).notices)


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        web.load(str(tmp_path / "none.yml"))
