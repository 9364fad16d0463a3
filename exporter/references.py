"""Which reference serves which model version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from exporter.config import Settings
from exporter.reference.file import dumps, loads
from exporter.reference.reference import Reference

Key = tuple[str, str | None]
_FILE: Final = "file"


def file_of(reference: Reference) -> bytes:
    """Return a reference as the bytes of a file; they are made once."""
    if _FILE not in reference.kept:
        reference.kept[_FILE] = dumps(reference)
    found: bytes = reference.kept[_FILE]
    return found


class References:
    """The references there are.

    A version's own comes first, then that of its whole model, both sent by ``PUT``; then the
    file that is configured, then the version's own first events.
    """

    def __init__(self) -> None:
        self.sent: dict[Key, Reference] = {}
        """By model and version; ``None`` serves all versions without one of their own."""
        self.configured: Mapping[str, Reference] = {}
        """By the name or the glob that is configured."""
        self.first: dict[tuple[str, str], Reference] = {}

    def dump(self) -> tuple[dict[int, int], dict[str, Any]]:
        """Return the place of each reference, and all of them as plain objects."""
        known = self._known()
        held = {id(one): place for place, one in enumerate(known)}
        tables = {
            name: [(key, held[id(one)]) for key, one in table.items()]
            for name, table in self._tables().items()
        }
        return held, {"files": [file_of(one) for one in known], **tables}

    def load(self, dumped: Mapping[str, Any]) -> list[Reference]:
        """Take what was dumped; return the references in their places."""
        known = [self.of(file) for file in dumped["files"]]
        for (name, version), place in dumped["sent"]:
            self.sent[name, version] = known[place]
        for (name, version), place in dumped["first"]:
            self.first[name, version] = known[place]
        self.configured = {name: known[place] for name, place in dumped["configured"]}
        return known

    def of(self, file: bytes) -> Reference:
        """Return the reference in a file: the one that is there already, if it is the same."""
        for one in self._known():
            if file_of(one) == file:
                return one
        found = loads(file)
        found.kept[_FILE] = file
        return found

    def _known(self) -> list[Reference]:
        every = (one for table in self._tables().values() for one in table.values())
        return list({id(one): one for one in every}.values())

    def _tables(self) -> dict[str, Mapping[Any, Reference]]:
        return {"sent": self.sent, "configured": self.configured, "first": self.first}

    def find(self, name: str, version: str, settings: Settings) -> Reference | None:
        """Return the reference of a model version."""
        return (
            self.sent.get((name, version))
            or self.sent.get((name, None))
            or self.configured.get(settings.entry(name).name)
            or self.first.get((name, version))
        )

    def shown(self, name: str, version: str | None, settings: Settings) -> Reference | None:
        """Return what serves a version, or those versions that have none of their own.

        Without a version and anything for all of them that is the only one's first events.
        """
        if version is not None:
            return self.find(name, version, settings)
        first = [one for (model, _), one in self.first.items() if model == name]
        return (
            self.sent.get((name, None))
            or self.configured.get(settings.entry(name).name)
            or (first[0] if len(first) == 1 else None)
        )
