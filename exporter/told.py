"""What a client is told became of its events."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from exporter.events import MAX_LISTED_REJECTIONS
from exporter.intake import Outcome


def told(outcome: Outcome) -> tuple[int, bytes]:
    """Return the answer to a body that was read; ``422`` when nothing of it was good."""
    rejected: list[dict[str, Any]] = [
        asdict(one) for one in outcome.rejected[:MAX_LISTED_REJECTIONS]
    ]
    answer: dict[str, Any] = {
        "accepted": outcome.accepted,
        "duplicates": len(outcome.duplicates),
        "rejected": rejected,
        "rejected_total": len(outcome.rejected),
    }
    if outcome.rejected and not outcome.accepted and not outcome.duplicates:
        return 422, orjson.dumps(
            {"error": "every event was rejected", "detail": rejected, **answer}
        )
    return 200, orjson.dumps(answer)
