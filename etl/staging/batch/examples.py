"""The first invalid records of a batch, as its entry in the ledger shows them: also those that stand unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from etl.staging.batch.records import PreparedBatch, RuleError
from etl.staging.ledger.failures import cut

MAXIMUM_EXAMPLES = 10
TEXT_CHARACTERS = 300
SOURCE_ID_CHARACTERS = 200


def examples_of(batch: PreparedBatch) -> list[dict[str, Any]]:
    """Of the records that are rows, in the order of the input."""
    found: list[dict[str, Any]] = []
    if not batch.rows_invalid:
        return found
    places = (place for place, ordinal in enumerate(batch.ordinals) if ordinal in batch.faults)
    for place in sorted(places, key=batch.ordinals.__getitem__):
        ordinal, source_id = batch.ordinals[place], cut(batch.source_ids[place], SOURCE_ID_CHARACTERS)
        for error in batch.faults[ordinal].errors[: MAXIMUM_EXAMPLES - len(found)]:
            found.append({**_told(error), "source_id": source_id, "ordinal": ordinal})
        if len(found) == MAXIMUM_EXAMPLES:
            break
    return found


def _told(error: RuleError) -> dict[str, Any]:
    return {
        "kind": error.kind,
        "path": cut(pointer(error.steps), TEXT_CHARACTERS),
        "message": cut(error.message, TEXT_CHARACTERS),
        "sample_value": _sample_value(error),
    }


def pointer(steps: Iterable[str | int]) -> str:
    """RFC 6901; the whole record is the empty text."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _sample_value(error: RuleError) -> str | None:
    """As JSON text, its beginning; None where nothing stood."""
    if not error.has_value:
        return None
    if isinstance(error.sample, str) and not error.is_text:  # JSON already
        return cut(error.sample, TEXT_CHARACTERS)
    return cut(orjson.dumps(error.sample).decode(), TEXT_CHARACTERS)
