"""Which records of a batch PostgreSQL does not take, so that the others can be stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import cursor as Cursor

from etl.staging.batch.records import PreparedBatch
from etl.staging.batch.upsert import Target, pieces, store_rows, without_rows

_DATA_CLASSES = ("22", "54")
"""SQLSTATE classes: data exception, and a limit of PostgreSQL exceeded."""

_TOO_LARGE = "invalid memory alloc request size"
"""An internal error by its SQLSTATE: a value of over a gigabyte."""


def is_data_fault(code: str | None, message: str) -> bool:
    """Whether some record is at fault."""
    return (code or "")[:2] in _DATA_CLASSES or _TOO_LARGE in message


def unstorable(cursor: Cursor, target: Target, batch: PreparedBatch) -> dict[int, str]:
    """Place in the batch → what PostgreSQL says of the record there. Nothing is written in the caller's transaction."""
    found: dict[int, str] = {}
    places = range(len(batch.source_ids))
    for piece in pieces(batch, places):
        refusals: list[str] = []
        with _tried(cursor, refusals):
            found |= _not_json(cursor, batch, piece)
    return found | _halved(cursor, target, batch, [place for place in places if place not in found])


def _not_json(cursor: Cursor, batch: PreparedBatch, places: Sequence[int]) -> dict[int, str]:
    """The common case in one statement: what is JSON for us and not for PostgreSQL, as numbers out of its range."""
    cursor.execute(
        """SELECT place - 1, (pg_input_error_info(document, 'jsonb')).message
        FROM unnest(string_to_array(%(documents)s, E'\\n')) WITH ORDINALITY AS input (document, place)
        WHERE NOT pg_input_is_valid(document, 'jsonb')""",
        {"documents": b"\n".join([batch.documents[place] for place in places]).decode()},
    )
    return {places[int(place)]: str(message) for place, message in cursor.fetchall()}


def _halved(cursor: Cursor, target: Target, batch: PreparedBatch, places: Sequence[int]) -> dict[int, str]:
    """What else the table asks of a row (generated columns, indexes, triggers) is asked by storing it."""
    refusals: list[str] = []
    with _tried(cursor, refusals):
        store_rows(cursor, target, without_rows(batch, set(range(len(batch.source_ids))) - set(places)))
    if not refusals:
        return {}
    if len(places) == 1:
        return {places[0]: refusals[0]}
    middle = len(places) // 2
    first, second = places[:middle], places[middle:]
    return _halved(cursor, target, batch, first) | _halved(cursor, target, batch, second)


@contextmanager
def _tried(cursor: Cursor, refusals: list[str]) -> Iterator[None]:
    """Undone in any case; a fault of the data is told and not raised."""
    cursor.execute("SAVEPOINT tried")
    try:
        yield
    except psycopg2.Error as error:
        message = error.diag.message_primary or str(error)
        if not is_data_fault(error.pgcode, message):
            raise
        refusals.append(message)
    cursor.execute("ROLLBACK TO SAVEPOINT tried")
