"""PostgreSQL's write modes: what each does with the accepted rows of a staging table, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from etl.load.existing import Existing, leave_existing, refuse_existing
from etl.load.postgresql.modes.add import add, add_steps
from etl.load.postgresql.modes.overwrite import overwrite, overwrite_steps, refuse_needed
from etl.load.postgresql.publication.table import Publication, Written
from etl.load.postgresql.target.creation import create_target
from etl.model import WriteMode
from etl.statements.postgresql import writing
from etl.statements.postgresql.naming import Table
from etl.statements.postgresql.writing import Write


@dataclass(frozen=True)
class Mode:
    """`write` meets a target that holds rows, and says what became of the accepted ones; `steps` are its statements for
    --dry-run. `refuse` looks beforehand for what cannot be; it is told the tables that are published together.
    """

    write: Callable[[Any, Publication, int], Written]
    steps: Callable[[Publication], list[str]]
    refuse: Callable[[Any, Publication, frozenset[Table]], None] | None = None
    existing: Existing | None = None


MODES: dict[WriteMode, Mode] = {
    WriteMode.APPEND: Mode(add, add_steps),
    WriteMode.UPSERT: Mode(add, add_steps),
    WriteMode.OVERWRITE: Mode(overwrite, overwrite_steps, refuse_needed),
    WriteMode.IGNORE: Mode(add, add_steps, existing=leave_existing),
    WriteMode.ERROR: Mode(add, add_steps, existing=refuse_existing),
}


def write_rows(cursor: Any, publication: Publication, accepted: int, together: frozenset[Table]) -> Written:
    """The accepted rows of the staging table into the target; one without rows is filled, whatever the mode is."""
    mode = MODES[publication.config.mode]
    if publication.is_new:
        return Written(create_target(cursor, publication.design, publication.write), filled_empty=True)
    if accepted == 0 and not publication.replaces:
        return Written()
    if mode.refuse:
        mode.refuse(cursor, publication, together)
    if _is_empty(cursor, publication.write):
        cursor.execute(writing.lock_against_writers(publication.write.target))
        if _is_empty(cursor, publication.write):
            cursor.execute(writing.insert_all(publication.write))
            return Written(inserted=cursor.rowcount, filled_empty=True)
    return mode.write(cursor, publication, accepted)


def _is_empty(cursor: Any, write: Write) -> bool:
    cursor.execute(writing.is_empty(write.target))
    return bool(cursor.fetchone()[0])
