"""Frozen values that cross rooms."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import ClassVar

PARTITION_DATE = "partition_date"
"""The lake's partition column: the day (UTC) of the table's date column."""

POSTGRESQL_TYPE = "postgresql_type"
"""Key of a Spark field's metadata: the PostgreSQL type the column has at its source, as format_type() prints it."""


HELD_AS_TEXT = "held_as_text"
"""Key of a load's configuration in the ledger and of its entry in the report: column → the source's type."""

HIDDEN = "_etl_"
"""What the names of our own columns begin with, beside those of a table."""

DELETED_AT = "_etl_deleted_at"
"""Column of targets whose rows are marked once they are gone from the source: since when; NULL while they are there."""

WATERMARK = "_etl_watermark"
"""Hidden column of an incremental extraction: the row's watermark, so that each destination takes what it lacks."""

TRANSACTION = "_etl_transaction"
"""Hidden column of an extraction that follows transactions: the one that wrote the row, where a destination may not
have seen it; else NULL."""

UNREADABLE = "_etl_unreadable"
"""Hidden column of an extraction: `column=value` where the frame cannot hold what the source has; else NULL."""


class Destination(str):
    """A destination's name, as YAML, the ledger and reports have it. Which ones there are is for the configuration to
    say (config/destinations/registry.py); the ledger may know one whose package is gone.
    """

    __slots__ = ()

    S3: ClassVar[Destination]
    POSTGRESQL: ClassVar[Destination]
    CLICKHOUSE: ClassVar[Destination]


Destination.S3 = Destination("s3")
Destination.POSTGRESQL = Destination("postgresql")
Destination.CLICKHOUSE = Destination("clickhouse")


class TableKind(StrEnum):
    REFERENCE = "reference"
    EVENT = "event"
    SNAPSHOT = "snapshot"
    AGGREGATE = "aggregate"


class ExtractMode(StrEnum):
    FULL = "full"
    INCREMENTAL = "incremental"


class WriteMode(StrEnum):
    APPEND = "append"
    MERGE = "merge"
    UPSERT = "upsert"
    OVERWRITE = "overwrite"
    OVERWRITE_PARTITIONS = "overwrite_partitions"
    REPLACE_PARTITION = "replace_partition"
    IGNORE = "ignore"
    ERROR = "error"


class ConflictResolution(StrEnum):
    UPDATE = "update"
    SKIP = "skip"
    ERROR = "error"


class SchemaContract(StrEnum):
    EVOLVE = "evolve"
    FREEZE = "freeze"
    DISCARD_ROW = "discard_row"
    DISCARD_VALUE = "discard_value"


class VanishedRows(StrEnum):
    """What becomes of stored rows that a whole reading of the source no longer holds."""

    DELETE = "delete"
    MARK = "mark"  # they stay as they were, and DELETED_AT says since when they are gone
    KEEP = "keep"


class OutOfRange(StrEnum):
    """What becomes of a row with a value that one of its stores cannot hold: it goes to none of them, to all others, or
    there, too, with NULL or the nearest value that the store holds in its place."""

    REJECT_EVERYWHERE = "reject_everywhere"
    REJECT_THERE = "reject_there"
    SET_NULL = "set_null"
    CLAMP = "clamp"


ALTERING = frozenset({OutOfRange.SET_NULL, OutOfRange.CLAMP})


class Maintenance(StrEnum):
    """When a run does a target's upkeep, once its loads have ended."""

    NEVER = "never"
    WEEKLY = "weekly"
    AFTER_RUN = "after_run"


class Digest(StrEnum):
    """What of a text or of bytes is summed in a column's checksum."""

    CRC32 = "crc32"
    MD5 = "md5"


class LoadStatus(StrEnum):
    SUCCESS = "success"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"


class RunStatus(StrEnum):
    RUNNING = "running"
    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True)
class ColumnDefinition:
    """One column of a source table; `type` as PostgreSQL's format_type() prints it: `numeric(12,2)`, `text[]`.

    `stands_for` is the source's type where it has no meaning elsewhere (an enum, say) and `type` is text instead.
    """

    name: str
    type: str
    nullable: bool = True
    generated: bool = False
    identity: bool = False
    stands_for: str = ""
    has_loose_texts: bool = False
    """Whether the source calls different texts equal (citext, a collation that is not deterministic)."""
    gone: bool = False
    """No longer at the source: read as NULL, since stores hold it still."""


@dataclass(frozen=True)
class Dataset:
    """A table, or files, as OpenLineage names them: `postgres://host:5432`, `database.schema.table`."""

    namespace: str
    name: str


@dataclass(frozen=True)
class ForeignKey:
    columns: tuple[str, ...]
    parent_table: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class TableDefinition:
    """Names, types, nullability and keys of a table, from the source's own schema."""

    name: str
    columns: tuple[ColumnDefinition, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> ColumnDefinition:
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class Column:
    """One column of a frame on its way into a store.

    `spark_type` is the field's simpleString (`decimal(12,2)`, `array<string>`); `postgresql_type` is the type the
    column has at its source, or the one that follows from `spark_type` where it has none.
    """

    name: str
    spark_type: str
    postgresql_type: str
    nullable: bool = True


@dataclass(frozen=True)
class Checksums:
    """What a set of rows amounts to: how many, and one number a column (etl/statements/checksum.py).

    Equal rows give equal checksums in Spark, PostgreSQL and ClickHouse, whatever their order.
    """

    rows: int
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LoadResult:
    """What a loader did with one frame: `rows_in` is the sum of the five outcomes, or the load has failed.

    `bytes_written` counts what was sent to the store (compressed where the transfer is); `rows_deleted` counts rows
    that stood in the target and no longer do (vanished at the source, replaced partitions) or that it has marked, on
    top of the outcomes of incoming rows; `rows_kept` those that should have gone and could not, which the next load
    tries again.
    """

    table_name: str
    destination: Destination
    target: str
    mode: WriteMode
    rows_in: int
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_skipped: int = 0
    rows_rejected: int = 0
    rows_deleted: int = 0
    rows_kept: int = 0
    bytes_written: int = 0
    seconds: float = 0.0
    skipped_reason: str = ""
    notes: tuple[str, ...] = ()
    """What a person should know of this load, a sentence each."""

    @property
    def accounted(self) -> int:
        return self.rows_inserted + self.rows_updated + self.rows_unchanged + self.rows_skipped + self.rows_rejected

    @property
    def changed(self) -> bool:
        return bool(self.rows_inserted or self.rows_updated or self.rows_deleted)

    @property
    def status(self) -> LoadStatus:
        """Skipped where the loader says why, unchanged where the target holds what it held before."""
        if self.skipped_reason:
            return LoadStatus.SKIPPED
        return LoadStatus.SUCCESS if self.changed else LoadStatus.UNCHANGED


@dataclass(frozen=True)
class MaintenanceResult:
    """What a target's upkeep came to. Days before `deleted_before` went (None: the table keeps all of them);
    `rows_deleted` is None where nobody has counted them."""

    table_name: str
    destination: Destination
    target: str
    deleted_before: date | None = None
    days_deleted: int = 0
    rows_deleted: int | None = 0
    files_joined: int = 0
    seconds: float = 0.0
