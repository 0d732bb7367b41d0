"""Frozen values that the uploader's modules hand one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from etl.config.limits import LONGEST_STATEMENT_SECONDS


class FileType(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"


class Mode(StrEnum):
    UPSERT = "upsert"
    APPEND = "append"


class TolerantMode(StrEnum):
    """What a value becomes that a short row lacks."""

    NULL = "null"
    EMPTY = "empty"


class NulCharacters(StrEnum):
    """What becomes of U+0000, which PostgreSQL's text cannot hold."""

    ERROR = "error"
    STRIP = "strip"
    REPLACE = "replace"


class BadRows(StrEnum):
    FAIL = "fail"
    REJECT = "reject"


class CopyPath(StrEnum):
    """`records`: always tuples and copy_records_to_table; `auto`: column-wise or raw bytes where provably equal."""

    AUTO = "auto"
    RECORDS = "records"


@dataclass(frozen=True)
class Header:
    """A column to load; `type` is PostgreSQL's, where it was declared as `name:type`."""

    name: str
    type: str | None = None


@dataclass(frozen=True)
class CsvOptions:
    delimiter: str = ","
    quotechar: str = '"'
    encoding: str = "utf-8"
    null: str = ""
    has_header: bool = True
    tolerant: TolerantMode | None = None
    nul_characters: NulCharacters = NulCharacters.ERROR


@dataclass(frozen=True)
class StagedColumn:
    """A column as it travels. `type` is its PostgreSQL type in a staging table; `header` the column of the target that
    it becomes, None for one that the file holds and nobody asked for."""

    name: str
    type: str
    header: str | None


@dataclass(frozen=True)
class CsvBytes:
    """What COPY … (FORMAT csv) reads: UTF-8, one kind of line ending, no header."""

    data: bytes
    delimiter: str
    quotechar: str
    null: str


@dataclass(frozen=True)
class BinaryBytes:
    """What COPY … (FORMAT binary) reads, with header and trailer."""

    data: bytes


@dataclass(frozen=True)
class Records:
    """What copy_records_to_table takes."""

    rows: list[tuple[Any, ...]]


Payload = CsvBytes | BinaryBytes | Records


@dataclass(frozen=True)
class Reject:
    """A row that was not loaded. `row` counts the file's records from 1, the header not among them; `line` is the line
    of a CSV file on which the record begins, None for Parquet. `position` is the row's place in its batch's payload,
    from 1, for one that stands there; 0 for one that never came so far."""

    row: int
    line: int | None
    column: str | None
    value: str | None
    reason: str
    position: int = 0


@dataclass(frozen=True)
class Batch:
    """Consecutive records of one file, always the same for the same file and chunk size.

    `first_row` is the 1-based number of its first record in the file (0: not known, a CSV batch cut without looking
    into it), `first_line` the line it begins on. `rows` is the number of rows in the payload, None where only COPY will
    tell. `rejects` are records that were read and are not in the payload, `rows_padded` those in it that were short,
    `nul_characters` how many U+0000 were stripped or replaced. `is_checked`: the payload was written anew by the exact
    path; `lines` then says on which line of the file each of its rows begins.
    """

    index: int
    columns: tuple[StagedColumn, ...]
    payload: Payload
    size_bytes: int
    first_row: int = 0
    first_line: int | None = None
    rows: int | None = None
    rejects: tuple[Reject, ...] = ()
    rows_padded: int = 0
    nul_characters: int = 0
    is_checked: bool = False
    lines: Sequence[int] = field(default=(), repr=False)


@dataclass(frozen=True)
class BatchCounts:
    """rows_read = inserted + updated + unchanged + rejected + deduplicated. `nul_characters`: stripped or replaced."""

    rows_read: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_rejected: int = 0
    rows_deduplicated: int = 0
    rows_padded: int = 0
    nul_characters: int = 0

    def __add__(self, other: BatchCounts) -> BatchCounts:
        return BatchCounts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


class FileStatus(StrEnum):
    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class FileResult:
    path: str
    file_type: FileType
    status: FileStatus
    counts: BatchCounts = field(default_factory=BatchCounts)
    batches: int = 0
    seconds: float = 0.0
    notes: str = ""


@dataclass(frozen=True)
class UploadReport:
    run_id: str
    table: str
    files: tuple[FileResult, ...]
    seconds: float = 0.0
    retries: int = 0
    notes: str = ""
    """What went wrong when the files were loaded; then the run has failed, whatever they say."""

    @property
    def counts(self) -> BatchCounts:
        return sum((file.counts for file in self.files), BatchCounts())

    @property
    def is_success(self) -> bool:
        return not self.notes and all(f.status in (FileStatus.SUCCESS, FileStatus.SKIPPED) for f in self.files)


@dataclass(frozen=True)
class OrderColumn:
    """Of rows with one key the first in this order is kept; NULL stands last."""

    name: str
    descending: bool = True


@dataclass(frozen=True)
class UploadOptions:
    """One call of the uploader. `table` may be schema-qualified. Sizes in rows and bytes, times in seconds."""

    files: tuple[str, ...]
    table: str
    headers: tuple[Header, ...]
    primary_key: tuple[str, ...] = ()
    file_type: FileType | None = None
    mode: Mode = Mode.UPSERT
    chunk_size: int = 50_000
    concurrency: int = 4
    max_retries: int = 3
    preserve_types: bool = False
    dry_run: bool = False
    resume: bool = False
    restart: bool = False
    csv: CsvOptions = field(default_factory=CsvOptions)
    bad_rows: BadRows = BadRows.FAIL
    maximum_rejected: str | None = None
    """How many rows of a file may be bad, as 100 or 5%: else none is loaded. None: half, told when it has been read."""
    dedup_order_by: tuple[OrderColumn, ...] = ()
    timezone: str | None = None
    strict_decimals: bool = False
    whole_floats: bool = False
    copy_path: CopyPath = CopyPath.AUTO
    advance_sequences: bool = False
    create_table: bool = True
    lock_timeout_seconds: int = 30
    statement_timeout_seconds: int = LONGEST_STATEMENT_SECONDS
    connect_timeout_seconds: int = 10
    run_id: str | None = None
