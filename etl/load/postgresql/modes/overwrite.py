"""`overwrite`: the target holds a load's rows and no others; equal ones are not written again."""

from __future__ import annotations

from typing import Any

from etl.errors import ConflictError
from etl.load.postgresql.modes.upsert import upsert, upsert_steps
from etl.load.postgresql.publication.table import Publication, Written, describe_keys
from etl.load.vanished import refuse_too_many_vanished
from etl.statements.postgresql import writing
from etl.statements.postgresql.naming import Table


def overwrite(cursor: Any, publication: Publication, accepted: int) -> Written:
    if not publication.write.match:
        return _replace(cursor, publication, accepted)
    deleted = _delete_missing(cursor, publication)
    return upsert(cursor, publication.write, accepted, deleted)


def overwrite_steps(publication: Publication) -> list[str]:
    write = publication.write
    return [*([writing.delete_missing(write)] if write.match else []), *upsert_steps(write)]


def refuse_needed(cursor: Any, publication: Publication, together: frozenset[Table]) -> None:
    """Rows that other tables refer to cannot go. Children of the same transaction are left to their constraints, which
    are checked when all tables are in."""
    write = publication.write
    if not write.match:
        return
    for key in publication.target.referenced_by:
        if key.child in together:
            continue
        cursor.execute(writing.still_needed(write, key.child, key.columns, key.parent_columns))
        needed = cursor.fetchall()
        if needed:
            raise ConflictError(
                f"expected to drop the rows of {write.target} that are not in the new content, found {needed[0][-1]} "
                f"rows that {key.child} still refers to ({key.name}), for example "
                f"{describe_keys(write.match, [row[:-1] for row in needed])}; nothing was written. "
                f"Load {key.child} first, or use upsert",
                table=publication.config.table_name,
            )


def _delete_missing(cursor: Any, publication: Publication) -> int:
    write = publication.write
    cursor.execute(writing.delete_missing(write))
    deleted = int(cursor.rowcount)
    if deleted:
        cursor.execute(writing.count_stored(write))
        refuse_too_many_vanished(publication.config, deleted, deleted + cursor.fetchone()[0], str(write.target))
    return deleted


def _replace(cursor: Any, publication: Publication, accepted: int) -> Written:
    """No key, no comparison row by row: all are replaced unless the content is equal as a whole."""
    write = publication.write
    cursor.execute(writing.same_content(write))
    if cursor.fetchone()[0]:
        return Written(unchanged=accepted)
    cursor.execute(writing.delete_all(write))
    deleted = cursor.rowcount
    refuse_too_many_vanished(publication.config, max(deleted - accepted, 0), deleted, str(write.target))
    cursor.execute(writing.insert_all(write))
    return Written(inserted=cursor.rowcount, deleted=deleted)
