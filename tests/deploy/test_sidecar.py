"""The sidecar: it says of modelmeter what is so, and a component puts it beside any server."""

import json
import re
import shutil
import subprocess
import sys

import bcrypt
import pytest
import yaml
from cryptography import x509

from exporter.__main__ import main
from exporter.cli.parser import build
from exporter.config import Settings, environment_warnings, process_settings
from exporter.config.units import parse_size
from tests.deploy.manifests import (
    BUILDABLE,
    FOLDER,
    built,
    containers,
    environment,
    model_pod,
    mounted,
    of_kind,
    one,
    server,
    sidecar,
)
from tests.deploy.support import ROOT, ok
from tests.programs import program
from tests.web.certificates import Authority
from tests.web.support import HOST, Client, free_port, until

PAGE = (ROOT / "docs/kubernetes.md").read_text("utf-8")
WITH_SIDECAR = ["base", "overlays/demo", "overlays/gpu", "overlays/persistent", "overlays/tls"]
each = pytest.mark.parametrize("folder", WITH_SIDECAR)
PORT = int(Settings().listen_address.lstrip(":"))
USER = re.search(r"^USER (\d+):", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
GB = 1_000_000_000


def amount(text: str) -> int:
    return parse_size(text.replace("Gi", "GiB").replace("Mi", "MiB"))


def test_all_that_have_it_are_looked_at():
    having = [
        str(folder.relative_to(FOLDER))
        for folder in BUILDABLE
        if any(container["name"] == "modelmeter" for _, container in containers(built(folder)))
    ]
    assert sorted(having) == sorted(WITH_SIDECAR)


@each
def test_it_is_a_native_one_that_sees_the_servers_process_as_the_same_user(folder):
    inside = model_pod(folder)
    assert sidecar(folder)["restartPolicy"] == "Always"
    assert inside["shareProcessNamespace"] is True
    assert USER
    assert inside["securityContext"]["runAsUser"] == int(USER[1])
    for container in (sidecar(folder), server(folder)):
        assert "runAsUser" not in container["securityContext"], "the pod's, for both"


@each
def test_its_arguments_and_variables_are_known(folder):
    build("serve").parse_args(sidecar(folder)["args"][1:])
    variables = environment(sidecar(folder))
    assert environment_warnings(variables) == ()
    process_settings({}, variables)


@each
def test_its_files_lie_on_volumes(folder):
    variables = environment(sidecar(folder))
    assert mounted(sidecar(folder), variables["MODELMETER_CONFIG"]) == "modelmeter-config"
    state = variables["MODELMETER_DATA_DIR"]
    assert mounted(sidecar(folder), state) == "modelmeter-state"
    mounts = {mount["mountPath"]: mount for mount in sidecar(folder)["volumeMounts"]}
    assert state not in mounts, "a folder that modelmeter makes is its own alone"
    for at, mount in mounts.items():
        assert mount.get("readOnly", False) == (not state.startswith(at))


@each
def test_its_settings_are_those_of_the_generated_map_and_fit_the_server(folder, tmp_path):
    settings = one(folder, "ConfigMap", name="modelmeter")
    assert re.fullmatch(r"modelmeter-[a-z0-9]{10}", settings["metadata"]["name"])
    (volume,) = [one for one in model_pod(folder)["volumes"] if one["name"] == "modelmeter-config"]
    assert volume["configMap"]["name"] == settings["metadata"]["name"]
    ((name, text),) = settings["data"].items()
    assert environment(sidecar(folder))["MODELMETER_CONFIG"].endswith(f"/{name}")
    (tmp_path / name).write_text(text)
    assert main(["check-config", str(tmp_path / name)]) == 0
    (port,) = server(folder)["ports"]
    assert yaml.safe_load(text)["model_server"]["port"] == port["containerPort"]


@each
def test_probes_ask_health_and_never_kill_a_restore(folder):
    container = sidecar(folder)
    asked = {
        kind: container[kind]["httpGet"]["path"]
        for kind in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert asked == {
        "startupProbe": "/-/healthy",
        "readinessProbe": "/-/ready",
        "livenessProbe": "/-/healthy",
    }
    (port,) = container["ports"]
    assert port["containerPort"] == PORT
    encrypted = "MODELMETER_WEB_CONFIG_FILE" in environment(container)
    for kind in asked:
        assert container[kind]["httpGet"]["port"] == port["name"]
        assert container[kind]["httpGet"].get("scheme", "HTTP") == (
            "HTTPS" if encrypted else "HTTP"
        )
        assert container[kind]["timeoutSeconds"] >= 5, "slow is not dead"
    startup, living = container["startupProbe"], container["livenessProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 60
    assert living["periodSeconds"] * living["failureThreshold"] >= 60


@each
def test_its_resources_hold_what_is_measured(folder):
    resources = sidecar(folder)["resources"]
    assert "cpu" not in resources["limits"], "throttling would make answers late"
    assert amount(resources["requests"]["memory"]) > 2 * 95_000_000
    # Idle, a model, and as many waiting predictions as there may be; three quarters of the limit.
    assert amount(resources["limits"]["memory"]) * 0.75 > 91_000_000 + 4_000_000 + 200 * 1_000_000
    assert not [name for name in resources["limits"] if "/" in name], "it claims no device"


def test_the_volume_holds_the_state():
    (volume,) = [one for one in model_pod("base")["volumes"] if one["name"] == "modelmeter-state"]
    needed = 2 * Settings().max_journal_bytes + GB // 2
    assert amount(volume["emptyDir"]["sizeLimit"]) > needed
    claim = persistent()["volumeClaimTemplates"][0]
    assert amount(claim["spec"]["resources"]["requests"]["storage"]) > needed


def persistent():
    return one("overlays/persistent", "StatefulSet")["spec"]


def test_the_claim_takes_the_place_of_the_volume():
    (claim,) = persistent()["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "modelmeter-state"
    assert not of_kind(built("overlays/persistent"), "Deployment")
    headless = one("overlays/persistent", "Service", name=persistent()["serviceName"])
    assert headless["spec"]["clusterIP"] == "None"


def test_a_pod_has_time_to_stop_its_server_and_then_to_save():
    assert model_pod("base")["terminationGracePeriodSeconds"] >= 60


def test_it_runs_as_the_pod_runs_it(tmp_path):
    """The command, the variables and the settings of the manifest, in a folder of this machine."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "modelmeter.yml").write_text(one("base", "ConfigMap")["data"]["modelmeter.yml"])
    moved = {
        "MODELMETER_CONFIG": str(tmp_path / "modelmeter.yml"),
        "MODELMETER_DATA_DIR": str(tmp_path / "volume/state"),
    }
    variables = environment(sidecar("base"))
    assert variables.keys() == moved.keys()
    port = free_port()
    command = [sys.executable, "-m", "exporter", *sidecar("base")["args"]]
    process = subprocess.Popen(
        [*command, f"--web.listen-address={HOST}:{port}"], env=moved, cwd=ROOT
    )
    try:
        client = Client(port)
        until(lambda: answers(client, process), "an answer")
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            path = sidecar("base")[kind]["httpGet"]["path"]
            assert until(lambda path=path: client.get(path).status == 200, path)
        assert (tmp_path / "volume/state").stat().st_mode & 0o777 == 0o700
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def answers(client: Client, process: subprocess.Popen) -> bool:
    assert process.poll() is None
    try:
        return client.get("/-/healthy").status == 200
    except OSError:
        return False


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


def test_the_sidecar_sees_gpus_and_the_server_claims_one():
    variables = environment(sidecar("overlays/gpu"))
    assert variables["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert variables["NVIDIA_DRIVER_CAPABILITIES"] == "utility"
    assert model_pod("overlays/gpu")["runtimeClassName"] == "nvidia"
    assert server("overlays/gpu")["resources"]["limits"]["nvidia.com/gpu"] == 1


@pytest.mark.parametrize("name", ["model", "traffic"])
def test_the_demo_parts_accept_the_arguments_they_are_given(name):
    (container,) = one("overlays/demo", "Deployment", name=name)["spec"]["template"]["spec"][
        "containers"
    ]
    told = ok("python", *container["command"][1:], "--help")
    for argument in container["args"]:
        assert argument.split("=")[0] in told


def test_the_demo_parts_know_each_other():
    (traffic,) = one("overlays/demo", "Deployment", name="traffic")["spec"]["template"]["spec"][
        "containers"
    ]
    urls = dict(argument.split("=", 1) for argument in traffic["args"])
    assert urls["--model-url"] == "http://model", "the Service's port 80"
    assert one("overlays/demo", "Service", name="model")["spec"]["ports"][0]["port"] == 80
    (port,) = one("overlays/demo", "Service", name="modelmeter")["spec"]["ports"]
    assert urls["--events-url"] == f"http://modelmeter:{port['port']}/v1/events"
    assert f"--events-url=http://127.0.0.1:{PORT}/v1/events" in server("base")["args"]


# TLS: the Secrets as the page has them made.


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


# The page's own examples, built.


@pytest.fixture
def project(tmp_path):
    """A project of the reader's beside a copy of deploy/kubernetes, as the page tells it."""
    shutil.copytree(FOLDER, tmp_path / "modelmeter/deploy/kubernetes")
    (text,) = re.findall(r"```yaml\n(apiVersion: kustomize.*?)```", PAGE, re.S)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(text)
    (mine / "modelmeter.yml").write_text("model_server: {port: 9000}\n")
    (mine / "deployment.yaml").write_text(json.dumps(OTHER) + "\n---\n" + json.dumps(PLAIN))
    return mine


def workload(name: str, labels: dict[str, str], **spec):
    app = {"app": name}
    containers = [{"name": "server", "image": "my-server:3", "ports": [{"containerPort": 9000}]}]
    inside = {"containers": containers, **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "selector": {"matchLabels": app},
            "template": {"metadata": {"labels": app}, "spec": inside},
        },
    }


OTHER = workload(
    "scorer",
    {"modelmeter": "sidecar"},
    securityContext={"runAsUser": 1000, "fsGroup": 1000},
    initContainers=[{"name": "fetch", "image": "fetch:1"}],
    volumes=[{"name": "weights", "emptyDir": {}}],
    terminationGracePeriodSeconds=300,
)
PLAIN = workload("database", {})


def test_the_component_adds_to_another_server_and_takes_nothing(project):
    objects = built(project)
    mine, untouched = of_kind(objects, "Deployment")
    if mine["metadata"]["name"] == "database":
        mine, untouched = untouched, mine
    assert untouched == PLAIN
    inside, before = mine["spec"]["template"]["spec"], OTHER["spec"]["template"]["spec"]
    assert inside["containers"] == before["containers"]
    assert inside["securityContext"] == before["securityContext"]
    assert inside["terminationGracePeriodSeconds"] == 300
    names = [container["name"] for container in inside["initContainers"]]
    assert sorted(names) == ["fetch", "modelmeter"]
    (added,) = [each for each in inside["initContainers"] if each["name"] == "modelmeter"]
    assert added["image"] == f"registry.example.org/{sidecar('base')['image']}"
    assert {key: value for key, value in added.items() if key != "image"} == {
        key: value for key, value in sidecar("base").items() if key != "image"
    }
    assert {volume["name"] for volume in inside["volumes"]} == {
        "weights",
        "modelmeter-config",
        "modelmeter-state",
    }


def test_other_settings_roll_the_pods(project):
    first = one(project, "ConfigMap")
    assert first["data"] == {"modelmeter.yml": "model_server: {port: 9000}\n"}
    (project / "modelmeter.yml").write_text("model_server: {port: 9001}\n")
    again = tuple(yaml.safe_load_all(ok("kubectl", "kustomize", project)))
    (second,) = of_kind(again, "ConfigMap")
    assert second["metadata"]["name"] != first["metadata"]["name"]
    assert second["metadata"]["name"] in str(of_kind(again, "Deployment"))


def test_the_page_names_every_folder_and_every_command_leads_somewhere():
    for folder in [*BUILDABLE, *(FOLDER / "components").iterdir()]:
        assert f"`{folder.relative_to(FOLDER)}`" in PAGE
    for path in re.findall(r"kubectl apply.* -k (\S+?)`?(?:\s|$)", PAGE):
        assert (ROOT / path / "kustomization.yaml").exists()
