"""A run's batches: lines as the page's table has them, and one with what its expanded line shows.

There may be thousands at once: they are rows that are JSON already but for their names, never models.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from etl.api.models import Batch, BatchRow, ValidationExample
from etl.api.problems import ProblemError
from etl.api.reading.ledger import Look, looking
from etl.api.reading.runs import require_run, unknown_run
from etl.staging.database.database import StagingDatabase

OPTIONS = orjson.OPT_UTC_Z
FIELDS = tuple(BatchRow.model_fields)
"""In the order of the columns of `page_batches`, which has one more."""

Line = dict[str, Any]


def page_of_batches(
    database: StagingDatabase, run_id: str, after: int, limit: int, statuses: Sequence[str] | None, text: str | None
) -> bytes:
    """A BatchPage. One line more is read than shown, so that the last page knows that it is."""
    with looking(database, "read batches") as look:
        found = read_batches(
            look, run_id, after=after, limit=limit + 1, statuses=list(statuses) if statuses else None, text=text or None
        )
    if not found:
        require_run(database, run_id)
    shown = lines_of(found[:limit])
    page = {"batches": shown, "next_after": shown[-1]["index"] if len(found) > limit else None}
    return orjson.dumps(page, option=OPTIONS)


def get_batch(database: StagingDatabase, run_id: str, index: int) -> Batch:
    """404 where there is no such run or batch."""
    with looking(database, "read batch") as look:
        found = read_batches(look, run_id, after=index - 1, limit=1)
        details = look.row("page_batch_details", run_id=run_id, index=index)
        ((is_known,),) = look.tuples("page_run_exists", run_id=run_id)
    if not is_known:
        raise unknown_run(run_id)
    if details is None:
        raise ProblemError(404, "unknown_batch", f"run {run_id} has no batch {index}")
    (line,) = lines_of(found)
    examples = [ValidationExample(batch_index=index, **each) for each in details.pop("examples")]
    return Batch.model_validate({**line, **details, "examples": examples})


def read_batches(
    look: Look,
    run_id: str,
    *,
    after: int = -1,
    limit: int | None = None,
    statuses: list[str] | None = None,
    text: str | None = None,
    since: str | None = None,
    snapshot: str | None = None,
) -> list[tuple[Any, ...]]:
    """Rows of `page_batches`; `since`: only what has changed since that snapshot."""
    return look.tuples(
        "page_batches",
        run_id=run_id,
        after=after,
        limit=limit,
        statuses=statuses,
        text=text,
        since=since,
        snapshot=snapshot,
    )


def lines_of(rows: Iterable[tuple[Any, ...]]) -> list[Line]:
    """As BatchRow has them."""
    return [dict(zip(FIELDS, row, strict=False)) for row in rows]
