"""Who reaches the sidecar's port: the network policy, and TLS with the Secrets of the page."""

import re
import subprocess

import bcrypt
import yaml
from cryptography import x509

from exporter.__main__ import main
from exporter.config import Settings
from tests.deploy.manifests import FOLDER, environment, model_pod, mounted, one, sidecar
from tests.deploy.support import ROOT
from tests.programs import program
from tests.web.certificates import Authority

PAGE = (ROOT / "docs/kubernetes.md").read_text("utf-8")
PORT = int(Settings().listen_address.lstrip(":"))


def opened(policy) -> dict[str, set[int]]:
    """The ports that are open to everybody, by protocol."""
    found: dict[str, set[int]] = {"TCP": set(), "UDP": set()}
    for rule in policy["spec"]["ingress"]:
        for port in rule["ports"] if "from" not in rule else []:
            last = port.get("endPort", port["port"])
            found[port.get("protocol", "TCP")] |= set(range(port["port"], last + 1))
    return found


def test_the_network_policy_closes_one_port():
    policy = one("overlays/demo", "NetworkPolicy")
    everything = set(range(1, 65536))
    assert opened(policy) == {"TCP": everything - {PORT}, "UDP": everything}
    (closed,) = [rule for rule in policy["spec"]["ingress"] if "from" in rule]
    # By number: a sidecar's port is not found by its name everywhere (projectcalico/calico#8881).
    assert closed["ports"] == [{"port": PORT}]
    labels = [peer["podSelector"]["matchLabels"] for peer in closed["from"]]
    assert labels == [{"app.kubernetes.io/name": "prometheus"}, {"modelmeter": "client"}]
    traffic = one("overlays/demo", "Deployment", name="traffic")
    assert traffic["spec"]["template"]["metadata"]["labels"].items() >= labels[1].items()
    chosen = one("overlays/demo", "Deployment", name="model")["spec"]["template"]["metadata"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= chosen["labels"].items()


def secrets() -> dict[str, set[str]]:
    """The keys of each Secret that the page makes."""
    commands = PAGE.replace("\\\n", " ")
    found = {}
    for kind, name, rest in re.findall(r"create secret (\w+) ([\w-]+)(.*)", commands):
        files = re.findall(r"--from-(?:file|literal)=([\w.-]+)", rest)
        found[name] = {"tls.crt", "tls.key"} if kind == "tls" else set(files)
    return found


def test_the_page_makes_the_secrets_that_are_asked_for():
    volumes = {
        volume["name"]: volume["secret"]["secretName"]
        for volume in model_pod("overlays/tls")["volumes"]
        if "secret" in volume
    }
    monitor = one("overlays/monitoring-tls", "PodMonitor")["spec"]["podMetricsEndpoints"][0]
    used = [
        monitor["tlsConfig"]["ca"]["secret"],
        monitor["basicAuth"]["username"],
        monitor["basicAuth"]["password"],
    ]
    made = secrets()
    assert made.keys() == {*volumes.values(), *(one["name"] for one in used)}
    for key in used:
        assert key["key"] in made[key["name"]]
    container = sidecar("overlays/tls")
    variables = environment(container)
    (token,) = yaml.safe_load(variables["MODELMETER_TOKENS"])
    web = yaml.safe_load((FOLDER / "components/tls/web-config.yml").read_text("utf-8"))
    for path in (
        variables["MODELMETER_WEB_CONFIG_FILE"],
        token["file"],
        web["tls_server_config"]["cert_file"],
        web["tls_server_config"]["key_file"],
    ):
        folder, _, name = path.rpartition("/")
        assert name in made[volumes[mounted(container, folder)]]
    assert token["scope"] == "ingest"


def test_the_web_configuration_is_valid_once_it_has_a_hash(tmp_path):
    text = (FOLDER / "components/tls/web-config.yml").read_text("utf-8")
    assert "PUT-THE-HASH-HERE" in text
    path = tmp_path / "web-config.yml"
    path.write_text(text)
    assert main(["check-config", "--web.config.file", str(path)]) == 1, "no password by default"
    ours = Authority("ours")
    ours.issue("modelmeter", x509.DNSName("modelmeter")).write(tmp_path, "tls")
    hashed = bcrypt.hashpw(b"a password", bcrypt.gensalt(4)).decode()
    text = text.replace("PUT-THE-HASH-HERE", hashed).replace("/etc/modelmeter-tls", str(tmp_path))
    path.write_text(text)
    assert main(["check-config", "--web.config.file", str(path)]) == 0
    done = subprocess.run([program("promtool"), "check", "web-config", path], check=False)
    assert done.returncode == 0
