"""Nothing secret is shown: not in logs, answers, metrics, errors, nor by the commands."""

import json
import subprocess
import sys

import bcrypt
import yaml

from tests.web.certificates import Authority
from tests.web.support import DEADLINE, until
from tests.web.test_access import EVENT, basic, bearer

PASSWORD = "planted-password-1"
TOKEN = "planted-token-2"
LATER = "planted-token-3"
WRONG = "planted-guess-4"
PATHS = (
    "/", "/metrics", "/v1/models", "/v1/models/m", "/v1/reference?model=m", "/docs",
    "/openapi.json", "/nowhere", "/-/healthy", "/-/ready",
)  # fmt: skip


def test_planted_secrets_are_nowhere(tmp_path, process) -> None:
    ours = Authority("ours")
    pair = ours.issue("server")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    web = {
        "tls_server_config": {"cert": pair.cert.decode(), "key": pair.key.decode()},
        "basic_auth_users": {"alice": hashed},
    }
    (tmp_path / "web.yml").write_text(yaml.safe_dump(web))
    (tmp_path / "token").write_text(TOKEN)
    main = {"tokens": [{"file": "token", "scope": ["read", "ingest"]}]}
    flag = f"--web.config.file={tmp_path}/web.yml"
    served = process(main, flag, "--log.level=debug", context=ours.context())
    alice = basic("alice", PASSWORD)
    shown = []

    def ask(method: str, path: str, authorization: str | None, body: bytes | None = None) -> int:
        headers = {"Content-Type": "application/json"}
        if authorization is not None:
            headers["Authorization"] = authorization
        answer = served.request(method, path, body, headers)
        shown.append(f"{answer.headers}{answer.body.decode()}")
        return answer.status

    for path in PATHS:
        for one in (alice, bearer(TOKEN), basic("alice", WRONG), bearer(WRONG), WRONG, None):
            ask("GET", path, one)
    for one in (alice, bearer(TOKEN), bearer(WRONG), basic(WRONG, WRONG)):
        ask("POST", "/v1/events", one, EVENT)
        ask("POST", "/v1/events", one, b"[")
        ask("PUT", "/v1/reference?model=m", one, b"[")
    assert ask("POST", "/-/reload", alice) == 200
    (tmp_path / "token").write_text(LATER)
    assert ask("GET", "/metrics", bearer(LATER)) == 200
    (tmp_path / "token").write_text(f"{LATER} {LATER}")
    assert ask("POST", "/-/reload", alice) == 500
    for bad in (
        {"basic_auth_users": {"alice": PASSWORD}},
        {"basic_auth_users": PASSWORD},
        {"tls_server_config": {"cert": PASSWORD, "key": PASSWORD}},
        {"tls_server_config": {"cert_file": "token", "key": pair.key.decode()}},
    ):
        (tmp_path / "web.yml").write_text(yaml.safe_dump(bad))
        assert ask("GET", "/metrics", alice) == 200
        assert ask("GET", "/metrics", bearer(LATER)) == 200
        shown.append(checked(flag))
    shown.append(checked(str(served.config)))
    until(lambda: served.log().count("not read again") >= 4, "the log of what is bad", DEADLINE)
    assert served.stop() == 0

    everything = "\n".join([*shown, served.log()])
    key_line = pair.key.decode().splitlines()[1]
    for secret in (PASSWORD, TOKEN, LATER, WRONG, hashed, hashed[7:], key_line, alice.split()[1]):
        assert secret not in everything, secret
        assert json.dumps(secret)[1:-1] not in everything, secret
    assert "basic_auth_users.alice" in everything  # what is wrong is told all the same
    assert "a token is visible ASCII" in everything


def checked(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "check-config", *arguments],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    return done.stdout + done.stderr
