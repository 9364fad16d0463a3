"""``healthcheck`` and ``replay`` beside a modelmeter that asks who they are."""

import os
import subprocess
import sys
from pathlib import Path

import bcrypt
import pytest
import yaml

from tests.web.certificates import Authority
from tests.web.support import Process

PASSWORD = "correct:horse"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


class Secured:
    """A modelmeter with TLS, a user and a token, and what its clients need."""

    def __init__(self, folder: Path, **tls: str) -> None:
        self.folder = folder
        ours = Authority("ours")
        ours.issue("server").write(folder, "server")
        client = ours.issue("client")
        self.certificate = ["--cert-file", *client.write(folder, "client")]
        self.certificate.insert(2, "--key-file")
        for name, content in {
            "ca.crt": ours.cert.decode(),
            "other.crt": Authority("theirs").cert.decode(),
            "ingest": "ingest-token\n",
            "read": "read-token",
            "user": f"alice:{PASSWORD}\n",
            "events.ndjson": '{"model": "m", "score": 0.5}\n' * 3,
        }.items():
            (folder / name).write_text(content)
        self.web = folder / "web.yml"
        files = {"cert_file": "server.crt", "key_file": "server.key"}
        self.web.write_text(
            yaml.safe_dump({"tls_server_config": files | tls, "basic_auth_users": {"alice": HASH}})
        )
        config = {"tokens": [{"file": name, "scope": name} for name in ("ingest", "read")]}
        self.process = Process(
            folder,
            config,
            f"--web.config.file={self.web}",
            context=ours.context(folder, client),
        )

    def command(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "exporter", *arguments],
            capture_output=True, text=True, check=False, timeout=60, cwd=self.folder,
            env=os.environ | environ,
        )  # fmt: skip

    def replay(self, *flags: str, **environ: str) -> subprocess.CompletedProcess[str]:
        url = self.process.url
        fixed = ["replay", "events.ndjson", "--url", url, "--retry-for", "2s"]
        return self.command(*fixed, *flags, **environ)

    def health(self, *flags: str, **environ: str) -> subprocess.CompletedProcess[str]:
        address = f"--web.listen-address=127.0.0.1:{self.process.port}"
        return self.command("healthcheck", address, *flags, **environ)


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    made = Secured(tmp_path_factory.mktemp("secured"))
    yield made
    made.process.end()


@pytest.fixture(scope="module")
def verifying(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verifying")
    made = Secured(folder, client_auth_type="RequireAndVerifyClientCert", client_ca_file="ca.crt")
    yield made
    made.process.end()


CA = ("--ca-file", "ca.crt")


def test_events_are_sent_by_a_token_or_a_user(secured) -> None:
    for flags, environ in (
        (("--token-file", "ingest"), {}),
        (("--user-file", "user"), {}),
        ((), {"MODELMETER_CLIENT_TOKEN": "ingest-token"}),
        ((), {"MODELMETER_CLIENT_USER": f"alice:{PASSWORD}"}),
        (("--user-file", "user"), {"MODELMETER_CLIENT_TOKEN": "stale"}),
    ):
        done = secured.replay(*CA, *flags, **environ)
        assert (done.returncode, done.stdout) == (0, "3 accepted, 0 duplicates, 0 rejected\n")


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (CA, 1, "the server answered 401: this needs a user or a token that is known"),
        ((*CA, "--token-file", "read"), 1, "the server answered 403: this needs the scope ingest"),
        (("--token-file", "ingest"), 1, "the server's certificate: unable to get local issuer"),
        (("--token-file", "ingest", "--ca-file", "other.crt"), 1, "the server's certificate: "),
        ((*CA, "--token-file", "none"), 2, "none: no such file or directory"),
        ((*CA, "--user-file", "ingest"), 2, "ingest: must be user:password"),
        ((*CA, "--token-file", "events.ndjson"), 2, "events.ndjson: must hold one line"),
        (("--ca-file", "none"), 2, "none: no such file or directory"),
        (("--cert-file", "ingest"), 2, "ingest and the key in it: "),
        (("--url", "https://alice:planted@localhost"), 2, "does not belong into a URL"),
    ],
)
def test_what_is_wrong_is_told(secured, flags, code, said) -> None:
    done = secured.replay(*flags)
    assert done.returncode == code
    assert said in done.stderr
    assert not any(one in done.stderr for one in ("ingest-token", "read-token", "planted"))


def test_a_certificate_is_shown(verifying) -> None:
    done = verifying.replay(*CA, "--token-file", "ingest", *verifying.certificate)
    assert (done.returncode, done.stdout) == (0, "3 accepted, 0 duplicates, 0 rejected\n")
    assert verifying.replay(*CA, "--token-file", "ingest").returncode == 1
    config = f"--web.config.file={verifying.web}"
    assert verifying.health(config, *verifying.certificate).returncode == 0
    assert verifying.health(config).returncode == 1


def test_health_is_asked_for_over_tls(secured) -> None:
    config = f"--web.config.file={secured.web}"
    assert secured.health(config).returncode == 0
    assert secured.health(MODELMETER_WEB_CONFIG_FILE=str(secured.web)).returncode == 0
    assert secured.health().returncode == 1
    refused = secured.health(config, "--cert-file", "none")
    assert (refused.returncode, "none" in refused.stderr) == (1, True)


def test_health_does_not_hang_on_a_web_configuration_that_went_bad(secured, tmp_path) -> None:
    bad = tmp_path / "web.yml"
    bad.write_text("tls_server_confg: {}")
    assert secured.health(f"--web.config.file={bad}").returncode == 0
