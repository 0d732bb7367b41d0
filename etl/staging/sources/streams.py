"""Inputs that can be read once: standard input, and the answer to a query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO

from psycopg2.extensions import cursor as Cursor

from etl.config.settings import PostgreSQLSettings
from etl.errors import SourceError
from etl.postgresql.connection import connect
from etl.postgresql.door import door
from etl.postgresql.next_steps import Advice
from etl.postgresql.silence import WatchedConnection
from etl.staging.batch.records import RawBatch
from etl.staging.database.waits import Waits
from etl.staging.sources.base import BATCH_BYTES, Format, Slice, numbered_slices
from etl.staging.sources.opening import naming
from etl.statements.postgresql import row_security

_ROWS_AT_ONCE = 2000
_LONGEST_FETCH_SECONDS = 3600
_LONGEST_LOCK_SECONDS = 30

_ADVICE = Advice(
    statement="load again, or raise the server's statement_timeout for this user",
    lock="load again",
    connections="end another session of that server",
)


@dataclass(frozen=True)
class StandardInput:
    """`stream` is called when reading begins: a retry that only needs the spool leaves standard input alone."""

    format: Format
    stream: Callable[[], BinaryIO]

    def batches(self, batch_size: int) -> Iterator[RawBatch]:
        with naming("standard input"):
            yield from _numbered(self.format.slices(self.stream(), batch_size))

    def locate(self, batch: RawBatch, ordinal: int) -> dict[str, Any]:
        return self.format.locate(batch.position, ordinal - batch.position["ordinal"])


@dataclass(frozen=True)
class Query:
    """Rows of one snapshot, through a cursor of the server. PostgreSQL itself writes the JSON: nothing is rounded."""

    server: PostgreSQLSettings
    query: str

    def batches(self, batch_size: int) -> Iterator[RawBatch]:
        return _numbered(numbered_slices(self._records(), batch_size, None))

    def locate(self, batch: RawBatch, ordinal: int) -> dict[str, Any]:
        return {"row": ordinal + 1}

    def _records(self) -> Iterator[bytes]:
        with (
            closing(Waits(self.server)) as waits,
            waits.watched("read the query") as wait,
            door(self.server, "read the query", _ADVICE, SourceError),
            closing(connect(self.server)) as held,
        ):
            wait.pid = held.info.backend_pid
            # a column of type json keeps its line breaks; within its texts they are escaped
            yield from (text.encode().replace(b"\n", b" ") for text in self._texts(held))

    def _texts(self, held: WatchedConnection) -> Iterator[str]:
        """One transaction, since a pooler may give the next one another session. A long reading is no mistake; one that
        gives nothing for an hour is."""
        held.limit_seconds = _LONGEST_FETCH_SECONDS
        held.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with held.cursor() as limits:
            limits.execute(
                f"SET LOCAL statement_timeout = '{_LONGEST_FETCH_SECONDS}s'; SET LOCAL lock_timeout = "
                f"'{_LONGEST_LOCK_SECONDS}s'; SET LOCAL idle_in_transaction_session_timeout = 0; "
                f"SET LOCAL timezone = 'UTC'; {row_security.FAIL}"
            )
        with held.cursor("staging_source", cursor_factory=Cursor) as rows:
            # on lines of its own: the query may end in a comment; with .*, since a column may be called `record`
            rows.execute(f"SELECT row_to_json(record.*)::text FROM (\n{self.query}\n) AS record")
            yield from _fetched(rows)


def _fetched(rows: Cursor) -> Iterator[str]:
    """Many small rows at once, few large ones: as many as those before let expect to fit."""
    texts = [text for (text,) in rows.fetchmany(1)]
    wanted = 1
    while texts:
        yield from texts
        # what is left of a round number of rows
        wanted = _rows_that_fit(texts) - (1 if wanted == 1 else 0)
        texts = [text for (text,) in rows.fetchmany(max(wanted, 1))]


def _rows_that_fit(texts: list[str]) -> int:
    return max(1, min(_ROWS_AT_ONCE, BATCH_BYTES // max(map(len, texts))))


def _numbered(slices: Iterator[Slice]) -> Iterator[RawBatch]:
    ordinal = 0
    for index, piece in enumerate(slices):
        ordinals = range(ordinal, ordinal + len(piece.records))
        yield RawBatch(index, {"ordinal": ordinal, **piece.position}, ordinals, piece.records)
        ordinal = ordinals.stop
