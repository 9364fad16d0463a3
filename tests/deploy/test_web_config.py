"""The example of a web configuration: as Prometheus' own tool and ours read it."""

import subprocess

import bcrypt
import pytest
import yaml

from exporter.__main__ import main
from exporter.config import web
from tests.deploy.support import ROOT
from tests.programs import program
from tests.web.certificates import Authority

EXAMPLE = ROOT / "deploy" / "web-config.example.yml"


@pytest.fixture
def beside_its_files(tmp_path):
    ours = Authority("ours")
    ours.issue("server").write(tmp_path, "server")
    (tmp_path / "clients-ca.crt").write_bytes(ours.cert)

    def write(text: str) -> str:
        (tmp_path / "web.yml").write_text(text)
        return str(tmp_path / "web.yml")

    return write


def promtool(path: str) -> subprocess.CompletedProcess[str]:
    command = [program("promtool"), "check", "web-config", path]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_promtool_and_check_config_accept_it(beside_its_files, capsys) -> None:
    path = beside_its_files(EXAMPLE.read_text())
    done = promtool(path)
    assert (done.returncode, done.stderr) == (0, f"{path} SUCCESS\n")
    assert main(["check-config", "--web.config.file", path]) == 0
    assert capsys.readouterr().out == f"{path}: OK (TLS; 1 user)\n"
    assert bcrypt.checkpw(b"change-me", web.load(path).users["prometheus"].encode())


def uncommented(text: str) -> str:
    keys = ("client_", "Strict-", "rate_limit", "interval", "burst")
    lines = (
        line.replace("# ", "", 1) if line.replace("#", " ").strip().startswith(keys) else line
        for line in text.splitlines()
    )
    return "\n".join(lines)


def test_what_is_commented_out_is_right_too(beside_its_files, capsys) -> None:
    path = beside_its_files(uncommented(EXAMPLE.read_text()))
    assert main(["check-config", "--web.config.file", path]) == 0
    settings = web.load(path)
    assert settings.tls is not None
    assert settings.tls.client_allowed_sans == ("prometheus.example.org",)
    assert settings.rate_limit.interval == 0.001
    assert "Strict-Transport-Security" in settings.http.headers


AGREED = [
    {"tls_server_config": {"cert_file": "server.crt", "key_file": "server.key"}},
    {"basic_auth_users": {"a": "not-a-hash"}},
    {"tls_server_config": {"cert_file": "server.crt"}},
    {"tls_server_config": {"cert_file": "none.crt", "key_file": "server.key"}},
    {"tls_server_config": {"cert_file": "server.crt", "key_file": "server.key",
                           "client_ca_file": "clients-ca.crt"}},
    {"tls_server_config": {"cert_file": "server.crt", "key_file": "server.key",
                           "cipher_suites": ["INVENTED"]}},
    {"tls_server_config": {"cert_file": "server.crt", "key_file": "server.key",
                           "min_version": "TLS9"}},
    {"http_server_config": {"http2": True, "headers": {"X-Frame-Options": "deny"}}},
    {"http_server_config": {"headers": {"Server": "x"}}},
    {"http_server_config": {"headers": {"X-Frame-Options": "never"}}},
    {"unknown": 1},
]  # fmt: skip


@pytest.mark.parametrize("content", AGREED, ids=str)
def test_both_agree(beside_its_files, content) -> None:
    path = beside_its_files(yaml.safe_dump(content))
    assert promtool(path).returncode == main(["check-config", "--web.config.file", path])
