"""Parsers: from a value to a setting, or to problems told at the value's place."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from exporter.config.problems import nearest
from exporter.config.units import format_duration, format_size, parse_duration, parse_size
from exporter.config.values import Invalid, Value, shown

T = TypeVar("T")
Parser = Callable[[Value], T]


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

    ``required`` keys and exactly one key of ``one_of`` must be given; ``build`` makes the settings
    of what was parsed.
    """

    keys: Mapping[str, Parser[Any]]
    build: Callable[..., Any] = dict
    one_of: tuple[str, ...] = ()
    required: tuple[str, ...] = ()

    def __call__(self, value: Value) -> Any:
        """Return what ``build`` makes of the keys given; the problems are with the value."""
        entries = value.entries()
        for key in [key for key in entries if key not in self.keys]:
            hint = nearest(key, self.keys)
            value.key_place(key).report(f"unknown key{hint}", *self.keys)
            del entries[key]
        for key in self.required:
            if key not in entries or entries[key].is_null:
                value.report(f"{key} is missing")
        chosen = [key for key in self.one_of if key in entries and not entries[key].is_null]
        if self.one_of and len(chosen) != 1:
            got = f"got {' and '.join(chosen)}" if chosen else "got none"
            value.fail(f"must have exactly one of these keys, {got}", *self.one_of)
        before = len(value.problems)
        parsed = parse_each(entries, self.keys)
        incomplete = any(key not in parsed for key in self.required)
        if incomplete or (self.build is not dict and len(value.problems) > before):
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
        # An integer of any length can be compared, but not converted.
        if isinstance(found, bool | str) or found in (math.inf, -math.inf) or found != found:
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
