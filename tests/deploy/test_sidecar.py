"""The sidecar: it says of modelmeter what is so, and a component puts it beside any server."""

import re
import subprocess
import sys

import pytest
import yaml

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
from tests.web.support import HOST, Client, free_port, until

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
