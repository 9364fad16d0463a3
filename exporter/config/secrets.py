"""Parsers of what must not be shown in a message, even when it is wrong or in the wrong place."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import yaml

from exporter.config import document
from exporter.config.parsers import Parser
from exporter.config.problems import ConfigError, Problem
from exporter.config.values import Value

T = TypeVar("T")
_QUOTED = re.compile(r"'[^']{2,}'|\"[^\"]{2,}\"")


def read(path: str) -> yaml.Node | None:
    """Return the root node of a YAML file; errors quote nothing of it. Raises ConfigError."""
    try:
        return document.read(path)
    except ConfigError as error:
        raise ConfigError(map(_without_quotes, error.problems)) from None


def _without_quotes(problem: Problem) -> Problem:
    message = problem.message.partition(", got ")[0]
    return replace(problem, message=_QUOTED.sub("'…'", message))


def secret(expected: str, valid: Callable[[str], object]) -> Parser[str]:
    """Return a parser of text for which ``valid`` answers something true."""

    def parse(value: Value) -> str:
        found = str(value.node.value) if isinstance(value.node, yaml.ScalarNode) else ""
        if not valid(found):
            value.fail(f"must be {expected} (what stands there is not shown)")
        return found

    return parse


def unshown(
    parser: Parser[T],
    kind: type[yaml.CollectionNode] = yaml.MappingNode,
    expected: str = "a mapping of keys to values",
) -> Parser[T]:
    """Return a parser of a mapping or a list: text in its place is refused without showing it."""

    def parse(value: Value) -> T:
        if not isinstance(value.node, kind) and not value.is_null:
            value.fail(f"must be {expected}")
        return parser(value)

    return parse
