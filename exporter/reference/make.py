"""From recorded events, or a built file, to a reference of one model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import IO

from exporter.config import Settings
from exporter.events import FieldError, Rejection
from exporter.ingest import Raw
from exporter.reference import file
from exporter.reference.build import Progress, build
from exporter.reference.formats import batches
from exporter.reference.gather import Gathered, gather
from exporter.reference.reference import Reference
from exporter.reference.tables import NO_LIMIT


@dataclass(frozen=True)
class Made:
    """A reference, and what became of the events that it was made of."""

    reference: Reference
    model: str = ""
    """The model that the events name, where it is one."""
    others: int = 0
    """Events of other models, left out."""
    rejected: int = 0
    listed: tuple[Rejection, ...] = field(default=())
    """The first of the events that were rejected."""


class NotUsable(ValueError):
    """Events that make no reference; tells the field, and the first events that were rejected."""

    def __init__(self, error: FieldError, gathered: Gathered) -> None:
        super().__init__(error.error)
        self.field = error.field
        self.rejected = gathered.rejected
        self.listed = list(gathered.listed)


def make(
    content: IO[bytes],
    form: str | None,
    model: str | None,
    settings: Settings,
    *,
    source: str = "",
    independent: bool = False,
    limit: int = NO_LIMIT,
    progress: Progress = lambda what, done, steps: None,
) -> Made:
    """Return the reference in ``content``: events of format ``form``, or a built file for ``None``.

    ``model`` is a name or a glob; for ``None`` the events must name one model at most. Raises
    :class:`BodyError`, :class:`Unavailable`, :class:`BadFile`, :class:`NotUsable`, and ``TooLarge``
    for more than ``limit`` bytes once decompressed.
    """
    if form is None:
        reference = file.loads(content.read(file.MAX_BYTES + 2**16))
        vouched = reference.independent or independent
        return Made(replace(reference, source=source or reference.source, independent=vouched))
    raws = batches(content, form, limit)
    return from_events(
        raws, model, settings, source=source, independent=independent, progress=progress
    )


def from_events(
    raws: Iterable[Raw],
    model: str | None,
    settings: Settings,
    *,
    source: str = "",
    independent: bool = False,
    progress: Progress = lambda what, done, steps: None,
) -> Made:
    """Return the reference that events make; raises :class:`BodyError` and :class:`NotUsable`."""
    gathered = Gathered(_named(model))
    try:
        columns = gather(raws, gathered)
        name = _only(gathered, model or settings.single_model)
        reference, _ = build(
            columns,
            settings.for_model(name),
            source=source,
            independent=independent,
            progress=progress,
        )
    except FieldError as error:
        raise NotUsable(error, gathered) from None
    lost = len(columns) - reference.rows
    return Made(reference, name, gathered.others, gathered.rejected + lost, tuple(gathered.listed))


def _named(model: str | None) -> Callable[[str], bool]:
    if model is None:
        return lambda name: True
    return lambda name: fnmatchcase(name, model)


def _only(gathered: Gathered, model: str | None) -> str:
    if model is not None:
        return model
    if len(gathered.models) > 1:
        few = ", ".join(sorted(gathered.models)[:5])
        raise FieldError("model", f"events of {len(gathered.models)} models ({few}): name one")
    return next(iter(gathered.models), "")
