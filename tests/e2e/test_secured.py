"""A real Prometheus scrapes a secured modelmeter with what ``docs/security.md`` shows."""

import json
import re
import subprocess
import urllib.request
from pathlib import Path

import bcrypt
import pytest
import yaml
from cryptography import x509

from tests.programs import program
from tests.web.certificates import Authority
from tests.web.support import HOST, Process, free_port, until

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse"


@pytest.fixture
def secured(tmp_path):
    """A modelmeter set up as the page shows: certificates on both sides, a user, a token."""
    ours = Authority("ours")
    ours.issue("server").write(tmp_path, "server")
    client = ours.issue("prometheus", x509.DNSName("prometheus.example.org"))
    client.write(tmp_path, "prometheus")
    for name in ("clients-ca.crt", "modelmeter-ca.crt"):
        (tmp_path / name).write_bytes(ours.cert)
    (tmp_path / "read.token").write_text("a-token-to-read")
    (tmp_path / "modelmeter.password").write_text(PASSWORD)
    text = example("tls_server_config:")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(text.replace("$2y$10$…", hashed))
    config = {"tokens": [{"file": "read.token", "scope": "read"}]}
    context = ours.context(tmp_path, client)
    flag = f"--web.config.file={tmp_path}/web.yml"
    process = Process(tmp_path, config, flag, context=context)
    yield process
    process.end()


def example(start: str) -> str:
    page = (ROOT / "docs" / "security.md").read_text()
    (found,) = (
        one for one in re.findall(r"```yaml\n(.*?)```", page, re.S) if one.startswith(start)
    )
    return found


def scrape_config(target: str) -> str:
    """The example, and the same job with its token in place of the user."""
    text = example("scrape_configs:")
    jobs = yaml.safe_load(text)["scrape_configs"]
    by_token = yaml.safe_load(text.replace("# authorization", "authorization"))["scrape_configs"][0]
    del by_token["basic_auth"]
    jobs.append(by_token | {"job_name": "by-token"})
    for job in jobs:
        job["static_configs"] = [{"targets": [target]}]
    jobs.append({"job_name": "plain", "static_configs": [{"targets": [target]}]})
    return yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs})


def test_prometheus_scrapes_it(secured, tmp_path) -> None:
    (tmp_path / "prometheus.yml").write_text(scrape_config(f"{HOST}:{secured.port}"))
    port = free_port()
    command = [
        program("prometheus"), f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/tsdb", f"--web.listen-address={HOST}:{port}",
    ]  # fmt: skip

    def up() -> dict[str, str]:
        try:
            url = f"http://{HOST}:{port}/api/v1/query?query=up"
            with urllib.request.urlopen(url, timeout=10) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:
            return {}
        return {one["metric"]["job"]: one["value"][1] for one in found}

    with (tmp_path / "prometheus.log").open("wb") as log:
        running = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            until(lambda: up() == {"modelmeter": "1", "by-token": "1", "plain": "0"}, "the scrapes")
        finally:
            running.terminate()
            running.wait(30)
