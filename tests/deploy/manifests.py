"""The Kubernetes manifests as kubectl's own kustomize builds them, and parts of them by name."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.support import ROOT, ok

FOLDER = ROOT / "deploy/kubernetes"
FILES = sorted(FOLDER.rglob("kustomization.yaml"))
COMPONENTS = [file.parent for file in FILES if "kind: Component" in file.read_text("utf-8")]
BUILDABLE = [file.parent for file in FILES if file.parent not in COMPONENTS]
WORKLOADS = ("Deployment", "StatefulSet")

Object = dict[str, Any]


@functools.cache
def built(folder: Path | str) -> tuple[Object, ...]:
    """All objects of a kustomization; a text is a folder below deploy/kubernetes."""
    return tuple(yaml.safe_load_all(ok("kubectl", "kustomize", FOLDER / folder)))


def of_kind(objects: tuple[Object, ...], *kinds: str) -> list[Object]:
    return [one for one in objects if one["kind"] in kinds]


def one(folder: Path | str, *kinds: str, name: str | None = None) -> Object:
    """The only object of these kinds (and of this name, or of a name made of it and a hash)."""
    found = of_kind(built(folder), *kinds)
    if name is not None:
        whole = re.compile(re.escape(name) + r"(-[a-z0-9]{10})?")
        found = [each for each in found if whole.fullmatch(each["metadata"]["name"])]
    (only,) = found
    return only


def pod(workload: Object) -> Object:
    return workload["spec"]["template"]["spec"]


def model_pod(folder: Path | str) -> Object:
    return pod(one(folder, *WORKLOADS, name="model"))


def sidecar(folder: Path | str) -> Object:
    (only,) = model_pod(folder)["initContainers"]
    return only


def server(folder: Path | str) -> Object:
    (only,) = model_pod(folder)["containers"]
    return only


def containers(objects: tuple[Object, ...]) -> Iterator[tuple[Object, Object]]:
    """Each container, with the pod that it is in."""
    for workload in of_kind(objects, *WORKLOADS):
        inside = pod(workload)
        for container in [*inside.get("initContainers", []), *inside["containers"]]:
            yield inside, container


def environment(container: Object) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


def mounted(container: Object, path: str) -> str:
    """The name of the volume on which a path of the container lies."""
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    (name,) = [name for at, name in mounts.items() if Path(path).is_relative_to(at)]
    return name
