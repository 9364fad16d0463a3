"""A value with its place, and the parsers that turn it into a setting or into problems."""

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import yaml

from exporter.config import document
from exporter.config.problems import Problem, nearest
from exporter.config.units import format_duration, format_size, parse_duration, parse_size

T = TypeVar("T")


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


Parser = Callable[[Value], T]


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


def parse_each(values: Mapping[str, Value], parsers: Mapping[str, Parser[Any]]) -> dict[str, Any]:
    """Return what could be parsed of the values given; the others have left their problems."""
    parsed: dict[str, Any] = {}
    for key, value in values.items():
        if value.is_null:
            continue
        try:
            parsed[key] = parsers[key](value)
        except Invalid:
            continue
    return parsed


@dataclass(frozen=True)
class Section:
    """A parser of a mapping with these keys and no others.

    Exactly one key of ``one_of`` must be given; ``build`` makes the settings of what was parsed.
    """

    keys: Mapping[str, Parser[Any]]
    build: Callable[..., Any] = dict
    one_of: tuple[str, ...] = ()

    def __call__(self, value: Value) -> Any:
        """Return what ``build`` makes of the keys given; the problems are with the value."""
        entries = value.entries()
        for key in [key for key in entries if key not in self.keys]:
            hint = nearest(key, self.keys)
            value.key_place(key).report(f"unknown key{hint}", *self.keys)
            del entries[key]
        chosen = [key for key in self.one_of if key in entries and not entries[key].is_null]
        if self.one_of and len(chosen) != 1:
            got = f"got {' and '.join(chosen)}" if chosen else "got none"
            value.fail(f"must have exactly one of these keys, {got}", *self.one_of)
        before = len(value.problems)
        parsed = parse_each(entries, self.keys)
        if self.build is not dict and len(value.problems) > before:
            raise Invalid
        return self.build(**parsed)


def mapping(parser: Parser[T], key: Callable[[Value, str], None]) -> Parser[dict[str, T]]:
    """Return a parser of a mapping with free keys, each judged by ``key``."""

    def parse(value: Value) -> dict[str, T]:
        parsed = {}
        for name, entry in value.entries().items():
            try:
                key(value.key_place(name), name)
                parsed[name] = parser(entry)
            except Invalid:
                continue
        return parsed

    return parse


def list_of(
    parser: Parser[T], expected: str, least: int = 0, most: int = 1000
) -> Parser[tuple[T, ...]]:
    """Return a parser of a list of ``least`` to ``most`` distinct values."""

    def parse(value: Value) -> tuple[T, ...]:
        items = value.items(expected)
        if not least <= len(items) <= most:
            value.fail(f"must have {least} to {most} entries, got {len(items)}")
        found: list[T] = []
        for item in items:
            try:
                entry = parser(item)
            except Invalid:
                continue
            if entry in found:
                item.report(f"given twice: {shown(item.node)}")
            else:
                found.append(entry)
        return tuple(found)

    return parse


def choice(*allowed: str) -> Parser[str]:
    """Return a parser of one word out of a few."""

    def parse(value: Value) -> str:
        word = value.text("one word")
        if word not in allowed:
            value.fail(f"unknown value {shown(value.node)}{nearest(word, allowed)}", *allowed)
        return word

    return parse


def boolean(value: Value) -> bool:
    """Return true or false."""
    found = value.scalar("true or false")
    if not isinstance(found, bool):
        value.fail(f"must be true or false, got {shown(value.node)}")
    return found


def number(
    low: float, high: float, *, above: bool = False, expected: str | None = None
) -> Parser[float]:
    """Return a parser of a finite number from ``low`` (or above it) to ``high``."""
    relation = "a number above {:g}, at most {:g}" if above else "a number from {:g} to {:g}"
    wanted = expected or relation.format(low, high)

    def parse(value: Value) -> float:
        found = value.scalar(wanted)
        if isinstance(found, bool | str) or not math.isfinite(found):
            value.fail(f"must be {wanted}, got {shown(value.node)}")
        if not low <= found <= high or (above and found == low):
            value.fail(f"must be {wanted}, got {shown(value.node)}")
        return float(found)

    return parse


def integer(low: int, high: int) -> Parser[int]:
    """Return a parser of a whole number from ``low`` to ``high``."""
    expected = f"a whole number from {low} to {high}"

    def parse(value: Value) -> int:
        found = value.scalar(expected)
        if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
            value.fail(f"must be {expected}, got {shown(value.node)}")
        return found

    return parse


def duration(low: float, high: float) -> Parser[float]:
    """Return a parser of a Prometheus duration from ``low`` to ``high`` seconds."""
    expected = f"a duration from {format_duration(low)} to {format_duration(high)} such as 1h30m"

    def parse(value: Value) -> float:
        try:
            seconds = parse_duration(value.text(expected))
        except ValueError:
            value.fail(f"must be {expected}, got {shown(value.node)}")
        if not low <= seconds <= high:
            value.fail(f"must be {expected}, got {shown(value.node)}")
        return seconds

    return parse


def size(low: int, high: int) -> Parser[int]:
    """Return a parser of a size from ``low`` to ``high`` bytes."""
    expected = f"a size from {format_size(low)} to {format_size(high)} such as 4MiB"

    def parse(value: Value) -> int:
        try:
            found = parse_size(value.text(expected))
        except ValueError:
            value.fail(f"must be {expected}, got {shown(value.node)}")
        if not low <= found <= high:
            value.fail(f"must be {expected}, got {shown(value.node)}")
        return found

    return parse


def text(expected: str, valid: Callable[[str], object]) -> Parser[str]:
    """Return a parser of text for which ``valid`` answers something true."""

    def parse(value: Value) -> str:
        found = value.text(expected)
        if not valid(found):
            value.fail(f"must be {expected}, got {shown(value.node) or 'empty text'}")
        return found

    return parse
