"""A value with its place in the configuration, and where its problems are told."""

import contextlib
from dataclasses import dataclass
from typing import NoReturn

import yaml

from exporter.config import document
from exporter.config.problems import Problem


class Invalid(Exception):
    """A value that has no meaning; its problem is already recorded."""


@dataclass(frozen=True)
class Value:
    """A node of the configuration, its key path, and where problems are collected."""

    node: yaml.Node
    path: str
    problems: list[Problem]

    @property
    def is_null(self) -> bool:
        """Return whether nothing is given, as in ``key:`` alone."""
        return document.is_null(self.node)

    @property
    def from_environment(self) -> bool:
        """Return whether the value comes from an environment variable."""
        return bool(self.node.start_mark.name.startswith(document.ENVIRONMENT))

    def report(self, message: str, *allowed: str) -> None:
        """Record a problem at this value."""
        source = self.node.start_mark.name
        line = document.line_of(self.node)
        name = source.removeprefix(document.ENVIRONMENT)
        self.problems.append(Problem(name, line, self.path, message, allowed))

    def fail(self, message: str, *allowed: str) -> NoReturn:
        """Record a problem at this value and give it up."""
        self.report(message, *allowed)
        raise Invalid

    def child(self, key: str, node: yaml.Node) -> "Value":
        """Return a value below this one."""
        return Value(node, f"{self.path}.{key}" if self.path else key, self.problems)

    def scalar(self, expected: str) -> bool | int | float | str:
        """Return the plain value; ``expected`` says what is right where it is none."""
        value = None
        if isinstance(self.node, yaml.ScalarNode):
            with contextlib.suppress(ValueError):
                value = document.scalar(self.node)
        if value is None:
            self.fail(f"must be {expected}, got {shown(self.node)}")
        return value

    def text(self, expected: str) -> str:
        """Return the value as it is written."""
        self.scalar(expected)
        return str(self.node.value)

    def items(self, expected: str) -> list["Value"]:
        """Return the values of a list; in the environment commas alone make one."""
        node = self.node
        if self.from_environment and isinstance(node, yaml.ScalarNode):
            node = self._split(str(node.value), expected)
        if not isinstance(node, yaml.SequenceNode):
            self.fail(f"must be {expected}, got {shown(node)}")
        return [Value(n, f"{self.path}[{i}]", self.problems) for i, n in enumerate(node.value)]

    def _split(self, text: str, expected: str) -> yaml.Node:
        parts = [
            document.text_node(part.strip(), self.node.start_mark.name) for part in text.split(",")
        ]
        if not all(part.value for part in parts):
            self.fail(f"must be {expected}, got {shown(self.node)}")
        return yaml.SequenceNode("tag:yaml.org,2002:seq", parts, self.node.start_mark)

    def entries(self) -> dict[str, "Value"]:
        """Return the values of a mapping by key; null means an empty one."""
        if self.is_null:
            return {}
        if not isinstance(self.node, yaml.MappingNode):
            self.fail(f"must be a mapping of keys to values, got {shown(self.node)}")
        found: dict[str, Value] = {}
        for key, node in self.node.value:
            place = Value(key, self.path, self.problems)
            if not isinstance(key, yaml.ScalarNode) or place.is_null:
                place.report(f"keys must be text, got {shown(key)}")
            elif key.value in found:
                self.child(key.value, key).report("given twice")
            else:
                found[key.value] = self.child(key.value, node)
        return found

    def at(self, *keys: str) -> "Value":
        """Return the place that is nearest to a key path."""
        if not keys or not isinstance(self.node, yaml.MappingNode):
            return self
        below = [node for key, node in self.node.value if key.value == keys[0]]
        return self.child(keys[0], below[0]).at(*keys[1:]) if below else self

    def key_place(self, key: str) -> "Value":
        """Return the place of a key itself, which may stand on another line than its value."""
        for node, _ in self.node.value:
            if node.value == key:
                return self.child(key, node)
        return self


def shown(node: yaml.Node) -> str:
    """Return a short description of a node for messages."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if document.is_null(node):
        return "nothing"
    text = str(node.value)
    return text if len(text) <= 60 else f"{text[:57]}..."
