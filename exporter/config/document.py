"""YAML text to a tree of nodes that know their place, safe against hostile input."""

import re
from pathlib import Path
from typing import Any

import yaml
from yaml.error import MarkedYAMLError

from exporter.config.problems import ConfigError, Problem

MAX_FILE_BYTES = 4 * 2**20
MAX_NODES = 200_000
ENVIRONMENT = "environment "
_TAG = "tag:yaml.org,2002:"
_KNOWN_TAGS = {_TAG + kind for kind in ("null", "bool", "int", "float", "str", "seq", "map")}


class _Loader(yaml.SafeLoader):
    """Resolves scalars as YAML 1.2 does, so that ``off``, ``no`` and ``5:30`` are text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012


_Loader.add_implicit_resolver(
    _TAG + "null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", *"nN", ""]
)
_Loader.add_implicit_resolver(
    _TAG + "bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    _TAG + "int", re.compile(r"^[-+]?[0-9][0-9_]*$"), list("-+0123456789")
)
_Loader.add_implicit_resolver(
    _TAG + "float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


def read(path: str) -> yaml.Node | None:
    """Return the root node of a YAML file, None when it is empty. Raises ConfigError."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(path, None, "", _reason(error))]) from None
    if len(data) > MAX_FILE_BYTES:
        message = f"larger than {MAX_FILE_BYTES // 2**20} MiB"
        raise ConfigError([Problem(path, None, "", message)])
    try:
        return compose(data.decode("utf-8-sig"), path)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(path, line, "", "not UTF-8 text")]) from None


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "is a directory, not a file"
    return (error.strerror or str(error)).lower()


def compose(text: str, name: str) -> yaml.Node | None:
    """Return the root node of YAML text; ``name`` is kept as the source of every node.

    Raises ConfigError for bad syntax, more than one document, foreign tags, nesting or
    aliases beyond all need.
    """
    try:
        loader = _Loader(text)
        loader.name = name
        root: yaml.Node | None = loader.get_single_node()
        if root is not None:
            _Checker().check(root)
    except MarkedYAMLError as error:
        raise ConfigError([_syntax(error, name)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"not YAML: character U+{ord(text[error.position]):04X} is not allowed"
        raise ConfigError([Problem(name, line, "", message)]) from None
    except RecursionError:
        raise ConfigError([Problem(name, None, "", "nested too deeply")]) from None
    return root


def line_of(node: yaml.Node) -> int | None:
    """Return the line of a node, counted from 1; None outside of files."""
    mark = node.start_mark
    if mark is None or mark.name.startswith((ENVIRONMENT, "--")):
        return None
    return int(mark.line) + 1


def beside(file: str, path: str) -> str:
    """Return a path of a configuration file as seen from where the file lies."""
    return str(Path(file).parent / path)


def text_node(text: str, name: str) -> yaml.ScalarNode:
    """Return a node of plain text that comes from a flag or an environment variable."""
    mark = yaml.Mark(name, 0, 0, 0, None, 0)
    return yaml.ScalarNode(_TAG + "str", text, mark, mark)


def plain_node(text: str, name: str) -> yaml.ScalarNode:
    """Return a node of one plain scalar, resolved as in a file, whatever signs it holds."""
    node = text_node(text, name)
    loader: Any = _Loader("")
    node.tag = loader.resolve(yaml.ScalarNode, text, (True, False))
    return node


def is_null(node: yaml.Node) -> bool:
    """Return whether nothing stands there, as after ``key:`` alone."""
    return str(node.tag) == _TAG + "null"


def scalar(node: yaml.ScalarNode) -> bool | int | float | str | None:
    """Return the Python value of a scalar node. Raises ValueError when its tag lies."""
    kind = node.tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return str(node.value).lower() == "true"
    if kind == "int":
        return int(node.value.replace("_", ""))
    if kind == "float":
        return float(node.value)
    return str(node.value)


def _syntax(error: MarkedYAMLError, name: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    message = ", ".join(part for part in (error.context, error.problem) if part)
    if mark is None:
        return Problem(name, None, "", f"not YAML: {message}")
    if name.startswith((ENVIRONMENT, "--")):
        return Problem(name, None, "", f"not YAML: {message} (column {mark.column + 1})")
    return Problem(name, mark.line + 1, "", f"not YAML: {message} (column {mark.column + 1})")


class _Checker:
    """Walks a tree once: refuses foreign tags, cycles, and aliases that multiply."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.open: set[int] = set()

    def check(self, node: yaml.Node) -> int:
        """Return how many nodes the tree has once every alias is written out."""
        key = id(node)
        if key in self.sizes:
            return self.sizes[key]
        if key in self.open:
            self.refuse(node, "an alias inside its own anchor")
        if node.tag not in _KNOWN_TAGS:
            self.refuse(node, f"tags are not supported, got {node.tag}")
        self.open.add(key)
        self.sizes[key] = size = 1 + sum(map(self.check, _children(node)))
        self.open.discard(key)
        if size > MAX_NODES:
            self.refuse(node, f"more than {MAX_NODES} values once aliases are written out")
        return size

    @staticmethod
    def refuse(node: yaml.Node, message: str) -> None:
        """Raise ConfigError for a node that must not be there."""
        raise ConfigError([Problem(node.start_mark.name, line_of(node), "", message)])


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
