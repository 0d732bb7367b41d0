"""`append` and `upsert`: new rows come in; of stored ones that differ, `conflict_resolution` decides."""

from __future__ import annotations

from typing import Any

from etl.errors import ConflictError, ContentionError
from etl.load.postgresql.modes.upsert import upsert, upsert_steps
from etl.load.postgresql.publication.table import Publication, Written, describe_keys
from etl.load.postgresql.publication.vanished import let_go
from etl.model import ConflictResolution
from etl.statements.postgresql import writing


def add(cursor: Any, publication: Publication, accepted: int) -> Written:
    """Without a key there is nothing to compare: every row is a new one."""
    write = publication.write
    if not write.match:
        cursor.execute(writing.insert_new(write, update_raced=False))
        return Written(inserted=cursor.rowcount)
    if publication.resolution is ConflictResolution.UPDATE:
        return upsert(cursor, write, accepted)
    return _insert_only(cursor, publication)


def add_steps(publication: Publication) -> list[str]:
    write, steps = publication.write, []
    if publication.deletes_gone or publication.marks_gone:
        steps.append(let_go(publication))
    if publication.resolution is ConflictResolution.UPDATE:
        return [*steps, *upsert_steps(write)]
    return [*steps, writing.insert_new(write, update_raced=False)]


def _insert_only(cursor: Any, publication: Publication) -> Written:
    write = publication.write
    cursor.execute(writing.classify(write))
    new, equal, differing = cursor.fetchone()
    if differing and publication.resolution is ConflictResolution.ERROR:
        cursor.execute(writing.differing_keys(write))
        keys = describe_keys(write.match, cursor.fetchall())
        raise ConflictError(
            f"expected new or equal rows for {write.target}, found {differing} keys whose stored row differs, "
            f"for example {keys}; nothing was written. Set `conflict_resolution` to update or skip, or mend the source",
            table=publication.config.table_name,
        )
    cursor.execute(writing.insert_new(write, update_raced=False))
    if cursor.rowcount != new:
        raise ContentionError(f"another writer changed {write.target} while it was being loaded; it is tried again")
    return Written(inserted=new, unchanged=equal, skipped=differing)
