"""A table that was empty when the run began is filled by COPY: no record has another to be compared with.

The first that meets one after all (of another batch, another run) breaks its batch off, and from there on all go by the
upsert. Rows come in the order of their keys here as there, so that the two wait for one another and never deadlock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO

import orjson
from psycopg2.extensions import cursor as Cursor

from etl.staging.batch.records import RUN_POSITIONS, PreparedBatch
from etl.staging.batch.upsert import Stored, Target
from etl.statements.staging.tables import fill_table

_NULL = b"\\N"


def fill_rows(cursor: Cursor, target: Target, batch: PreparedBatch) -> Stored:
    """Inside the caller's transaction, which is lost where a source_id stands already."""
    count = len(batch.source_ids)
    if not count:
        return Stored(0, 0, 0, batch.rows_deduplicated)
    lines = batch.lines or copy_lines(target, batch)
    cursor.copy_expert(fill_table(target.table), BytesIO(lines), len(lines))
    # a trigger of the table's own may have refused some
    return Stored(cursor.rowcount, 0, 0, batch.rows_deduplicated + count - cursor.rowcount)


def copy_lines(target: Target, batch: PreparedBatch) -> bytes:
    """COPY's text format, in the order of `fill_table`'s columns and of the keys' bytes."""
    ids = batch.source_ids
    if not ids:
        return b""
    order = sorted(range(len(ids)), key=ids.__getitem__)
    first = target.run_number * RUN_POSITIONS
    columns = [
        _escaped([ids[place].encode() for place in order]),
        _escaped([batch.documents[place] for place in order]),
        [b"%d" % (first + batch.ordinals[place]) for place in order],
        [b"f" if batch.errors[place] else b"t" for place in order],
        _errors([batch.errors[place] for place in order]),
    ]
    if target.table.has_source_updated_at:
        columns.append(_instants([batch.source_updated_at[place] for place in order]))
    if target.table.has_hash_digest:
        columns.append([batch.hash_digests[place].encode() for place in order])
    # the server's clock as the transaction began; a default that COPY must evaluate for each row would slow it down
    end = f"\t{target.job_id}\t{target.run_id}\tnow\tnow\tnow\n".encode()
    return end.join(map(b"\t".join, zip(*columns, strict=True))) + end


def _escaped(texts: Sequence[bytes]) -> list[bytes]:
    """NUL, which none of them holds, separates them while all are escaped at once."""
    joined = b"\0".join(texts).replace(b"\\", b"\\\\")
    return joined.replace(b"\t", b"\\t").replace(b"\n", b"\\n").replace(b"\r", b"\\r").split(b"\0")


def _errors(errors: Sequence[bytes | None]) -> list[bytes]:
    if not any(errors):
        return [_NULL] * len(errors)
    # as JSON they hold no raw control character
    return [each.replace(b"\\", b"\\\\") if each else _NULL for each in errors]


def _instants(instants: Sequence[datetime | None]) -> list[bytes]:
    # as in `instant_array`
    if all(each is None or each.tzinfo is UTC for each in instants):
        return orjson.dumps(instants)[1:-1].replace(b'"', b"").replace(b"null", _NULL).split(b",")
    return [each.isoformat().encode() if each else _NULL for each in instants]
