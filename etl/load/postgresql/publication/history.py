"""What the ledger says that this run has already published."""

from __future__ import annotations

from typing import Any

from etl.model import Destination, LoadResult, WriteMode

_PUBLISHED = """
SELECT target, mode, rows_inserted, rows_updated, rows_unchanged, rows_skipped, rows_rejected, rows_deleted,
       bytes_written, seconds, coalesce(skipped_reason, '')
FROM etl.loads
WHERE run_id = %(run_id)s AND table_name = %(table_name)s AND destination = %(destination)s
  AND status IN ('success', 'unchanged', 'skipped')
"""


def find_published(cursor: Any, run_id: str, table_name: str) -> LoadResult | None:
    """The entry commits with the data, so it is the proof. None where there is no ledger."""
    cursor.execute("SELECT to_regclass('etl.loads') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return None
    cursor.execute(_PUBLISHED, {"run_id": run_id, "table_name": table_name, "destination": str(Destination.POSTGRESQL)})
    row = cursor.fetchone()
    return None if row is None else _result(table_name, row)


def _result(table_name: str, row: tuple[Any, ...]) -> LoadResult:
    target, mode, inserted, updated, unchanged, skipped, rejected, deleted, size, seconds, reason = row
    return LoadResult(
        table_name=table_name,
        destination=Destination.POSTGRESQL,
        target=target,
        mode=WriteMode(mode),
        rows_in=inserted + updated + unchanged + skipped + rejected,
        rows_inserted=inserted,
        rows_updated=updated,
        rows_unchanged=unchanged,
        rows_skipped=skipped,
        rows_rejected=rejected,
        rows_deleted=deleted,
        bytes_written=size,
        seconds=seconds,
        skipped_reason=reason,
    )
