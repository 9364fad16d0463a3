"""The component beside a server of the reader's, as docs/kubernetes.md tells it."""

import json
import re
import shutil

import pytest
import yaml

from tests.deploy.manifests import BUILDABLE, FOLDER, built, of_kind, one, sidecar
from tests.deploy.support import ROOT, ok

PAGE = (ROOT / "docs/kubernetes.md").read_text("utf-8")


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
