"""What has changed since an event, in one snapshot: for whoever asks instead of listening."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from etl.api.reading.batches import OPTIONS, lines_of, read_batches
from etl.api.reading.ledger import looking
from etl.api.reading.runs import figures_of, run_of, run_row, unknown_run
from etl.api.reading.seen import NOTHING, since
from etl.staging.database.database import StagingDatabase


def changes_since(database: StagingDatabase, run_id: str, event_id: str | None) -> bytes:
    """A Change; without an id the run with all its batches. 404 where there is no such run."""
    with looking(database, "read changes") as look:
        seen = look.seen()
        row = run_row(look, run_id)
        if row is None:
            raise unknown_run(run_id)
        run = run_of(look, row, figures_of(look, row))
        known = since(event_id or NOTHING, seen)
        batches = lines_of(read_batches(look, run_id, since=known))
    return change_of(seen.id, run.model_dump_json().encode(), batches, run.is_ended, is_complete=known is None)


def change_of(event_id: str, run: bytes, batches: Sequence[object], is_last: bool, *, is_complete: bool) -> bytes:
    """A Change, whose run is JSON already."""
    change = {
        "id": event_id,
        "run": orjson.Fragment(run),
        "batches": batches,
        "is_last": is_last,
        "is_complete": is_complete,
    }
    return orjson.dumps(change, option=OPTIONS)
