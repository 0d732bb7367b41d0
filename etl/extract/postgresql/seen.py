"""What of a server's transactions a snapshot saw: kept with a mark, it tells the next run which rows came late.

PostgreSQL's list of what was in progress does not do alone: it names no subtransactions, whose numbers rows have, and
on a standby it is empty. What holds everywhere is xmin: whatever a snapshot does not see, a subtransaction too, has a
number at or after the oldest that was in progress. So all from there on count as unseen; rows among them that were seen
are read again, and found unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from etl.config.settings import PostgreSQLSettings
from etl.errors import SourceError
from etl.extract.postgresql.catalog import SourceTable, savepoint
from etl.extract.postgresql.door import source_door
from etl.extract.values import Transactions, Unseen
from etl.statements.quoting import postgresql_name
from etl.statements.source.catalog import FOREIGN_PARTS

UNKNOWN = "unknown"

_SNAPSHOT = "SELECT pg_current_snapshot()::text, pg_is_in_recovery()"
_SYSTEM = """
SELECT system_identifier || '/' || CASE
    -- the control file of a server that was promoted has the new timeline after its next checkpoint only
    WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
    ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END
FROM pg_control_system()
"""


@dataclass(frozen=True)
class SeenSnapshot:
    """A `pg_snapshot`, and of which server: `system` is its identifier and timeline, UNKNOWN where it does not tell.
    `is_behind_another`: a standby shows what its primary has shown before."""

    system: str
    snapshot: str
    is_behind_another: bool = False

    def __str__(self) -> str:
        return f"{self.system} {self.snapshot}"

    @classmethod
    def kept(cls, text: str) -> SeenSnapshot:
        system, snapshot = text.split(" ")
        return cls(system, snapshot)

    @property
    def xmin(self) -> int:
        return int(self.snapshot.split(":")[0])

    @property
    def xmax(self) -> int:
        return int(self.snapshot.split(":")[1])

    @property
    def open_transactions(self) -> Transactions:
        """Those that were, or may have been, in progress."""
        return Transactions(self.xmin, self.xmax)

    def unseen(self, kept: SeenSnapshot) -> Unseen:
        """What is visible in this snapshot and was not in the one that was kept; more where that cannot be told."""
        if kept.system != self.system:
            return Unseen(lost=f"its transactions were followed on server {kept.system}, and it is {self.system} now")
        if self.xmax < kept.xmax and (self.system == UNKNOWN or not self.is_behind_another):
            return Unseen(lost=f"the server has come to transaction {self.xmax}, and had been at {kept.xmax}")
        unseen = Transactions(kept.xmin, self.xmax)
        if unseen.is_ambiguous:
            return Unseen(lost=f"{unseen.end - unseen.first} transactions ago it was read last")
        return Unseen(unseen if unseen.first < unseen.end else None)


def see(cursor: Cursor, settings: PostgreSQLSettings) -> SeenSnapshot:
    """Of the cursor's transaction. Some hosted servers keep to themselves which they are."""
    with source_door(settings, "asking what the snapshot sees"):
        cursor.execute(_SNAPSHOT)
        [(snapshot, is_in_recovery)] = cursor.fetchall()
    try:
        with savepoint(cursor), source_door(settings, "asking which server it is"):
            cursor.execute(_SYSTEM)
            [(system,)] = cursor.fetchall()
    except SourceError:
        system = UNKNOWN
    return SeenSnapshot(system, snapshot, is_in_recovery)


def require_transactions(cursor: Cursor, settings: PostgreSQLSettings, source: SourceTable, table: str) -> None:
    """SourceError where rows do not know which of the server's transactions wrote them."""
    if not source.is_stored or _has_foreign_parts(cursor, settings, source):
        raise SourceError(
            f"{source.qualified_name}: expected a table of this server whose rows know their transactions, found a "
            "view or foreign rows; write `extract: {late_commits: overlap}`, or read the tables beneath it",
            table=table,
        )


def _has_foreign_parts(cursor: Cursor, settings: PostgreSQLSettings, source: SourceTable) -> bool:
    with savepoint(cursor), source_door(settings, f"looking for foreign partitions of {source.qualified_name}"):
        cursor.execute(FOREIGN_PARTS, {"table": postgresql_name(*source.place)})
        [(has_some,)] = cursor.fetchall()
        return bool(has_some)
