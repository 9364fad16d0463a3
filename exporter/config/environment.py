"""Settings from environment variables: ``MODELMETER_`` and the key path in upper case."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import yaml

from exporter.config import document
from exporter.config.problems import nearest

PREFIX: Final = "MODELMETER_"
CLIENT_USER: Final = "MODELMETER_CLIENT_USER"
CLIENT_TOKEN: Final = "MODELMETER_CLIENT_TOKEN"
OF_CLIENTS: Final = (CLIENT_USER, CLIENT_TOKEN)
"""What ``replay`` presents itself with; no setting of a server."""
_KUBERNETES = re.compile(
    r"MODELMETER_(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_PROTO|_PORT|_ADDR)?)"
)
_MAP = "tag:yaml.org,2002:map"


def variable(path: str) -> str:
    """Return the name of the variable that sets a key, such as ``MODELMETER_JOIN_TTL``."""
    return PREFIX + path.upper().replace(".", "_")


def is_injected(name: str, value: str) -> bool:
    """Return whether Kubernetes sets this variable for a service of such a name."""
    return value.startswith(("tcp://", "udp://", "sctp://")) or bool(_KUBERNETES.fullmatch(name))


def given(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are meant for modelmeter."""
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIX) and not is_injected(name, value)
    }


def unknown(environ: Mapping[str, str], known: Collection[str]) -> tuple[str, ...]:
    """Return a warning for each variable that sets nothing, naming the nearest that does."""
    return tuple(
        f"unknown environment variable {name}{nearest(name, known)}"
        for name in sorted(given(environ))
        if name not in known
    )


def overlay(
    root: yaml.Node | None,
    paths: Iterable[str],
    environ: Mapping[str, str],
    exclusive: Iterable[str],
) -> yaml.Node | None:
    """Return the tree with the values of the environment put in place of the file's.

    A variable below an ``exclusive`` section replaces what the file chose there.
    Raises ConfigError for a value that is not YAML.
    """
    tree, cleared = root, set(exclusive)
    for path, node in _values(paths, environ):
        section = path.rpartition(".")[0]
        keys = path.split(".")
        if section in cleared:
            cleared.discard(section)
            tree = _graft(tree, section.split("."), _mapping([], node))
        tree = _graft(tree, keys, node)
    return tree


def _values(paths: Iterable[str], environ: Mapping[str, str]) -> Iterator[tuple[str, yaml.Node]]:
    meant = given(environ)
    for path in paths:
        name = variable(path)
        if name in meant:
            node = _compose(meant[name], document.ENVIRONMENT + name)
            if node is not None:
                yield path, node


def _compose(text: str, name: str) -> yaml.Node | None:
    """Return the node of a value: YAML, or plain text where a comma or colon would not be."""
    if text.lstrip().startswith(("[", "{", '"', "'")):
        return document.compose(text, name)
    return document.plain_node(text.strip(), name) if text.strip() else None


def _mapping(pairs: list[tuple[yaml.Node, yaml.Node]], at: yaml.Node) -> yaml.MappingNode:
    return yaml.MappingNode(_MAP, pairs, at.start_mark, at.end_mark)


def _graft(tree: yaml.Node | None, keys: list[str], node: yaml.Node) -> yaml.Node:
    """Return a copy of the tree along ``keys`` with the node at their end."""
    if not keys:
        return node
    if tree is not None and not isinstance(tree, yaml.MappingNode) and not document.is_null(tree):
        return tree
    pairs = list(tree.value) if isinstance(tree, yaml.MappingNode) else []
    old = next((value for key, value in pairs if key.value == keys[0]), None)
    kept = [(key, value) for key, value in pairs if key.value != keys[0]]
    name = document.text_node(keys[0], node.start_mark.name)
    at = tree if isinstance(tree, yaml.MappingNode) else node
    return _mapping([*kept, (name, _graft(old, keys[1:], node))], at)
