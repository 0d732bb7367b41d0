"""Rows that brought their own numbers leave the sequence of their column behind; the next INSERT would collide."""

from __future__ import annotations

from typing import Any

import structlog

from etl.load.postgresql.publication.table import Publication
from etl.statements.postgresql.sequences import advance_sequence

log = structlog.get_logger(__name__)


def advance_sequences(cursor: Any, publication: Publication) -> None:
    """A sequence that this role may not move is left where it stands, with a word on who should move it."""
    written = set(publication.write.names)
    for sequence in publication.target.sequences:
        if sequence.column not in written:
            continue
        statement = advance_sequence(
            publication.write.target, sequence.column, sequence.name, ascending=sequence.ascending
        )
        if sequence.may_advance:
            cursor.execute(statement)
        else:
            log.warning(
                "sequence left behind",
                table=publication.config.table_name,
                sequence=str(sequence.name),
                reason="this role lacks SELECT or UPDATE on it; grant them, or let its owner run the statement",
                statement=statement,
            )
